#include "kernels.h"

#define VULTUS_DIFFERENCE(bits) \
    void vultus_difference_u##bits##_ref(const struct vultus_difference_u##bits##_args *args) \
    { \
        for (int y = 0; y < args->height; y++) { \
            const uint##bits##_t *lit = args->lit + y * args->lit_stride, *ambient = args->ambient + y * args->ambient_stride; \
            uint##bits##_t *out = args->out + y * args->out_stride; \
            for (int x = 0; x < args->width; x++) \
                out[x] = lit[x] > ambient[x] ? (uint##bits##_t)(lit[x] - ambient[x]) : 0; \
        } \
    }
VULTUS_DIFFERENCE(8)
VULTUS_DIFFERENCE(16)
