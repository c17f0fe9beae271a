#include "check.h"

#include <math.h>

static const int dims[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 39, 40, 41, 63, 64, 65, 127, 128, 129, 512};
static const int counts[] = {0, 1, 2, 5};

/* Adding d products in another order moves a sum by at most d roundings of the largest partial sum; 1e-6 of the absolute
 * products is above that for the lengths here (2^-24 each, eight accumulators of at most 64 additions). */
static const double dot_tolerance = 1e-6;

void check_dot_f32(void (*kernel)(const struct vultus_dot_f32_args *))
{
    for (int d = 0; d < ELEMENTS(dims); d++)
        for (int c = 0; c < ELEMENTS(counts); c++)
            for (int way = 0; way < 4; way++, release()) {
                const enum guard guard = (enum guard)(way >> 1);
                const int dim = dims[d], count = counts[c], stride = dim + 3 * (way & 1);
                const int elements = count > 0 ? (count - 1) * stride + dim : 0;
                float *query = guarded((size_t)dim * sizeof(float), guard), *rows = guarded((size_t)elements * sizeof(float), guard);
                for (int i = 0; i < dim; i++)
                    query[i] = (float)draw(2001) / 1000.0f - 1.0f;
                for (int i = 0; i < elements; i++)
                    rows[i] = (float)draw(2001) / 1000.0f - 1.0f;
                float *expected = guarded((size_t)count * sizeof(float), guard), *found = guarded((size_t)count * sizeof(float), guard);
                struct vultus_dot_f32_args args = {.query = query, .rows = rows, .stride = stride, .count = count, .dim = dim, .out = expected};
                vultus_dot_f32_ref(&args);
                args.out = found;
                kernel(&args);
                for (int i = 0; i < count; i++) {
                    double absolute = 0.0;
                    for (int j = 0; j < dim; j++)
                        absolute += fabs((double)query[j] * (double)rows[i * stride + j]);
                    EXPECT(fabs((double)found[i] - (double)expected[i]) <= dot_tolerance * absolute, dim, count);
                }
            }
}

static void check_dot_i8_at(void (*kernel)(const struct vultus_dot_i8_args *), int dim, int count, int gap, int peak, enum guard guard)
{
    const int stride = dim + gap;
    const size_t size = count > 0 ? (size_t)((count - 1) * stride + dim) : 0;
    int8_t *query = guarded((size_t)dim, guard), *rows = guarded(size, guard);
    fill(query, (size_t)dim);
    fill(rows, size);
    for (int i = 0; peak && i < dim; i++)
        query[i] = -128;
    for (size_t i = 0; peak && i < size; i++)
        rows[i] = -128;
    int32_t *expected = guarded((size_t)count * sizeof(int32_t), guard), *found = guarded((size_t)count * sizeof(int32_t), guard);
    struct vultus_dot_i8_args args = {.query = query, .rows = rows, .stride = stride, .count = count, .dim = dim, .out = expected};
    vultus_dot_i8_ref(&args);
    args.out = found;
    kernel(&args);
    for (int i = 0; i < count; i++)
        EXPECT(found[i] == expected[i], dim, count);
    release();
}

void check_dot_i8(void (*kernel)(const struct vultus_dot_i8_args *))
{
    for (int d = 0; d < ELEMENTS(dims); d++)
        for (int c = 0; c < ELEMENTS(counts); c++)
            for (int way = 0; way < 8; way++)
                check_dot_i8_at(kernel, dims[d], counts[c], 5 * (way & 1), (way >> 1) & 1, (enum guard)(way >> 2));
    check_dot_i8_at(kernel, VULTUS_MAX_DIM, 2, 0, 1, GUARD_AFTER);
}

/* Doubles added in another order; both sums stay within 1e-12 of the largest term times the number of terms. */
static int close_to(double found, double expected, int64_t n, double largest)
{
    return fabs(found - expected) <= 1e-12 * largest * (double)(n + 1);
}

static struct vultus_depth_area area_of(int width, int height, int gap, int lo, enum guard guard)
{
    const int stride = width + gap;
    const size_t elements = height > 0 ? (size_t)((height - 1) * stride + width) : 0;
    uint16_t *depth = guarded(elements * sizeof(uint16_t), guard);
    for (size_t i = 0; i < elements; i++)
        depth[i] = draw(8) == 0 ? (uint16_t)(draw(2) * 65535) : (uint16_t)(500 + draw(300));
    return (struct vultus_depth_area){.src = depth, .stride = stride, .width = width, .height = height, .x0 = 11, .y0 = 7,
                                      .lo = lo, .hi = lo == 1 ? 65535 : 700, .camera = {365.5, 364.25, 31.5, 20.25}};
}

/* Run the body for all shapes, guards and depth limits. */
#define EACH_AREA \
    for (int width = 0; width < 20; width++) \
        for (int height = 0; height < 4; height++) \
            for (int way = 0; way < 8; way++, release())
#define AREA area_of(width, height, 3 * (way & 1), way & 2 ? 1 : 550, (enum guard)(way >> 2))

void check_plane_sums_u16(void (*kernel)(const struct vultus_plane_sums_u16_args *))
{
    EACH_AREA {
        struct vultus_plane_sums e, f;
        struct vultus_plane_sums_u16_args args = {.area = AREA, .out = &e};
        vultus_plane_sums_u16_ref(&args);
        args.out = &f;
        kernel(&args);
        const double z = 65535.0;
        EXPECT(f.n == e.n, width, height);
        EXPECT(close_to(f.x, e.x, e.n, z) && close_to(f.y, e.y, e.n, z) && close_to(f.z, e.z, e.n, z), width, height);
        EXPECT(close_to(f.xx, e.xx, e.n, z * z) && close_to(f.xy, e.xy, e.n, z * z) && close_to(f.yy, e.yy, e.n, z * z), width, height);
        EXPECT(close_to(f.xz, e.xz, e.n, z * z) && close_to(f.yz, e.yz, e.n, z * z), width, height);
    }
}

void check_plane_residual_u16(void (*kernel)(const struct vultus_plane_residual_u16_args *))
{
    EACH_AREA {
        struct vultus_plane_residual e, f;
        struct vultus_plane_residual_u16_args args = {.area = AREA, .a = 0.25, .b = -0.5, .c = 601.5, .out = &e};
        vultus_plane_residual_u16_ref(&args);
        args.out = &f;
        kernel(&args);
        EXPECT(close_to(f.sum_squares, e.sum_squares, width * height, 65535.0 * 65535.0), width, height);
        EXPECT(close_to(f.max_abs, e.max_abs, 0, 65535.0), width, height);
    }
}
