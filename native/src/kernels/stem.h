/* The recogniser's first six layers in the order in which their rows are needed, so that no layer's picture leaves the cache.
 *
 * 3 x 3 from three planes to 32 channels; depthwise 3 x 3; 1 x 1 to 64; depthwise 3 x 3 with stride 2; 1 x 1 to 128; depthwise
 * 3 x 3. After each, pos * x where x > 0 and neg * x elsewhere. Rows hold their channels side by side and, where a 3 x 3 layer
 * reads them, a pixel of zeros at both ends. A file that includes this has defined vultus_stem_first, _depthwise, _pointwise and _levels.
 */
#include "kernels.h"

#include <math.h>
#include <string.h>

enum {
    SIDE = VULTUS_STEM_SIDE,
    HALF = SIDE / 2,
    PAD = SIDE + 2,
    PLANE = PAD * PAD,
    ROW_0 = PAD * 32,
    ROW_2 = PAD * 64,
    ROW_4 = (HALF + 2) * 128,
    ALIGN = 16 /* floats of the widest register */
};

/* Weights of each output channel lie side by side: the taps, then bias, pos, neg. */
struct stem_layer {
    const float *taps, *bias, *pos, *neg;
};

static void vultus_stem_first(const float *const rows[9], const struct stem_layer *layer, float *out);
static void vultus_stem_depthwise(const float *const rows[3], int pixels, int stride, int channels, const struct stem_layer *layer, float *out);
static void vultus_stem_pointwise(const float *in, int pixels, int from, int to, const struct stem_layer *layer, float *out);
static void vultus_stem_levels(const float *in, int zero, uint8_t *out); /* a row of the last layer */

static const int stem_taps[6] = {27, 9, 32, 9, 64, 9}, stem_channels[6] = {32, 32, 64, 64, 128, 128};

/* What lies in the scratch memory; a ring holds the last three rows of a layer. */
struct stem_work {
    struct stem_layer layers[6];
    float *planes, *zeros, *ring_0, *row_1, *ring_2, *row_3, *ring_4, *row_5;
    int made_0, made_2, made_4; /* rows so far */
};

static float *stem_take(float **from, int count)
{
    float *taken = *from;
    *from += (count + ALIGN - 1) / ALIGN * ALIGN;
    return taken;
}

static void stem_prepare(const struct vultus_stem_f32_args *args, struct stem_work *w)
{
    const float *weights = args->weights;
    for (int i = 0; i < 6; i++) {
        const int n = stem_channels[i];
        const float *bias = weights + stem_taps[i] * n;
        w->layers[i] = (struct stem_layer){weights, bias, bias + n, bias + 2 * n};
        weights = bias + 3 * n;
    }
    float *rest = args->scratch + (-((uintptr_t)args->scratch / sizeof(float)) & (ALIGN - 1));
    w->planes = stem_take(&rest, 3 * PLANE);
    w->zeros = stem_take(&rest, ROW_4);
    w->ring_0 = stem_take(&rest, 3 * ROW_0);
    w->ring_2 = stem_take(&rest, 3 * ROW_2);
    w->ring_4 = stem_take(&rest, 3 * ROW_4);
    memset(w->planes, 0, (size_t)((char *)rest - (char *)w->planes));
    w->row_1 = stem_take(&rest, SIDE * 32);
    w->row_3 = stem_take(&rest, HALF * 64);
    w->row_5 = stem_take(&rest, HALF * 128);
    w->made_0 = w->made_2 = w->made_4 = 0;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < SIDE; y++)
            memcpy(w->planes + c * PLANE + (y + 1) * PAD + 1, args->planes + (c * SIDE + y) * SIDE, SIDE * sizeof(float));
}

/* The three rows around row y of a ring; above and below the picture there are zeros. */
static void stem_around(const struct stem_work *w, const float *ring, int row, int y, int height, const float *rows[3])
{
    for (int i = 0; i < 3; i++)
        rows[i] = y + i < 1 || y + i > height ? w->zeros : ring + (y + i - 1) % 3 * row;
}

static void stem_make_0(struct stem_work *w, int until)
{
    const float *rows[9];
    for (; w->made_0 < until && w->made_0 < SIDE; w->made_0++) {
        for (int i = 0; i < 9; i++)
            rows[i] = w->planes + i / 3 * PLANE + (w->made_0 + i % 3) * PAD;
        vultus_stem_first(rows, &w->layers[0], w->ring_0 + w->made_0 % 3 * ROW_0 + 32);
    }
}

static void stem_make_2(struct stem_work *w, int until)
{
    const float *rows[3];
    for (; w->made_2 < until && w->made_2 < SIDE; w->made_2++) {
        stem_make_0(w, w->made_2 + 2);
        stem_around(w, w->ring_0, ROW_0, w->made_2, SIDE, rows);
        vultus_stem_depthwise(rows, SIDE, 1, 32, &w->layers[1], w->row_1);
        vultus_stem_pointwise(w->row_1, SIDE, 32, 64, &w->layers[2], w->ring_2 + w->made_2 % 3 * ROW_2 + 64);
    }
}

static void stem_make_4(struct stem_work *w, int until)
{
    const float *rows[3];
    for (; w->made_4 < until && w->made_4 < HALF; w->made_4++) {
        stem_make_2(w, 2 * w->made_4 + 2);
        stem_around(w, w->ring_2, ROW_2, 2 * w->made_4, SIDE, rows);
        vultus_stem_depthwise(rows, HALF, 2, 64, &w->layers[3], w->row_3);
        vultus_stem_pointwise(w->row_3, HALF, 64, 128, &w->layers[4], w->ring_4 + w->made_4 % 3 * ROW_4 + 128);
    }
}

static void stem_run(const struct vultus_stem_f32_args *args)
{
    struct stem_work w;
    const float *rows[3];
    stem_prepare(args, &w);
    for (int y = 0; y < HALF; y++) {
        stem_make_4(&w, y + 2);
        stem_around(&w, w.ring_4, ROW_4, y, HALF, rows);
        vultus_stem_depthwise(rows, HALF, 1, 128, &w.layers[5], w.row_5);
        vultus_stem_levels(w.row_5, args->zero, args->out + y * HALF * 128);
    }
}
