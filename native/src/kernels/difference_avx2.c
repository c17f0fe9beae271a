#include "kernels.h"

#include <immintrin.h>

#define VULTUS_DIFFERENCE(bits) \
    void vultus_difference_u##bits##_avx2(const struct vultus_difference_u##bits##_args *args) \
    { \
        for (int y = 0; y < args->height; y++) { \
            const uint##bits##_t *lit = args->lit + y * args->lit_stride, *ambient = args->ambient + y * args->ambient_stride; \
            uint##bits##_t *out = args->out + y * args->out_stride; \
            int x = 0; \
            for (; x + 256 / bits <= args->width; x += 256 / bits) { \
                const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(lit + x)); \
                const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(ambient + x)); \
                _mm256_storeu_si256((__m256i *)(void *)(out + x), _mm256_subs_epu##bits(a, b)); \
            } \
            for (; x < args->width; x++) \
                out[x] = lit[x] > ambient[x] ? (uint##bits##_t)(lit[x] - ambient[x]) : 0; \
        } \
    }
VULTUS_DIFFERENCE(8)
VULTUS_DIFFERENCE(16)
