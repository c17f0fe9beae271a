/* The native core of Vultus: pixel and vector work on memory that the caller owns.
 *
 * No function allocates, keeps a pointer or touches memory outside what its arguments state. Every function checks its
 * arguments first and returns a vultus_status; with anything but VULTUS_OK no output was written. Every function may be
 * called from any thread.
 *
 * Strides are distances between rows in bytes: at least a row, a multiple of the element, and short enough that the
 * whole image is below 2 GiB. `rect` is x, y, width, height and lies inside its image. An image may have no pixels.
 */
#ifndef VULTUS_CORE_H
#define VULTUS_CORE_H

#include <stddef.h>
#include <stdint.h>

/* The part between the marks is also read by cffi: plain declarations, no preprocessor. */
/* binding: begin */

enum vultus_limits {
    VULTUS_MAX_SIDE = 8192, /* pixels; twice a 4K camera's */
    VULTUS_MAX_DIM = 65536, /* elements of a vector; int8 products still add up exactly in 32 bits */
    VULTUS_STEM_SIDE = 112, /* pixels of the recogniser's crop */
    VULTUS_STEM_WEIGHTS = 14464,
    VULTUS_STEM_SCRATCH = 115888 /* floats: the padded crop, three rows a layer, and up to fifteen for alignment */
};

enum vultus_status {
    VULTUS_OK = 0,
    VULTUS_NULL_POINTER = 1,
    VULTUS_BAD_SIZE = 2,
    VULTUS_BAD_STRIDE = 3,
    VULTUS_BAD_RECT = 4,
    VULTUS_BAD_NUMBER = 5,
    VULTUS_UNKNOWN_ISA = 6
};

/* The sentence that belongs to a status; never NULL. */
const char *vultus_status_text(int status);

/* The ops of the kernel list by index; NULL past the last one. */
const char *vultus_op_name(int op);

/* The ISA whose kernel the op runs at present; NULL past the last op. */
const char *vultus_op_isa(int op);

/* Run no kernel above the named ISA; "best" goes back to the best of this machine.
 * VULTUS_UNKNOWN_ISA, and nothing changed, for a name that is not known or that this machine cannot run. */
int vultus_force_isa(const char *name);

/* Warps: `matrix` (six doubles, row-major 2 x 3) takes the pixel (x, y) of the output to a place in the source; pixel
 * centres are at integers. Interpolation is bilinear, or with `cubic` the cubic convolution of 4 x 4 pixels (R. Keys 1981, a = -0.5)
 * clipped to 0..255; the source is 0 outside. `out` is tightly packed planes. */

/* Source: interleaved R, G, B. Output: three planes R, G, B, or B, G, R with `bgr`, of value * scale + offset. */
int vultus_warp_rgb_u8(const uint8_t *src, int width, int height, ptrdiff_t stride, const double *matrix, int cubic,
                       int bgr, float scale, float offset, float *out, int out_width, int out_height);

/* Output: `planes` (1 or 3) equal planes of tone(value * gain) * scale + offset. tone clips to 0..255 and then reads the
 * curve `lut` (256 floats, linear in between); NULL = no curve. */
int vultus_warp_grey_u8(const uint8_t *src, int width, int height, ptrdiff_t stride, const double *matrix, int cubic,
                        float gain, const float *lut, float scale, float offset, float *out, int planes, int out_width, int out_height);
int vultus_warp_grey_u16(const uint16_t *src, int width, int height, ptrdiff_t stride, const double *matrix, int cubic,
                         float gain, const float *lut, float scale, float offset, float *out, int planes, int out_width, int out_height);

/* Takes the nearest pixel, so that a hole (0) stays a hole and no depth is invented between two surfaces. */
int vultus_warp_depth_u16(const uint16_t *src, int width, int height, ptrdiff_t stride, const double *matrix, uint16_t *out,
                          int out_width, int out_height);

/* out = max(lit - ambient, 0); `out` may be one of the inputs. */
int vultus_difference_u8(const uint8_t *lit, ptrdiff_t lit_stride, const uint8_t *ambient, ptrdiff_t ambient_stride, uint8_t *out,
                         ptrdiff_t out_stride, int width, int height);
int vultus_difference_u16(const uint16_t *lit, ptrdiff_t lit_stride, const uint16_t *ambient, ptrdiff_t ambient_stride,
                          uint16_t *out, ptrdiff_t out_stride, int width, int height);

/* out = (77 R + 150 G + 29 B + 128) >> 8: BT.601 luma in eight bits. */
int vultus_luma_u8(const uint8_t *rgb, ptrdiff_t stride, uint8_t *out, ptrdiff_t out_stride, int width, int height);

/* Camera formats to interleaved R, G, B, or B, G, R with `bgr`: BT.601, luma 16 .. 235, chroma 16 .. 240, each level within 0.6
 * of the exact one. YUYV needs an even width; NV12 even sides, and its chroma plane has height / 2 rows of `width` bytes. */
int vultus_yuyv_u8(const uint8_t *src, ptrdiff_t stride, int bgr, uint8_t *out, ptrdiff_t out_stride, int width, int height);
int vultus_nv12_u8(const uint8_t *luma, ptrdiff_t luma_stride, const uint8_t *chroma, ptrdiff_t chroma_stride, int bgr, uint8_t *out,
                   ptrdiff_t out_stride, int width, int height);

