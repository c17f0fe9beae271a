/* Prints the time of a call for every kernel of the list that this machine can run, and how much faster than the reference. */
#define _POSIX_C_SOURCE 199309L
#include "check.h"
#include "layers.h"
#include "measure.h"

#include "cpu.h"

#include <stdlib.h>
#include <string.h>

static void *memory(size_t size)
{
    void *block = guarded(size, GUARD_AFTER);
    fill(block, size);
    return block;
}

/* A face of 190 pixels, turned by seven degrees, into the recogniser's crop. */
#define CROP_WARP .width = WIDTH, .height = HEIGHT, .matrix = {1.69, -0.2, 200, 0.2, 1.69, 100}, .out_width = CROP, .out_height = CROP
#define STROBE .lit_stride = WIDTH, .ambient_stride = WIDTH, .width = WIDTH, .height = HEIGHT

static struct vultus_warp_rgb_u8_args warp_rgb_u8_args = {CROP_WARP, .stride = 3 * WIDTH, .scale = 0.0078125f, .offset = -1};
static struct vultus_warp_grey_u8_args warp_grey_u8_args = {CROP_WARP, .stride = WIDTH, .gain = 1, .scale = 1, .planes = 3};
static struct vultus_warp_grey_u16_args warp_grey_u16_args = {CROP_WARP, .stride = WIDTH, .gain = 0.004f, .scale = 1, .planes = 3};
static struct vultus_warp_depth_u16_args warp_depth_u16_args = {CROP_WARP, .stride = WIDTH};
static struct vultus_difference_u8_args difference_u8_args = {STROBE, .out_stride = WIDTH};
static struct vultus_difference_u16_args difference_u16_args = {STROBE, .out_stride = WIDTH};
static struct vultus_luma_u8_args luma_u8_args = {.stride = 3 * WIDTH, .out_stride = WIDTH, .width = WIDTH, .height = HEIGHT};
static struct vultus_image_sums image_sums;
#define SUMS .stride = WIDTH, .width = WIDTH, .height = HEIGHT, .low = 1, .out = &image_sums
static struct vultus_image_sums_u8_args image_sums_u8_args = {SUMS, .high = 252};
static struct vultus_image_sums_u16_args image_sums_u16_args = {SUMS, .high = 65000};
static struct vultus_strobe_sums strobe_sums;
static struct vultus_strobe_sums_u8_args strobe_sums_u8_args = {STROBE, .high = 252, .out = &strobe_sums};
static struct vultus_strobe_sums_u16_args strobe_sums_u16_args = {STROBE, .high = 65000, .out = &strobe_sums};
#define COLOURS .out_stride = 3 * WIDTH, .width = WIDTH, .height = HEIGHT
static struct vultus_yuyv_u8_args yuyv_u8_args = {COLOURS, .stride = 2 * WIDTH};
static struct vultus_nv12_u8_args nv12_u8_args = {COLOURS, .luma_stride = WIDTH, .chroma_stride = WIDTH};
/* A camera 50 mm to the side and turned by 0.3 degrees, f = 600, before a slope of 700 to 955 mm with noise of 2 mm. */
#define ASIDE {{1, -0.005f, 1.2f, 0.005f, 1, -1.6f, 0, 0, 1}, {30000, 0, 0}}
static struct vultus_register_depth_u16_args register_depth_u16_args = {.width = WIDTH, .height = HEIGHT, .stride = WIDTH, .projection = ASIDE,
    .splat = 1, .out_stride = WIDTH, .out_width = WIDTH, .out_height = HEIGHT};
#define THROUGH .depth_stride = WIDTH, .width = WIDTH, .height = HEIGHT, .projection = ASIDE, .src_stride = WIDTH, .seen_stride = WIDTH, \
    .src_width = WIDTH, .src_height = HEIGHT, .slack = 20, .out_stride = WIDTH
