#include "register.h"

static void fill_rows(uint16_t *out, ptrdiff_t stride, int width, int height)
{
    for (int y = 0; y < height; y++)
        for (int x = 1; x + 1 < width; x++)
            out[y * stride + x] = vultus_filled(out[y * stride + x], out[y * stride + x - 1], out[y * stride + x + 1]);
}

static void fill_columns(uint16_t *out, ptrdiff_t stride, int width, int height)
{
    for (int y = 1; y + 1 < height; y++)
        for (int x = 0; x < width; x++)
            out[y * stride + x] = vultus_filled(out[y * stride + x], out[(y - 1) * stride + x], out[(y + 1) * stride + x]);
}

void vultus_register_depth_u16_ref(const struct vultus_register_depth_u16_args *args)
{
    const float shift = 1.0f - 0.5f * (float)args->splat;
    for (int y = 0; y < args->out_height; y++)
        for (int x = 0; x < args->out_width; x++)
            args->out[y * args->out_stride + x] = VULTUS_EMPTY;
    for (int y = 0; y < args->height; y++)
        for (int x = 0; x < args->width; x++)
            vultus_register_pixel(args, x, y, shift);
    fill_rows(args->out, args->out_stride, args->out_width, args->out_height);
    fill_columns(args->out, args->out_stride, args->out_width, args->out_height);
    for (int y = 0; y < args->out_height; y++)
        for (int x = 0; x < args->out_width; x++)
            if (args->out[y * args->out_stride + x] == VULTUS_EMPTY)
                args->out[y * args->out_stride + x] = 0;
}

#define VULTUS_THROUGH(bits) \
    void vultus_register_through_u##bits##_ref(const struct vultus_register_through_u##bits##_args *args) \
    { \
        for (int y = 0; y < args->height; y++) \
            for (int x = 0; x < args->width; x++) \
                args->out[y * args->out_stride + x] = vultus_through_u##bits(args, x, y); \
    }
VULTUS_THROUGH(8)
VULTUS_THROUGH(16)
