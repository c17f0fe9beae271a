#include "checks.h"
#include "dispatch.h"

#include <string.h>

static int check_warp(const double *matrix, float scale, float offset, const void *out, int out_width, int out_height)
{
    if (matrix == NULL || out == NULL)
        return VULTUS_NULL_POINTER;
    const double numbers[] = {scale, offset};
    VULTUS_CHECK(vultus_check_size(out_width, out_height));
    VULTUS_CHECK(vultus_check_finite(matrix, 6));
    return vultus_check_finite(numbers, 2);
}

int vultus_warp_rgb_u8(const uint8_t *src, int width, int height, ptrdiff_t stride, const double *matrix, int cubic, int bgr,
                       float scale, float offset, float *out, int out_width, int out_height)
{
    VULTUS_CHECK(vultus_check_image(src, width, height, 3, 1, stride));
    VULTUS_CHECK(check_warp(matrix, scale, offset, out, out_width, out_height));
    struct vultus_warp_rgb_u8_args args = {.src = src, .width = width, .height = height, .stride = stride, .cubic = cubic != 0,
                                           .bgr = bgr != 0, .scale = scale, .offset = offset, .out = out, .out_width = out_width, .out_height = out_height};
    memcpy(args.matrix, matrix, sizeof args.matrix);
    vultus_run_warp_rgb_u8(&args);
    return VULTUS_OK;
}

#define VULTUS_WARP_GREY(bits) \
    int vultus_warp_grey_u##bits(const uint##bits##_t *src, int width, int height, ptrdiff_t stride, const double *matrix, int cubic, float gain, \
                                 const float *lut, float scale, float offset, float *out, int planes, int out_width, int out_height) \
    { \
        VULTUS_CHECK(vultus_check_image(src, width, height, 1, bits / 8, stride)); \
        VULTUS_CHECK(check_warp(matrix, scale, offset, out, out_width, out_height)); \
        if (planes != 1 && planes != 3) \
            return VULTUS_BAD_SIZE; \
        if (!isfinite(gain) || gain < 0.0f) \
            return VULTUS_BAD_NUMBER; \
        struct vultus_warp_grey_u##bits##_args args = {.src = src, .width = width, .height = height, .stride = stride / (bits / 8), \
                                                       .cubic = cubic != 0, .gain = gain, .lut = lut, .scale = scale, .offset = offset, .out = out, \
                                                       .planes = planes, .out_width = out_width, .out_height = out_height}; \
        memcpy(args.matrix, matrix, sizeof args.matrix); \
        vultus_run_warp_grey_u##bits(&args); \
        return VULTUS_OK; \
    }
VULTUS_WARP_GREY(8)
VULTUS_WARP_GREY(16)

int vultus_warp_depth_u16(const uint16_t *src, int width, int height, ptrdiff_t stride, const double *matrix, uint16_t *out,
                          int out_width, int out_height)
{
    VULTUS_CHECK(vultus_check_image(src, width, height, 1, 2, stride));
    VULTUS_CHECK(check_warp(matrix, 1.0f, 0.0f, out, out_width, out_height));
    struct vultus_warp_depth_u16_args args = {.src = src, .width = width, .height = height, .stride = stride / 2,
                                              .out = out, .out_width = out_width, .out_height = out_height};
    memcpy(args.matrix, matrix, sizeof args.matrix);
    vultus_run_warp_depth_u16(&args);
    return VULTUS_OK;
}
