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

/* No sum of a channel, of levels as they are or less their zero point, may leave the 32 bits, whatever the weights; below a scale of 1 a level
 * before clipping is a number of 32 bits too. */
static int check_sums(int count, int32_t bias, float scale)
{
    const int64_t size = bias < 0 ? -(int64_t)bias : bias;
    return scale >= 0.0f && scale < 1.0f && size + 2 * 255 * 128 * (int64_t)count <= INT32_MAX ? VULTUS_OK : VULTUS_BAD_NUMBER;
}

/* The bias for levels as they are, zero point and all. */
static int32_t shifted(const int8_t *weights, int count, int32_t bias, int zero_in)
{
    int32_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += weights[i];
    return bias - zero_in * sum;
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
    for (int n = 0; n < to; n++) {
        VULTUS_CHECK(check_sums(from, bias[n], scale[n]));
        /* A step that makes 127 levels of a slope of 1 may be one rounding above it; slopes down to -8 leave room in 32 bits. */
        if (!(slope[n] * (double)step[n] <= 1.000001 && slope[n] * (double)step[n] >= -8.0))
            return VULTUS_BAD_NUMBER;
    }
    for (int n = 0; n < to; n++) {
        const int lane = vultus_lane(n % BLOCK);
        const float level = slope[n];
        uint8_t *block = packed + n / BLOCK * vultus_point_block(from);
        const int32_t moved = shifted(weights + (ptrdiff_t)n * from, from, bias[n], zero_in);
        put(block, 0, lane, &moved);
        put(block, 1, lane, &scale[n]);
        put(block, 2, lane, &level);
        put(block, 3, lane, &step[n]);
    }
    for (int b = 0; b < to; b += BLOCK) {
        uint8_t *block = packed + b / BLOCK * vultus_point_block(from);
        for (int n = 0; n < BLOCK; n++) {
            const int8_t *row = weights + (ptrdiff_t)(b + n) * from;
            uint8_t *place = block + vultus_point_weight(vultus_lane(n), 0);
            for (int k = 0; k < from; k += 4, place += QUAD)
                memcpy(place, row + k, 4);
        }
    }
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
    for (int i = 0; i < 2 * channels; i++)
        VULTUS_CHECK(check_sums(9, bias[i & 1][i / 2], scale[i & 1][i / 2]));
    memset(packed, 0, (size_t)vultus_packed_size(0, channels));
    for (int i = 0; i < 2 * channels; i++) {
        const int c = i / 2, k = i & 1, lane = vultus_lane(c % BLOCK);
        uint8_t *block = packed + c / BLOCK * (ptrdiff_t)DEPTH_BLOCK;
        const int32_t moved = shifted(weights[k] + c * 9, 9, bias[k][c], zero_in);
        put(block, 2 * k, lane, &moved);
        put(block, 2 * k + 1, lane, &scale[k][c]);
        for (int t = 0; t < 9; t++)
            block[vultus_depth_weight(k, lane, t / 3, t % 3)] = (uint8_t)weights[k][c * 9 + t];
    }
    return VULTUS_OK;
}
