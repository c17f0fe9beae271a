/* The rows of the stem in vectors of LANES floats; the compiler turns them into the instructions of the file that includes this.
 * A tile of PIXELS x VECTORS sums, and FIRST pixels of the first layer, fit the registers. */
#include "stem.h"

typedef float vec __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(float))));
typedef uint8_t bytes __attribute__((vector_size(LANES), aligned(1), may_alias));

static inline vec load(const float *p)
{
    return *(const vec *)(const void *)p;
}

static inline void store(float *p, vec v)
{
    *(vec *)(void *)p = v;
}

static inline vec every(float x)
{
    return x - (vec){0};
}

static inline vec bend(vec x, vec pos, vec neg)
{
    const vec above = (vec)((mask)x & (mask)(x > (vec){0}));
    return above * pos + (x - above) * neg;
}

/* x where the condition holds, y elsewhere. */
static inline vec either(mask condition, vec x, vec y)
{
    return (vec)((condition & (mask)x) | (~condition & (mask)y));
}

static void vultus_stem_levels(const float *in, int zero, uint8_t *out)
{
    const vec low = every((float)-zero), high = every((float)(255 - zero)), whole = every(12582912.0f);
    for (int i = 0; i < HALF * 128; i += LANES) {
        const vec x = load(in + i), above = either(x > low, x, low); /* not-a-number is not above anything */
        /* A number of 1.5 * 2^23 and above has no fraction, so that adding it rounds; what it adds to its bits is the level. */
        const mask level = (mask)(either(above < high, above, high) + whole) - (mask)whole + zero;
        *(bytes *)(void *)(out + i) = __builtin_convertvector(level, bytes);
    }
}

static void vultus_stem_first(const float *const rows[9], const struct stem_layer *layer, float *out)
{
    enum { WIDE = 32 / LANES };
    for (int x = 0; x < SIDE; x += FIRST) {
        vec sums[FIRST][WIDE];
        for (int p = 0; p < FIRST; p++)
            for (int v = 0; v < WIDE; v++)
                sums[p][v] = load(layer->bias + v * LANES);
        for (int i = 0; i < 27; i++) {
            const float *in = rows[i / 3] + x + i % 3;
            for (int v = 0; v < WIDE; v++) {
                const vec tap = load(layer->taps + i * 32 + v * LANES);
                for (int p = 0; p < FIRST; p++)
                    sums[p][v] += every(in[p]) * tap;
            }
        }
        for (int p = 0; p < FIRST; p++)
            for (int v = 0; v < WIDE; v++)
                store(out + (x + p) * 32 + v * LANES, bend(sums[p][v], load(layer->pos + v * LANES), load(layer->neg + v * LANES)));
    }
}

/* Two vectors of channels at a time: lines come into the first cache in pairs. */
static void vultus_stem_depthwise(const float *const rows[3], int pixels, int stride, int channels, const struct stem_layer *layer, float *out)
{
    for (int c = 0; c < channels; c += 2 * LANES) {
        vec taps[9][2];
        for (int i = 0; i < 9; i++)
            for (int v = 0; v < 2; v++)
                taps[i][v] = load(layer->taps + i * channels + c + v * LANES);
        for (int x = 0; x < pixels; x++)
            for (int v = 0; v < 2; v++) {
                const int at = c + v * LANES;
                vec sum = load(layer->bias + at);
                for (int i = 0; i < 9; i++)
                    sum += load(rows[i / 3] + (x * stride + i % 3) * channels + at) * taps[i][v];
                store(out + x * channels + at, bend(sum, load(layer->pos + at), load(layer->neg + at)));
            }
    }
}

static inline void tile(const float *in, int from, int to, const struct stem_layer *layer, int c, float *out)
{
    vec sums[PIXELS][VECTORS];
    for (int p = 0; p < PIXELS; p++)
        for (int v = 0; v < VECTORS; v++)
            sums[p][v] = load(layer->bias + c + v * LANES);
    for (int i = 0; i < from; i++) {
        vec taps[VECTORS];
        for (int v = 0; v < VECTORS; v++)
            taps[v] = load(layer->taps + i * to + c + v * LANES);
        for (int p = 0; p < PIXELS; p++) {
            const vec x = every(in[p * from + i]);
            for (int v = 0; v < VECTORS; v++)
                sums[p][v] += x * taps[v];
        }
    }
    for (int v = 0; v < VECTORS; v++) {
        const int at = c + v * LANES;
        for (int p = 0; p < PIXELS; p++)
            store(out + p * to + at, bend(sums[p][v], load(layer->pos + at), load(layer->neg + at)));
    }
}

static void vultus_stem_pointwise(const float *in, int pixels, int from, int to, const struct stem_layer *layer, float *out)
{
    for (int c = 0; c < to; c += LANES * VECTORS)
        for (int x = 0; x < pixels; x += PIXELS)
            tile(in + x * from, from, to, layer, c, out + x * to);
}
