#include "warp_depth.h"

void vultus_warp_depth_u16_ref(const struct vultus_warp_depth_u16_args *args)
{
    for (int y = 0; y < args->out_height; y++) {
        const double row_x = args->matrix[1] * y + args->matrix[2], row_y = args->matrix[4] * y + args->matrix[5];
        for (int x = 0; x < args->out_width; x++)
            args->out[(ptrdiff_t)y * args->out_width + x] = vultus_warp_depth_pixel(args, x, row_x, row_y);
    }
}
