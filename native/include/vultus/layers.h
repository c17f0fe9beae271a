/* The native core's layers in 8-bit integers; core.h says what holds for every function. */
#ifndef VULTUS_LAYERS_H
#define VULTUS_LAYERS_H

#include <stddef.h>
#include <stdint.h>

/* binding: begin */

enum vultus_layer_limits {
    VULTUS_LAYER_BLOCK = 64, /* channels come in multiples of it */
    VULTUS_LAYER_MOST = 4096, /* channels, and pixels a side, at most */
    VULTUS_LAYER_COUNT = 64, /* layers in a row at most */
    VULTUS_HEAD_OUT = 128
};

/* Layers in 8-bit integers: levels 0..255 of step 1 over a zero point, the channels of a pixel side by side. Of a sum of products of
 * (level - zero_in) and weight, x is sum * scale rounded (halves to even) and clipped to the levels; the output is max(x, y) + zero_out.
 * 1 x 1: y is x * slope * step, rounded and clipped. Depthwise, 3 x 3 with zeros around: y is another sum's x.
 *
 * Packing takes weights by output channel (1 x 1: `to` rows of `from`; depthwise: 9 a channel), and one bias, scale, slope, step a
 * channel: biases that leave sums room in 32 bits, scales from 0 to below 1, slope * step at most 1. `packed` begins at a multiple of 64 and holds vultus_packed_size bytes, which is
 * -1 for a layer that cannot be; depthwise layers have `from` = 0 there. */
ptrdiff_t vultus_packed_size(int from, int to);
int vultus_pack_point(const int8_t *weights, const int32_t *bias, const float *scale, const int8_t *slope, const float *step, int from, int to,
                      int zero_in, uint8_t *packed, ptrdiff_t room);
int vultus_pack_depth(const int8_t *const *weights, const int32_t *const *bias, const float *const *scale, int channels, int zero_in, uint8_t *packed,
                      ptrdiff_t room);

struct vultus_layer {
    const uint8_t *packed;
    ptrdiff_t size;
    int from, to; /* channels; from = 0: depthwise */
    int side, stride; /* of the square picture that comes in; stride 1, or 1 or 2 where depthwise */
    int zero_in, zero_out;
};

/* Run layers one after the other: a 1 x 1 first, then depthwise and 1 x 1 in turns. Scratch memory of vultus_layers_room bytes, -1 for layers
 * that do not fit each other, is written over. */
ptrdiff_t vultus_layers_room(const struct vultus_layer *layers, int count);
int vultus_layers_u8(const struct vultus_layer *layers, int count, const uint8_t *in, uint8_t *out, uint8_t *scratch, ptrdiff_t room);

/* out[n] = (bias[n] + sum of level * weight) * scale[n] for VULTUS_HEAD_OUT numbers; a row of weights for every channel and pixel, the pixels
 * of a channel after one another. Sums are taken modulo 2^32. */
int vultus_head_u8(const uint8_t *in, int pixels, int channels, const int8_t *weights, const int32_t *bias, const float *scale, float *out);

/* binding: end */

#endif
