#include "layers_x86.h"

/* What a tile works on: `ahead` begins what is to be fetched meanwhile, `pace` bytes of it for every four input channels. */
struct tile {
    const uint8_t *in, *block, *ahead;
    ptrdiff_t pace;
    int from, first; /* input channels; the first of the vectors that it makes */
};

INLINE void add_up(int pixels, const struct tile *tile, int32_t *kept)
{
    const uint8_t *in = tile->in, *weights = tile->block + HEAD + tile->first * WIDE, *ahead = tile->ahead;
    const ptrdiff_t from = tile->from, pace = tile->pace;
    ints sums[TILE][TOGETHER];
    EACH(p, pixels)
    EACH(v, TOGETHER)
    sums[p][v] = LOAD(tile->block + (tile->first + v) * WIDE);
    for (ptrdiff_t k = 0; k < from; k += 4, weights += QUAD, ahead += pace) {
        ints taps[TOGETHER];
        _mm_prefetch((const char *)ahead, _MM_HINT_T1);
        EACH(v, TOGETHER)
        taps[v] = LOAD(weights + v * WIDE);
        EACH(p, pixels)
        {
            const ints x = every_four(in + p * from + k);
            EACH(v, TOGETHER)
            sums[p][v] = ADD_PRODUCTS(sums[p][v], x, taps[v]);
        }
    }
    EACH(p, pixels)
    EACH(v, TOGETHER)
    STORE(kept + p * BLOCK + (tile->first + v) * LANES, sums[p][v]);
}

#define ADD_UP(pixels) \
    static __attribute__((noinline)) void add_up_##pixels(const struct tile *tile, int32_t *kept) \
    { \
        add_up(pixels, tile, kept); \
    }
ADD_UP(1) ADD_UP(2) ADD_UP(3) ADD_UP(4) ADD_UP(5) ADD_UP(6)
#undef ADD_UP

static void (*const add_up_of[TILE])(const struct tile *, int32_t *) = {add_up_1, add_up_2, add_up_3, add_up_4, add_up_5, add_up_6};

/* Sums to levels: x, or x times its slope where that is more. No slope is above 1, so that x need not be clipped above before. */
INLINE void finish(const int32_t *sums, const float *head, int part, int zero, uint8_t *out)
{
    const floats low = EVERY_FLOAT((float)-zero);
    ints x[4], bent[4];
    EACH(v, 4)
    {
        const float *at = head + place(part, v);
        const floats sum = TO_FLOATS(LOAD(sums + place(part, v)));
        x[v] = TO_INTS(LARGER(TIMES(sum, LOAD_FLOATS(at + BLOCK)), low));
        bent[v] = TO_INTS(TIMES(TIMES(TO_FLOATS(x[v]), LOAD_FLOATS(at + 2 * BLOCK)), LOAD_FLOATS(at + 3 * BLOCK)));
    }
    STORE(out + part * WIDE, levels_of(x, bent, EVERY_16((short)zero)));
}

static void run_point(const struct vultus_point_u8_args *a)
{
    const ptrdiff_t size = vultus_point_block(a->from), gap = a->out_row - (ptrdiff_t)a->width * a->to;
    const int tiles = (a->pixels + TILE - 1) / TILE, blocks = a->to / BLOCK, steps = BLOCK / (TOGETHER * LANES);
    for (int n = 0; n < blocks; n++) {
        const uint8_t *block = a->packed + n * size;
        /* While this block is in use, the next one comes nearer. */
        const uint8_t *next = n + 1 < blocks ? block + size : a->next;
        const ptrdiff_t pace = next != NULL ? (size * 4 / a->from + tiles * steps - 1) / (tiles * steps) : 0;
        struct tile tile = {.block = block, .ahead = next != NULL ? next : block, .pace = pace, .from = a->from};
        uint8_t *out = a->out + n * BLOCK;
        for (int t = 0, done = 0, column = 0; t < tiles; t++) {
            int32_t kept[TILE * BLOCK];
            const int until = (int)((ptrdiff_t)a->pixels * (t + 1) / tiles);
            tile.in = a->in + (ptrdiff_t)done * a->from;
            for (tile.first = 0; tile.first < steps * TOGETHER; tile.first += TOGETHER, tile.ahead += pace * (a->from / 4))
                add_up_of[until - done - 1](&tile, kept);
            for (int p = 0; done < until; done++, p++, out += a->to) {
                for (int part = 0; part < PARTS; part++)
                    finish(kept + p * BLOCK, (const float *)(const void *)block, part, a->zero, out);
                if (++column == a->width)
                    column = 0, out += gap;
            }
        }
    }
}
