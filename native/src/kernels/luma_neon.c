#include "kernels.h"

#include <arm_neon.h>

/* Luma of eight pixels: the largest sum is 256 * 255 + 128, which fits 16 bits. */
static inline uint8x8_t eight(uint8x8_t red, uint8x8_t green, uint8x8_t blue)
{
    uint16x8_t sum = vmull_u8(red, vdup_n_u8(77));
    sum = vmlal_u8(sum, green, vdup_n_u8(150));
    sum = vmlal_u8(sum, blue, vdup_n_u8(29));
    return vrshrn_n_u16(sum, 8);
}

void vultus_luma_u8_neon(const struct vultus_luma_u8_args *args)
{
    for (int y = 0; y < args->height; y++) {
        const uint8_t *rgb = args->rgb + y * args->stride;
        uint8_t *out = args->out + y * args->out_stride;
        int x = 0;
        for (; x + 16 <= args->width; x += 16) {
            const uint8x16x3_t v = vld3q_u8(rgb + 3 * x);
            const uint8x8_t low = eight(vget_low_u8(v.val[0]), vget_low_u8(v.val[1]), vget_low_u8(v.val[2]));
            const uint8x8_t high = eight(vget_high_u8(v.val[0]), vget_high_u8(v.val[1]), vget_high_u8(v.val[2]));
            vst1q_u8(out + x, vcombine_u8(low, high));
        }
        for (; x < args->width; x++)
            out[x] = (uint8_t)((77 * rgb[3 * x] + 150 * rgb[3 * x + 1] + 29 * rgb[3 * x + 2] + 128) >> 8);
    }
}
