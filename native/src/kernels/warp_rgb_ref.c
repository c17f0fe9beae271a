#include "warp_rgb.h"

void vultus_warp_rgb_u8_ref(const struct vultus_warp_rgb_u8_args *args)
{
    for (int y = 0; y < args->out_height; y++) {
        const double row_x = args->matrix[1] * y + args->matrix[2], row_y = args->matrix[4] * y + args->matrix[5];
        float *out = args->out + (ptrdiff_t)y * args->out_width;
        for (int x = 0; x < args->out_width; x++)
            vultus_warp_rgb_pixel(args, x, row_x, row_y, out);
    }
}
