/* One pixel of a registration. The projection takes (x, y) at depth z to z (m (x, y, 1)) + q, whose first two divided by the third
 * are a place in the other view. Everything is float, in one order on every ISA; at 8192 pixels that is good to 0.01 of one. */
#ifndef VULTUS_REGISTER_H
#define VULTUS_REGISTER_H

#include "kernels.h"

/* In a depth buffer: nothing was seen here. Larger than any depth, so that the nearest is the smallest. */
enum { VULTUS_EMPTY = 0xffff, VULTUS_GAP = 20 };

struct vultus_place {
    int x, y;
    float z;
};

/* Where the pixel falls, `shift` added before the fraction is cut off; 0 when that is not within 0 .. right, 0 .. bottom. */
static inline int vultus_project(const struct vultus_projection *p, int x, int y, int depth, float shift, int right, int bottom, struct vultus_place *to)
{
    const float z = (float)depth, fx = (float)x, fy = (float)y;
    const float at_x = z * (p->m[0] * fx + (p->m[1] * fy + p->m[2])) + p->q[0];
    const float at_y = z * (p->m[3] * fx + (p->m[4] * fy + p->m[5])) + p->q[1];
    to->z = z * (p->m[6] * fx + (p->m[7] * fy + p->m[8])) + p->q[2];
    const float scale = 1.0f / to->z, px = at_x * scale + shift, py = at_y * scale + shift;
    if (depth == 0 || !(to->z >= 1.0f && to->z < 65534.0f && px >= 0.0f && py >= 0.0f && px < (float)right && py < (float)bottom))
        return 0;
    to->x = (int)px;
    to->y = (int)py;
    return 1;
}

/* The nearest surface wins: `splat` x `splat` pixels from `to` on. */
static inline void vultus_splat(uint16_t *to, ptrdiff_t stride, int splat, uint16_t z)
{
    for (int i = 0; i < splat; i++)
        for (int j = 0; j < splat; j++)
            if (z < to[i * stride + j])
                to[i * stride + j] = z;
}

static inline void vultus_register_pixel(const struct vultus_register_depth_u16_args *a, int x, int y, float shift)
{
    struct vultus_place to;
    const int depth = a->src[y * a->stride + x];
    if (vultus_project(&a->projection, x, y, depth, shift, a->out_width - a->splat + 1, a->out_height - a->splat + 1, &to))
        vultus_splat(a->out + to.y * a->out_stride + to.x, a->out_stride, a->splat, (uint16_t)(to.z + 0.5f));
}

/* A pixel farther than both beside it is a hole, or a sight of the wall through one: it takes the farther of the two. Beside an
 * empty pixel nothing is filled. VULTUS_GAP millimetres are above a depth camera's noise at arm's length. */
static inline uint16_t vultus_filled(uint16_t here, uint16_t one, uint16_t other)
{
    const uint16_t beside = one > other ? one : other;
    return here > (beside > VULTUS_EMPTY - VULTUS_GAP ? VULTUS_EMPTY : beside + VULTUS_GAP) ? beside : here;
}

#define VULTUS_THROUGH_PIXEL(bits) \
    static inline uint##bits##_t vultus_through_u##bits(const struct vultus_register_through_u##bits##_args *a, int x, int y) \
    { \
        struct vultus_place to; \
        if (!vultus_project(&a->projection, x, y, a->depth[y * a->depth_stride + x], 0.5f, a->src_width, a->src_height, &to)) \
            return 0; \
        const int seen = a->seen[to.y * a->seen_stride + to.x]; \
        return seen != 0 && to.z > (float)seen + a->slack ? 0 : a->src[to.y * a->src_stride + to.x]; \
    }
VULTUS_THROUGH_PIXEL(8)
VULTUS_THROUGH_PIXEL(16)

#endif
