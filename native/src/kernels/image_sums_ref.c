#include "kernels.h"

#define VULTUS_SUMS(bits) \
    void vultus_image_sums_u##bits##_ref(const struct vultus_image_sums_u##bits##_args *args) \
    { \
        struct vultus_image_sums s = {0}; \
        const ptrdiff_t stride = args->stride; \
        for (int y = 0; y < args->height; y++) { \
            const uint##bits##_t *row = args->src + y * stride; \
            for (int x = 0; x < args->width; x++) { \
                const int64_t v = row[x]; \
                s.n++; \
                s.total += v; \
                s.total_squares += v * v; \
                s.n_low += v <= args->low; \
                s.n_high += v >= args->high; \
                if (x > 0 && x + 1 < args->width && y > 0 && y + 1 < args->height) { \
                    const int64_t l = 4 * v - row[x - 1] - row[x + 1] - row[x - stride] - row[x + stride]; \
                    s.n_laplacian++; \
                    s.laplacian += l; \
                    s.laplacian_squares += l * l; \
                } \
            } \
        } \
        *args->out = s; \
    }
VULTUS_SUMS(8)
VULTUS_SUMS(16)
