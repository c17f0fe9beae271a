/* What right is for one warped pixel; the vector kernels use it for borders and tails, and match it bit for bit inside. */
#ifndef VULTUS_WARP_H
#define VULTUS_WARP_H

#include <stddef.h>

/* Cubic convolution (R. Keys 1981): how steeply it overshoots beside a step.
 * Of -0.5 and -0.75 the one that leaves photographs of London and Canada, shrunk, nearer to their full size (models/matching). */
#define VULTUS_CUBIC -0.5f
/* How far outside a place may lie and still touch a pixel. */
#define VULTUS_MARGIN(cubic) ((cubic) ? 2 : 1)

/* A place in the source: the pixel at its upper left and how far it is from there. */
struct vultus_place {
    int x, y;
    float fx, fy;
};

/* False when the place is `margin` pixels or more outside, or not a number: everything that it would touch is border. */
static inline int vultus_inside(double sx, double sy, int width, int height, int margin)
{
    return sx > -margin && sx < width + margin - 1 && sy > -margin && sy < height + margin - 1;
}

/* Rounds down without floor(): the argument is above -margin. */
static inline struct vultus_place vultus_place_of(double sx, double sy, int margin)
{
    const int x = (int)(sx + margin) - margin, y = (int)(sy + margin) - margin;
    return (struct vultus_place){x, y, (float)(sx - x), (float)(sy - y)};
}

static inline float vultus_blend(float upper_left, float upper_right, float lower_left, float lower_right, float fx, float fy)
{
    const float upper = upper_left + fx * (upper_right - upper_left);
    const float lower = lower_left + fx * (lower_right - lower_left);
    return upper + fy * (lower - upper);
}

/* What the pixels one before, at, one and two after a place weigh. */
static inline void vultus_cubic_weights(float t, float *w)
{
    const float a = VULTUS_CUBIC;
    w[0] = ((a * t - 2.0f * a) * t + a) * t;
    w[1] = ((a + 2.0f) * t - (a + 3.0f)) * t * t + 1.0f;
    w[3] = (a - a * t) * t * t;
    w[2] = 1.0f - w[0] - w[1] - w[3];
}

static inline float vultus_weighed(const float *v, const float *w)
{
    return v[0] * w[0] + v[1] * w[1] + v[2] * w[2] + v[3] * w[3];
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
