#include "checks.h"
#include "dispatch.h"

/* Solve the centred 2 x 2 normal equations; the third unknown follows from the means. */
static int solve(const struct vultus_plane_sums *s, struct vultus_plane *plane)
{
    if (s->n < 3)
        return VULTUS_DEGENERATE;
    const double n = (double)s->n;
    const double xx = s->xx - s->x * s->x / n, xy = s->xy - s->x * s->y / n, yy = s->yy - s->y * s->y / n;
    const double xz = s->xz - s->x * s->z / n, yz = s->yz - s->y * s->z / n;
    const double determinant = xx * yy - xy * xy;
    /* Points on a line leave nothing but rounding, about 1e-16 of the terms; 1e-9 is well above it and below any real face. */
    if (!(xx > 1e-9 * s->xx && yy > 1e-9 * s->yy && determinant > 1e-9 * xx * yy))
        return VULTUS_DEGENERATE;
    plane->a = (xz * yy - yz * xy) / determinant;
    plane->b = (yz * xx - xz * xy) / determinant;
    plane->c = (s->z - plane->a * s->x - plane->b * s->y) / n;
    plane->n = s->n;
    const double numbers[] = {plane->a, plane->b, plane->c};
    return vultus_check_finite(numbers, 3) == VULTUS_OK ? VULTUS_OK : VULTUS_DEGENERATE;
}

static int check_camera(const struct vultus_camera *camera)
{
    if (camera == NULL)
        return VULTUS_NULL_POINTER;
    const double numbers[] = {camera->fx, camera->fy, camera->cx, camera->cy};
    VULTUS_CHECK(vultus_check_finite(numbers, 4));
    return camera->fx > 0.0 && camera->fy > 0.0 ? VULTUS_OK : VULTUS_BAD_NUMBER;
}

int vultus_plane_fit_u16(const uint16_t *src, int width, int height, ptrdiff_t stride, const int *rect, const struct vultus_camera *camera,
                         int lo, int hi, struct vultus_plane *out)
{
    VULTUS_CHECK(vultus_check_image(src, width, height, 1, 2, stride));
    VULTUS_CHECK(vultus_check_rect(rect, width, height));
    VULTUS_CHECK(check_camera(camera));
    VULTUS_CHECK(vultus_check_range(lo, 1, 65535));
    VULTUS_CHECK(vultus_check_range(hi, lo, 65535));
    if (out == NULL)
        return VULTUS_NULL_POINTER;
    const struct vultus_depth_area area = {.src = src + rect[1] * (stride / 2) + rect[0], .stride = stride / 2, .width = rect[2],
                                           .height = rect[3], .x0 = rect[0], .y0 = rect[1], .lo = lo, .hi = hi, .camera = *camera};
    struct vultus_plane_sums sums;
    vultus_run_plane_sums_u16(&(struct vultus_plane_sums_u16_args){.area = area, .out = &sums});
    struct vultus_plane plane = {0};
    VULTUS_CHECK(solve(&sums, &plane));
    struct vultus_plane_residual residual;
    vultus_run_plane_residual_u16(&(struct vultus_plane_residual_u16_args){
        .area = area, .a = plane.a, .b = plane.b, .c = plane.c, .out = &residual});
    /* A distance along z is longer than the one at right angles to the plane by the length of its normal (a, b, -1). */
    const double normal = sqrt(plane.a * plane.a + plane.b * plane.b + 1.0);
    plane.rms_mm = sqrt(residual.sum_squares / (double)plane.n) / normal;
    plane.max_mm = residual.max_abs / normal;
    *out = plane;
    return VULTUS_OK;
}
