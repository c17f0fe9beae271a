/* Calls the API with arguments drawn at random, good and bad: vultus_fuzz [calls] [seed].
 *
 * Every buffer is as large as its arguments say and is fenced in by pages that fault; where the arguments say nonsense, the
 * buffer may not be touched at all. Each call runs on the reference and on the best kernel: status and output must agree.
 * The sequence depends on the seed alone, so a failure comes back with the same two numbers.
 */
#include "arguments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_COUNT = 13, YUYV = 11 };

struct call {
    int width, height, out_width, out_height, rect[4], low, high, flag, cubic, planes;
    ptrdiff_t stride, out_stride;
    enum guard guard;
    double matrix[6];
    float gain, scale;
};

static struct call draw_call(void)
{
    struct call c = {.width = side(), .height = side(), .out_width = side(), .out_height = side(), .low = (int)draw(300) - 2,
                     .high = (int)draw(300) - 2, .flag = (int)draw(2), .cubic = (int)draw(2), .planes = draw(9) ? 1 + 2 * (int)draw(2) : (int)draw(5) - 1,
                     .guard = (enum guard)draw(2), .gain = (float)fabs(number(3)), .scale = (float)number(2)};
    const double size[6] = {2, 1, 40, 1, 2, 40};
    for (int i = 0; i < 6; i++)
        c.matrix[i] = number(size[i]);
    for (int i = 0; i < 4; i++)
        c.rect[i] = draw(12) ? (int)draw((uint32_t)(c.width > 0 ? c.width : 1)) / 2 : side();
    return c;
}

union result {
    struct vultus_image_sums sums;
    struct vultus_strobe_sums strobe;
};

static int call_entry(int entry, const struct call *c, const void *src, const void *other, void *out, union result *result)
{
    const int w = c->width, h = c->height, ow = c->out_width, oh = c->out_height;
    const ptrdiff_t stride = c->stride, out_stride = c->out_stride;
    switch (entry) {
    case 0:
    case 1:
        return vultus_warp_rgb_u8(src, w, h, stride, c->matrix, c->cubic, c->flag, c->scale, 1, out, ow, oh);
    case 2:
        return vultus_warp_grey_u8(src, w, h, stride, c->matrix, c->cubic, c->gain, NULL, c->scale, 1, out, c->planes, ow, oh);
    case 3:
        return vultus_warp_grey_u16(src, w, h, stride, c->matrix, c->cubic, c->gain, NULL, c->scale, 1, out, c->planes, ow, oh);
    case 4:
        return vultus_warp_depth_u16(src, w, h, stride, c->matrix, out, ow, oh);
    case 5:
        return vultus_difference_u16(src, stride, other, out_stride, out, out_stride, w, h);
    case 6:
        return vultus_difference_u8(src, stride, other, out_stride, out, out_stride, w, h);
    case 7:
        return vultus_image_sums_u16(src, w, h, stride, c->rect, c->low, c->high * 99, &result->sums);
    case 8:
        return vultus_luma_u8(src, stride, out, out_stride, w, h);
    case 9:
        return vultus_strobe_sums_u16(src, stride, other, out_stride, w, h, c->rect, c->high * 99, &result->strobe);
    case 10:
        return vultus_image_sums_u8(src, w, h, stride, c->rect, c->low, c->high, &result->sums);
    case YUYV:
        return vultus_yuyv_u8(src, stride, c->flag, out, out_stride, w, h);
    default:
        return vultus_strobe_sums_u8(src, stride, other, out_stride, w, h, c->rect, c->high, &result->strobe);
    }
}

