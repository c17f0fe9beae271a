/* One pixel of YUV to colour: BT.601, luma 16 .. 235, chroma 16 .. 240, as the USB video class says for cameras that state nothing. */
#ifndef VULTUS_YUV_H
#define VULTUS_YUV_H

#include "kernels.h"

/* 255 / 219 and the BT.601 weights times 255 / 224, times 2^13. */
enum { VULTUS_Y = 9539, VULTUS_RV = 13075, VULTUS_GU = -3209, VULTUS_GV = -6660, VULTUS_BU = 16525 };

/* A level times a factor in 32nds, rounded: what the multiply-high instructions of AVX2 and NEON give for 16 bits. */
static inline int vultus_yuv_term(int level, int factor)
{
    return (level * 128 * factor + 0x4000) >> 15;
}

static inline uint8_t vultus_yuv_level(int thirty_seconds)
{
    const int level = (thirty_seconds + 16) >> 5;
    return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

static inline void vultus_yuv_pixel(int y, int u, int v, int bgr, uint8_t *out)
{
    const int light = vultus_yuv_term(y - 16, VULTUS_Y);
    out[bgr ? 2 : 0] = vultus_yuv_level(light + vultus_yuv_term(v - 128, VULTUS_RV));
    out[1] = vultus_yuv_level(light + vultus_yuv_term(u - 128, VULTUS_GU) + vultus_yuv_term(v - 128, VULTUS_GV));
    out[bgr ? 0 : 2] = vultus_yuv_level(light + vultus_yuv_term(u - 128, VULTUS_BU));
}

/* The pixels from `x` to the end of a row. */
static inline void vultus_yuyv_rest(const uint8_t *src, int x, int width, int bgr, uint8_t *out)
{
    for (; x < width; x++) {
        const uint8_t *pair = src + 2 * (x & ~1);
        vultus_yuv_pixel(src[2 * x], pair[1], pair[3], bgr, out + 3 * x);
    }
}

static inline void vultus_nv12_rest(const uint8_t *luma, const uint8_t *chroma, int x, int width, int bgr, uint8_t *out)
{
    for (; x < width; x++)
        vultus_yuv_pixel(luma[x], chroma[x & ~1], chroma[(x & ~1) + 1], bgr, out + 3 * x);
}

#endif
