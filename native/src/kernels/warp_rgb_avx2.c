#include "warp_avx2.h"
#include "warp_rgb.h"

static inline __m256 channel(__m256i pixels, int shift)
{
    return _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(pixels, shift), _mm256_set1_epi32(255)));
}

/* Four bytes at a pixel are its colours and the next pixel's red; four bytes from its blue on are the last of them the next
 * pixel's blue. So no load leaves the two pixels that it is about. */
static void block(const struct vultus_warp_rgb_u8_args *a, const struct vultus_places *p, float *out)
{
    const int *base = (const int *)(const void *)a->src;
    const __m256i stride = _mm256_set1_epi32((int)a->stride), two = _mm256_set1_epi32(2);
    const __m256i upper = _mm256_add_epi32(_mm256_mullo_epi32(p->y, stride), _mm256_mullo_epi32(p->x, _mm256_set1_epi32(3)));
    const __m256i lower = _mm256_add_epi32(upper, stride);
    const __m256i ul = _mm256_i32gather_epi32(base, upper, 1);
    const __m256i ur = _mm256_i32gather_epi32(base, _mm256_add_epi32(upper, two), 1);
    const __m256i ll = _mm256_i32gather_epi32(base, lower, 1);
    const __m256i lr = _mm256_i32gather_epi32(base, _mm256_add_epi32(lower, two), 1);
    const __m256 scale = _mm256_set1_ps(a->scale), offset = _mm256_set1_ps(a->offset);
    const ptrdiff_t plane = (ptrdiff_t)a->out_width * a->out_height;
    for (int c = 0; c < 3; c++) {
        const __m256 v = vultus_blend_8(channel(ul, 8 * c), channel(ur, 8 * c + 8), channel(ll, 8 * c), channel(lr, 8 * c + 8), p->fx, p->fy);
        _mm256_storeu_ps(out + (a->bgr ? 2 - c : c) * plane, _mm256_add_ps(_mm256_mul_ps(v, scale), offset));
    }
}

/* The four pixels of a row are twelve bytes: three loads, none of which leaves them. */
static void cubic_block(const struct vultus_warp_rgb_u8_args *a, const struct vultus_places *p, float *out)
{
    const int *base = (const int *)(const void *)a->src;
    __m256 wx[4], wy[4], sum[3];
    vultus_cubic_weights_8(p->fx, wx);
    vultus_cubic_weights_8(p->fy, wy);
    const __m256i left = _mm256_mullo_epi32(_mm256_sub_epi32(p->x, _mm256_set1_epi32(1)), _mm256_set1_epi32(3));
    __m256i at = _mm256_add_epi32(left, _mm256_mullo_epi32(_mm256_sub_epi32(p->y, _mm256_set1_epi32(1)), _mm256_set1_epi32((int)a->stride)));
    for (int r = 0; r < 4; r++) {
        __m256i words[3];
        for (int k = 0; k < 3; k++)
            words[k] = _mm256_i32gather_epi32(base, _mm256_add_epi32(at, _mm256_set1_epi32(4 * k)), 1);
        for (int c = 0; c < 3; c++) {
            __m256 row = _mm256_setzero_ps();
            for (int k = 0; k < 4; k++)
                row = vultus_weigh_8(row, channel(words[(3 * k + c) / 4], 8 * ((3 * k + c) % 4)), wx[k], k == 0);
            sum[c] = vultus_weigh_8(sum[c], row, wy[r], r == 0);
        }
        at = _mm256_add_epi32(at, _mm256_set1_epi32((int)a->stride));
    }
    const __m256 scale = _mm256_set1_ps(a->scale), offset = _mm256_set1_ps(a->offset);
    const ptrdiff_t plane = (ptrdiff_t)a->out_width * a->out_height;
    for (int c = 0; c < 3; c++) {
        const __m256 v = _mm256_min_ps(_mm256_max_ps(sum[c], _mm256_setzero_ps()), _mm256_set1_ps(255.0f));
        _mm256_storeu_ps(out + (a->bgr ? 2 - c : c) * plane, _mm256_add_ps(_mm256_mul_ps(v, scale), offset));
    }
}

void vultus_warp_rgb_u8_avx2(const struct vultus_warp_rgb_u8_args *args)
{
    for (int y = 0; y < args->out_height; y++) {
        const double row_x = args->matrix[1] * y + args->matrix[2], row_y = args->matrix[4] * y + args->matrix[5];
        float *out = args->out + (ptrdiff_t)y * args->out_width;
        int x = 0;
        for (; x + 8 <= args->out_width; x += 8) {
            const struct vultus_places p = vultus_places_of(args->matrix, row_x, row_y, x, VULTUS_MARGIN(args->cubic));
            if (args->cubic && vultus_all_sixteen(&p, args->width, args->height)) {
                cubic_block(args, &p, out + x);
            } else if (!args->cubic && vultus_all_below(p.x, args->width - 1) && vultus_all_below(p.y, args->height - 1)) {
                block(args, &p, out + x);
            } else {
                for (int i = x; i < x + 8; i++)
                    vultus_warp_rgb_pixel(args, i, row_x, row_y, out);
            }
        }
        for (; x < args->out_width; x++)
            vultus_warp_rgb_pixel(args, x, row_x, row_y, out);
    }
}
