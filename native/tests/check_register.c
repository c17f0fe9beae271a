#include "check.h"

#include <string.h>

static const int shapes[][2] = {{0, 3}, {3, 0}, {1, 1}, {2, 2}, {7, 5}, {8, 1}, {9, 3}, {17, 9}, {33, 20}, {64, 31}};
/* In place, shifted by parallax, turned, enlarged, behind the camera, and numbers that overflow. */
static const struct vultus_projection projections[] = {
    {{1, 0, 0, 0, 1, 0, 0, 0, 1}, {0, 0, 0}},
    {{1, 0.01f, -2, -0.01f, 1, 1, 0, 0, 1}, {4000, -500, 3}},
    {{0.8f, -0.6f, 9, 0.6f, 0.8f, 1, 0.0001f, 0, 1}, {-2000, 900, 20}},
    {{2, 0, 0.5f, 0, 2, 0.5f, 0, 0, 1}, {0, 0, 0}},
    {{1, 0, 0, 0, 1, 0, 0, 0, -1}, {0, 0, 600}},
    {{1e30f, 0, 1e30f, 0, 1e30f, 0, 1e30f, 0, 1}, {0, 1e30f, 0}},
};

static void *plane(const int *shape, int stride, int element, enum guard guard)
{
    const size_t size = shape[1] > 0 ? (size_t)(((shape[1] - 1) * stride + shape[0]) * element) : 0;
    void *memory = guarded(size, guard);
    fill(memory, size);
    return memory;
}

/* Depths of a face and of the wall behind it, holes, and at times anything. */
static uint16_t *depths(const int *shape, int stride, enum guard guard)
{
    uint16_t *depth = plane(shape, stride, 2, guard);
    const int n = shape[1] > 0 ? (shape[1] - 1) * stride + shape[0] : 0;
    for (int i = 0; i < n; i++)
        if (draw(16) != 0)
            depth[i] = (uint16_t)(draw(8) == 0 ? 0 : (draw(2) ? 500 : 1500) + draw(20));
    return depth;
}

#define EACH_PAIR \
    for (int s = 0; s < ELEMENTS(shapes); s++) \
        for (int o = 0; o < ELEMENTS(shapes); o++) \
            for (int way = 0; way < 4 * ELEMENTS(projections); way++, release())
#define GUARD ((enum guard)((way >> 1) & 1))
#define GAP (3 * (way & 1))

void check_register_depth_u16(void (*kernel)(const struct vultus_register_depth_u16_args *))
{
    EACH_PAIR {
        const int *from = shapes[s], *to = shapes[o], stride = from[0] + GAP, out_stride = to[0] + GAP;
        struct vultus_register_depth_u16_args args = {.src = depths(from, stride, GUARD), .width = from[0], .height = from[1], .stride = stride,
            .projection = projections[way / 4], .splat = way / 4 == 3 ? 2 : 1, .out_stride = out_stride, .out_width = to[0], .out_height = to[1]};
        const size_t size = to[1] > 0 ? (size_t)((to[1] - 1) * out_stride + to[0]) * 2 : 0;
        uint16_t *expected = args.out = guarded(size, GUARD);
        vultus_register_depth_u16_ref(&args);
        args.out = guarded(size, GUARD);
        kernel(&args);
        EXPECT(memcmp(args.out, expected, size) == 0, from[0], to[0]);
    }
}

#define CHECK_THROUGH(bits) \
    void check_register_through_u##bits(void (*kernel)(const struct vultus_register_through_u##bits##_args *)) \
    { \
        EACH_PAIR { \
            const int *view = shapes[s], *source = shapes[o], stride = view[0] + GAP, src_stride = source[0] + GAP; \
            struct vultus_register_through_u##bits##_args args = {.depth = depths(view, stride, GUARD), .depth_stride = stride, .width = view[0], \
                .height = view[1], .projection = projections[way / 4], .src = plane(source, src_stride, bits / 8, GUARD), \
                .src_stride = src_stride, .seen = depths(source, source[0], GUARD), .seen_stride = source[0], .src_width = source[0], \
                .src_height = source[1], .slack = 5.5f, .out_stride = stride}; \
            const size_t size = view[1] > 0 ? (size_t)((view[1] - 1) * stride + view[0]) * (bits / 8) : 0; \
            uint##bits##_t *expected = args.out = guarded(size, GUARD); \
            vultus_register_through_u##bits##_ref(&args); \
            args.out = guarded(size, GUARD); \
            kernel(&args); \
            EXPECT(memcmp(args.out, expected, size) == 0, view[0], source[0]); \
        } \
    }
CHECK_THROUGH(8)
CHECK_THROUGH(16)
