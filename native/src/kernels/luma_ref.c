#include "kernels.h"

void vultus_luma_u8_ref(const struct vultus_luma_u8_args *args)
{
    for (int y = 0; y < args->height; y++) {
        const uint8_t *rgb = args->rgb + y * args->stride;
        uint8_t *out = args->out + y * args->out_stride;
        for (int x = 0; x < args->width; x++)
            out[x] = (uint8_t)((77 * rgb[3 * x] + 150 * rgb[3 * x + 1] + 29 * rgb[3 * x + 2] + 128) >> 8);
    }
}
