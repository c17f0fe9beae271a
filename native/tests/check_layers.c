#include "check.h"
#include "kernels/layers.h"

#include <math.h>

enum { MOST = 260 }; /* input channels of the largest case */

static void draw_scales(float *out, int count, double largest)
{
    for (int i = 0; i < count; i++)
        out[i] = (float)(draw(1000) * largest / 1000.0);
}

static void draw_bias(int32_t *out, int count, int largest)
{
    for (int i = 0; i < count; i++)
        out[i] = (int32_t)draw(2 * (uint32_t)largest) - largest;
}

/* Levels that occurred so far; a comparison says something when they are many. */
static int seen[256];

static void look_at(const uint8_t *found, size_t count)
{
    for (size_t i = 0; i < count; i++)
        seen[found[i]] = 1;
}

static void expect_spread(void)
{
    int different = 0;
    for (int i = 0; i < 256; i++) {
        different += seen[i];
        seen[i] = 0;
    }
    EXPECT(different > 250, different, 256);
}

static uint8_t *packed_point(int from, int to, int zero, double spread, enum guard guard)
{
    static int8_t weights[192 * MOST], slope[192];
    static int32_t bias[192];
    static float scale[192], step[192];
    fill(weights, (size_t)(from * to));
    draw_bias(bias, to, 20000);
    draw_scales(scale, to, spread);
    draw_scales(step, to, 1.0 / 127);
    for (int i = 0; i < to; i++)
        slope[i] = (int8_t)(draw(4) ? 127 - 254 * (int)draw(2) : (int)draw(255) - 127);
    const ptrdiff_t size = vultus_packed_size(from, to);
    uint8_t *packed = guarded((size_t)size, guard);
    EXPECT(vultus_pack_point(weights, bias, scale, slope, step, from, to, zero, packed, size) == VULTUS_OK, from, to);
    return packed;
}

void check_point_u8(void (*kernel)(const struct vultus_point_u8_args *))
{
    static const int from[] = {4, 64, 68, MOST}, to[] = {64, 192}, pixels[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 36, 49};
    for (int i = 0; i < ELEMENTS(from) * ELEMENTS(to) * ELEMENTS(pixels) * GUARD_COUNT; i++, release()) {
        const enum guard guard = (enum guard)(i % GUARD_COUNT);
        const int n = pixels[i / 2 % ELEMENTS(pixels)], f = from[i / 30 % ELEMENTS(from)], t = to[i / 120], zero = (int)draw(256);
        const int width = 1 + (int)draw((uint32_t)n), gap = (int)draw(3) * t, rows = (n + width - 1) / width;
        const size_t size = (size_t)((rows - 1) * (width * t + gap) + (n - (rows - 1) * width) * t);
        uint8_t *in = guarded((size_t)(n * f), guard), *expected = guarded(size, guard), *found = guarded(size, guard);
        fill(in, (size_t)(n * f));
        memset(expected, 0xA5, size);
        memset(found, 0xA5, size);
        struct vultus_point_u8_args args = {.in = in, .packed = packed_point(f, t, (int)draw(256), i % 7 == 0 ? 0.99 : 0.01, guard), .pixels = n, .width = width,
                                            .from = f, .to = t, .zero = zero, .out = expected, .out_row = (ptrdiff_t)width * t + gap};
        args.next = i % 3 ? args.packed : NULL;
        vultus_point_u8_ref(&args);
        args.out = found;
        kernel(&args);
        EXPECT(memcmp(expected, found, size) == 0, n, f);
        look_at(found, size);
    }
    expect_spread();
}

static uint8_t *packed_depth(int channels, int zero, double spread, enum guard guard)
{
    static int8_t weights[2][192 * 9];
    static int32_t bias[2][192];
    static float scale[2][192];
    for (int k = 0; k < 2; k++) {
        fill(weights[k], (size_t)channels * 9);
        draw_bias(bias[k], channels, 9000);
        draw_scales(scale[k], channels, spread);
    }
    const ptrdiff_t size = vultus_packed_size(0, channels);
    uint8_t *packed = guarded((size_t)size, guard);
    const int status = vultus_pack_depth((const int8_t *const[]){weights[0], weights[1]}, (const int32_t *const[]){bias[0], bias[1]},
                                         (const float *const[]){scale[0], scale[1]}, channels, zero, packed, size);
    EXPECT(status == VULTUS_OK, channels, zero);
    return packed;
}

void check_depth_u8(void (*kernel)(const struct vultus_depth_u8_args *))
{
    for (int i = 0; i < 2 * 2 * 3 * 5 * 5; i++, release()) {
        const enum guard guard = (enum guard)(i % GUARD_COUNT);
        const int stride = 1 + i / 2 % 2, channels = 64 * (1 + i / 4 % 3), width = 1 + i / 12 % 5, height = 1 + i / 60 % 5;
        const ptrdiff_t row = (ptrdiff_t)((width - 1) * stride + 3) * channels + 64 * (ptrdiff_t)draw(2);
        const size_t size = (size_t)(width * height * channels);
        const size_t read = (size_t)(row * ((height - 1) * stride + 2) + ((width - 1) * stride + 3) * channels);
        uint8_t *in = guarded(read, guard), *expected = guarded(size, guard), *found = guarded(size, guard);
        fill(in, read);
        struct vultus_depth_u8_args args = {.in = in, .packed = packed_depth(channels, (int)draw(256), i % 7 == 0 ? 0.99 : 0.02, guard), .in_row = row, .width = width,
                                            .height = height, .channels = channels, .stride = stride, .zero = (int)draw(256), .out = expected};
        vultus_depth_u8_ref(&args);
        args.out = found;
        kernel(&args);
        EXPECT(memcmp(expected, found, size) == 0, width, height);
        look_at(found, size);
    }
    expect_spread();
}

void check_head_u8(void (*kernel)(const struct vultus_head_u8_args *))
{
    static const int pixels[] = {1, 2, 7, 49}, channels[] = {4, 8, 68};
    for (int i = 0; i < ELEMENTS(pixels) * ELEMENTS(channels) * GUARD_COUNT; i++, release()) {
        const enum guard guard = (enum guard)(i % GUARD_COUNT);
        const int p = pixels[i / 2 % 4], c = channels[i / 8], shift = i % 5;
        const size_t count = (size_t)(p * c) * VULTUS_HEAD_OUT;
        /* Weights as they lie in a file: anywhere. */
        int8_t *weights = (int8_t *)guarded(count + 5, guard) + shift;
        uint8_t *in = guarded((size_t)(p * c), guard);
        float scale[VULTUS_HEAD_OUT], *expected = guarded(sizeof scale, guard), *found = guarded(sizeof scale, guard);
        int32_t bias[VULTUS_HEAD_OUT];
        fill(weights, count);
        fill(in, (size_t)(p * c));
        for (int n = 0; n < VULTUS_HEAD_OUT; n++)
            bias[n] = (int32_t)draw(UINT32_MAX);
        draw_scales(scale, VULTUS_HEAD_OUT, 1);
        struct vultus_head_u8_args args = {.in = in, .pixels = p, .channels = c, .weights = weights, .bias = bias, .scale = scale, .out = expected};
        vultus_head_u8_ref(&args);
        args.out = found;
        kernel(&args);
        EXPECT(memcmp(expected, found, sizeof scale) == 0, p, c);
    }
}
