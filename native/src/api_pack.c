#include "checks.h"
#include "kernels/layers.h"

ptrdiff_t vultus_packed_size(int from, int to)
{
    if (to < BLOCK || to % BLOCK != 0 || to > VULTUS_LAYER_MOST || from < 0 || from % 4 != 0 || from > VULTUS_LAYER_MOST)
        return -1;
    return to / BLOCK * (from == 0 ? (ptrdiff_t)DEPTH_BLOCK : vultus_point_block(from));
}

static int check_place(const uint8_t *packed, ptrdiff_t room, ptrdiff_t size)
{
    if (packed == NULL)
        return VULTUS_NULL_POINTER;
    if (size < 0 || room < size)
        return VULTUS_BAD_SIZE;
    return (uintptr_t)packed % 64 != 0 ? VULTUS_BAD_STRIDE : VULTUS_OK;
}

/* The bias of the levels as they are, zero point and all: of levels - zero_in before. No sum of a channel may leave the 32 bits. */
static int shift_bias(const int8_t *weights, int count, int32_t bias, float scale, int zero_in, int32_t *shifted)
{
    int32_t sum = 0, size = 0;
    for (int i = 0; i < count; i++) {
        sum += weights[i];
        size += weights[i] < 0 ? -weights[i] : weights[i];
    }
    const int64_t moved = bias - (int64_t)zero_in * sum;
    /* Below 1 a level before clipping is a number of 32 bits too. */
    if (!(scale >= 0.0f && scale < 1.0f) || (moved < 0 ? -moved : moved) + 255 * (int64_t)size > INT32_MAX)
        return VULTUS_BAD_NUMBER;
    *shifted = (int32_t)moved;
    return VULTUS_OK;
}

static void put(uint8_t *block, int row, int lane, const void *value)
{
    memcpy(block + (row * BLOCK + lane) * 4, value, 4);
}

int vultus_pack_point(const int8_t *weights, const int32_t *bias, const float *scale, const int8_t *slope, const float *step, int from, int to,
                      int zero_in, uint8_t *packed, ptrdiff_t room)
{
    if (weights == NULL || bias == NULL || scale == NULL || slope == NULL || step == NULL)
        return VULTUS_NULL_POINTER;
    VULTUS_CHECK(check_place(packed, room, from == 0 ? -1 : vultus_packed_size(from, to)));
    VULTUS_CHECK(vultus_check_range(zero_in, 0, 255));
    int32_t shifted;
    /* Twice, so that nothing is written when anything is wrong. */
    for (int n = 0; n < to; n++) {
        VULTUS_CHECK(shift_bias(weights + (ptrdiff_t)n * from, from, bias[n], scale[n], zero_in, &shifted));
        /* A step that makes 127 levels of a slope of 1 may be one rounding above it; slopes down to -8 leave room in 32 bits. */
        if (!(slope[n] * (double)step[n] <= 1.000001 && slope[n] * (double)step[n] >= -8.0))
            return VULTUS_BAD_NUMBER;
    }
    for (int n = 0; n < to; n++) {
        const int lane = vultus_lane(n % BLOCK);
        const float level = slope[n];
        uint8_t *block = packed + n / BLOCK * vultus_point_block(from);
        shift_bias(weights + (ptrdiff_t)n * from, from, bias[n], scale[n], zero_in, &shifted);
        put(block, 0, lane, &shifted);
        put(block, 1, lane, &scale[n]);
        put(block, 2, lane, &level);
        put(block, 3, lane, &step[n]);
    }
    for (int b = 0; b < to; b += BLOCK)
        for (int k = 0; k < from; k += 4)
            for (int n = 0; n < BLOCK; n++)
                memcpy(packed + b / BLOCK * vultus_point_block(from) + vultus_point_weight(vultus_lane(n), k), weights + (ptrdiff_t)(b + n) * from + k, 4);
    return VULTUS_OK;
}

int vultus_pack_depth(const int8_t *const *weights, const int32_t *const *bias, const float *const *scale, int channels, int zero_in, uint8_t *packed,
                      ptrdiff_t room)
{
    if (weights == NULL || bias == NULL || scale == NULL)
        return VULTUS_NULL_POINTER;
    for (int k = 0; k < 2; k++)
        if (weights[k] == NULL || bias[k] == NULL || scale[k] == NULL)
            return VULTUS_NULL_POINTER;
    VULTUS_CHECK(check_place(packed, room, vultus_packed_size(0, channels)));
    VULTUS_CHECK(vultus_check_range(zero_in, 0, 255));
    int32_t shifted;
    for (int i = 0; i < 2 * channels; i++)
        VULTUS_CHECK(shift_bias(weights[i & 1] + i / 2 * 9, 9, bias[i & 1][i / 2], scale[i & 1][i / 2], zero_in, &shifted));
    memset(packed, 0, (size_t)vultus_packed_size(0, channels));
    for (int i = 0; i < 2 * channels; i++) {
        const int c = i / 2, k = i & 1, lane = vultus_lane(c % BLOCK);
        uint8_t *block = packed + c / BLOCK * (ptrdiff_t)DEPTH_BLOCK;
        shift_bias(weights[k] + c * 9, 9, bias[k][c], scale[k][c], zero_in, &shifted);
        put(block, 2 * k, lane, &shifted);
        put(block, 2 * k + 1, lane, &scale[k][c]);
        for (int t = 0; t < 9; t++)
            block[vultus_depth_weight(k, lane, t / 3, t % 3)] = (uint8_t)weights[k][c * 9 + t];
    }
    return VULTUS_OK;
}
