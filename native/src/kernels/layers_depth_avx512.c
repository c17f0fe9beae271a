#include "layers.h"

#include <immintrin.h>

#define EACH(i, count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); i++)

/* The 64 channels of one column, three rows side by side in each 32 bits, as four groups of sixteen. */
static inline __attribute__((always_inline)) void column_of(const uint8_t *in, ptrdiff_t row, __m512i out[4])
{
    const __m512i nothing = _mm512_setzero_si512();
    const __m512i a = _mm512_loadu_si512(in), b = _mm512_loadu_si512(in + row), c = _mm512_loadu_si512(in + 2 * row);
    const __m512i low = _mm512_unpacklo_epi8(a, b), high = _mm512_unpackhi_epi8(a, b);
    const __m512i low_c = _mm512_unpacklo_epi8(c, nothing), high_c = _mm512_unpackhi_epi8(c, nothing);
    out[0] = _mm512_unpacklo_epi16(low, low_c);
    out[1] = _mm512_unpackhi_epi16(low, low_c);
    out[2] = _mm512_unpacklo_epi16(high, high_c);
    out[3] = _mm512_unpackhi_epi16(high, high_c);
}

/* One of the two sums, in levels without the zero point. */
static inline __attribute__((always_inline)) __m512i level_of(const uint8_t *block, int sum, int v, __m512i a, __m512i b, __m512i c)
{
    const uint8_t *head = block + sum * 2 * QUAD + v * 64, *taps = block + HEAD + (sum * 4 + v) * 3 * 64;
    __m512i total = _mm512_dpbusd_epi32(_mm512_loadu_si512(head), a, _mm512_loadu_si512(taps));
    total = _mm512_dpbusd_epi32(total, b, _mm512_loadu_si512(taps + 64));
    total = _mm512_dpbusd_epi32(total, c, _mm512_loadu_si512(taps + 128));
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(total), _mm512_loadu_ps(head + QUAD)));
}

static inline __attribute__((always_inline)) void row_of(const struct vultus_depth_u8_args *a, const uint8_t *in, const uint8_t *block, int stride, uint8_t *out)
{
    const __m512i offset = _mm512_set1_epi16((short)a->zero);
    const ptrdiff_t pixel = a->channels;
    __m512i columns[3][4];
    column_of(in, a->in_row, columns[0]);
    if (stride == 1)
        column_of(in + pixel, a->in_row, columns[1]);
    for (int x = 0; x < a->width; x++, in += stride * pixel, out += pixel) {
        if (stride == 2)
            column_of(in + pixel, a->in_row, columns[1]);
        column_of(in + 2 * pixel, a->in_row, columns[2]);
        __m512i best[2];
        EACH(h, 2)
        {
            __m512i level[2][2];
            EACH(s, 2)
            EACH(i, 2)
            level[s][i] = level_of(block, s, 2 * h + i, columns[0][2 * h + i], columns[1][2 * h + i], columns[2][2 * h + i]);
            const __m512i larger = _mm512_max_epi16(_mm512_packs_epi32(level[0][0], level[0][1]), _mm512_packs_epi32(level[1][0], level[1][1]));
            best[h] = _mm512_adds_epi16(larger, offset);
        }
        _mm512_storeu_si512(out, _mm512_packus_epi16(best[0], best[1]));
        EACH(v, 4)
        {
            columns[0][v] = stride == 1 ? columns[1][v] : columns[2][v];
            columns[1][v] = columns[2][v];
        }
    }
}

void vultus_depth_u8_avx512(const struct vultus_depth_u8_args *a)
{
    for (int c = 0; c < a->channels; c += BLOCK) {
        const uint8_t *block = a->packed + c / BLOCK * (ptrdiff_t)DEPTH_BLOCK;
        for (int y = 0; y < a->height; y++) {
            const uint8_t *in = a->in + (ptrdiff_t)y * a->stride * a->in_row + c;
            uint8_t *out = a->out + (ptrdiff_t)y * a->width * a->channels + c;
            if (a->stride == 1)
                row_of(a, in, block, 1, out);
            else
                row_of(a, in, block, 2, out);
        }
    }
}
