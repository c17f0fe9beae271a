/* Which kernel an op runs. */
#ifndef VULTUS_DISPATCH_H
#define VULTUS_DISPATCH_H

#include "cpu.h"
#include "kernels.h"

#define VULTUS_OP(op) VULTUS_OP_##op,
enum vultus_op {
#include "kernels.def"
    VULTUS_OP_COUNT
};

typedef void vultus_any_kernel(void);

/* The kernel of exactly this ISA, or NULL. */
vultus_any_kernel *vultus_kernel_of(enum vultus_op op, enum vultus_isa isa);

/* The kernel that the op runs at present. */
vultus_any_kernel *vultus_kernel(enum vultus_op op);

const char *vultus_isa_name(enum vultus_isa isa);

#define VULTUS_OP(op) \
    static inline void vultus_run_##op(const struct vultus_##op##_args *args) \
    { \
        ((void (*)(const struct vultus_##op##_args *))vultus_kernel(VULTUS_OP_##op))(args); \
    }
#include "kernels.def"

#endif
