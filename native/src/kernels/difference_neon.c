#include "kernels.h"

#include <arm_neon.h>

#define VULTUS_DIFFERENCE(bits, step, load, store, subtract) \
    void vultus_difference_u##bits##_neon(const struct vultus_difference_u##bits##_args *args) \
    { \
        for (int y = 0; y < args->height; y++) { \
            const uint##bits##_t *lit = args->lit + y * args->lit_stride, *ambient = args->ambient + y * args->ambient_stride; \
            uint##bits##_t *out = args->out + y * args->out_stride; \
            int x = 0; \
            for (; x + (step) <= args->width; x += (step)) \
                store(out + x, subtract(load(lit + x), load(ambient + x))); \
            for (; x < args->width; x++) \
                out[x] = lit[x] > ambient[x] ? (uint##bits##_t)(lit[x] - ambient[x]) : 0; \
        } \
    }
VULTUS_DIFFERENCE(8, 16, vld1q_u8, vst1q_u8, vqsubq_u8)
VULTUS_DIFFERENCE(16, 8, vld1q_u16, vst1q_u16, vqsubq_u16)
