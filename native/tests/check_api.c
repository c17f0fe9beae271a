#include "check.h"

#include "dispatch.h"

#include <math.h>
#include <string.h>

static const double identity[6] = {1, 0, 0, 0, 1, 0};

/* Arguments that must be refused before any of these pointers is followed. */
static void check_warps(void)
{
    uint8_t *src = forbidden();
    float *out = forbidden();
    const double nan_matrix[6] = {1, 0, NAN, 0, 1, 0};
    EXPECT(vultus_warp_rgb_u8(NULL, 4, 4, 12, identity, 0, 0, 1, 0, out, 4, 4) == VULTUS_NULL_POINTER, 4, 4);
    EXPECT(vultus_warp_rgb_u8(src, 4, 4, 12, identity, 0, 0, 1, 0, NULL, 4, 4) == VULTUS_NULL_POINTER, 4, 4);
    EXPECT(vultus_warp_rgb_u8(src, 4, 4, 12, NULL, 0, 0, 1, 0, out, 4, 4) == VULTUS_NULL_POINTER, 4, 4);
    EXPECT(vultus_warp_rgb_u8(src, -1, 4, 12, identity, 0, 0, 1, 0, out, 4, 4) == VULTUS_BAD_SIZE, -1, 4);
    EXPECT(vultus_warp_rgb_u8(src, VULTUS_MAX_SIDE + 1, 4, 1 << 20, identity, 0, 0, 1, 0, out, 4, 4) == VULTUS_BAD_SIZE, 8193, 4);
    EXPECT(vultus_warp_rgb_u8(src, 4, 4, 12, identity, 0, 0, 1, 0, out, 4, -4) == VULTUS_BAD_SIZE, 4, -4);
    EXPECT(vultus_warp_rgb_u8(src, 4, 4, 11, identity, 0, 0, 1, 0, out, 4, 4) == VULTUS_BAD_STRIDE, 4, 4);
    EXPECT(vultus_warp_rgb_u8(src, 4, 4, -12, identity, 0, 0, 1, 0, out, 4, 4) == VULTUS_BAD_STRIDE, 4, 4);
    EXPECT(vultus_warp_rgb_u8(src, 4, 4, INT32_MAX, identity, 0, 0, 1, 0, out, 4, 4) == VULTUS_BAD_STRIDE, 4, 4);
    EXPECT(vultus_warp_rgb_u8(src, 4, 4, 12, nan_matrix, 0, 0, 1, 0, out, 4, 4) == VULTUS_BAD_NUMBER, 4, 4);
    EXPECT(vultus_warp_rgb_u8(src, 4, 4, 12, identity, 0, 0, INFINITY, 0, out, 4, 4) == VULTUS_BAD_NUMBER, 4, 4);
    EXPECT(vultus_warp_grey_u16((uint16_t *)(void *)src, 4, 4, 9, identity, 0, 1, NULL, 1, 0, out, 1, 4, 4) == VULTUS_BAD_STRIDE, 4, 4);
    EXPECT(vultus_warp_grey_u8(src, 4, 4, 4, identity, 0, 1, NULL, 1, 0, out, 2, 4, 4) == VULTUS_BAD_SIZE, 4, 4);
    EXPECT(vultus_warp_grey_u8(src, 4, 4, 4, identity, 0, -1, NULL, 1, 0, out, 1, 4, 4) == VULTUS_BAD_NUMBER, 4, 4);
    EXPECT(vultus_warp_grey_u8(src, 4, 4, 4, identity, 0, NAN, NULL, 1, 0, out, 1, 4, 4) == VULTUS_BAD_NUMBER, 4, 4);
    release();
}

