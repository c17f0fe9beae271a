#include "yuv.h"

void vultus_yuyv_u8_ref(const struct vultus_yuyv_u8_args *args)
{
    for (int y = 0; y < args->height; y++)
        vultus_yuyv_rest(args->src + y * args->stride, 0, args->width, args->bgr, args->out + y * args->out_stride);
}

void vultus_nv12_u8_ref(const struct vultus_nv12_u8_args *args)
{
    for (int y = 0; y < args->height; y++)
        vultus_nv12_rest(args->luma + y * args->luma_stride, args->chroma + y / 2 * args->chroma_stride, 0, args->width, args->bgr,
                         args->out + y * args->out_stride);
}
