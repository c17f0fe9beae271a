#include "check.h"

#include <string.h>

/* Around a step of 32 pixels; every width that the API lets through is even. */
static const int widths[] = {0, 2, 4, 30, 32, 34, 62, 64, 66, 96, 98, 126, VULTUS_MAX_SIDE};

static void *picture(int rows, int row, int stride, enum guard guard)
{
    const size_t size = rows > 0 ? (size_t)((rows - 1) * stride + row) : 0;
    void *memory = guarded(size, guard);
    fill(memory, size);
    return memory;
}

#define EACH_SHAPE \
    for (int w = 0; w < ELEMENTS(widths); w++) \
        for (int height = 0; height <= 4; height += 2) \
            for (int way = 0; way < 8; way++, release()) \
                for (int width = widths[w], gap = 3 * (way & 1), bgr = (way >> 1) & 1, once = 1; once; once = 0)
#define GUARD ((enum guard)(way >> 2))

#define COMPARE(op) \
    do { \
        const size_t size = height > 0 ? (size_t)((height - 1) * (3 * width + gap) + 3 * width) : 0; \
        uint8_t *expected = args.out = guarded(size, GUARD); \
        vultus_##op##_ref(&args); \
        args.out = guarded(size, GUARD); \
        kernel(&args); \
        EXPECT(memcmp(args.out, expected, size) == 0, width, height); \
    } while (0)

void check_yuyv_u8(void (*kernel)(const struct vultus_yuyv_u8_args *))
{
    EACH_SHAPE {
        struct vultus_yuyv_u8_args args = {.src = picture(height, 2 * width, 2 * width + gap, GUARD), .stride = 2 * width + gap, .bgr = bgr,
                                           .out_stride = 3 * width + gap, .width = width, .height = height};
        COMPARE(yuyv_u8);
    }
}

void check_nv12_u8(void (*kernel)(const struct vultus_nv12_u8_args *))
{
    EACH_SHAPE {
        struct vultus_nv12_u8_args args = {.luma = picture(height, width, width + gap, GUARD), .luma_stride = width + gap,
                                           .chroma = picture(height / 2, width, width, GUARD), .chroma_stride = width, .bgr = bgr,
                                           .out_stride = 3 * width + gap, .width = width, .height = height};
        COMPARE(nv12_u8);
    }
}
