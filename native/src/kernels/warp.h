/* What right is for one warped pixel; the vector kernels use it for borders and tails, and match it bit for bit inside. */
#ifndef VULTUS_WARP_H
#define VULTUS_WARP_H

#include <stddef.h>

/* A place in the source: the pixel at its upper left and how far it is from there. */
struct vultus_place {
    int x, y;
    float fx, fy;
};

/* False when the place is a pixel or more outside, or not a number: everything that it would touch is border. */
static inline int vultus_inside(double sx, double sy, int width, int height)
{
    return sx > -1.0 && sx < width && sy > -1.0 && sy < height;
}

/* Rounds down without floor(): the argument is above -1. */
static inline struct vultus_place vultus_place_of(double sx, double sy)
{
    const int x = (int)(sx + 1.0) - 1, y = (int)(sy + 1.0) - 1;
    return (struct vultus_place){x, y, (float)(sx - x), (float)(sy - y)};
}

static inline float vultus_blend(float upper_left, float upper_right, float lower_left, float lower_right, float fx, float fy)
{
    const float upper = upper_left + fx * (upper_right - upper_left);
    const float lower = lower_left + fx * (lower_right - lower_left);
    return upper + fy * (lower - upper);
}

static inline float vultus_clip_255(float v)
{
    v = v > 0.0f ? v : 0.0f;
    return v < 255.0f ? v : 255.0f;
}

static inline float vultus_tone(float v, const float *lut)
{
    v = vultus_clip_255(v);
    if (lut == NULL)
        return v;
    const int i = (int)v < 254 ? (int)v : 254;
    return lut[i] + (v - (float)i) * (lut[i + 1] - lut[i]);
}

#endif