/* Exact sums. The Laplacian, 4 c - left - right - up - down, is taken where all four neighbours are in the rectangle. */
struct vultus_image_sums {
    int64_t n, total, total_squares;
    int64_t n_low, n_high; /* pixels <= low, pixels >= high */
    int64_t n_laplacian, laplacian, laplacian_squares;
};
int vultus_image_sums_u8(const uint8_t *src, int width, int height, ptrdiff_t stride, const int *rect, int low, int high,
                         struct vultus_image_sums *out);
int vultus_image_sums_u16(const uint16_t *src, int width, int height, ptrdiff_t stride, const int *rect, int low, int high,
                          struct vultus_image_sums *out);

/* Sums of a strobe pair over the pixels where neither picture reaches `high`. */
struct vultus_strobe_sums {
    int64_t n, n_saturated, lit, ambient;
};
int vultus_strobe_sums_u8(const uint8_t *lit, ptrdiff_t lit_stride, const uint8_t *ambient, ptrdiff_t ambient_stride, int width,
                          int height, const int *rect, int high, struct vultus_strobe_sums *out);
int vultus_strobe_sums_u16(const uint16_t *lit, ptrdiff_t lit_stride, const uint16_t *ambient, ptrdiff_t ambient_stride, int width,
                           int height, const int *rect, int high, struct vultus_strobe_sums *out);

struct vultus_camera {
    double fx, fy, cx, cy; /* pixels of the whole image */
};

/* Draw a depth picture of the camera `from`, in millimetres with 0 = no return, as the camera `to` would see it. `motion` takes a
 * point of `from` to `to`: nine numbers of a rotation, row-major, then three millimetres. The nearest surface wins, a pixel
 * covers as many as the focal lengths say, and one pixel that is empty or 20 mm farther than both neighbours, left and right or
 * above and below, takes the farther of those; what nothing falls on is 0. */
int vultus_register_depth_u16(const uint16_t *src, int width, int height, ptrdiff_t stride, const struct vultus_camera *from,
                              const double *motion, const struct vultus_camera *to, uint16_t *out, ptrdiff_t out_stride, int out_width,
                              int out_height);

/* Fetch a picture of the camera `to` into the view of the camera `from`, whose `depth` says where each pixel stands; `motion` as
 * above. The nearest pixel is taken. 0 where the depth is unknown, where the picture ends, and where `seen`, the depth in the
 * picture's own view, has something more than `slack` millimetres in front. */
int vultus_register_through_u8(const uint16_t *depth, int width, int height, ptrdiff_t depth_stride, const struct vultus_camera *from,
                               const double *motion, const struct vultus_camera *to, const uint8_t *src, ptrdiff_t src_stride,
                               const uint16_t *seen, ptrdiff_t seen_stride, int src_width, int src_height, float slack, uint8_t *out,
                               ptrdiff_t out_stride);
int vultus_register_through_u16(const uint16_t *depth, int width, int height, ptrdiff_t depth_stride, const struct vultus_camera *from,
                                const double *motion, const struct vultus_camera *to, const uint16_t *src, ptrdiff_t src_stride,
                                const uint16_t *seen, ptrdiff_t seen_stride, int src_width, int src_height, float slack, uint16_t *out,
                                ptrdiff_t out_stride);

/* out[i] = query . rows[i] for `count` rows of `dim` elements. */
int vultus_dot_f32(const float *query, const float *rows, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t dim, float *out);
int vultus_dot_i8(const int8_t *query, const int8_t *rows, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t dim, int32_t *out);

/* The first six layers of the recogniser, from three planes of VULTUS_STEM_SIDE squared to 8-bit channels: 3 x 3 to 32 channels, depthwise
 * 3 x 3, 1 x 1 to 64, depthwise 3 x 3 with stride 2, 1 x 1 to 128, depthwise 3 x 3, with zeros around each picture, and after each layer
 * pos * x where x > 0, neg * x elsewhere. `weights`: for each layer taps by tap (plane, row, column or input channel) and output channel,
 * bias, pos, neg. `out`: 56 x 56 pixels of 128 channels side by side, x rounded to the nearest integer (halves to even) + `zero`, clipped to
 * 0..255. `room` floats of `scratch`, at least VULTUS_STEM_SCRATCH, are written over. */
int vultus_stem_f32(const float *weights, ptrdiff_t count, const float *planes, int zero, uint8_t *out, float *scratch, ptrdiff_t room);

/* Coded words of a serial head (serial/PROTOCOL.md, section 3.2). `line` is what goes over the line: 255 bytes and, written, a zero
 * byte. Writing takes a piece of 1 to 229 bytes and its number among 1 to 16. Reading gives the word's 255 bytes, the piece from the
 * third one on, and how many bytes were put right; -1 when these bytes are no word. */
int vultus_word_write(const uint8_t *piece, int size, int number, int pieces, uint8_t *line);
int vultus_word_read(const uint8_t *line, uint8_t *word, int *repaired);

/* binding: end */

#include "vultus/candidates.h"
#include "vultus/layers.h"

#endif
