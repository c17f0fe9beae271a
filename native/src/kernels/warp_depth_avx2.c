#include "warp_avx2.h"
#include "warp_depth.h"

static inline __m256i nearest(double slope, double start, int x)
{
    __m256d low, high;
    vultus_eight(slope, start, x, &low, &high);
    return vultus_round_down(low, high, 1.5, 1);
}

/* Each load takes the pixel and two bytes more; `last` is the last place where those are still in the image. */
static inline int block(const struct vultus_warp_depth_u16_args *a, __m256i x, __m256i y, int last, uint16_t *out)
{
    const __m256i at = _mm256_add_epi32(_mm256_mullo_epi32(y, _mm256_set1_epi32((int)a->stride * 2)), _mm256_slli_epi32(x, 1));
    if (_mm256_movemask_epi8(_mm256_cmpgt_epi32(at, _mm256_set1_epi32(last))))
        return 0;
    const __m256i v = _mm256_and_si256(_mm256_i32gather_epi32((const int *)(const void *)a->src, at, 1), _mm256_set1_epi32(0xffff));
    const __m128i narrow = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storeu_si128((__m128i *)(void *)out, narrow);
    return 1;
}

void vultus_warp_depth_u16_avx2(const struct vultus_warp_depth_u16_args *args)
{
    const int last = (int)(((args->height - 1) * args->stride + args->width) * 2) - 4;
    for (int y = 0; y < args->out_height; y++) {
        const double row_x = args->matrix[1] * y + args->matrix[2], row_y = args->matrix[4] * y + args->matrix[5];
        uint16_t *out = args->out + (ptrdiff_t)y * args->out_width;
        int x = 0;
        for (; x + 8 <= args->out_width; x += 8) {
            const __m256i sx = nearest(args->matrix[0], row_x, x), sy = nearest(args->matrix[3], row_y, x);
            if (vultus_all_below(sx, args->width) && vultus_all_below(sy, args->height) && block(args, sx, sy, last, out + x))
                continue;
            for (int i = x; i < x + 8; i++)
                out[i] = vultus_warp_depth_pixel(args, i, row_x, row_y);
        }
        for (; x < args->out_width; x++)
            out[x] = vultus_warp_depth_pixel(args, x, row_x, row_y);
    }
}
