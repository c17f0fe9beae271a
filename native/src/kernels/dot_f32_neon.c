#include "kernels.h"

#include <arm_neon.h>

void vultus_dot_f32_neon(const struct vultus_dot_f32_args *args)
{
    for (ptrdiff_t i = 0; i < args->count; i++) {
        const float *row = args->rows + i * args->stride;
        float32x4_t s0 = vdupq_n_f32(0.0f), s1 = s0, s2 = s0, s3 = s0;
        ptrdiff_t j = 0;
        for (; j + 16 <= args->dim; j += 16) {
            s0 = vfmaq_f32(s0, vld1q_f32(args->query + j), vld1q_f32(row + j));
            s1 = vfmaq_f32(s1, vld1q_f32(args->query + j + 4), vld1q_f32(row + j + 4));
            s2 = vfmaq_f32(s2, vld1q_f32(args->query + j + 8), vld1q_f32(row + j + 8));
            s3 = vfmaq_f32(s3, vld1q_f32(args->query + j + 12), vld1q_f32(row + j + 12));
        }
        float sum = vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3)));
        for (; j < args->dim; j++)
            sum += args->query[j] * row[j];
        args->out[i] = sum;
    }
}