static struct vultus_register_through_u8_args register_through_u8_args = {THROUGH};
static struct vultus_register_through_u16_args register_through_u16_args = {THROUGH};
static struct vultus_dot_f32_args dot_f32_args = {.stride = DIM, .count = ROWS, .dim = DIM};
static struct vultus_dot_i8_args dot_i8_args = {.stride = DIM, .count = ROWS, .dim = DIM};
static struct vultus_stem_f32_args stem_f32_args;
static void give_memory(void)
{
    void *pictures[2] = {memory(WIDTH * HEIGHT * 3), memory(WIDTH * HEIGHT * 3)};
    void *out = guarded(WIDTH * HEIGHT * 4, GUARD_AFTER), *vectors = memory(ROWS * DIM * sizeof(float));
    float *curve = guarded(256 * sizeof(float), GUARD_AFTER), *floats = vectors;
    for (int i = 0; i < 256; i++)
        curve[i] = (float)i;
    for (int i = 0; i < ROWS * DIM; i++)
        floats[i] = (float)draw(2001) / 1000.0f - 1.0f;
    warp_rgb_u8_args.src = warp_grey_u8_args.src = luma_u8_args.rgb = image_sums_u8_args.src = pictures[0];
    warp_grey_u16_args.src = warp_depth_u16_args.src = image_sums_u16_args.src = pictures[0];
    yuyv_u8_args.src = nv12_u8_args.luma = pictures[0];
    nv12_u8_args.chroma = pictures[1];
    yuyv_u8_args.out = nv12_u8_args.out = out;
    difference_u8_args.lit = strobe_sums_u8_args.lit = pictures[0];
    difference_u16_args.lit = strobe_sums_u16_args.lit = pictures[0];
    difference_u8_args.ambient = strobe_sums_u8_args.ambient = pictures[1];
    difference_u16_args.ambient = strobe_sums_u16_args.ambient = pictures[1];
    warp_grey_u8_args.lut = warp_grey_u16_args.lut = curve;
    warp_rgb_u8_args.out = warp_grey_u8_args.out = warp_grey_u16_args.out = dot_f32_args.out = out;
    warp_depth_u16_args.out = difference_u16_args.out = out, difference_u8_args.out = luma_u8_args.out = out;
    uint16_t *wall = guarded(WIDTH * HEIGHT * 2, GUARD_AFTER);
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        wall[i] = (uint16_t)(698 + i / WIDTH % 256 + (int)draw(5));
    register_depth_u16_args.src = register_through_u8_args.depth = register_through_u16_args.depth = wall;
    register_through_u8_args.seen = register_through_u16_args.seen = wall;
    register_through_u8_args.src = pictures[0], register_through_u16_args.src = pictures[0];
    register_depth_u16_args.out = register_through_u16_args.out = out;
    register_through_u8_args.out = out, dot_i8_args.out = out;
    dot_f32_args.query = dot_f32_args.rows = vectors;
    dot_i8_args.query = dot_i8_args.rows = vectors;
    give_layers(memory(49 * 1024 * VULTUS_HEAD_OUT), pictures[0], out);
    stem_f32_args = (struct vultus_stem_f32_args){.weights = floats, .planes = floats, .zero = 128, .out = out};
    stem_f32_args.scratch = guarded(VULTUS_STEM_SCRATCH * sizeof(float), GUARD_AFTER);
}

/* The best of several runs of about 20 ms each: anything else on the machine only ever makes a run slower. */
#define VULTUS_KERNEL(op, isa) \
    static double time_##op##_##isa(void) \
    { \
        double best = 1e18; \
        long calls = 1; \
        for (int repeat = 0; repeat < REPEATS; repeat++) { \
            const double start = now_ns(); \
            for (long i = 0; i < calls; i++) \
                vultus_##op##_##isa(&op##_args); \
            const double each = (now_ns() - start) / (double)calls; \
            best = each < best ? each : best; \
            calls = 1 + (long)(2e7 / (best + 1)); \
        } \
        return best; \
    }
#include "kernels.def"

static const struct {
    const char *op, *isa;
    enum vultus_isa level;
    int bytes;
    double (*measure)(void);
} kernels[] = {
#define VULTUS_KERNEL(op, isa) {#op, #isa, VULTUS_ISA_##isa, bytes_##op, time_##op##_##isa},
#include "kernels.def"
};

/* Bytes read and written a nanosecond by memcpy of a colour picture: what the caches let through here. */
static double copy_rate(void)
{
    enum { SIZE = FRAME * 3 };
    uint8_t *from = memory(SIZE), *to = memory(SIZE);
    double best = 1e18;
    for (int i = 0; i < 200; i++) {
        const double start = now_ns();
        memcpy(to, from, SIZE);
        const double each = now_ns() - start;
        best = each < best ? each : best;
    }
    return 2.0 * SIZE / best;
}

int main(void)
{
    give_memory();
    const double copy = copy_rate();
    printf("memcpy moves %.1f GB/s\n", copy);
    double reference[ELEMENTS(kernels)];
    printf("%-20s %-7s %12s %8s %10s %7s %8s\n", "op", "isa", "ns a call", "faster", "bytes", "GB/s", "of copy");
    for (int i = 0; i < ELEMENTS(kernels); i++) {
        if (!vultus_cpu_has(kernels[i].level))
            continue;
        const double ns = reference[i] = kernels[i].measure();
        int ref = 0;
        while (strcmp(kernels[ref].op, kernels[i].op) != 0)
            ref++;
        const double rate = kernels[i].bytes / ns;
        printf("%-20s %-7s %12.0f %7.1fx %10d %7.2f %7.0f%%\n", kernels[i].op, kernels[i].isa, ns, reference[ref] / ns, kernels[i].bytes, rate,
               100.0 * rate / copy);
    }
    release();
    return 0;
}
