#include "plane.h"

void vultus_plane_sums_u16_ref(const struct vultus_plane_sums_u16_args *args)
{
    const struct vultus_depth_area *area = &args->area;
    struct vultus_plane_sums s = {0};
    for (int y = 0; y < area->height; y++) {
        const double ray_y = (area->y0 + y - area->camera.cy) / area->camera.fy;
        for (int x = 0; x < area->width; x++)
            vultus_plane_add(area, x, ray_y, area->src[y * area->stride + x], &s);
    }
    *args->out = s;
}

void vultus_plane_residual_u16_ref(const struct vultus_plane_residual_u16_args *args)
{
    const struct vultus_depth_area *area = &args->area;
    struct vultus_plane_residual r = {0};
    for (int y = 0; y < area->height; y++) {
        const double ray_y = (area->y0 + y - area->camera.cy) / area->camera.fy;
        for (int x = 0; x < area->width; x++)
            vultus_residual_add(args, x, ray_y, area->src[y * area->stride + x], &r);
    }
    *args->out = r;
}
