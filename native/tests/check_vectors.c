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
