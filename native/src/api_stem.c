#include "checks.h"
#include "dispatch.h"

int vultus_stem_f32(const float *weights, ptrdiff_t count, const float *planes, int zero, uint8_t *out, float *scratch, ptrdiff_t room)
{
    if (weights == NULL || planes == NULL || out == NULL || scratch == NULL)
        return VULTUS_NULL_POINTER;
    if (count != VULTUS_STEM_WEIGHTS || room < VULTUS_STEM_SCRATCH)
        return VULTUS_BAD_SIZE;
    if (((uintptr_t)weights | (uintptr_t)planes | (uintptr_t)scratch) % sizeof(float) != 0)
        return VULTUS_BAD_STRIDE;
    VULTUS_CHECK(vultus_check_range(zero, 0, 255));
    vultus_run_stem_f32(&(struct vultus_stem_f32_args){.weights = weights, .planes = planes, .zero = zero, .out = out, .scratch = scratch});
    return VULTUS_OK;
}