/* Run entry number `entry`; the second input and the output come out of the same arguments. Returns -1 when it was not tried. */
static int run(int entry, struct call *c, void *out[2], size_t *out_size)
{
    const int wide = entry & 1 || entry == 4, bytes = entry < 2 || entry == 8 ? 3 : wide + 1, warp = entry < 5;
    const int out_bytes = entry == 8 ? 1 : entry == YUYV ? 3 : bytes;
    size_t size, second;
    c->stride = stride_of(c->width, bytes);
    c->out_stride = stride_of(c->width, out_bytes);
    void *src = buffer(c->width, c->height, bytes, c->stride, c->guard, &size);
    void *other = buffer(c->width, c->height, out_bytes, c->out_stride, c->guard, &second);
    const int pixel = entry == 4 ? 2 : entry < 2 ? 12 : 4 * (c->planes == 3 ? 3 : 1);
    for (int i = 0; i < 2; i++) {
        out[i] = warp ? buffer(c->out_width, c->out_height, pixel, (ptrdiff_t)c->out_width * pixel, c->guard, out_size)
                      : buffer(c->width, c->height, out_bytes, c->out_stride, c->guard, out_size);
        if (out[i] == NULL || src == NULL || other == NULL)
            return -1;
        memset(out[i], 0xA5, *out_size);
    }
    int status[2] = {0, 0};
    union result result[2];
    memset(result, 0, sizeof result);
    for (int i = 0; i < 2; i++) {
        vultus_force_isa(i ? "best" : "ref");
        status[i] = call_entry(entry, c, src, other, out[i], &result[i]);
    }
    EXPECT(status[0] == status[1], entry, status[0]);
    EXPECT(memcmp(&result[0], &result[1], sizeof result[0]) == 0, entry, status[0]);
    EXPECT(memcmp(out[0], out[1], *out_size) == 0, entry, status[0]);
    return status[0];
}

/* A matrix of any shape: a wrong count or length is refused, a right one gives the same exact products on both. */
static int run_dot(void)
{
    const int count = side(), dim = side();
    const ptrdiff_t stride = stride_of(dim, 1);
    const enum guard guard = (enum guard)draw(2);
    size_t size, ignored;
    int8_t *rows = buffer(dim, count, 1, stride, guard, &size), *query = buffer(dim, 1, 1, dim, guard, &ignored);
    int32_t *out[2];
    int status[2];
    for (int i = 0; i < 2; i++) {
        out[i] = buffer(count, 1, 4, (ptrdiff_t)count * 4, guard, &ignored);
        if (rows == NULL || query == NULL || count > VULTUS_MAX_SIDE || dim > VULTUS_MAX_SIDE || stride > INT32_MAX)
            return -1;
        vultus_force_isa(i ? "best" : "ref");
        status[i] = vultus_dot_i8(query, rows, stride, count, dim, out[i]);
    }
    EXPECT(status[0] == status[1], count, dim);
    for (int i = 0; status[0] == VULTUS_OK && i < count; i++)
        EXPECT(out[0][i] == out[1][i], count, dim);
    return status[0];
}

int main(int argc, char **argv)
{
    static int (*const others[])(void) = {run_dot, run_layers, run_candidates};
    const long calls = argc > 1 ? strtol(argv[1], NULL, 10) : 20000, start = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
    long good = 0, refused = 0;
    for (long i = 0; i < calls && failures == 0; i++, release()) {
        seed((uint64_t)(start + i));
        void *out[2];
        size_t size = 0;
        struct call c = draw_call();
        const int entry = (int)draw(ENTRY_COUNT + 3);
        const int status = entry < ENTRY_COUNT ? run(entry, &c, out, &size) : others[entry - ENTRY_COUNT]();
        good += status == VULTUS_OK;
        refused += status > VULTUS_OK;
        for (size_t k = 0; status > VULTUS_OK && k < size; k++)
            EXPECT(((uint8_t *)out[0])[k] == 0xA5, status, (int)k);
        if (failures)
            fprintf(stderr, "call again with: vultus_fuzz 1 %ld\n", start + i);
    }
    printf("%ld calls carried out, %ld refused, %d failures\n", good, refused, failures);
    return failures == 0 && good > 0 && (refused > 0 || calls < 100) ? 0 : 1;
}
