#include "sum_avx2.h"
#include "yuv.h"

#define SAME(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
    _mm256_broadcastsi128_si256(_mm_setr_epi8(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p))

static inline __m256i term(__m256i level, int factor)
{
    return _mm256_mulhrs_epi16(_mm256_slli_epi16(level, 7), _mm256_set1_epi16((short)factor));
}

static inline __m256i less(__m256i v, int amount)
{
    return _mm256_sub_epi16(v, _mm256_set1_epi16((short)amount));
}

struct colours {
    __m256i r, g, b;
};

/* Sixteen pixels: luma and the chroma of each as 16-bit words. */
static inline struct colours convert(__m256i y, __m256i u, __m256i v)
{
    const __m256i light = _mm256_add_epi16(term(less(y, 16), VULTUS_Y), _mm256_set1_epi16(16));
    const __m256i du = less(u, 128), dv = less(v, 128);
    return (struct colours){
        .r = _mm256_srai_epi16(_mm256_add_epi16(light, term(dv, VULTUS_RV)), 5),
        .g = _mm256_srai_epi16(_mm256_add_epi16(_mm256_add_epi16(light, term(du, VULTUS_GU)), term(dv, VULTUS_GV)), 5),
        .b = _mm256_srai_epi16(_mm256_add_epi16(light, term(du, VULTUS_BU)), 5),
    };
}

static inline __m256i either(__m256i a, __m256i b, __m256i c)
{
    return _mm256_or_si256(_mm256_or_si256(a, b), c);
}

/* Write 32 pixels: each half of a register holds sixteen levels of one colour and gives 48 bytes. */
static inline void store(struct colours low, struct colours high, int bgr, uint8_t *out)
{
    const __m256i r = _mm256_packus_epi16(low.r, high.r), g = _mm256_packus_epi16(low.g, high.g), b = _mm256_packus_epi16(low.b, high.b);
    const __m256i first = bgr ? b : r, last = bgr ? r : b;
    const __m256i one = either(_mm256_shuffle_epi8(first, SAME(0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5)),
                               _mm256_shuffle_epi8(g, SAME(-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1)),
                               _mm256_shuffle_epi8(last, SAME(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1)));
    const __m256i two = either(_mm256_shuffle_epi8(first, SAME(-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1)),
                               _mm256_shuffle_epi8(g, SAME(5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10)),
                               _mm256_shuffle_epi8(last, SAME(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1)));
    const __m256i three = either(_mm256_shuffle_epi8(first, SAME(-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1)),
                                 _mm256_shuffle_epi8(g, SAME(-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1)),
                                 _mm256_shuffle_epi8(last, SAME(10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15)));
    __m256i *to = (__m256i *)(void *)out;
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(one, two, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(three, one, 0x30));
    _mm256_storeu_si256(to + 2, _mm256_permute2x128_si256(two, three, 0x31));
}

static inline struct colours yuyv(__m256i pixels)
{
    const __m256i u = _mm256_shuffle_epi8(pixels, SAME(1, -1, 1, -1, 5, -1, 5, -1, 9, -1, 9, -1, 13, -1, 13, -1));
    const __m256i v = _mm256_shuffle_epi8(pixels, SAME(3, -1, 3, -1, 7, -1, 7, -1, 11, -1, 11, -1, 15, -1, 15, -1));
    return convert(_mm256_and_si256(pixels, _mm256_set1_epi16(255)), u, v);
}

void vultus_yuyv_u8_avx2(const struct vultus_yuyv_u8_args *args)
{
    for (int y = 0; y < args->height; y++) {
        const uint8_t *src = args->src + y * args->stride;
        uint8_t *out = args->out + y * args->out_stride;
        int x = 0;
        for (; x + 32 <= args->width; x += 32) {
            const __m256i a = vultus_load_256(src + 2 * x), b = vultus_load_256(src + 2 * x + 32);
            store(yuyv(_mm256_permute2x128_si256(a, b, 0x20)), yuyv(_mm256_permute2x128_si256(a, b, 0x31)), args->bgr, out + 3 * x);
        }
        vultus_yuyv_rest(src, x, args->width, args->bgr, out);
    }
}

void vultus_nv12_u8_avx2(const struct vultus_nv12_u8_args *args)
{
    const __m256i none = _mm256_setzero_si256();
    for (int y = 0; y < args->height; y++) {
        const uint8_t *luma = args->luma + y * args->luma_stride, *chroma = args->chroma + y / 2 * args->chroma_stride;
        uint8_t *out = args->out + y * args->out_stride;
        int x = 0;
        for (; x + 32 <= args->width; x += 32) {
            const __m256i l = vultus_load_256(luma + x), c = vultus_load_256(chroma + x);
            const __m256i u0 = _mm256_shuffle_epi8(c, SAME(0, -1, 0, -1, 2, -1, 2, -1, 4, -1, 4, -1, 6, -1, 6, -1));
            const __m256i v0 = _mm256_shuffle_epi8(c, SAME(1, -1, 1, -1, 3, -1, 3, -1, 5, -1, 5, -1, 7, -1, 7, -1));
            const __m256i u1 = _mm256_shuffle_epi8(c, SAME(8, -1, 8, -1, 10, -1, 10, -1, 12, -1, 12, -1, 14, -1, 14, -1));
            const __m256i v1 = _mm256_shuffle_epi8(c, SAME(9, -1, 9, -1, 11, -1, 11, -1, 13, -1, 13, -1, 15, -1, 15, -1));
            store(convert(_mm256_unpacklo_epi8(l, none), u0, v0), convert(_mm256_unpackhi_epi8(l, none), u1, v1), args->bgr, out + 3 * x);
        }
        vultus_nv12_rest(luma, chroma, x, args->width, args->bgr, out);
    }
}
