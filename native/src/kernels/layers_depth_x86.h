#include "layers_x86.h"

/* The channels of one column, its three rows side by side in each 32 bits. */
INLINE void column_of(const uint8_t *in, ptrdiff_t row, ints out[4])
{
    columns_of((const ints[4]){LOAD(in), LOAD(in + row), LOAD(in + 2 * row), EVERY_8(0)}, out);
}

/* One of the two sums, in levels without the zero point. */
INLINE ints level_of(const uint8_t *block, int sum, int part, int v, ints a, ints b, ints c)
{
    const uint8_t *head = block + (sum * 2 * BLOCK + place(part, v)) * 4, *taps = block + HEAD + (sum * 4 + v) * 3 * 64 + part * WIDE;
    ints total = ADD_PRODUCTS(LOAD(head), a, LOAD(taps));
    total = ADD_PRODUCTS(total, b, LOAD(taps + 64));
    total = ADD_PRODUCTS(total, c, LOAD(taps + 128));
    return TO_INTS(TIMES(TO_FLOATS(total), LOAD_FLOATS((const float *)(const void *)(head + QUAD))));
}

INLINE void run_row(const struct vultus_depth_u8_args *a, const uint8_t *in, const uint8_t *block, int part, int stride, uint8_t *out)
{
    const ints zero = EVERY_16((short)a->zero);
    const ptrdiff_t pixel = a->channels;
    ints columns[3][4];
    column_of(in, a->in_row, columns[0]);
    if (stride == 1)
        column_of(in + pixel, a->in_row, columns[1]);
    for (int x = 0; x < a->width; x++, in += stride * pixel, out += pixel) {
        if (stride == 2)
            column_of(in + pixel, a->in_row, columns[1]);
        column_of(in + 2 * pixel, a->in_row, columns[2]);
        ints levels[2][4];
        EACH(s, 2)
        EACH(v, 4)
        levels[s][v] = level_of(block, s, part, v, columns[0][v], columns[1][v], columns[2][v]);
        STORE(out, levels_of(levels[0], levels[1], zero));
        EACH(v, 4)
        {
            columns[0][v] = stride == 1 ? columns[1][v] : columns[2][v];
            columns[1][v] = columns[2][v];
        }
    }
}

static void run_depth(const struct vultus_depth_u8_args *a)
{
    for (int c = 0; c < a->channels; c += WIDE) {
        const uint8_t *block = a->packed + c / BLOCK * (ptrdiff_t)DEPTH_BLOCK;
        for (int y = 0; y < a->height; y++) {
            const uint8_t *in = a->in + (ptrdiff_t)y * a->stride * a->in_row + c;
            uint8_t *out = a->out + (ptrdiff_t)y * a->width * a->channels + c;
            if (a->stride == 1)
                run_row(a, in, block, c % BLOCK / WIDE, 1, out);
            else
                run_row(a, in, block, c % BLOCK / WIDE, 2, out);
        }
    }
}
