/* One pixel of the plane fit: back-projection to millimetres and its share of the sums. */
#ifndef VULTUS_PLANE_H
#define VULTUS_PLANE_H

#include "kernels.h"

#include <math.h>

static inline void vultus_plane_add(const struct vultus_depth_area *area, int x, double ray_y, int depth, struct vultus_plane_sums *s)
{
    if (depth < area->lo || depth > area->hi)
        return;
    const double z = depth, px = (area->x0 + x - area->camera.cx) / area->camera.fx * z, py = ray_y * z;
    s->n++;
    s->x += px;
    s->y += py;
    s->z += z;
    s->xx += px * px;
    s->xy += px * py;
    s->yy += py * py;
    s->xz += px * z;
    s->yz += py * z;
}

static inline void vultus_residual_add(const struct vultus_plane_residual_u16_args *a, int x, double ray_y, int depth,
                                       struct vultus_plane_residual *r)
{
    if (depth < a->area.lo || depth > a->area.hi)
        return;
    const double z = depth, px = (a->area.x0 + x - a->area.camera.cx) / a->area.camera.fx * z;
    const double off = fabs(z - (a->a * px + a->b * (ray_y * z) + a->c));
    r->sum_squares += off * off;
    r->max_abs = off > r->max_abs ? off : r->max_abs;
}

#endif
