/* Layers in 8-bit integers as the recogniser has them. */
#ifndef VULTUS_BENCH_LAYERS_H
#define VULTUS_BENCH_LAYERS_H

#include "check.h"

static struct vultus_point_u8_args point_u8_args = {.pixels = 196, .width = 14, .from = 512, .to = 512, .zero = 128, .out_row = 14 * 512};
static struct vultus_depth_u8_args depth_u8_args = {.in_row = 30 * 256, .width = 28, .height = 28, .channels = 256, .stride = 1, .zero = 60};
static struct vultus_head_u8_args head_u8_args = {.pixels = 49, .channels = 1024};

static void give_layers(const int8_t *weights, const uint8_t *in, void *out)
{
    static int32_t bias[512];
    static int8_t slope[512];
    static float scale[512];
    for (int i = 0; i < 512; i++)
        slope[i] = 127, scale[i] = 0.002f;
    const ptrdiff_t sizes[] = {vultus_packed_size(512, 512), vultus_packed_size(0, 256)};
    uint8_t *packed[] = {guarded((size_t)sizes[0], GUARD_AFTER), guarded((size_t)sizes[1], GUARD_AFTER)};
    vultus_pack_point(weights, bias, scale, slope, scale, 512, 512, 60, packed[0], sizes[0]);
    vultus_pack_depth((const int8_t *const[]){weights, weights}, (const int32_t *const[]){bias, bias}, (const float *const[]){scale, scale}, 256, 128, packed[1],
                      sizes[1]);
    point_u8_args.in = depth_u8_args.in = head_u8_args.in = in;
    point_u8_args.packed = packed[0], depth_u8_args.packed = packed[1];
    point_u8_args.out = depth_u8_args.out = out, head_u8_args.out = out;
    head_u8_args.weights = weights, head_u8_args.bias = bias, head_u8_args.scale = scale;
}

#endif
