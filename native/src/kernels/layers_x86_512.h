/* What layers_x86.h needs of AVX-512: vectors of 64 bytes. */
#include <immintrin.h>

enum { WIDE = 64, TILE = 6, TOGETHER = 4 }; /* six pixels by four vectors: 24 sums, four weights, one input */

typedef __m512i ints;
typedef __m512 floats;

#define LOAD(p) _mm512_loadu_si512(p)
#define STORE(p, x) _mm512_storeu_si512(p, x)
#define LOAD_FLOATS(p) _mm512_loadu_ps(p)
#define EVERY_8(x) _mm512_set1_epi8(x)
#define EVERY_16(x) _mm512_set1_epi16(x)
#define EVERY_32(x) _mm512_set1_epi32(x)
#define EVERY_FLOAT(x) _mm512_set1_ps(x)
#define ADD_PRODUCTS(sum, levels, weights) _mm512_dpbusd_epi32(sum, levels, weights)
#define TO_FLOATS(x) _mm512_cvtepi32_ps(x)
#define TO_INTS(x) _mm512_cvtps_epi32(x)
#define TIMES(x, y) _mm512_mul_ps(x, y)
#define LARGER(x, y) _mm512_max_ps(x, y)
#define LARGER_16(x, y) _mm512_max_epi16(x, y)
#define PLUS_16(x, y) _mm512_adds_epi16(x, y)
#define NARROW_32(x, y) _mm512_packs_epi32(x, y)
#define NARROW_16(x, y) _mm512_packus_epi16(x, y)
#define LOW_8(x, y) _mm512_unpacklo_epi8(x, y)
#define HIGH_8(x, y) _mm512_unpackhi_epi8(x, y)
#define LOW_16(x, y) _mm512_unpacklo_epi16(x, y)
#define HIGH_16(x, y) _mm512_unpackhi_epi16(x, y)
