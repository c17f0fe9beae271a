#include "check.h"

#include <string.h>

/* Around every step that a kernel takes: 4, 8, 16 and 32 pixels, the Laplacian's two pixels of margin and the luma's look-ahead. */
static const int widths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 15, 16, 17, 18, 19, 31, 32, 33, 34, 35, 63, 64, 65, 66, 67, 100, VULTUS_MAX_SIDE};
static const int heights[] = {0, 1, 2, 3, 4};
static const int gaps[] = {0, 3};

/* An image of exactly these bytes; with `peak` every second pixel is 0 and the others full, which makes every sum its largest. */
static void *image(int width, int height, int stride, int element, int peak, enum guard guard)
{
    const size_t size = height > 0 ? (size_t)(((height - 1) * stride + width) * element) : 0;
    uint8_t *memory = guarded(size, guard);
    if (!peak)
        fill(memory, size);
    for (size_t i = 0; peak && i < size; i++)
        memory[i] = (uint8_t)(i / (size_t)element % (size_t)stride + i / (size_t)(element * stride)) % 2 ? 255 : 0;
    return memory;
}

/* Run the body for all shapes; `stride` is in pixels. */
#define EACH_SHAPE \
    for (int w = 0; w < ELEMENTS(widths); w++) \
        for (int h = 0; h < ELEMENTS(heights); h++) \
            for (int way = 0; way < 8; way++, release()) \
                for (int width = widths[w], height = heights[h], stride = width + gaps[way & 1], peak = (way >> 1) & 1, once = 1; once; once = 0)
#define GUARD ((enum guard)(way >> 2))

#define CHECK_DIFFERENCE(bits) \
    void check_difference_u##bits(void (*kernel)(const struct vultus_difference_u##bits##_args *)) \
    { \
        EACH_SHAPE { \
            const size_t size = height > 0 ? (size_t)((height - 1) * stride + width) * (bits / 8) : 0; \
            struct vultus_difference_u##bits##_args args = {.lit = image(width, height, stride, bits / 8, 0, GUARD), \
                .ambient = image(width, height, width, bits / 8, peak, GUARD), .lit_stride = stride, .ambient_stride = width, \
                .out_stride = stride, .width = width, .height = height}; \
            uint##bits##_t *expected = args.out = guarded(size, GUARD); \
            vultus_difference_u##bits##_ref(&args); \
            args.out = guarded(size, GUARD); \
            kernel(&args); \
            EXPECT(memcmp(args.out, expected, size) == 0, width, height); \
            if (stride == width) { \
                memcpy(args.out, args.lit, size); \
                args.lit = args.out; \
                kernel(&args); \
                EXPECT(memcmp(args.out, expected, size) == 0, width, height); \
            } \
        } \
    }
CHECK_DIFFERENCE(8)
CHECK_DIFFERENCE(16)

void check_luma_u8(void (*kernel)(const struct vultus_luma_u8_args *))
{
    EACH_SHAPE {
        const size_t size = height > 0 ? (size_t)((height - 1) * stride + width) : 0;
        struct vultus_luma_u8_args args = {.rgb = image(3 * width, height, 3 * stride, 1, peak, GUARD), .stride = 3 * stride,
                                           .out_stride = stride, .width = width, .height = height};
        uint8_t *expected = args.out = guarded(size, GUARD);
        vultus_luma_u8_ref(&args);
        args.out = guarded(size, GUARD);
        kernel(&args);
        EXPECT(memcmp(args.out, expected, size) == 0, width, height);
    }
}

#define CHECK_IMAGE_SUMS(bits) \
    void check_image_sums_u##bits(void (*kernel)(const struct vultus_image_sums_u##bits##_args *)) \
    { \
        static const int levels[][2] = {{0, (1 << bits) - 1}, {3, (1 << bits) - 4}, {(1 << bits) - 1, 0}, {1 << (bits - 1), 1 << (bits - 1)}}; \
        EACH_SHAPE for (int l = 0; l < ELEMENTS(levels); l++) { \
            struct vultus_image_sums expected, found; \
            struct vultus_image_sums_u##bits##_args args = {.src = image(width, height, stride, bits / 8, peak, GUARD), .stride = stride, \
                .width = width, .height = height, .low = levels[l][0], .high = levels[l][1], .out = &expected}; \
            vultus_image_sums_u##bits##_ref(&args); \
            args.out = &found; \
            kernel(&args); \
            EXPECT(memcmp(&found, &expected, sizeof found) == 0, width, height); \
        } \
    }
CHECK_IMAGE_SUMS(8)
CHECK_IMAGE_SUMS(16)

#define CHECK_STROBE_SUMS(bits) \
    void check_strobe_sums_u##bits(void (*kernel)(const struct vultus_strobe_sums_u##bits##_args *)) \
    { \
        static const int highs[] = {0, 1, 1 << (bits - 1), (1 << bits) - 4, (1 << bits) - 1}; \
        EACH_SHAPE for (int l = 0; l < ELEMENTS(highs); l++) { \
            struct vultus_strobe_sums expected, found; \
            struct vultus_strobe_sums_u##bits##_args args = {.lit = image(width, height, stride, bits / 8, peak, GUARD), .lit_stride = stride, \
                .ambient = image(width, height, width, bits / 8, 0, GUARD), .ambient_stride = width, .width = width, .height = height, \
                .high = highs[l], .out = &expected}; \
            vultus_strobe_sums_u##bits##_ref(&args); \
            args.out = &found; \
            kernel(&args); \
            EXPECT(memcmp(&found, &expected, sizeof found) == 0, width, height); \
        } \
    }
CHECK_STROBE_SUMS(8)
CHECK_STROBE_SUMS(16)
