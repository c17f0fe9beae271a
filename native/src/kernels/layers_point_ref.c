#include "layers.h"

#include <math.h>

static float limited(float x, int zero)
{
    const float low = (float)-zero, high = (float)(255 - zero);
    return x < low ? low : x > high ? high : x;
}

void vultus_point_u8_ref(const struct vultus_point_u8_args *a)
{
    for (int i = 0; i < a->pixels; i++) {
        const uint8_t *in = a->in + (ptrdiff_t)i * a->from;
        uint8_t *out = a->out + i / a->width * a->out_row + (ptrdiff_t)(i % a->width) * a->to;
        for (int n = 0; n < a->to; n++) {
            const uint8_t *block = a->packed + n / BLOCK * vultus_point_block(a->from);
            const int lane = vultus_lane(n % BLOCK);
            int32_t sum = vultus_head_int(block, 0, lane);
            for (int k = 0; k < a->from; k++)
                sum += in[k] * (int8_t)block[vultus_point_weight(lane, k)];
            const float x = limited(rintf((float)sum * vultus_head_float(block, 1, lane)), a->zero);
            const float bent = limited(rintf(x * vultus_head_float(block, 2, lane) * vultus_head_float(block, 3, lane)), a->zero);
            out[n] = (uint8_t)((int)(x > bent ? x : bent) + a->zero);
        }
    }
}
