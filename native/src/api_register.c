#include "checks.h"
#include "dispatch.h"

static int check_camera(const struct vultus_camera *camera)
{
    if (camera == NULL)
        return VULTUS_NULL_POINTER;
    const double numbers[] = {camera->fx, camera->fy, camera->cx, camera->cy};
    VULTUS_CHECK(vultus_check_finite(numbers, 4));
    return camera->fx > 0.0 && camera->fy > 0.0 ? VULTUS_OK : VULTUS_BAD_NUMBER;
}

/* The other camera's matrix times the motion times the inverse of this camera's: pixels to pixels, in double, then in float. */
static int project(const struct vultus_camera *from, const double *motion, const struct vultus_camera *to, struct vultus_projection *out)
{
    VULTUS_CHECK(check_camera(from));
    VULTUS_CHECK(check_camera(to));
    if (motion == NULL)
        return VULTUS_NULL_POINTER;
    VULTUS_CHECK(vultus_check_finite(motion, 12));
    double rays[3][4];
    for (int i = 0; i < 3; i++) {
        const double *r = motion + 3 * i;
        rays[i][0] = r[0] / from->fx;
        rays[i][1] = r[1] / from->fy;
        rays[i][2] = r[2] - rays[i][0] * from->cx - rays[i][1] * from->cy;
        rays[i][3] = motion[9 + i];
    }
    for (int j = 0; j < 4; j++) {
        const double column[3] = {to->fx * rays[0][j] + to->cx * rays[2][j], to->fy * rays[1][j] + to->cy * rays[2][j], rays[2][j]};
        for (int i = 0; i < 3; i++) {
            if (!(fabs(column[i]) < 1e30)) /* a float holds it */
                return VULTUS_BAD_NUMBER;
            *(j < 3 ? &out->m[3 * i + j] : &out->q[i]) = (float)column[i];
        }
    }
    return VULTUS_OK;
}

/* Pixels of the other view that one pixel covers along a side. Up to a tenth more than one leaves holes of one pixel only. */
static int splat_of(const struct vultus_camera *from, const struct vultus_camera *to)
{
    const double x = to->fx / from->fx, y = to->fy / from->fy, scale = x > y ? x : y;
    return scale < 1.1 ? 1 : scale > 8.0 ? 8 : (int)ceil(scale);
}

int vultus_register_depth_u16(const uint16_t *src, int width, int height, ptrdiff_t stride, const struct vultus_camera *from,
                              const double *motion, const struct vultus_camera *to, uint16_t *out, ptrdiff_t out_stride, int out_width,
                              int out_height)
{
    struct vultus_register_depth_u16_args args = {.src = src, .width = width, .height = height, .stride = stride / 2, .out = out,
                                                  .out_stride = out_stride / 2, .out_width = out_width, .out_height = out_height};
    VULTUS_CHECK(vultus_check_image(src, width, height, 1, 2, stride));
    VULTUS_CHECK(vultus_check_image(out, out_width, out_height, 1, 2, out_stride));
    VULTUS_CHECK(project(from, motion, to, &args.projection));
    args.splat = splat_of(from, to);
    vultus_run_register_depth_u16(&args);
    return VULTUS_OK;
}

#define VULTUS_THROUGH(bits) \
    int vultus_register_through_u##bits(const uint16_t *depth, int width, int height, ptrdiff_t depth_stride, const struct vultus_camera *from, \
                                        const double *motion, const struct vultus_camera *to, const uint##bits##_t *src, ptrdiff_t src_stride, \
                                        const uint16_t *seen, ptrdiff_t seen_stride, int src_width, int src_height, float slack, \
                                        uint##bits##_t *out, ptrdiff_t out_stride) \
    { \
        struct vultus_register_through_u##bits##_args args = {.depth = depth, .width = width, .height = height, \
            .depth_stride = depth_stride / 2, .src = src, .src_stride = src_stride / (bits / 8), .seen = seen, .seen_stride = seen_stride / 2, \
            .src_width = src_width, .src_height = src_height, .slack = slack, .out = out, .out_stride = out_stride / (bits / 8)}; \
        VULTUS_CHECK(vultus_check_image(depth, width, height, 1, 2, depth_stride)); \
        VULTUS_CHECK(vultus_check_image(src, src_width, src_height, 1, bits / 8, src_stride)); \
        VULTUS_CHECK(vultus_check_image(seen, src_width, src_height, 1, 2, seen_stride)); \
        VULTUS_CHECK(vultus_check_image(out, width, height, 1, bits / 8, out_stride)); \
        VULTUS_CHECK(project(from, motion, to, &args.projection)); \
        if (!(slack >= 0.0f && slack <= 65535.0f)) \
            return VULTUS_BAD_NUMBER; \
        vultus_run_register_through_u##bits(&args); \
        return VULTUS_OK; \
    }
VULTUS_THROUGH(8)
VULTUS_THROUGH(16)
