#include "check.h"

#include <math.h>
#include <stdlib.h>

enum { PLANES = 3 * VULTUS_STEM_SIDE * VULTUS_STEM_SIDE, OUT = VULTUS_STEM_SIDE * VULTUS_STEM_SIDE / 4 * 128 };

static void draw_floats(float *out, int count, float largest)
{
    for (int i = 0; i < count; i++)
        out[i] = ((float)draw(2001) / 1000.0f - 1.0f) * largest;
}

/* Taps that keep the size of what comes in from layer to layer, and spread the last one over the levels. */
static void draw_weights(float *out, float levels)
{
    static const int taps[] = {27, 9, 32, 9, 64, 9}, channels[] = {32, 32, 64, 64, 128, 128};
    for (int i = 0; i < 6; i++) {
        const int n = taps[i] * channels[i];
        const float size = (i == 5 ? levels : 1.0f) * 3.0f / sqrtf((float)taps[i]);
        draw_floats(out, n, size);
        draw_floats(out + n, channels[i], i == 5 ? levels : 0.5f);
        draw_floats(out + n + channels[i], 2 * channels[i], 1.2f);
        out += n + 3 * channels[i];
    }
}

/* Sums of up to 64 products with fused multiply-adds or without move a level by one step now and then, never by two. */
static void check_at(void (*kernel)(const struct vultus_stem_f32_args *), float levels, int zero, enum guard guard, int shift, int odd)
{
    float *weights = guarded(VULTUS_STEM_WEIGHTS * sizeof(float), guard), *planes = guarded(PLANES * sizeof(float), guard);
    uint8_t *expected = guarded(OUT, guard), *found = guarded(OUT, guard);
    /* Scratch that begins anywhere: the kernel aligns it itself and must stay inside. */
    float *scratch = (float *)guarded((VULTUS_STEM_SCRATCH + (size_t)shift) * sizeof(float), guard) + shift;
    draw_weights(weights, levels);
    draw_floats(planes, PLANES, 1.0f);
    if (odd) {
        planes[0] = NAN;
        planes[PLANES / 2] = INFINITY;
    }
    struct vultus_stem_f32_args args = {.weights = weights, .planes = planes, .zero = zero, .out = expected, .scratch = scratch};
    vultus_stem_f32_ref(&args);
    args.out = found;
    kernel(&args);
    int moved = 0, spread = 0;
    for (int i = 0; i < OUT; i++) {
        EXPECT(odd || abs(found[i] - expected[i]) <= 1, i, zero);
        moved += found[i] != expected[i];
        spread += expected[i] != expected[0];
    }
    EXPECT(odd || moved < OUT / 1000, moved, zero);
    EXPECT(odd || spread > OUT / 100, spread, zero);
    release();
}

void check_stem_f32(void (*kernel)(const struct vultus_stem_f32_args *))
{
    for (int guard = 0; guard < GUARD_COUNT; guard++)
        for (int shift = 0; shift < 16; shift += 7)
            check_at(kernel, 40.0f, 100 + shift, (enum guard)guard, shift, 0);
    check_at(kernel, 500.0f, 0, GUARD_AFTER, 1, 0);
    check_at(kernel, 500.0f, 255, GUARD_BEFORE, 2, 0);
    check_at(kernel, 40.0f, 128, GUARD_AFTER, 0, 1);
}
