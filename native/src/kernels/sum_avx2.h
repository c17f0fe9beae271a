/* Sums across the lanes of a register. */
#ifndef VULTUS_SUM_AVX2_H
#define VULTUS_SUM_AVX2_H

#include <immintrin.h>
#include <stdint.h>

static inline __m256i vultus_load_256(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

static inline __m128i vultus_load_128(const void *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

static inline int64_t vultus_sum_i64(__m256i v)
{
    const __m128i s = _mm_add_epi64(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    return _mm_cvtsi128_si64(s) + _mm_extract_epi64(s, 1);
}

/* Signed 32-bit lanes, widened before they are added. */
static inline int64_t vultus_sum_i32(__m256i v)
{
    return vultus_sum_i64(_mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(v)),
                                           _mm256_cvtepi32_epi64(_mm256_extracti128_si256(v, 1))));
}

static inline double vultus_sum_f64(__m256d v)
{
    const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(s) + _mm_cvtsd_f64(_mm_unpackhi_pd(s, s));
}

#endif
