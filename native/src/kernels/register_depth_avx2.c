#include "register_avx2.h"

#include <string.h>

static inline void splat_row(const struct vultus_register_depth_u16_args *a, int y, float shift)
{
    const int right = a->out_width - a->splat + 1, bottom = a->out_height - a->splat + 1;
    const uint16_t *src = a->src + y * a->stride;
    int x = 0;
    for (; x + 8 <= a->width; x += 8) {
        const __m256i depth = vultus_depths_8(src + x);
        if (_mm256_testz_si256(depth, depth))
            continue;
        const struct vultus_places to = vultus_project_8(&a->projection, x, y, depth, shift, right, bottom);
        const __m256i at = _mm256_add_epi32(_mm256_mullo_epi32(to.y, _mm256_set1_epi32((int)a->out_stride)), to.x);
        unsigned inside = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(to.inside));
        const __m256i rounded = _mm256_cvttps_epi32(_mm256_add_ps(to.z, _mm256_set1_ps(0.5f)));
        if (a->splat == 1 && inside == 0xff && vultus_side_by_side(at)) {
            __m128i *pixels = (__m128i *)(void *)(a->out + _mm256_cvtsi256_si32(at));
            const __m128i z8 = _mm_packus_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
            _mm_storeu_si128(pixels, _mm_min_epu16(_mm_loadu_si128(pixels), z8));
            continue;
        }
        int32_t place[8], z[8];
        _mm256_storeu_si256((__m256i *)(void *)place, at);
        _mm256_storeu_si256((__m256i *)(void *)z, rounded);
        if (a->splat == 1 && inside == 0xff) {
            for (int i = 0; i < 8; i++) {
                uint16_t *pixel = a->out + place[i];
                *pixel = (uint16_t)(z[i] < *pixel ? z[i] : *pixel);
            }
            continue;
        }
        for (; inside != 0; inside &= inside - 1) {
            const int i = __builtin_ctz(inside);
            vultus_splat(a->out + place[i], a->out_stride, a->splat, (uint16_t)z[i]);
        }
    }
    for (; x < a->width; x++)
        vultus_register_pixel(a, x, y, shift);
}

static inline __m256i filled(__m256i here, __m256i one, __m256i other)
{
    const __m256i beside = _mm256_max_epu16(one, other), limit = _mm256_adds_epu16(beside, _mm256_set1_epi16(VULTUS_GAP));
    const __m256i kept = _mm256_cmpeq_epi16(_mm256_subs_epu16(here, limit), _mm256_setzero_si256());
    return _mm256_blendv_epi8(beside, here, kept);
}

/* A filled pixel stays at least as far as those beside it, so that filling in place fills none of them. */
static void fill_row(uint16_t *row, int width)
{
    int x = 1;
    for (; x + 17 <= width; x += 16)
        _mm256_storeu_si256((__m256i *)(void *)(row + x),
                            filled(vultus_load_256(row + x), vultus_load_256(row + x - 1), vultus_load_256(row + x + 1)));
    for (; x + 1 < width; x++)
        row[x] = vultus_filled(row[x], row[x - 1], row[x + 1]);
}

static void fill_from_above_and_below(uint16_t *row, ptrdiff_t stride, int width)
{
    int x = 0;
    for (; x + 16 <= width; x += 16)
        _mm256_storeu_si256((__m256i *)(void *)(row + x),
                            filled(vultus_load_256(row + x), vultus_load_256(row + x - stride), vultus_load_256(row + x + stride)));
    for (; x < width; x++)
        row[x] = vultus_filled(row[x], row[x - stride], row[x + stride]);
}

static void empty_to_zero(uint16_t *row, int width)
{
    for (int x = 0; x < width; x++)
        row[x] = row[x] == VULTUS_EMPTY ? 0 : row[x];
}

void vultus_register_depth_u16_avx2(const struct vultus_register_depth_u16_args *args)
{
    const float shift = 1.0f - 0.5f * (float)args->splat;
    const int width = args->out_width, height = args->out_height;
    for (int y = 0; y < height; y++)
        memset(args->out + y * args->out_stride, 0xff, (size_t)width * sizeof(uint16_t));
    /* A copy that no store can change stays in registers. */
    const struct vultus_register_depth_u16_args copy = *args;
    for (int y = 0; y < copy.height; y++)
        splat_row(&copy, y, shift);
    for (int y = 0; y < height; y++)
        fill_row(args->out + y * args->out_stride, width);
    for (int y = 1; y + 1 < height; y++)
        fill_from_above_and_below(args->out + y * args->out_stride, args->out_stride, width);
    for (int y = 0; y < height; y++)
        empty_to_zero(args->out + y * args->out_stride, width);
}
