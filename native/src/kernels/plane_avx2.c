#include "plane.h"
#include "sum_avx2.h"

/* Four depths as doubles; those outside lo .. hi, and with them everything that is multiplied by them, become 0. */
static inline __m256d four(const uint16_t *from, const struct vultus_depth_area *area, __m256i *kept)
{
    const __m128i z = _mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from));
    const __m128i out = _mm_or_si128(_mm_cmpgt_epi32(_mm_set1_epi32(area->lo), z), _mm_cmpgt_epi32(z, _mm_set1_epi32(area->hi)));
    *kept = _mm256_cvtepi32_epi64(_mm_xor_si128(out, _mm_set1_epi32(-1)));
    return _mm256_cvtepi32_pd(_mm_andnot_si128(out, z));
}

static inline __m256d rays(const struct vultus_depth_area *area, int x)
{
    const __m256d at = _mm256_add_pd(_mm256_set1_pd((double)area->x0 + x), _mm256_setr_pd(0, 1, 2, 3));
    return _mm256_div_pd(_mm256_sub_pd(at, _mm256_set1_pd(area->camera.cx)), _mm256_set1_pd(area->camera.fx));
}

/* With px = ray_x z and py = ray_y z every sum of a row follows from five: z, z^2, ray_x z, ray_x z^2 and ray_x^2 z^2. */
static void row_sums(const struct vultus_depth_area *area, const uint16_t *row, double ray_y, struct vultus_plane_sums *s)
{
    __m256d z1 = _mm256_setzero_pd(), z2 = z1, xz1 = z1, xz2 = z1, xxz2 = z1;
    __m256i n = _mm256_setzero_si256(), kept;
    int x = 0;
    for (; x + 4 <= area->width; x += 4) {
        const __m256d z = four(row + x, area, &kept), ray = rays(area, x), zz = _mm256_mul_pd(z, z), px = _mm256_mul_pd(ray, z);
        n = _mm256_sub_epi64(n, kept);
        z1 = _mm256_add_pd(z1, z);
        z2 = _mm256_add_pd(z2, zz);
        xz1 = _mm256_add_pd(xz1, px);
        xz2 = _mm256_fmadd_pd(ray, zz, xz2);
        xxz2 = _mm256_fmadd_pd(px, px, xxz2);
    }
    const double sum_z = vultus_sum_f64(z1), sum_zz = vultus_sum_f64(z2), sum_xzz = vultus_sum_f64(xz2);
    s->n += vultus_sum_i64(n);
    s->x += vultus_sum_f64(xz1);
    s->y += ray_y * sum_z;
    s->z += sum_z;
    s->xx += vultus_sum_f64(xxz2);
    s->xy += ray_y * sum_xzz;
    s->yy += ray_y * ray_y * sum_zz;
    s->xz += sum_xzz;
    s->yz += ray_y * sum_zz;
    for (; x < area->width; x++)
        vultus_plane_add(area, x, ray_y, row[x], s);
}

void vultus_plane_sums_u16_avx2(const struct vultus_plane_sums_u16_args *args)
{
    const struct vultus_depth_area *area = &args->area;
    struct vultus_plane_sums s = {0};
    for (int y = 0; y < area->height; y++)
        row_sums(area, area->src + y * area->stride, (area->y0 + y - area->camera.cy) / area->camera.fy, &s);
    *args->out = s;
}

void vultus_plane_residual_u16_avx2(const struct vultus_plane_residual_u16_args *args)
{
    const struct vultus_depth_area *area = &args->area;
    struct vultus_plane_residual r = {0};
    __m256d squares = _mm256_setzero_pd(), largest = squares;
    for (int y = 0; y < area->height; y++) {
        const uint16_t *row = area->src + y * area->stride;
        const double ray_y = (area->y0 + y - area->camera.cy) / area->camera.fy;
        int x = 0;
        for (; x + 4 <= area->width; x += 4) {
            __m256i kept;
            const __m256d z = four(row + x, area, &kept);
            const __m256d slope = _mm256_fmadd_pd(_mm256_set1_pd(args->a), rays(area, x), _mm256_set1_pd(args->b * ray_y));
            const __m256d fitted = _mm256_fmadd_pd(slope, z, _mm256_set1_pd(args->c));
            const __m256d off = _mm256_and_pd(_mm256_sub_pd(z, fitted), _mm256_castsi256_pd(kept));
            squares = _mm256_fmadd_pd(off, off, squares);
            largest = _mm256_max_pd(largest, _mm256_andnot_pd(_mm256_set1_pd(-0.0), off));
        }
        for (; x < area->width; x++)
            vultus_residual_add(args, x, ray_y, row[x], &r);
    }
    double most[4];
    _mm256_storeu_pd(most, largest);
    for (int i = 0; i < 4; i++)
        r.max_abs = most[i] > r.max_abs ? most[i] : r.max_abs;
    r.sum_squares += vultus_sum_f64(squares);
    *args->out = r;
}
