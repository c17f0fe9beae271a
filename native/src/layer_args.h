/* Arguments of the kernels for layers in 8-bit integers. */
#ifndef VULTUS_LAYER_ARGS_H
#define VULTUS_LAYER_ARGS_H

#include <stddef.h>
#include <stdint.h>

/* Pixels in rows of `width`; `out_row` elements from one row of the output to the next. `packed` as layers.h says;
 * `next`, or NULL, is where the weights that are needed afterwards begin. */
struct vultus_point_u8_args {
    const uint8_t *in, *packed, *next;
    int pixels, width, from, to, zero;
    uint8_t *out;
    ptrdiff_t out_row;
};

/* `width` x `height` of the output; `in` begins with the pixel to the upper left of the picture. */
struct vultus_depth_u8_args {
    const uint8_t *in, *packed;
    ptrdiff_t in_row;
    int width, height, channels, stride, zero;
    uint8_t *out;
};

struct vultus_head_u8_args {
    const uint8_t *in;
    int pixels, channels;
    const int8_t *weights;
    const int32_t *bias;
    const float *scale;
    float *out;
};

#endif
