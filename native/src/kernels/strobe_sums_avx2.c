#include "kernels.h"
#include "sum_avx2.h"

/* Sums of a row's tail, from x on. */
#define VULTUS_TAIL(s, lit, ambient, x, width, high) \
    for (; x < (width); x++) { \
        if (lit[x] >= (high) || ambient[x] >= (high)) \
            continue; \
        (s).n++; \
        (s).lit += lit[x]; \
        (s).ambient += ambient[x]; \
    }

void vultus_strobe_sums_u8_avx2(const struct vultus_strobe_sums_u8_args *args)
{
    struct vultus_strobe_sums s = {0};
    const __m256i zero = _mm256_setzero_si256(), high = _mm256_set1_epi8((char)args->high);
    __m256i n = zero, lit_sum = zero, ambient_sum = zero;
    for (int y = 0; y < args->height; y++) {
        const uint8_t *lit = args->lit + y * args->lit_stride, *ambient = args->ambient + y * args->ambient_stride;
        int x = 0;
        for (; x + 32 <= args->width; x += 32) {
            const __m256i a = vultus_load_256(lit + x), b = vultus_load_256(ambient + x), brighter = _mm256_max_epu8(a, b);
            const __m256i clipped = _mm256_cmpeq_epi8(_mm256_max_epu8(brighter, high), brighter);
            n = _mm256_add_epi64(n, _mm256_sad_epu8(_mm256_andnot_si256(clipped, _mm256_set1_epi8(1)), zero));
            lit_sum = _mm256_add_epi64(lit_sum, _mm256_sad_epu8(_mm256_andnot_si256(clipped, a), zero));
            ambient_sum = _mm256_add_epi64(ambient_sum, _mm256_sad_epu8(_mm256_andnot_si256(clipped, b), zero));
        }
        VULTUS_TAIL(s, lit, ambient, x, args->width, args->high)
    }
    s.n += vultus_sum_i64(n);
    s.lit += vultus_sum_i64(lit_sum);
    s.ambient += vultus_sum_i64(ambient_sum);
    s.n_saturated = (int64_t)args->width * args->height - s.n;
    *args->out = s;
}

/* Eight 32-bit sums of sixteen unsigned 16-bit lanes. */
static inline __m256i add_pairs(__m256i sum, __m256i v)
{
    const __m256i even = _mm256_and_si256(v, _mm256_set1_epi32(0xffff));
    return _mm256_add_epi32(sum, _mm256_add_epi32(even, _mm256_srli_epi32(v, 16)));
}

/* 32-bit lanes hold a row's sums: 8192 / 8 * 65535 < 2^26. */
void vultus_strobe_sums_u16_avx2(const struct vultus_strobe_sums_u16_args *args)
{
    struct vultus_strobe_sums s = {0};
    const __m256i zero = _mm256_setzero_si256(), high = _mm256_set1_epi16((short)args->high);
    for (int y = 0; y < args->height; y++) {
        const uint16_t *lit = args->lit + y * args->lit_stride, *ambient = args->ambient + y * args->ambient_stride;
        __m256i n = zero, lit_sum = zero, ambient_sum = zero;
        int x = 0;
        for (; x + 16 <= args->width; x += 16) {
            const __m256i a = vultus_load_256(lit + x), b = vultus_load_256(ambient + x), brighter = _mm256_max_epu16(a, b);
            const __m256i clipped = _mm256_cmpeq_epi16(_mm256_max_epu16(brighter, high), brighter);
            n = add_pairs(n, _mm256_andnot_si256(clipped, _mm256_set1_epi16(1)));
            lit_sum = add_pairs(lit_sum, _mm256_andnot_si256(clipped, a));
            ambient_sum = add_pairs(ambient_sum, _mm256_andnot_si256(clipped, b));
        }
        s.n += vultus_sum_i32(n);
        s.lit += vultus_sum_i32(lit_sum);
        s.ambient += vultus_sum_i32(ambient_sum);
        VULTUS_TAIL(s, lit, ambient, x, args->width, args->high)
    }
    s.n_saturated = (int64_t)args->width * args->height - s.n;
    *args->out = s;
}
