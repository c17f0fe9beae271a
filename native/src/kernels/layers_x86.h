/* What the layers' kernels share, in the vectors that layers_x86_512.h or layers_x86_256.h gives before this.
 *
 * A block's 64 channels are one vector of bytes or two; each such part has four vectors of 32 bits, one of every group of lanes. The packing
 * instructions put those four together in the order of the channels, the unpacking ones take the bytes apart into them. */
#include "layers.h"

enum { PARTS = BLOCK / WIDE, LANES = WIDE / 4 };

/* Loops over constants must be unrolled before the compiler gives their vectors registers. */
#define EACH(i, count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); i++)

#define INLINE static inline __attribute__((always_inline))

INLINE ints every_four(const uint8_t *in)
{
    int32_t value;
    memcpy(&value, in, 4);
    return EVERY_32(value);
}

/* Where a group's lanes of one part stand in a row of 64 numbers. */
INLINE int place(int part, int group)
{
    return group * 16 + part * LANES;
}

/* Four rows of bytes to columns: in each 32 bits the bytes of one channel, by group. */
INLINE void columns_of(const ints rows[4], ints out[4])
{
    const ints low = LOW_8(rows[0], rows[1]), high = HIGH_8(rows[0], rows[1]);
    const ints low_2 = LOW_8(rows[2], rows[3]), high_2 = HIGH_8(rows[2], rows[3]);
    out[0] = LOW_16(low, low_2);
    out[1] = HIGH_16(low, low_2);
    out[2] = LOW_16(high, high_2);
    out[3] = HIGH_16(high, high_2);
}

/* The larger of two numbers a channel to levels: both narrowings clip, as the levels do. */
INLINE ints levels_of(const ints x[4], const ints y[4], ints zero)
{
    const ints low = LARGER_16(NARROW_32(x[0], x[1]), NARROW_32(y[0], y[1])), high = LARGER_16(NARROW_32(x[2], x[3]), NARROW_32(y[2], y[3]));
    return NARROW_16(PLUS_16(low, zero), PLUS_16(high, zero));
}
