#include "layers.h"

#include <immintrin.h>

#define EACH(i, count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); i++)

/* Add four input channels of one pixel to 64 sums: their four rows of weights are put together as columns on the way. */
static inline __attribute__((always_inline)) void add_four(const int8_t *weights, ptrdiff_t row, __m512i x, __m512i sums[4])
{
    __m512i rows[4], taps[4];
    EACH(i, 4)
    rows[i] = _mm512_loadu_si512(weights + i * row);
    const __m512i low = _mm512_unpacklo_epi8(rows[0], rows[1]), high = _mm512_unpackhi_epi8(rows[0], rows[1]);
    const __m512i low_2 = _mm512_unpacklo_epi8(rows[2], rows[3]), high_2 = _mm512_unpackhi_epi8(rows[2], rows[3]);
    taps[0] = _mm512_unpacklo_epi16(low, low_2);
    taps[1] = _mm512_unpackhi_epi16(low, low_2);
    taps[2] = _mm512_unpacklo_epi16(high, high_2);
    taps[3] = _mm512_unpackhi_epi16(high, high_2);
    EACH(v, 4)
    sums[v] = _mm512_dpbusd_epi32(sums[v], x, taps[v]);
}

void vultus_head_u8_avx512(const struct vultus_head_u8_args *a)
{
    __m512i sums[2][4];
    EACH(b, 2)
    EACH(v, 4)
    sums[b][v] = _mm512_setzero_si512();
    const ptrdiff_t row = (ptrdiff_t)a->pixels * VULTUS_HEAD_OUT;
    for (int c = 0; c < a->channels; c += 4)
        for (int p = 0; p < a->pixels; p++) {
            const int8_t *weights = a->weights + c * row + (ptrdiff_t)p * VULTUS_HEAD_OUT;
            int32_t four;
            memcpy(&four, a->in + (ptrdiff_t)p * a->channels + c, 4);
            EACH(b, 2)
            add_four(weights + b * 64, row, _mm512_set1_epi32(four), sums[b]);
        }
    uint32_t by_lane[VULTUS_HEAD_OUT];
    EACH(b, 2)
    EACH(v, 4)
    _mm512_storeu_si512(by_lane + (b * 4 + v) * 16, sums[b][v]);
    for (int n = 0; n < VULTUS_HEAD_OUT; n++)
        a->out[n] = (float)(int32_t)(by_lane[n / BLOCK * BLOCK + vultus_lane(n % BLOCK)] + (uint32_t)a->bias[n]) * a->scale[n];
}
