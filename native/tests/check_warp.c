#include "check.h"

#include <string.h>

static const int sources[][3] = {{1, 1, 0}, {2, 2, 0}, {1, 9, 1}, {9, 1, 0}, {2, 3, 5}, {8, 8, 0}, {40, 31, 0}, {33, 20, 3}, {0, 5, 0}, {5, 0, 0}};
static const int outputs[][2] = {{0, 3}, {1, 1}, {7, 2}, {8, 1}, {9, 3}, {15, 2}, {17, 4}, {32, 3}};

/* Inside, across each border, turned, shrunk, enlarged, far outside, and so far that the coordinates are infinite. */
static const double matrices[][6] = {
    {1, 0, 0, 0, 1, 0},         {1, 0, 0.5, 0, 1, 0.5},       {1, 0, -3.25, 0, 1, -1.75}, {1.9, 0, 5.3, 0, 1.9, 2.2},
    {0.8, -0.6, 9, 0.6, 0.8, 1}, {-1, 0, 38.5, 0, -1, 29.5},  {0.11, 0, 3, 0, 0.11, 3},   {7, 1, -20, -1, 7, -20},
    {1, 0, 1e6, 0, 1, 0},       {1, 0, -1e12, 0, 1, 0},       {1e308, 1e308, 1e308, 0, 1, 0}, {1e-17, 0, 0.9999999999999999, 0, 1, 0},
    {1, 0, -1e-17, 0, 1, 0},    {0, 0, 39, 0, 0, 30},         {0, 0, 38.999999, 0, 0, 29.999999},
};

struct shape {
    int width, height, stride, out_width, out_height;
    const double *matrix;
    enum guard guard;
};

/* Call `check` for every source, output, matrix and side of the guard. */
static void each_shape(int channels, void (*check)(const struct shape *, const void *), const void *kernel)
{
    for (int s = 0; s < ELEMENTS(sources); s++)
        for (int o = 0; o < ELEMENTS(outputs); o++)
            for (int m = 0; m < ELEMENTS(matrices); m++)
                for (int g = 0; g < GUARD_COUNT; g++) {
                    const struct shape shape = {sources[s][0], sources[s][1], channels * sources[s][0] + sources[s][2],
                                                outputs[o][0], outputs[o][1], matrices[m], (enum guard)g};
                    check(&shape, kernel);
                    release();
                }
}

/* The bytes from the first pixel to the last: no padding follows the last row. */
static void *source(const struct shape *s, int channels, int element)
{
    const int rows = s->height > 0 ? (s->height - 1) * s->stride + channels * s->width : 0;
    const size_t size = (size_t)(rows * element);
    void *memory = guarded(size, s->guard);
    fill(memory, size);
    return memory;
}

static void rgb(const struct shape *s, const void *kernel)
{
    const size_t size = 3 * (size_t)(s->out_width * s->out_height) * sizeof(float);
    for (int way = 0; way < 4; way++) {
        struct vultus_warp_rgb_u8_args args = {.src = source(s, 3, 1), .width = s->width, .height = s->height, .stride = s->stride,
                                               .cubic = way / 2, .bgr = way % 2, .scale = 0.0078125f, .offset = -0.99609375f,
                                               .out_width = s->out_width, .out_height = s->out_height};
        memcpy(args.matrix, s->matrix, sizeof args.matrix);
        float *expected = args.out = guarded(size, s->guard);
        vultus_warp_rgb_u8_ref(&args);
        args.out = guarded(size, s->guard);
        (*(void (*const *)(const struct vultus_warp_rgb_u8_args *))kernel)(&args);
        EXPECT(memcmp(args.out, expected, size) == 0, s->width, s->out_width);
    }
}

void check_warp_rgb_u8(void (*kernel)(const struct vultus_warp_rgb_u8_args *))
{
    each_shape(3, rgb, &kernel);
}

#define CHECK_GREY(bits) \
    static void grey_##bits(const struct shape *s, const void *kernel) \
    { \
        const size_t size = (size_t)(s->out_width * s->out_height) * sizeof(float); \
        float *lut = guarded(256 * sizeof(float), s->guard); \
        for (int i = 0; i < 256; i++) \
            lut[i] = (float)(i * i) / 255.0f; \
        for (int way = 0; way < 8; way++) { \
            const int planes = way % 4 < 2 ? 1 : 3; \
            struct vultus_warp_grey_u##bits##_args args = {.src = source(s, 1, bits / 8), .width = s->width, .height = s->height, \
                .stride = s->stride, .cubic = way / 4, .gain = way % 2 ? 3.7f / (1 << (bits - 8)) : 1.0f / (1 << (bits - 8)), .lut = way % 2 ? lut : NULL, \
                .scale = 0.5f, .offset = -3.0f, .planes = planes, .out_width = s->out_width, .out_height = s->out_height}; \
            memcpy(args.matrix, s->matrix, sizeof args.matrix); \
            float *expected = args.out = guarded(size * (size_t)planes, s->guard); \
            vultus_warp_grey_u##bits##_ref(&args); \
            args.out = guarded(size * (size_t)planes, s->guard); \
            (*(void (*const *)(const struct vultus_warp_grey_u##bits##_args *))kernel)(&args); \
            EXPECT(memcmp(args.out, expected, size * (size_t)planes) == 0, s->width, s->out_width); \
        } \
    } \
    void check_warp_grey_u##bits(void (*kernel)(const struct vultus_warp_grey_u##bits##_args *)) \
    { \
        each_shape(1, grey_##bits, &kernel); \
    }
CHECK_GREY(8)
CHECK_GREY(16)

static void depth(const struct shape *s, const void *kernel)
{
    const size_t size = (size_t)(s->out_width * s->out_height) * sizeof(uint16_t);
    struct vultus_warp_depth_u16_args args = {.src = source(s, 1, 2), .width = s->width, .height = s->height, .stride = s->stride,
                                              .out_width = s->out_width, .out_height = s->out_height};
    memcpy(args.matrix, s->matrix, sizeof args.matrix);
    uint16_t *expected = args.out = guarded(size, s->guard);
    vultus_warp_depth_u16_ref(&args);
    args.out = guarded(size, s->guard);
    (*(void (*const *)(const struct vultus_warp_depth_u16_args *))kernel)(&args);
    EXPECT(memcmp(args.out, expected, size) == 0, s->width, s->out_width);
}

void check_warp_depth_u16(void (*kernel)(const struct vultus_warp_depth_u16_args *))
{
    each_shape(1, depth, &kernel);
}
