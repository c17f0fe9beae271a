#include "kernels.h"
#include "sum_avx2.h"

/* Level sums of one row. 32-bit lanes hold a row's squares: 8192 / 8 * 255^2 < 2^27. */
static void levels(const uint8_t *row, int width, int low, int high, struct vultus_image_sums *s)
{
    const __m256i zero = _mm256_setzero_si256(), lows = _mm256_set1_epi8((char)low), highs = _mm256_set1_epi8((char)high);
    __m256i total = zero, squares = zero, n_low = zero, n_high = zero;
    int x = 0;
    for (; x + 32 <= width; x += 32) {
        const __m256i v = vultus_load_256(row + x);
        const __m256i a = _mm256_unpacklo_epi8(v, zero), b = _mm256_unpackhi_epi8(v, zero);
        total = _mm256_add_epi64(total, _mm256_sad_epu8(v, zero));
        squares = _mm256_add_epi32(squares, _mm256_add_epi32(_mm256_madd_epi16(a, a), _mm256_madd_epi16(b, b)));
        const __m256i is_low = _mm256_cmpeq_epi8(_mm256_min_epu8(v, lows), v), is_high = _mm256_cmpeq_epi8(_mm256_max_epu8(v, highs), v);
        n_low = _mm256_add_epi64(n_low, _mm256_sad_epu8(_mm256_sub_epi8(zero, is_low), zero));
        n_high = _mm256_add_epi64(n_high, _mm256_sad_epu8(_mm256_sub_epi8(zero, is_high), zero));
    }
    s->total += vultus_sum_i64(total);
    s->total_squares += vultus_sum_i32(squares);
    s->n_low += vultus_sum_i64(n_low);
    s->n_high += vultus_sum_i64(n_high);
    for (; x < width; x++) {
        s->total += row[x];
        s->total_squares += row[x] * row[x];
        s->n_low += row[x] <= low;
        s->n_high += row[x] >= high;
    }
}

static inline __m256i sixteen(const uint8_t *from)
{
    return _mm256_cvtepu8_epi16(vultus_load_128(from));
}

/* Laplacian sums of one inner row. 32-bit lanes hold a row's squares: 8192 / 8 * 1020^2 < 2^30. */
static void laplacian(const uint8_t *row, ptrdiff_t stride, int width, struct vultus_image_sums *s)
{
    __m256i total = _mm256_setzero_si256(), squares = total;
    int x = 1;
    for (; x + 16 < width; x += 16) {
        const __m256i around = _mm256_add_epi16(_mm256_add_epi16(sixteen(row + x - 1), sixteen(row + x + 1)),
                                                _mm256_add_epi16(sixteen(row + x - stride), sixteen(row + x + stride)));
        const __m256i l = _mm256_sub_epi16(_mm256_slli_epi16(sixteen(row + x), 2), around);
        total = _mm256_add_epi32(total, _mm256_madd_epi16(l, _mm256_set1_epi16(1)));
        squares = _mm256_add_epi32(squares, _mm256_madd_epi16(l, l));
    }
    s->laplacian += vultus_sum_i32(total);
    s->laplacian_squares += vultus_sum_i32(squares);
    for (; x + 1 < width; x++) {
        const int l = 4 * row[x] - row[x - 1] - row[x + 1] - row[x - stride] - row[x + stride];
        s->laplacian += l;
        s->laplacian_squares += l * l;
    }
}

void vultus_image_sums_u8_avx2(const struct vultus_image_sums_u8_args *args)
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
