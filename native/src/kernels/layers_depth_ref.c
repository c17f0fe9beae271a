#include "layers.h"

#include <math.h>

void vultus_depth_u8_ref(const struct vultus_depth_u8_args *a)
{
    for (int y = 0; y < a->height; y++)
        for (int x = 0; x < a->width; x++)
            for (int c = 0; c < a->channels; c++) {
                const uint8_t *in = a->in + (ptrdiff_t)y * a->stride * a->in_row + (ptrdiff_t)x * a->stride * a->channels + c;
                const uint8_t *block = a->packed + c / BLOCK * DEPTH_BLOCK;
                const int lane = vultus_lane(c % BLOCK);
                float best = (float)-a->zero;
                for (int k = 0; k < 2; k++) {
                    int32_t sum = vultus_head_int(block, 2 * k, lane);
                    for (int i = 0; i < 9; i++)
                        sum += in[i / 3 * a->in_row + (ptrdiff_t)(i % 3) * a->channels] * (int8_t)block[vultus_depth_weight(k, lane, i / 3, i % 3)];
                    const float level = rintf((float)sum * vultus_head_float(block, 2 * k + 1, lane));
                    best = level > best ? level : best;
                }
                const float high = (float)(255 - a->zero);
                a->out[((ptrdiff_t)y * a->width + x) * a->channels + c] = (uint8_t)((int)(best < high ? best : high) + a->zero);
            }
}