static void check_rectangles(void)
{
    uint8_t *src = forbidden();
    struct vultus_image_sums sums;
    static const int bad[][4] = {{-1, 0, 2, 2}, {0, -1, 2, 2}, {0, 0, 5, 1},          {0, 0, 1, 5},
                                 {3, 0, 2, 1},  {0, 0, -1, 1}, {INT32_MAX, 0, 2, 1}, {1, 0, INT32_MAX, 1}};
    for (int i = 0; i < ELEMENTS(bad); i++)
        EXPECT(vultus_image_sums_u8(src, 4, 4, 4, bad[i], 0, 255, &sums) == VULTUS_BAD_RECT, i, 0);
    static const int good[4] = {4, 4, 0, 0};
    EXPECT(vultus_image_sums_u8(src, 4, 4, 4, good, 0, 255, &sums) == VULTUS_OK && sums.n == 0, 0, 0);
    EXPECT(vultus_image_sums_u8(src, 4, 4, 4, good, -1, 255, &sums) == VULTUS_BAD_NUMBER, 0, 0);
    EXPECT(vultus_image_sums_u8(src, 4, 4, 4, good, 0, 256, &sums) == VULTUS_BAD_NUMBER, 0, 0);
    EXPECT(vultus_image_sums_u8(src, 4, 4, 4, NULL, 0, 255, &sums) == VULTUS_NULL_POINTER, 0, 0);
    EXPECT(vultus_image_sums_u8(src, 4, 4, 4, good, 0, 255, NULL) == VULTUS_NULL_POINTER, 0, 0);
    release();
}

static void check_formats(void)
{
    uint8_t *p = forbidden();
    EXPECT(vultus_yuyv_u8(p, 10, 0, p, 15, 5, 4) == VULTUS_BAD_SIZE, 5, 4);
    EXPECT(vultus_yuyv_u8(p, 7, 0, p, 12, 4, 4) == VULTUS_BAD_STRIDE, 4, 4);
    EXPECT(vultus_yuyv_u8(p, 8, 0, NULL, 12, 4, 4) == VULTUS_NULL_POINTER, 4, 4);
    EXPECT(vultus_nv12_u8(p, 4, p, 4, 0, p, 12, 4, 3) == VULTUS_BAD_SIZE, 4, 3);
    EXPECT(vultus_nv12_u8(p, 4, p, 3, 0, p, 12, 4, 4) == VULTUS_BAD_STRIDE, 4, 4);
    EXPECT(vultus_nv12_u8(p, 4, NULL, 4, 0, p, 12, 4, 4) == VULTUS_NULL_POINTER, 4, 4);
    release();
}

static void check_registration(void)
{
    static const struct vultus_camera camera = {500, 500, 2, 2}, flat = {500, 0, 2, 2};
    static const double still[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}, nowhere[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, NAN, 0, 0};
    uint16_t *p = forbidden();
    EXPECT(vultus_register_depth_u16(p, 4, 4, 8, NULL, still, &camera, p, 8, 4, 4) == VULTUS_NULL_POINTER, 4, 4);
    EXPECT(vultus_register_depth_u16(p, 4, 4, 8, &camera, still, &flat, p, 8, 4, 4) == VULTUS_BAD_NUMBER, 4, 4);
    EXPECT(vultus_register_depth_u16(p, 4, 4, 8, &camera, nowhere, &camera, p, 8, 4, 4) == VULTUS_BAD_NUMBER, 4, 4);
    EXPECT(vultus_register_depth_u16(p, 4, 4, 8, &camera, still, &camera, p, 7, 4, 4) == VULTUS_BAD_STRIDE, 4, 4);
    EXPECT(vultus_register_through_u16(p, 4, 4, 8, &camera, still, &camera, p, 8, p, 8, 4, 4, -1, p, 8) == VULTUS_BAD_NUMBER, 4, 4);
    EXPECT(vultus_register_through_u16(p, 4, 4, 8, &camera, still, &camera, p, 8, NULL, 8, 4, 4, 1, p, 8) == VULTUS_NULL_POINTER, 4, 4);
    release();
}

static void check_vectors(void)
{
    float *f = forbidden();
    EXPECT(vultus_dot_f32(f, f, 16, -1, 4, f) == VULTUS_BAD_SIZE, -1, 4);
    EXPECT(vultus_dot_f32(f, f, 16, 1, VULTUS_MAX_DIM + 1, f) == VULTUS_BAD_SIZE, 1, 65537);
    EXPECT(vultus_dot_f32(f, f, 15, 1, 4, f) == VULTUS_BAD_STRIDE, 1, 4);
    EXPECT(vultus_dot_f32(f, f, 16, PTRDIFF_MAX, 4, f) == VULTUS_BAD_SIZE, 1, 4);
    EXPECT(vultus_dot_f32(f, f, 16, 0, 4, f) == VULTUS_OK, 0, 4);
    release();
}

