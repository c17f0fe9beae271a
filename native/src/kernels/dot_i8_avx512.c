#include "kernels.h"

#include <immintrin.h>

/* The instruction multiplies unsigned by signed bytes, so a row is moved up by 128 and 128 times the query's sum taken off again.
 * Sums of 32 bits do not saturate, and 65 536 x 255 x 128 stays below 2^31. */
static inline __m512i add(__m512i sum, __m512i row, __m512i query)
{
    return _mm512_dpbusd_epi32(sum, _mm512_xor_si512(row, _mm512_set1_epi8(-128)), query);
}

/* Elements past the end are 0 in the query, whatever the row is taken for there. */
static inline __mmask64 rest(ptrdiff_t left)
{
    return left >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
}

static int32_t sum_of(const int8_t *query, ptrdiff_t dim)
{
    __m512i sum = _mm512_setzero_si512();
    for (ptrdiff_t j = 0; j < dim; j += 64)
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), _mm512_maskz_loadu_epi8(rest(dim - j), query + j));
    return _mm512_reduce_add_epi32(sum);
}

/* Sixteen lanes of each of four sums to one total each. */
static inline __m128i totals(__m512i a, __m512i b, __m512i c, __m512i d)
{
    const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

void vultus_dot_i8_avx512(const struct vultus_dot_i8_args *args)
{
    const ptrdiff_t dim = args->dim, stride = args->stride;
    const int32_t surplus = 128 * sum_of(args->query, dim);
    ptrdiff_t i = 0;
    for (; i + 4 <= args->count; i += 4) {
        const int8_t *row = args->rows + i * stride;
        __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
        for (ptrdiff_t j = 0; j < dim; j += 64) {
            const __mmask64 mask = rest(dim - j);
            const __m512i query = _mm512_maskz_loadu_epi8(mask, args->query + j);
            s0 = add(s0, _mm512_maskz_loadu_epi8(mask, row + j), query);
            s1 = add(s1, _mm512_maskz_loadu_epi8(mask, row + stride + j), query);
            s2 = add(s2, _mm512_maskz_loadu_epi8(mask, row + 2 * stride + j), query);
            s3 = add(s3, _mm512_maskz_loadu_epi8(mask, row + 3 * stride + j), query);
        }
        _mm_storeu_si128((__m128i *)(void *)(args->out + i), _mm_sub_epi32(totals(s0, s1, s2, s3), _mm_set1_epi32(surplus)));
    }
    for (; i < args->count; i++) {
        __m512i sum = _mm512_setzero_si512();
        for (ptrdiff_t j = 0; j < dim; j += 64) {
            const __mmask64 mask = rest(dim - j);
            sum = add(sum, _mm512_maskz_loadu_epi8(mask, args->rows + i * stride + j), _mm512_maskz_loadu_epi8(mask, args->query + j));
        }
        args->out[i] = _mm512_reduce_add_epi32(sum) - surplus;
    }
}
