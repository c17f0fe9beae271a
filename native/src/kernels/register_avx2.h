/* Eight pixels of a row through a projection, in the same operations and the same order as the reference. */
#ifndef VULTUS_REGISTER_AVX2_H
#define VULTUS_REGISTER_AVX2_H

#include "register.h"
#include "sum_avx2.h"

struct vultus_places {
    __m256i x, y;
    __m256 z;
    __m256i inside;
};

static inline __m256 vultus_ray(const float *m, const float *q, __m256 x, float y, __m256 z)
{
    const __m256 ray = _mm256_add_ps(_mm256_mul_ps(_mm256_set1_ps(m[0]), x), _mm256_set1_ps(m[1] * y + m[2]));
    return _mm256_add_ps(_mm256_mul_ps(z, ray), _mm256_set1_ps(*q));
}

static inline __m256 vultus_within(__m256 v, float low, float high)
{
    return _mm256_and_ps(_mm256_cmp_ps(v, _mm256_set1_ps(low), _CMP_GE_OQ), _mm256_cmp_ps(v, _mm256_set1_ps(high), _CMP_LT_OQ));
}

static inline struct vultus_places vultus_project_8(const struct vultus_projection *p, int x, int y, __m256i depth, float shift, int right, int bottom)
{
    const __m256 z = _mm256_cvtepi32_ps(depth), move = _mm256_set1_ps(shift);
    const __m256 fx = _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_set1_epi32(x), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
    const __m256 at_z = vultus_ray(p->m + 6, p->q + 2, fx, (float)y, z);
    const __m256 scale = _mm256_div_ps(_mm256_set1_ps(1.0f), at_z);
    const __m256 px = _mm256_add_ps(_mm256_mul_ps(vultus_ray(p->m, p->q, fx, (float)y, z), scale), move);
    const __m256 py = _mm256_add_ps(_mm256_mul_ps(vultus_ray(p->m + 3, p->q + 1, fx, (float)y, z), scale), move);
    const __m256 there = _mm256_and_ps(vultus_within(px, 0.0f, (float)right), vultus_within(py, 0.0f, (float)bottom));
    const __m256i inside = _mm256_castps_si256(_mm256_and_ps(there, vultus_within(at_z, 1.0f, 65534.0f)));
    return (struct vultus_places){.x = _mm256_cvttps_epi32(px), .y = _mm256_cvttps_epi32(py), .z = at_z,
                                  .inside = _mm256_andnot_si256(_mm256_cmpeq_epi32(depth, _mm256_setzero_si256()), inside)};
}

/* Say whether eight places lie side by side: on a surface that faces the cameras most blocks do. */
static inline int vultus_side_by_side(__m256i at)
{
    const __m256i first = _mm256_broadcastd_epi32(_mm256_castsi256_si128(at));
    const __m256i row = _mm256_add_epi32(first, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    return _mm256_movemask_epi8(_mm256_cmpeq_epi32(at, row)) == -1;
}

static inline __m256i vultus_depths_8(const uint16_t *from)
{
    return _mm256_cvtepu16_epi32(vultus_load_128(from));
}

#endif
