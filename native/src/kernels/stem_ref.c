#include "stem.h"

/* The sums of one pixel's channels. */
struct sums {
    float of[128];
};

static void begin(struct sums *sums, int channels, const struct stem_layer *layer)
{
    for (int c = 0; c < channels; c++)
        sums->of[c] = layer->bias[c];
}

static void end(const struct sums *sums, int channels, const struct stem_layer *layer, float *out)
{
    for (int c = 0; c < channels; c++)
        out[c] = sums->of[c] * (sums->of[c] > 0.0f ? layer->pos[c] : layer->neg[c]);
}

static void vultus_stem_first(const float *const rows[9], const struct stem_layer *layer, float *out)
{
    struct sums sums;
    for (int x = 0; x < SIDE; x++) {
        begin(&sums, 32, layer);
        for (int i = 0; i < 27; i++)
            for (int c = 0; c < 32; c++)
                sums.of[c] += rows[i / 3][x + i % 3] * layer->taps[i * 32 + c];
        end(&sums, 32, layer, out + x * 32);
    }
}

static void vultus_stem_depthwise(const float *const rows[3], int pixels, int stride, int channels, const struct stem_layer *layer, float *out)
{
    struct sums sums;
    for (int x = 0; x < pixels; x++) {
        begin(&sums, channels, layer);
        for (int i = 0; i < 9; i++) {
            const float *in = rows[i / 3] + (x * stride + i % 3) * channels;
            for (int c = 0; c < channels; c++)
                sums.of[c] += in[c] * layer->taps[i * channels + c];
        }
        end(&sums, channels, layer, out + x * channels);
    }
}

static void vultus_stem_pointwise(const float *in, int pixels, int from, int to, const struct stem_layer *layer, float *out)
{
    struct sums sums;
    for (int x = 0; x < pixels; x++) {
        begin(&sums, to, layer);
        for (int i = 0; i < from; i++)
            for (int c = 0; c < to; c++)
                sums.of[c] += in[x * from + i] * layer->taps[i * to + c];
        end(&sums, to, layer, out + x * to);
    }
}

static void vultus_stem_levels(const float *in, int zero, uint8_t *out)
{
    for (int i = 0; i < HALF * 128; i++) {
        /* Written so that not-a-number becomes 0. */
        const float level = rintf(in[i]) + (float)zero, above = level > 0.0f ? level : 0.0f;
        out[i] = (uint8_t)(above < 255.0f ? above : 255.0f);
    }
}

void vultus_stem_f32_ref(const struct vultus_stem_f32_args *args)
{
    stem_run(args);
}
