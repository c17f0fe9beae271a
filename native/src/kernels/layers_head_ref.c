#include "layers.h"

void vultus_head_u8_ref(const struct vultus_head_u8_args *a)
{
    for (int n = 0; n < VULTUS_HEAD_OUT; n++) {
        /* Unsigned, because a sum may leave the 32 bits on its way to a result within them. */
        uint32_t sum = (uint32_t)a->bias[n];
        for (int c = 0; c < a->channels; c++)
            for (int p = 0; p < a->pixels; p++)
                sum += (uint32_t)(a->in[(ptrdiff_t)p * a->channels + c] * a->weights[((ptrdiff_t)c * a->pixels + p) * VULTUS_HEAD_OUT + n]);
        a->out[n] = (float)(int32_t)sum * a->scale[n];
    }
}
