/* One pixel of warp_depth_u16. */
#ifndef VULTUS_WARP_DEPTH_H
#define VULTUS_WARP_DEPTH_H

#include "kernels.h"
#include "warp.h"

static inline uint16_t vultus_warp_depth_pixel(const struct vultus_warp_depth_u16_args *a, int x, double row_x, double row_y)
{
    const double sx = a->matrix[0] * x + row_x, sy = a->matrix[3] * x + row_y;
    if (!vultus_inside(sx, sy, a->width, a->height, 1))
        return 0;
    const int ix = (int)(sx + 1.5) - 1, iy = (int)(sy + 1.5) - 1;
    if (ix < 0 || ix >= a->width || iy < 0 || iy >= a->height)
        return 0;
    return a->src[iy * a->stride + ix];
}

#endif
