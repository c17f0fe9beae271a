#include "kernels.h"

#define VULTUS_STROBE(bits) \
    void vultus_strobe_sums_u##bits##_ref(const struct vultus_strobe_sums_u##bits##_args *args) \
    { \
        struct vultus_strobe_sums s = {0}; \
        for (int y = 0; y < args->height; y++) { \
            const uint##bits##_t *lit = args->lit + y * args->lit_stride, *ambient = args->ambient + y * args->ambient_stride; \
            for (int x = 0; x < args->width; x++) { \
                if (lit[x] >= args->high || ambient[x] >= args->high) { \
                    s.n_saturated++; \
                    continue; \
                } \
                s.n++; \
                s.lit += lit[x]; \
                s.ambient += ambient[x]; \
            } \
        } \
        *args->out = s; \
    }
VULTUS_STROBE(8)
VULTUS_STROBE(16)
