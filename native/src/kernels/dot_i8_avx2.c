#include "kernels.h"
#include "sum_avx2.h"

/* Widened to 16 bits first: the byte multiply-add saturates. */
static inline __m256i products(const int8_t *a, const int8_t *b)
{
    return _mm256_madd_epi16(_mm256_cvtepi8_epi16(vultus_load_128(a)), _mm256_cvtepi8_epi16(vultus_load_128(b)));
}

void vultus_dot_i8_avx2(const struct vultus_dot_i8_args *args)
{
    for (ptrdiff_t i = 0; i < args->count; i++) {
        const int8_t *row = args->rows + i * args->stride;
        __m256i s0 = _mm256_setzero_si256(), s1 = s0;
        ptrdiff_t j = 0;
        for (; j + 32 <= args->dim; j += 32) {
            s0 = _mm256_add_epi32(s0, products(args->query + j, row + j));
            s1 = _mm256_add_epi32(s1, products(args->query + j + 16, row + j + 16));
        }
        int32_t sum = (int32_t)vultus_sum_i32(_mm256_add_epi32(s0, s1));
        for (; j < args->dim; j++)
            sum += args->query[j] * row[j];
        args->out[i] = sum;
    }
}
