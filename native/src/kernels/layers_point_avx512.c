#include "layers.h"

#include <immintrin.h>

enum { TILE = 6 }; /* pixels: with four groups of lanes 24 sums, and four registers for the weights */

/* The loops over constants must be unrolled before the compiler gives the sums their registers. */
#define EACH(i, count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); i++)

static inline __m512i four(const uint8_t *in)
{
    int32_t value;
    memcpy(&value, in, 4);
    return _mm512_set1_epi32(value);
}

/* What a tile works on: `ahead` begins what is to be fetched meanwhile, `pace` bytes of it for every four input channels. */
struct tile {
    const uint8_t *in, *block, *ahead;
    ptrdiff_t pace;
    int from;
};

static inline __attribute__((always_inline)) void add_up(int pixels, const struct tile *tile, int32_t *kept)
{
    const uint8_t *in = tile->in, *block = tile->block, *ahead = tile->ahead;
    const ptrdiff_t from = tile->from, pace = tile->pace;
    __m512i sums[TILE][4];
    const uint8_t *weights = block + HEAD;
    EACH(p, pixels)
    EACH(v, 4)
    sums[p][v] = _mm512_loadu_si512(block + v * 64);
    for (ptrdiff_t k = 0; k < from; k += 4, weights += QUAD, ahead += pace) {
        __m512i taps[4];
        _mm_prefetch((const char *)ahead, _MM_HINT_T1);
        EACH(v, 4)
        taps[v] = _mm512_loadu_si512(weights + v * 64);
        EACH(p, pixels)
        {
            const __m512i x = four(in + p * from + k);
            EACH(v, 4)
            sums[p][v] = _mm512_dpbusd_epi32(sums[p][v], x, taps[v]);
        }
    }
    EACH(p, pixels)
    EACH(v, 4)
    _mm512_storeu_si512(kept + (p * 4 + v) * 16, sums[p][v]);
}

#define ADD_UP(pixels) \
    static __attribute__((noinline)) void add_up_##pixels(const struct tile *tile, int32_t *kept) \
    { \
        add_up(pixels, tile, kept); \
    }
ADD_UP(1) ADD_UP(2) ADD_UP(3) ADD_UP(4) ADD_UP(5) ADD_UP(6)
#undef ADD_UP

static void (*const add_up_of[])(const struct tile *, int32_t *) = {add_up_1, add_up_2, add_up_3, add_up_4, add_up_5, add_up_6};

/* Sums to levels: x, and x times its slope; the packing instructions clip, and the larger of both is right because no slope is above 1. */
static inline __m512i levels_of(const int32_t *sums, const float *head, int zero)
{
    const __m512 low = _mm512_set1_ps((float)-zero);
    const __m512i offset = _mm512_set1_epi16((short)zero);
    __m512i x[4], bent[4], best[2];
    EACH(v, 4)
    {
        const __m512 scale = _mm512_loadu_ps(head + BLOCK + v * 16), slope = _mm512_loadu_ps(head + 2 * BLOCK + v * 16);
        const __m512 step = _mm512_loadu_ps(head + 3 * BLOCK + v * 16), sum = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + v * 16));
        x[v] = _mm512_cvtps_epi32(_mm512_max_ps(_mm512_mul_ps(sum, scale), low));
        bent[v] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(x[v]), slope), step));
    }
    EACH(h, 2)
    best[h] = _mm512_max_epi16(_mm512_packs_epi32(x[2 * h], x[2 * h + 1]), _mm512_packs_epi32(bent[2 * h], bent[2 * h + 1]));
    return _mm512_packus_epi16(_mm512_adds_epi16(best[0], offset), _mm512_adds_epi16(best[1], offset));
}

void vultus_point_u8_avx512(const struct vultus_point_u8_args *a)
{
    const ptrdiff_t size = vultus_point_block(a->from), gap = a->out_row - (ptrdiff_t)a->width * a->to;
    const int tiles = (a->pixels + TILE - 1) / TILE, blocks = a->to / BLOCK;
    for (int n = 0; n < blocks; n++) {
        const uint8_t *block = a->packed + n * size;
        /* While this block is in use, the next one comes nearer. */
        const uint8_t *next = n + 1 < blocks ? block + size : a->next;
        const ptrdiff_t pace = next != NULL ? (size * 4 / a->from + tiles - 1) / tiles : 0;
        struct tile tile = {.block = block, .ahead = next != NULL ? next : block, .pace = pace, .from = a->from};
        uint8_t *out = a->out + n * BLOCK;
        for (int t = 0, done = 0, column = 0; t < tiles; t++, tile.ahead += pace * (a->from / 4)) {
            int32_t kept[TILE * BLOCK];
            const int until = (int)((ptrdiff_t)a->pixels * (t + 1) / tiles);
            tile.in = a->in + (ptrdiff_t)done * a->from;
            add_up_of[until - done - 1](&tile, kept);
            for (int p = 0; done < until; done++, p++, out += a->to) {
                _mm512_storeu_si512(out, levels_of(kept + p * BLOCK, (const float *)(const void *)block, a->zero));
                if (++column == a->width)
                    column = 0, out += gap;
            }
        }
    }
}
