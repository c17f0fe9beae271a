#include "layers_x86.h"

enum { ACROSS = VULTUS_HEAD_OUT / WIDE };

static void run_head(const struct vultus_head_u8_args *a)
{
    ints sums[ACROSS][4];
    EACH(b, ACROSS)
    EACH(v, 4)
    sums[b][v] = EVERY_32(0);
    const ptrdiff_t row = (ptrdiff_t)a->pixels * VULTUS_HEAD_OUT;
    for (int c = 0; c < a->channels; c += 4)
        for (int p = 0; p < a->pixels; p++) {
            /* Four input channels of a pixel: their rows of weights lie `row` apart and become columns on the way. */
            const int8_t *weights = a->weights + c * row + (ptrdiff_t)p * VULTUS_HEAD_OUT;
            const ints x = every_four(a->in + (ptrdiff_t)p * a->channels + c);
            EACH(b, ACROSS)
            {
                const int8_t *at = weights + b * WIDE;
                ints taps[4];
                columns_of((const ints[4]){LOAD(at), LOAD(at + row), LOAD(at + 2 * row), LOAD(at + 3 * row)}, taps);
                EACH(v, 4)
                sums[b][v] = ADD_PRODUCTS(sums[b][v], x, taps[v]);
            }
        }
    uint32_t by_lane[VULTUS_HEAD_OUT];
    EACH(b, ACROSS)
    EACH(v, 4)
    STORE(by_lane + b / PARTS * BLOCK + place(b % PARTS, v), sums[b][v]);
    for (int n = 0; n < VULTUS_HEAD_OUT; n++)
        a->out[n] = (float)(int32_t)(by_lane[n / BLOCK * BLOCK + vultus_lane(n % BLOCK)] + (uint32_t)a->bias[n]) * a->scale[n];
}
