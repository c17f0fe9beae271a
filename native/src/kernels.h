/* Arguments and prototypes of the kernels. The API has checked every argument before a kernel sees it.
 * Strides are in elements; pointers to an image or a rectangle point at its first pixel.
 */
#ifndef VULTUS_KERNELS_H
#define VULTUS_KERNELS_H

#include "layer_args.h"
#include "vultus/core.h"

struct vultus_warp_rgb_u8_args {
    const uint8_t *src;
    int width, height;
    ptrdiff_t stride;
    double matrix[6];
    int cubic, bgr;
    float scale, offset;
    float *out;
    int out_width, out_height;
};

#define VULTUS_ARGS(bits) \
    struct vultus_warp_grey_u##bits##_args { \
        const uint##bits##_t *src; \
        int width, height; \
        ptrdiff_t stride; \
        double matrix[6]; \
        int cubic; \
        float gain; \
        const float *lut; \
        float scale, offset; \
        float *out; \
        int planes, out_width, out_height; \
    }; \
    struct vultus_difference_u##bits##_args { \
        const uint##bits##_t *lit, *ambient; \
        ptrdiff_t lit_stride, ambient_stride; \
        uint##bits##_t *out; \
        ptrdiff_t out_stride; \
        int width, height; \
    }; \
    struct vultus_image_sums_u##bits##_args { \
        const uint##bits##_t *src; \
        ptrdiff_t stride; \
        int width, height, low, high; \
        struct vultus_image_sums *out; \
    }; \
    struct vultus_strobe_sums_u##bits##_args { \
        const uint##bits##_t *lit, *ambient; \
        ptrdiff_t lit_stride, ambient_stride; \
        int width, height, high; \
        struct vultus_strobe_sums *out; \
    };
VULTUS_ARGS(8)
VULTUS_ARGS(16)
#undef VULTUS_ARGS

struct vultus_warp_depth_u16_args {
    const uint16_t *src;
    int width, height;
    ptrdiff_t stride;
    double matrix[6];
    uint16_t *out;
    int out_width, out_height;
};

struct vultus_luma_u8_args {
    const uint8_t *rgb;
    ptrdiff_t stride;
    uint8_t *out;
    ptrdiff_t out_stride;
    int width, height;
};

struct vultus_yuyv_u8_args {
    const uint8_t *src;
    ptrdiff_t stride;
    int bgr;
    uint8_t *out;
    ptrdiff_t out_stride;
    int width, height;
};

struct vultus_nv12_u8_args {
    const uint8_t *luma, *chroma;
    ptrdiff_t luma_stride, chroma_stride;
    int bgr;
    uint8_t *out;
    ptrdiff_t out_stride;
    int width, height;
};

/* Pixels of one view at their depth to pixels of another; see register.h. */
struct vultus_projection {
    float m[9], q[3];
};

struct vultus_register_depth_u16_args {
    const uint16_t *src;
    int width, height;
    ptrdiff_t stride;
    struct vultus_projection projection;
    int splat;
    uint16_t *out;
    ptrdiff_t out_stride;
    int out_width, out_height;
};

#define VULTUS_ARGS(bits) \
    struct vultus_register_through_u##bits##_args { \
        const uint16_t *depth; \
        ptrdiff_t depth_stride; \
        int width, height; \
        struct vultus_projection projection; \
        const uint##bits##_t *src; \
        ptrdiff_t src_stride; \
        const uint16_t *seen; \
        ptrdiff_t seen_stride; \
        int src_width, src_height; \
        float slack; \
        uint##bits##_t *out; \
        ptrdiff_t out_stride; \
    };
VULTUS_ARGS(8)
VULTUS_ARGS(16)
#undef VULTUS_ARGS

struct vultus_dot_f32_args {
    const float *query, *rows;
    ptrdiff_t stride, count, dim;
    float *out;
};

struct vultus_dot_i8_args {
    const int8_t *query, *rows;
    ptrdiff_t stride, count, dim;
    int32_t *out;
};

struct vultus_stem_f32_args {
    const float *weights, *planes;
    int zero;
    uint8_t *out;
    float *scratch;
};

#define VULTUS_KERNEL(op, isa) void vultus_##op##_##isa(const struct vultus_##op##_args *args);
#include "kernels.def"

#endif
