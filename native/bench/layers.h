/* Layers in 8-bit integers as the recogniser has them. */
#ifndef VULTUS_BENCH_LAYERS_H
#define VULTUS_BENCH_LAYERS_H

#include "kernels.h"

static struct vultus_point_u8_args point_u8_args = {.pixels = 196, .width = 14, .from = 512, .to = 512, .zero = 128, .out_row = 14 * 512};
static struct vultus_depth_u8_args depth_u8_args = {.in_row = 30 * 256, .width = 28, .height = 28, .channels = 256, .stride = 1, .zero = 60};
static struct vultus_head_u8_args head_u8_args = {.pixels = 49, .channels = 1024};

/* Any bytes are weights, and take their time. */
static void give_layers(const uint8_t *weights, const uint8_t *in, void *out, const float *scale)
{
    static int32_t bias[VULTUS_HEAD_OUT];
    point_u8_args.in = depth_u8_args.in = head_u8_args.in = in;
    point_u8_args.packed = depth_u8_args.packed = weights;
    point_u8_args.out = depth_u8_args.out = out;
    head_u8_args.weights = (const int8_t *)weights;
    head_u8_args.bias = bias;
    head_u8_args.scale = scale;
    head_u8_args.out = out;
}

#endif
