#include "warp_avx2.h"
#include "warp_grey.h"

static inline __m256 tone(__m256 v, const float *lut)
{
    v = _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_set1_ps(255.0f));
    if (lut == NULL)
        return v;
    const __m256i i = _mm256_min_epi32(_mm256_cvttps_epi32(v), _mm256_set1_epi32(254));
    const __m256 here = _mm256_i32gather_ps(lut, i, 4), next = _mm256_i32gather_ps(lut + 1, i, 4);
    return _mm256_add_ps(here, _mm256_mul_ps(_mm256_sub_ps(v, _mm256_cvtepi32_ps(i)), _mm256_sub_ps(next, here)));
}

/* Each load takes four bytes from the left pixel on; `last` is the last place where four bytes are still in the image. */
#define VULTUS_WARP(bits, bytes, mask) \
    static inline void store_##bits(const struct vultus_warp_grey_u##bits##_args *a, __m256 v, float *out) \
    { \
        const __m256 shown = tone(_mm256_mul_ps(v, _mm256_set1_ps(a->gain)), a->lut); \
        _mm256_storeu_ps(out, _mm256_add_ps(_mm256_mul_ps(shown, _mm256_set1_ps(a->scale)), _mm256_set1_ps(a->offset))); \
    } \
    static inline int block_##bits(const struct vultus_warp_grey_u##bits##_args *a, const struct vultus_places *p, int last, float *out) \
    { \
        const int *base = (const int *)(const void *)a->src; \
        const __m256i stride = _mm256_set1_epi32((int)a->stride * bytes), low = _mm256_set1_epi32(mask); \
        const __m256i upper = _mm256_add_epi32(_mm256_mullo_epi32(p->y, stride), _mm256_mullo_epi32(p->x, _mm256_set1_epi32(bytes))); \
        const __m256i lower = _mm256_add_epi32(upper, stride); \
        if (_mm256_movemask_epi8(_mm256_cmpgt_epi32(lower, _mm256_set1_epi32(last)))) \
            return 0; \
        const __m256i u = _mm256_i32gather_epi32(base, upper, 1), l = _mm256_i32gather_epi32(base, lower, 1); \
        const __m256 v = vultus_blend_8(_mm256_cvtepi32_ps(_mm256_and_si256(u, low)), \
                                        _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(u, bits), low)), \
                                        _mm256_cvtepi32_ps(_mm256_and_si256(l, low)), \
                                        _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(l, bits), low)), p->fx, p->fy); \
        store_##bits(a, v, out); \
        return 1; \
    } \
    /* The four pixels of a row are exactly `bytes` loads. */ \
    static inline void cubic_block_##bits(const struct vultus_warp_grey_u##bits##_args *a, const struct vultus_places *p, float *out) \
    { \
        const int *base = (const int *)(const void *)a->src; \
        const __m256i one = _mm256_set1_epi32(1), stride = _mm256_set1_epi32((int)a->stride * bytes), low = _mm256_set1_epi32(mask); \
        __m256 wx[4], wy[4], sum = _mm256_setzero_ps(); \
        vultus_cubic_weights_8(p->fx, wx); \
        vultus_cubic_weights_8(p->fy, wy); \
        __m256i at = _mm256_add_epi32(_mm256_mullo_epi32(_mm256_sub_epi32(p->y, one), stride), \
                                      _mm256_mullo_epi32(_mm256_sub_epi32(p->x, one), _mm256_set1_epi32(bytes))); \
        for (int r = 0; r < 4; r++) { \
            __m256i words[bytes]; \
            for (int k = 0; k < bytes; k++) \
                words[k] = _mm256_i32gather_epi32(base, _mm256_add_epi32(at, _mm256_set1_epi32(4 * k)), 1); \
            __m256 row = _mm256_setzero_ps(); \
            for (int k = 0; k < 4; k++) { \
                const __m256i tap = _mm256_and_si256(_mm256_srli_epi32(words[k * bytes / 4], bits * (k % (4 / bytes))), low); \
                row = vultus_weigh_8(row, _mm256_cvtepi32_ps(tap), wx[k], k == 0); \
            } \
            sum = vultus_weigh_8(sum, row, wy[r], r == 0); \
            at = _mm256_add_epi32(at, stride); \
        } \
        store_##bits(a, sum, out); \
    } \
    void vultus_warp_grey_u##bits##_avx2(const struct vultus_warp_grey_u##bits##_args *args) \
    { \
        const int last = (int)(((args->height - 1) * args->stride + args->width) * bytes) - 4; \
        for (int y = 0; y < args->out_height; y++) { \
            const double row_x = args->matrix[1] * y + args->matrix[2], row_y = args->matrix[4] * y + args->matrix[5]; \
            float *out = args->out + (ptrdiff_t)y * args->out_width; \
            int x = 0; \
            for (; x + 8 <= args->out_width; x += 8) { \
                const struct vultus_places p = vultus_places_of(args->matrix, row_x, row_y, x, VULTUS_MARGIN(args->cubic)); \
                if (args->cubic && vultus_all_sixteen(&p, args->width, args->height)) { \
                    cubic_block_##bits(args, &p, out + x); \
                    continue; \
                } \
                const int within = vultus_all_below(p.x, args->width - 1) && vultus_all_below(p.y, args->height - 1); \
                if (!args->cubic && within && block_##bits(args, &p, last, out + x)) \
                    continue; \
                for (int i = x; i < x + 8; i++) \
                    out[i] = vultus_warp_grey_pixel_##bits(args, i, row_x, row_y); \
            } \
            for (; x < args->out_width; x++) \
                out[x] = vultus_warp_grey_pixel_##bits(args, x, row_x, row_y); \
        } \
        vultus_repeat_plane(args->out, (ptrdiff_t)args->out_width * args->out_height, args->planes); \
    }
VULTUS_WARP(8, 1, 0xff)
VULTUS_WARP(16, 2, 0xffff)
