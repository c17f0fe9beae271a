/* One pixel of warp_rgb_u8. */
#ifndef VULTUS_WARP_RGB_H
#define VULTUS_WARP_RGB_H

#include "kernels.h"
#include "warp.h"

static inline float vultus_rgb_tap(const struct vultus_warp_rgb_u8_args *a, int x, int y, int channel)
{
    if (x < 0 || x >= a->width || y < 0 || y >= a->height)
        return 0.0f;
    return (float)a->src[y * a->stride + 3 * (ptrdiff_t)x + channel];
}

static inline float vultus_rgb_cubic(const struct vultus_warp_rgb_u8_args *a, const struct vultus_place *p, int channel)
{
    float wx[4], wy[4], row[4], column[4];
    vultus_cubic_weights(p->fx, wx);
    vultus_cubic_weights(p->fy, wy);
    for (int r = 0; r < 4; r++) {
        for (int k = 0; k < 4; k++)
            row[k] = vultus_rgb_tap(a, p->x + k - 1, p->y + r - 1, channel);
        column[r] = vultus_weighed(row, wx);
    }
    return vultus_clip_255(vultus_weighed(column, wy));
}

static inline void vultus_warp_rgb_pixel(const struct vultus_warp_rgb_u8_args *a, int x, double row_x, double row_y, float *out)
{
    const double sx = a->matrix[0] * x + row_x, sy = a->matrix[3] * x + row_y;
    const int margin = VULTUS_MARGIN(a->cubic), inside = vultus_inside(sx, sy, a->width, a->height, margin);
    const struct vultus_place p = inside ? vultus_place_of(sx, sy, margin) : (struct vultus_place){0, 0, 0, 0};
    for (int c = 0; c < 3; c++) {
        float v = 0.0f;
        if (inside && a->cubic)
            v = vultus_rgb_cubic(a, &p, c);
        else if (inside)
            v = vultus_blend(vultus_rgb_tap(a, p.x, p.y, c), vultus_rgb_tap(a, p.x + 1, p.y, c), vultus_rgb_tap(a, p.x, p.y + 1, c),
                             vultus_rgb_tap(a, p.x + 1, p.y + 1, c), p.fx, p.fy);
        const ptrdiff_t plane = (ptrdiff_t)a->out_width * a->out_height;
        out[(a->bgr ? 2 - c : c) * plane + x] = v * a->scale + a->offset;
    }
}

#endif
