/* What the bench works on, what a call moves at least, and the clock. */
#ifndef VULTUS_MEASURE_H
#define VULTUS_MEASURE_H

#include <time.h>

enum { WIDTH = 640, HEIGHT = 480, CROP = 112, ROWS = 1000, DIM = 128, REPEATS = 7 };

/* Bytes that a call has to read and write at least; a warp's are those of its crop in both pictures. */
enum {
    FRAME = WIDTH * HEIGHT,
    FACE = CROP * CROP,
    bytes_warp_rgb_u8 = FACE * (3 * 3 + 12), /* 1.7 x 1.7 pixels of the source a pixel of the crop */
    bytes_warp_grey_u8 = FACE * (3 + 12),
    bytes_warp_grey_u16 = FACE * (6 + 12),
    bytes_warp_depth_u16 = FACE * (2 + 2),
    bytes_difference_u8 = FRAME * 3,
    bytes_difference_u16 = FRAME * 6,
    bytes_luma_u8 = FRAME * 4,
    bytes_yuyv_u8 = FRAME * 5,
    bytes_nv12_u8 = FRAME * 9 / 2,
    bytes_image_sums_u8 = FRAME,
    bytes_image_sums_u16 = FRAME * 2,
    bytes_strobe_sums_u8 = FRAME * 2,
    bytes_strobe_sums_u16 = FRAME * 4,
    bytes_register_depth_u16 = FRAME * 4,
    bytes_register_through_u8 = FRAME * 6,
    bytes_register_through_u16 = FRAME * 8,
    bytes_dot_f32 = ROWS * DIM * 4,
    bytes_dot_i8 = ROWS * DIM,
    /* 14 x 14 x 512 to 512; 28 x 28 x 256; 7 x 7 x 1024 to 128: shapes of the recogniser. */
    bytes_point_u8 = 196 * 512 * 2 + 512 / 64 * (1024 + 512 * 64),
    bytes_depth_u8 = 784 * 256 * 2 + 256 / 64 * 2560,
    bytes_head_u8 = 49 * 1024 * 129,
    bytes_stem_f32 = 4 * (3 * FACE + VULTUS_STEM_WEIGHTS) + FACE / 4 * 128
};

static inline double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#endif
