#include "kernels.h"

#include <arm_neon.h>

/* Sixteen products, added in pairs: widened to 16 bits first, where one product fits and two do not. */
static inline int32x4_t products(int32x4_t sum, const int8_t *a, const int8_t *b)
{
    const int8x16_t x = vld1q_s8(a), y = vld1q_s8(b);
    sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(x), vget_low_s8(y)));
    return vpadalq_s16(sum, vmull_s8(vget_high_s8(x), vget_high_s8(y)));
}

void vultus_dot_i8_neon(const struct vultus_dot_i8_args *args)
{
    for (ptrdiff_t i = 0; i < args->count; i++) {
        const int8_t *row = args->rows + i * args->stride;
        int32x4_t s0 = vdupq_n_s32(0), s1 = s0;
        ptrdiff_t j = 0;
        for (; j + 32 <= args->dim; j += 32) {
            s0 = products(s0, args->query + j, row + j);
            s1 = products(s1, args->query + j + 16, row + j + 16);
        }
        int32_t sum = vaddvq_s32(vaddq_s32(s0, s1));
        for (; j < args->dim; j++)
            sum += args->query[j] * row[j];
        args->out[i] = sum;
    }
}
