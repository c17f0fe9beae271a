/* Arguments and prototypes of the kernels. The API has checked every argument before a kernel sees it. */
#ifndef VULTUS_KERNELS_H
#define VULTUS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* out[i] = sum over j < dim of query[j] * rows[i * stride + j]; strides in elements. */
struct vultus_dot_f32_args {
    const float *query, *rows;
    ptrdiff_t count, dim, stride;
    float *out;
};

#define VULTUS_KERNEL(op, isa) void vultus_##op##_##isa(const struct vultus_##op##_args *args);
#include "kernels.def"

#endif
