#include "warp_grey.h"

#define VULTUS_WARP(bits) \
    void vultus_warp_grey_u##bits##_ref(const struct vultus_warp_grey_u##bits##_args *args) \
    { \
        for (int y = 0; y < args->out_height; y++) { \
            const double row_x = args->matrix[1] * y + args->matrix[2], row_y = args->matrix[4] * y + args->matrix[5]; \
            float *out = args->out + (ptrdiff_t)y * args->out_width; \
            for (int x = 0; x < args->out_width; x++) \
                out[x] = vultus_warp_grey_pixel_##bits(args, x, row_x, row_y); \
        } \
        vultus_repeat_plane(args->out, (ptrdiff_t)args->out_width * args->out_height, args->planes); \
    }
VULTUS_WARP(8)
VULTUS_WARP(16)
