/* How the weights of 8-bit layers lie in memory, so that every kernel reads them from front to back.
 *
 * Output channels go by blocks of 64. A block is four groups of sixteen lanes; lane 4 i + j of group v is channel 16 i + 4 v + j of
 * its block: the order in which AVX2 and AVX-512 put four vectors of 32 bits together to one of bytes, and take one apart.
 *   1 x 1:        bias, scale, slope, step (64 each), then for every four input channels their weights, lane by lane
 *   depthwise:    bias and scale of the two sums (64 each), then by sum, group and column three weights (rows) and a 0, lane by lane
 */
#ifndef VULTUS_KERNELS_LAYERS_H
#define VULTUS_KERNELS_LAYERS_H

#include "kernels.h"

#include <string.h>

enum { BLOCK = VULTUS_LAYER_BLOCK, HEAD = 4 * BLOCK * 4, QUAD = BLOCK * 4, DEPTH_BLOCK = HEAD + 2 * 4 * 3 * 64 };

static inline int vultus_lane(int channel)
{
    return channel % 16 / 4 * 16 + channel / 16 * 4 + channel % 4;
}

static inline ptrdiff_t vultus_point_block(int from)
{
    return HEAD + (ptrdiff_t)from * BLOCK;
}

/* Entry `lane` of one of the four rows before the weights. */
static inline int32_t vultus_head_int(const uint8_t *block, int row, int lane)
{
    int32_t value;
    memcpy(&value, block + (row * BLOCK + lane) * 4, 4);
    return value;
}

static inline float vultus_head_float(const uint8_t *block, int row, int lane)
{
    float value;
    memcpy(&value, block + (row * BLOCK + lane) * 4, 4);
    return value;
}

static inline ptrdiff_t vultus_point_weight(int lane, int from)
{
    return HEAD + (ptrdiff_t)(from / 4) * QUAD + lane * 4 + from % 4;
}

static inline ptrdiff_t vultus_depth_weight(int sum, int lane, int row, int column)
{
    return HEAD + ((sum * 4 + lane / 16) * 3 + column) * 64 + lane % 16 * 4 + row;
}

#endif
