#include "checks.h"
#include "dispatch.h"

int vultus_luma_u8(const uint8_t *rgb, ptrdiff_t stride, uint8_t *out, ptrdiff_t out_stride, int width, int height)
{
    VULTUS_CHECK(vultus_check_image(rgb, width, height, 3, 1, stride));
    VULTUS_CHECK(vultus_check_image(out, width, height, 1, 1, out_stride));
    vultus_run_luma_u8(&(struct vultus_luma_u8_args){
        .rgb = rgb, .stride = stride, .out = out, .out_stride = out_stride, .width = width, .height = height});
    return VULTUS_OK;
}

#define VULTUS_DIFFERENCE(bits) \
    int vultus_difference_u##bits(const uint##bits##_t *lit, ptrdiff_t lit_stride, const uint##bits##_t *ambient, ptrdiff_t ambient_stride, \
                                  uint##bits##_t *out, ptrdiff_t out_stride, int width, int height) \
    { \
        VULTUS_CHECK(vultus_check_image(lit, width, height, 1, bits / 8, lit_stride)); \
        VULTUS_CHECK(vultus_check_image(ambient, width, height, 1, bits / 8, ambient_stride)); \
        VULTUS_CHECK(vultus_check_image(out, width, height, 1, bits / 8, out_stride)); \
        vultus_run_difference_u##bits(&(struct vultus_difference_u##bits##_args){ \
            .lit = lit, .ambient = ambient, .lit_stride = lit_stride / (bits / 8), .ambient_stride = ambient_stride / (bits / 8), \
            .out = out, .out_stride = out_stride / (bits / 8), .width = width, .height = height}); \
        return VULTUS_OK; \
    }
VULTUS_DIFFERENCE(8)
VULTUS_DIFFERENCE(16)

#define VULTUS_IMAGE_SUMS(bits) \
    int vultus_image_sums_u##bits(const uint##bits##_t *src, int width, int height, ptrdiff_t stride, const int *rect, int low, int high, \
                                  struct vultus_image_sums *out) \
    { \
        VULTUS_CHECK(vultus_check_image(src, width, height, 1, bits / 8, stride)); \
        VULTUS_CHECK(vultus_check_rect(rect, width, height)); \
        VULTUS_CHECK(vultus_check_range(low, 0, (1 << bits) - 1)); \
        VULTUS_CHECK(vultus_check_range(high, 0, (1 << bits) - 1)); \
        if (out == NULL) \
            return VULTUS_NULL_POINTER; \
        const ptrdiff_t step = stride / (bits / 8); \
        vultus_run_image_sums_u##bits(&(struct vultus_image_sums_u##bits##_args){.src = src + rect[1] * step + rect[0], .stride = step, \
            .width = rect[2], .height = rect[3], .low = low, .high = high, .out = out}); \
        return VULTUS_OK; \
    }
VULTUS_IMAGE_SUMS(8)
VULTUS_IMAGE_SUMS(16)

#define VULTUS_STROBE_SUMS(bits) \
    int vultus_strobe_sums_u##bits(const uint##bits##_t *lit, ptrdiff_t lit_stride, const uint##bits##_t *ambient, ptrdiff_t ambient_stride, \
                                   int width, int height, const int *rect, int high, struct vultus_strobe_sums *out) \
    { \
        VULTUS_CHECK(vultus_check_image(lit, width, height, 1, bits / 8, lit_stride)); \
        VULTUS_CHECK(vultus_check_image(ambient, width, height, 1, bits / 8, ambient_stride)); \
        VULTUS_CHECK(vultus_check_rect(rect, width, height)); \
        VULTUS_CHECK(vultus_check_range(high, 0, (1 << bits) - 1)); \
        if (out == NULL) \
            return VULTUS_NULL_POINTER; \
        const ptrdiff_t lit_step = lit_stride / (bits / 8), ambient_step = ambient_stride / (bits / 8); \
        vultus_run_strobe_sums_u##bits(&(struct vultus_strobe_sums_u##bits##_args){ \
            .lit = lit + rect[1] * lit_step + rect[0], .ambient = ambient + rect[1] * ambient_step + rect[0], .lit_stride = lit_step, \
            .ambient_stride = ambient_step, .width = rect[2], .height = rect[3], .high = high, .out = out}); \
        return VULTUS_OK; \
    }
VULTUS_STROBE_SUMS(8)
VULTUS_STROBE_SUMS(16)
