#include "checks.h"
#include "dispatch.h"

int vultus_yuyv_u8(const uint8_t *src, ptrdiff_t stride, int bgr, uint8_t *out, ptrdiff_t out_stride, int width, int height)
{
    VULTUS_CHECK(vultus_check_image(src, width, height, 2, 1, stride));
    VULTUS_CHECK(vultus_check_image(out, width, height, 3, 1, out_stride));
    if (width % 2 != 0)
        return VULTUS_BAD_SIZE;
    vultus_run_yuyv_u8(&(struct vultus_yuyv_u8_args){
        .src = src, .stride = stride, .bgr = bgr != 0, .out = out, .out_stride = out_stride, .width = width, .height = height});
    return VULTUS_OK;
}

int vultus_nv12_u8(const uint8_t *luma, ptrdiff_t luma_stride, const uint8_t *chroma, ptrdiff_t chroma_stride, int bgr, uint8_t *out,
                   ptrdiff_t out_stride, int width, int height)
{
    VULTUS_CHECK(vultus_check_image(luma, width, height, 1, 1, luma_stride));
    VULTUS_CHECK(vultus_check_image(chroma, width, height / 2, 1, 1, chroma_stride));
    VULTUS_CHECK(vultus_check_image(out, width, height, 3, 1, out_stride));
    if (width % 2 != 0 || height % 2 != 0)
        return VULTUS_BAD_SIZE;
    vultus_run_nv12_u8(&(struct vultus_nv12_u8_args){.luma = luma, .luma_stride = luma_stride, .chroma = chroma,
        .chroma_stride = chroma_stride, .bgr = bgr != 0, .out = out, .out_stride = out_stride, .width = width, .height = height});
    return VULTUS_OK;
}
