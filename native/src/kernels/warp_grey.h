/* One pixel of warp_grey_u8 and warp_grey_u16. */
#ifndef VULTUS_WARP_GREY_H
#define VULTUS_WARP_GREY_H

#include "kernels.h"
#include "warp.h"

#define VULTUS_GREY(bits) \
    static inline float vultus_grey_tap_##bits(const struct vultus_warp_grey_u##bits##_args *a, int x, int y) \
    { \
        if (x < 0 || x >= a->width || y < 0 || y >= a->height) \
            return 0.0f; \
        return (float)a->src[y * a->stride + x]; \
    } \
    static inline float vultus_grey_cubic_##bits(const struct vultus_warp_grey_u##bits##_args *a, const struct vultus_place *p) \
    { \
        float wx[4], wy[4], row[4], column[4]; \
        vultus_cubic_weights(p->fx, wx); \
        vultus_cubic_weights(p->fy, wy); \
        for (int r = 0; r < 4; r++) { \
            for (int k = 0; k < 4; k++) \
                row[k] = vultus_grey_tap_##bits(a, p->x + k - 1, p->y + r - 1); \
            column[r] = vultus_weighed(row, wx); \
        } \
        return vultus_weighed(column, wy); \
    } \
    static inline float vultus_warp_grey_pixel_##bits(const struct vultus_warp_grey_u##bits##_args *a, int x, double row_x, double row_y) \
    { \
        const double sx = a->matrix[0] * x + row_x, sy = a->matrix[3] * x + row_y; \
        float v = 0.0f; \
        const int margin = VULTUS_MARGIN(a->cubic); \
        if (vultus_inside(sx, sy, a->width, a->height, margin)) { \
            const struct vultus_place p = vultus_place_of(sx, sy, margin); \
            v = a->cubic ? vultus_grey_cubic_##bits(a, &p) \
                         : vultus_blend(vultus_grey_tap_##bits(a, p.x, p.y), vultus_grey_tap_##bits(a, p.x + 1, p.y), \
                                        vultus_grey_tap_##bits(a, p.x, p.y + 1), vultus_grey_tap_##bits(a, p.x + 1, p.y + 1), p.fx, p.fy); \
        } \
        return vultus_tone(v * a->gain, a->lut) * a->scale + a->offset; \
    }
VULTUS_GREY(8)
VULTUS_GREY(16)
#undef VULTUS_GREY

/* Make the second and third plane equal to the first. */
static inline void vultus_repeat_plane(float *out, ptrdiff_t size, int planes)
{
    for (int c = 1; c < planes; c++)
        for (ptrdiff_t i = 0; i < size; i++)
            out[c * size + i] = out[i];
}

#endif
