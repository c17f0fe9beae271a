#include "dispatch.h"

#include "vultus/core.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#define VULTUS_KERNEL(op, isa) [VULTUS_OP_##op][VULTUS_ISA_##isa] = (vultus_any_kernel *)vultus_##op##_##isa,
static vultus_any_kernel *const table[VULTUS_OP_COUNT][VULTUS_ISA_COUNT] = {
#include "kernels.def"
};

#define VULTUS_OP(op) [VULTUS_OP_##op] = #op,
static const char *const op_names[VULTUS_OP_COUNT] = {
#include "kernels.def"
};

#if defined(__aarch64__)
static const char *const isa_names[VULTUS_ISA_COUNT] = {[VULTUS_ISA_ref] = "ref", [VULTUS_ISA_neon] = "neon"};
#else
static const char *const isa_names[VULTUS_ISA_COUNT] = {[VULTUS_ISA_ref] = "ref", [VULTUS_ISA_avx2] = "avx2", [VULTUS_ISA_avxvnni] = "avxvnni", [VULTUS_ISA_avx512] = "avx512"};
#endif

/* The highest ISA that may run, plus one; 0 = not asked yet. Two threads that ask at once find the same answer. */
static _Atomic int allowed;

static enum vultus_isa ceiling(void)
{
    int known = atomic_load_explicit(&allowed, memory_order_relaxed);
    if (known == 0) {
        known = (int)vultus_cpu_isa() + 1;
        int unasked = 0;
        if (!atomic_compare_exchange_strong(&allowed, &unasked, known))
            known = unasked;
    }
    return (enum vultus_isa)(known - 1);
}

static enum vultus_isa chosen(enum vultus_op op)
{
    int isa = (int)ceiling();
    while (isa > 0 && table[op][isa] == NULL)
        isa--;
    return (enum vultus_isa)isa;
}

vultus_any_kernel *vultus_kernel_of(enum vultus_op op, enum vultus_isa isa)
{
    return table[op][isa];
}

vultus_any_kernel *vultus_kernel(enum vultus_op op)
{
    return table[op][chosen(op)];
}

const char *vultus_isa_name(enum vultus_isa isa)
{
    return isa_names[isa];
}

const char *vultus_op_name(int op)
{
    return op >= 0 && op < VULTUS_OP_COUNT ? op_names[op] : NULL;
}

const char *vultus_op_isa(int op)
{
    return op >= 0 && op < VULTUS_OP_COUNT ? isa_names[chosen((enum vultus_op)op)] : NULL;
}

int vultus_force_isa(const char *name)
{
    if (name == NULL)
        return VULTUS_NULL_POINTER;
    const int best = (int)vultus_cpu_isa();
    if (strcmp(name, "best") == 0) {
        atomic_store(&allowed, best + 1);
        return VULTUS_OK;
    }
    for (int isa = 0; isa <= best; isa++) {
        if (strcmp(name, isa_names[isa]) == 0 && vultus_cpu_has((enum vultus_isa)isa)) {
            atomic_store(&allowed, isa + 1);
            return VULTUS_OK;
        }
    }
    return VULTUS_UNKNOWN_ISA;
}
