#include "kernels.h"
#include "sum_avx2.h"

static inline __m256i eight(const uint16_t *from)
{
    return _mm256_cvtepu16_epi32(vultus_load_128(from));
}

/* Squares of eight signed 32-bit lanes, added to four 64-bit sums. */
static inline __m256i add_squares(__m256i sum, __m256i v)
{
    const __m256i odd = _mm256_srli_epi64(v, 32);
    return _mm256_add_epi64(sum, _mm256_add_epi64(_mm256_mul_epi32(v, v), _mm256_mul_epi32(odd, odd)));
}

/* Level sums of one row. 32-bit lanes hold a row's total: 8192 / 8 * 65535 < 2^26. */
static void levels(const uint16_t *row, int width, int low, int high, struct vultus_image_sums *s)
{
    const __m256i above_low = _mm256_set1_epi32(low + 1), below_high = _mm256_set1_epi32(high - 1);
    __m256i total = _mm256_setzero_si256(), squares = total, n_low = total, n_high = total;
    int x = 0;
    for (; x + 8 <= width; x += 8) {
        const __m256i v = eight(row + x);
        total = _mm256_add_epi32(total, v);
        squares = add_squares(squares, v);
        n_low = _mm256_sub_epi32(n_low, _mm256_cmpgt_epi32(above_low, v));
        n_high = _mm256_sub_epi32(n_high, _mm256_cmpgt_epi32(v, below_high));
    }
    s->total += vultus_sum_i32(total);
    s->total_squares += vultus_sum_i64(squares);
    s->n_low += vultus_sum_i32(n_low);
    s->n_high += vultus_sum_i32(n_high);
    for (; x < width; x++) {
        s->total += row[x];
        s->total_squares += (int64_t)row[x] * row[x];
        s->n_low += row[x] <= low;
        s->n_high += row[x] >= high;
    }
}

/* Laplacian sums of one inner row. 32-bit lanes hold a row's total: 8192 / 8 * 4 * 65535 < 2^28. */
static void laplacian(const uint16_t *row, ptrdiff_t stride, int width, struct vultus_image_sums *s)
{
    __m256i total = _mm256_setzero_si256(), squares = total;
    int x = 1;
    for (; x + 8 < width; x += 8) {
        const __m256i around = _mm256_add_epi32(_mm256_add_epi32(eight(row + x - 1), eight(row + x + 1)),
                                                _mm256_add_epi32(eight(row + x - stride), eight(row + x + stride)));
        const __m256i l = _mm256_sub_epi32(_mm256_slli_epi32(eight(row + x), 2), around);
        total = _mm256_add_epi32(total, l);
        squares = add_squares(squares, l);
    }
    s->laplacian += vultus_sum_i32(total);
    s->laplacian_squares += vultus_sum_i64(squares);
    for (; x + 1 < width; x++) {
        const int64_t l = 4 * row[x] - row[x - 1] - row[x + 1] - row[x - stride] - row[x + stride];
        s->laplacian += l;
        s->laplacian_squares += l * l;
    }
}

void vultus_image_sums_u16_avx2(const struct vultus_image_sums_u16_args *args)
{
    struct vultus_image_sums s = {.n = (int64_t)args->width * args->height};
    for (int y = 0; y < args->height; y++)
        levels(args->src + y * args->stride, args->width, args->low, args->high, &s);
    if (args->width > 2 && args->height > 2) {
        s.n_laplacian = (int64_t)(args->width - 2) * (args->height - 2);
        for (int y = 1; y + 1 < args->height; y++)
            laplacian(args->src + y * args->stride, args->stride, args->width, &s);
    }
    *args->out = s;
}
