#include "kernels.h"

#include <immintrin.h>

/* Luma of eight pixels as eight 32-bit sums. Reads 28 bytes, four more than the pixels have. */
static inline __m256i eight(const uint8_t *rgb)
{
    const __m128i first = _mm_loadu_si128((const __m128i *)(const void *)rgb);
    const __m128i second = _mm_loadu_si128((const __m128i *)(const void *)(rgb + 12));
    const __m256i v = _mm256_set_m128i(second, first);
    const __m256i red_green = _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1)));
    const __m256i blue = _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(
        _mm_setr_epi8(2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1)));
    const __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(red_green, _mm256_set1_epi32(77 | (150 << 16))),
                                         _mm256_madd_epi16(blue, _mm256_set1_epi32(29)));
    return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(128)), 8);
}

void vultus_luma_u8_avx2(const struct vultus_luma_u8_args *args)
{
    /* Packing works within halves of a register: this puts the 32 pixels back in their order. */
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (int y = 0; y < args->height; y++) {
        const uint8_t *rgb = args->rgb + y * args->stride;
        uint8_t *out = args->out + y * args->out_stride;
        int x = 0;
        for (; x + 34 <= args->width; x += 32) {
            const __m256i a = _mm256_packus_epi32(eight(rgb + 3 * x), eight(rgb + 3 * x + 24));
            const __m256i b = _mm256_packus_epi32(eight(rgb + 3 * x + 48), eight(rgb + 3 * x + 72));
            const __m256i mixed = _mm256_packus_epi16(a, b);
            _mm256_storeu_si256((__m256i *)(void *)(out + x), _mm256_permutevar8x32_epi32(mixed, order));
        }
        for (; x < args->width; x++)
            out[x] = (uint8_t)((77 * rgb[3 * x] + 150 * rgb[3 * x + 1] + 29 * rgb[3 * x + 2] + 128) >> 8);
    }
}
