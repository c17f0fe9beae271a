#include "register_avx2.h"

static inline __m256i load_8(const uint8_t *from, int bytes)
{
    return bytes == 2 ? _mm256_cvtepu16_epi32(vultus_load_128(from)) : _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from));
}

/* Places of one row within sixteen elements from the first one on: two loads and two permutations; 0 when they lie otherwise. */
static inline int pick(const uint8_t *from, __m256i x, __m256i y, ptrdiff_t stride, int width, int bytes, __m256i *out)
{
    const int left = _mm256_cvtsi256_si32(x), row = _mm256_cvtsi256_si32(y);
    const __m256i offset = _mm256_sub_epi32(x, _mm256_set1_epi32(left));
    const __m256i astray = _mm256_or_si256(_mm256_andnot_si256(_mm256_set1_epi32(15), offset), _mm256_xor_si256(y, _mm256_set1_epi32(row)));
    if (left > width - 16 || !_mm256_testz_si256(astray, astray))
        return 0;
    const uint8_t *first = from + (row * stride + left) * bytes;
    const __m256i low = _mm256_permutevar8x32_epi32(load_8(first, bytes), offset);
    const __m256i high = _mm256_permutevar8x32_epi32(load_8(first + 8 * bytes, bytes), offset);
    *out = _mm256_blendv_epi8(low, high, _mm256_cmpgt_epi32(offset, _mm256_set1_epi32(7)));
    return 1;
}

/* Elements of 1 or 2 bytes at eight places, each gathered load taking four bytes; 0 when one of them would leave the memory. */
static inline int gather(const void *from, __m256i x, __m256i y, ptrdiff_t stride, int height, int width, int bytes, __m256i *out)
{
    const int last = (int)((height - 1) * stride + width) * bytes - 4;
    const __m256i element = _mm256_add_epi32(_mm256_mullo_epi32(y, _mm256_set1_epi32((int)stride)), x);
    if (pick(from, x, y, stride, width, bytes, out))
        return 1;
    const __m256i at = bytes == 2 ? _mm256_slli_epi32(element, 1) : element;
    if (_mm256_movemask_epi8(_mm256_cmpgt_epi32(at, _mm256_set1_epi32(last))))
        return 0;
    *out = _mm256_and_si256(_mm256_i32gather_epi32((const int *)from, at, 1), _mm256_set1_epi32(bytes == 2 ? 0xffff : 0xff));
    return 1;
}

static inline __m128i narrow(__m256i v)
{
    return _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

static inline void store_8(uint8_t *out, __m256i v)
{
    _mm_storel_epi64((__m128i *)(void *)out, _mm_packus_epi16(narrow(v), _mm_setzero_si128()));
}

static inline void store_16(uint16_t *out, __m256i v)
{
    _mm_storeu_si128((__m128i *)(void *)out, narrow(v));
}

#define VULTUS_THROUGH(bits) \
    static inline int eight_##bits(const struct vultus_register_through_u##bits##_args *a, int x, int y, uint##bits##_t *out) \
    { \
        const __m256i depth = vultus_depths_8(a->depth + y * a->depth_stride + x); \
        const struct vultus_places to = vultus_project_8(&a->projection, x, y, depth, 0.5f, a->src_width, a->src_height); \
        if (_mm256_testz_si256(to.inside, to.inside)) { \
            store_##bits(out, _mm256_setzero_si256()); \
            return 1; \
        } \
        const __m256i tx = _mm256_and_si256(to.x, to.inside), ty = _mm256_and_si256(to.y, to.inside); \
        __m256i seen, value; \
        if (!gather(a->seen, tx, ty, a->seen_stride, a->src_height, a->src_width, 2, &seen) || \
            !gather(a->src, tx, ty, a->src_stride, a->src_height, a->src_width, bits / 8, &value)) \
            return 0; \
        const __m256 front = _mm256_add_ps(_mm256_cvtepi32_ps(seen), _mm256_set1_ps(a->slack)); \
        const __m256i behind = _mm256_castps_si256(_mm256_cmp_ps(to.z, front, _CMP_GT_OQ)); \
        const __m256i hidden = _mm256_andnot_si256(_mm256_cmpeq_epi32(seen, _mm256_setzero_si256()), behind); \
        store_##bits(out, _mm256_andnot_si256(hidden, _mm256_and_si256(value, to.inside))); \
        return 1; \
    } \
    void vultus_register_through_u##bits##_avx2(const struct vultus_register_through_u##bits##_args *args) \
    { \
        /* A copy that no store can change stays in registers. */ \
        const struct vultus_register_through_u##bits##_args a = *args; \
        for (int y = 0; y < a.height; y++) { \
            uint##bits##_t *out = a.out + y * a.out_stride; \
            int x = 0; \
            for (; x + 8 <= a.width; x += 8) \
                if (!eight_##bits(&a, x, y, out + x)) \
                    for (int i = x; i < x + 8; i++) \
                        out[i] = vultus_through_u##bits(&a, i, y); \
            for (; x < a.width; x++) \
                out[x] = vultus_through_u##bits(&a, x, y); \
        } \
    }
VULTUS_THROUGH(8)
VULTUS_THROUGH(16)
