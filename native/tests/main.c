/* Runs every kernel of the list that this machine can run against its reference, then the checks of the API. */
#include "check.h"

#include "dispatch.h"

#define VULTUS_KERNEL(op, isa) \
    static void run_##op##_##isa(void) \
    { \
        const int before = failures; \
        if (!vultus_cpu_has(VULTUS_ISA_##isa)) { \
            skipped++; \
            printf("skipped %s %s: this machine has no %s\n", #op, #isa, #isa); \
            return; \
        } \
        seed(1); \
        check_##op(vultus_##op##_##isa); \
        ran++; \
        printf("%s %s %s\n", failures == before ? "ok     " : "FAILED ", #op, #isa); \
    }
static int ran, skipped;
#include "kernels.def"

int main(void)
{
#define VULTUS_KERNEL(op, isa) run_##op##_##isa();
#include "kernels.def"
    check_api();
    printf("%d kernels checked, %d skipped, %d failures\n", ran, skipped, failures);
    return failures == 0 && ran > 0 ? 0 : 1;
}