static void check_stem(void)
{
    float *f = forbidden();
    uint8_t *out = forbidden();
    EXPECT(vultus_stem_f32(NULL, VULTUS_STEM_WEIGHTS, f, 0, out, f, VULTUS_STEM_SCRATCH) == VULTUS_NULL_POINTER, 0, 0);
    EXPECT(vultus_stem_f32(f, VULTUS_STEM_WEIGHTS, f, 0, out, NULL, VULTUS_STEM_SCRATCH) == VULTUS_NULL_POINTER, 0, 0);
    EXPECT(vultus_stem_f32(f, VULTUS_STEM_WEIGHTS - 1, f, 0, out, f, VULTUS_STEM_SCRATCH) == VULTUS_BAD_SIZE, 0, 0);
    EXPECT(vultus_stem_f32(f, VULTUS_STEM_WEIGHTS, f, 0, out, f, VULTUS_STEM_SCRATCH - 1) == VULTUS_BAD_SIZE, 0, 0);
    EXPECT(vultus_stem_f32(f, VULTUS_STEM_WEIGHTS, f, 256, out, f, VULTUS_STEM_SCRATCH) == VULTUS_BAD_NUMBER, 0, 0);
    EXPECT(vultus_stem_f32((float *)(void *)(out + 1), VULTUS_STEM_WEIGHTS, f, 0, out, f, VULTUS_STEM_SCRATCH) == VULTUS_BAD_STRIDE, 0, 0);
    release();
}

static void check_dispatch(void)
{
    EXPECT(vultus_force_isa("ref") == VULTUS_OK && strcmp(vultus_op_isa(0), "ref") == 0, 0, 0);
    EXPECT(vultus_force_isa("sse9") == VULTUS_UNKNOWN_ISA && strcmp(vultus_op_isa(0), "ref") == 0, 0, 0);
    EXPECT(vultus_force_isa(NULL) == VULTUS_NULL_POINTER, 0, 0);
    EXPECT(vultus_force_isa("best") == VULTUS_OK, 0, 0);
    EXPECT(vultus_op_name(-1) == NULL && vultus_op_name(VULTUS_OP_COUNT) == NULL && vultus_op_isa(VULTUS_OP_COUNT) == NULL, 0, 0);
    for (int op = 0; op < VULTUS_OP_COUNT; op++)
        EXPECT(vultus_kernel_of((enum vultus_op)op, VULTUS_ISA_ref) != NULL, op, 0);
    for (int status = VULTUS_OK; status <= VULTUS_UNKNOWN_ISA; status++)
        EXPECT(strcmp(vultus_status_text(status), vultus_status_text(-1)) != 0, status, 0);
}

static void check_words(void)
{
    uint8_t piece[229] = {1, 2, 3}, line[256], word[255];
    int repaired = 7;
    EXPECT(vultus_word_write(NULL, 1, 0, 1, line) == VULTUS_NULL_POINTER, 0, 0);
    EXPECT(vultus_word_write(piece, 0, 0, 1, line) == VULTUS_BAD_SIZE, 0, 0);
    EXPECT(vultus_word_write(piece, 230, 0, 1, line) == VULTUS_BAD_SIZE, 230, 0);
    EXPECT(vultus_word_write(piece, 1, 1, 1, line) == VULTUS_BAD_NUMBER, 1, 1);
    EXPECT(vultus_word_write(piece, 1, 0, 17, line) == VULTUS_BAD_NUMBER, 0, 17);
    EXPECT(vultus_word_read(line, NULL, &repaired) == VULTUS_NULL_POINTER, 0, 0);
    EXPECT(vultus_word_write(piece, 229, 4, 5, line) == VULTUS_OK, 4, 5);
    for (int wrong = 0; wrong <= 13; wrong++) {
        EXPECT(vultus_word_read(line, word, &repaired) == VULTUS_OK, wrong, 0);
        EXPECT(repaired == (wrong <= 12 ? wrong : -1), wrong, repaired);
        EXPECT(wrong > 12 || (memcmp(word + 2, piece, 229) == 0 && word[1] == (4 | 4 << 4)), wrong, word[1]);
        line[(wrong * 83 + 3) % 255] ^= 0x5a;
    }
}

void check_api(void)
{
    check_words();
    check_warps();
    check_rectangles();
    check_formats();
    check_registration();
    check_vectors();
    check_stem();
    check_dispatch();
}
