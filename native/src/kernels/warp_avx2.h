/* Eight places at once. Coordinates are doubles as in the reference, in the same order of operations, so that both agree. */
#ifndef VULTUS_WARP_AVX2_H
#define VULTUS_WARP_AVX2_H

#include "warp.h"

#include <immintrin.h>

struct vultus_places {
    __m256i x, y;
    __m256 fx, fy;
};

/* slope * {x .. x+7} + start, as two halves. */
static inline void vultus_eight(double slope, double start, int x, __m256d *low, __m256d *high)
{
    const __m256d first = _mm256_add_pd(_mm256_set1_pd((double)x), _mm256_setr_pd(0, 1, 2, 3));
    const __m256d second = _mm256_add_pd(first, _mm256_set1_pd(4.0));
    *low = _mm256_add_pd(_mm256_mul_pd(_mm256_set1_pd(slope), first), _mm256_set1_pd(start));
    *high = _mm256_add_pd(_mm256_mul_pd(_mm256_set1_pd(slope), second), _mm256_set1_pd(start));
}

/* (int)(value + shift) - less; a value that no int holds, or no number at all, becomes almost INT_MAX, which is outside every image. */
static inline __m256i vultus_round_down(__m256d low, __m256d high, double shift, int less)
{
    const __m128i l = _mm256_cvttpd_epi32(_mm256_add_pd(low, _mm256_set1_pd(shift)));
    const __m128i h = _mm256_cvttpd_epi32(_mm256_add_pd(high, _mm256_set1_pd(shift)));
    return _mm256_sub_epi32(_mm256_set_m128i(h, l), _mm256_set1_epi32(less));
}

static inline __m256 vultus_fraction(__m256d low, __m256d high, __m256i whole)
{
    const __m128 l = _mm256_cvtpd_ps(_mm256_sub_pd(low, _mm256_cvtepi32_pd(_mm256_castsi256_si128(whole))));
    const __m128 h = _mm256_cvtpd_ps(_mm256_sub_pd(high, _mm256_cvtepi32_pd(_mm256_extracti128_si256(whole, 1))));
    return _mm256_set_m128(h, l);
}

static inline struct vultus_places vultus_places_of(const double *matrix, double row_x, double row_y, int x, int margin)
{
    struct vultus_places p;
    __m256d low, high;
    vultus_eight(matrix[0], row_x, x, &low, &high);
    p.x = vultus_round_down(low, high, margin, margin);
    p.fx = vultus_fraction(low, high, p.x);
    vultus_eight(matrix[3], row_y, x, &low, &high);
    p.y = vultus_round_down(low, high, margin, margin);
    p.fy = vultus_fraction(low, high, p.y);
    return p;
}

/* True when all eight v have 0 <= v < end. */
static inline int vultus_all_below(__m256i v, int end)
{
    const __m256i ok = _mm256_and_si256(_mm256_cmpgt_epi32(v, _mm256_set1_epi32(-1)), _mm256_cmpgt_epi32(_mm256_set1_epi32(end), v));
    return _mm256_movemask_epi8(ok) == -1;
}

static inline __m256 vultus_blend_8(__m256 upper_left, __m256 upper_right, __m256 lower_left, __m256 lower_right, __m256 fx, __m256 fy)
{
    const __m256 upper = _mm256_add_ps(upper_left, _mm256_mul_ps(fx, _mm256_sub_ps(upper_right, upper_left)));
    const __m256 lower = _mm256_add_ps(lower_left, _mm256_mul_ps(fx, _mm256_sub_ps(lower_right, lower_left)));
    return _mm256_add_ps(upper, _mm256_mul_ps(fy, _mm256_sub_ps(lower, upper)));
}

/* vultus_cubic_weights for eight places, in the same order of operations. */
static inline void vultus_cubic_weights_8(__m256 t, __m256 *w)
{
    const float a = VULTUS_CUBIC;
    const __m256 k = _mm256_set1_ps(a), one = _mm256_set1_ps(1.0f), at = _mm256_mul_ps(k, t);
    w[0] = _mm256_mul_ps(_mm256_add_ps(_mm256_mul_ps(_mm256_sub_ps(at, _mm256_set1_ps(2.0f * a)), t), k), t);
    const __m256 near = _mm256_sub_ps(_mm256_mul_ps(_mm256_set1_ps(a + 2.0f), t), _mm256_set1_ps(a + 3.0f));
    w[1] = _mm256_add_ps(_mm256_mul_ps(_mm256_mul_ps(near, t), t), one);
    w[3] = _mm256_mul_ps(_mm256_mul_ps(_mm256_sub_ps(k, at), t), t);
    w[2] = _mm256_sub_ps(_mm256_sub_ps(_mm256_sub_ps(one, w[0]), w[1]), w[3]);
}

/* sum + v * w, or with the first of four v * w: the order of vultus_weighed. */
static inline __m256 vultus_weigh_8(__m256 sum, __m256 v, __m256 w, int first)
{
    return first ? _mm256_mul_ps(v, w) : _mm256_add_ps(sum, _mm256_mul_ps(v, w));
}

/* True when all 4 x 4 pixels about all eight places are in the image. */
static inline int vultus_all_sixteen(const struct vultus_places *p, int width, int height)
{
    const __m256i one = _mm256_set1_epi32(1);
    return vultus_all_below(_mm256_sub_epi32(p->x, one), width - 3) && vultus_all_below(_mm256_sub_epi32(p->y, one), height - 3);
}

#endif
