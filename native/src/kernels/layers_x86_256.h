/* What layers_x86.h needs of AVX-VNNI: vectors of 32 bytes. */
#include <immintrin.h>

enum { WIDE = 32, TILE = 6, TOGETHER = 2 }; /* six pixels by two vectors: twelve sums, two weights, one input */

typedef __m256i ints;
typedef __m256 floats;

#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, x) _mm256_storeu_si256((__m256i *)(void *)(p), x)
#define LOAD_FLOATS(p) _mm256_loadu_ps(p)
#define EVERY_8(x) _mm256_set1_epi8(x)
#define EVERY_16(x) _mm256_set1_epi16(x)
#define EVERY_32(x) _mm256_set1_epi32(x)
#define EVERY_FLOAT(x) _mm256_set1_ps(x)
#define ADD_PRODUCTS(sum, levels, weights) _mm256_dpbusd_avx_epi32(sum, levels, weights)
#define TO_FLOATS(x) _mm256_cvtepi32_ps(x)
#define TO_INTS(x) _mm256_cvtps_epi32(x)
#define TIMES(x, y) _mm256_mul_ps(x, y)
#define LARGER(x, y) _mm256_max_ps(x, y)
#define LARGER_16(x, y) _mm256_max_epi16(x, y)
#define PLUS_16(x, y) _mm256_adds_epi16(x, y)
#define NARROW_32(x, y) _mm256_packs_epi32(x, y)
#define NARROW_16(x, y) _mm256_packus_epi16(x, y)
#define LOW_8(x, y) _mm256_unpacklo_epi8(x, y)
#define HIGH_8(x, y) _mm256_unpackhi_epi8(x, y)
#define LOW_16(x, y) _mm256_unpacklo_epi16(x, y)
#define HIGH_16(x, y) _mm256_unpackhi_epi16(x, y)
