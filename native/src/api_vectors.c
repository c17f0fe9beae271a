#include "checks.h"
#include "dispatch.h"

/* Rows of `dim` elements; `stride` in bytes. The whole matrix has to be addressable. */
static int check_rows(const void *query, const void *rows, const void *out, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t dim, int element)
{
    if (query == NULL || rows == NULL || out == NULL)
        return VULTUS_NULL_POINTER;
    if (count < 0 || dim < 0 || dim > VULTUS_MAX_DIM)
        return VULTUS_BAD_SIZE;
    const uintptr_t addresses = (uintptr_t)query | (uintptr_t)rows;
    if (stride < dim * element || stride % element != 0 || addresses % (uintptr_t)element != 0 || (uintptr_t)out % sizeof(int32_t) != 0)
        return VULTUS_BAD_STRIDE;
    return count > 0 && stride > PTRDIFF_MAX / count ? VULTUS_BAD_SIZE : VULTUS_OK;
}

int vultus_dot_f32(const float *query, const float *rows, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t dim, float *out)
{
    VULTUS_CHECK(check_rows(query, rows, out, stride, count, dim, sizeof(float)));
    vultus_run_dot_f32(&(struct vultus_dot_f32_args){
        .query = query, .rows = rows, .stride = stride / (ptrdiff_t)sizeof(float), .count = count, .dim = dim, .out = out});
    return VULTUS_OK;
}

int vultus_dot_i8(const int8_t *query, const int8_t *rows, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t dim, int32_t *out)
{
    VULTUS_CHECK(check_rows(query, rows, out, stride, count, dim, 1));
    vultus_run_dot_i8(&(struct vultus_dot_i8_args){.query = query, .rows = rows, .stride = stride, .count = count, .dim = dim, .out = out});
    return VULTUS_OK;
}
