/* Layers drawn at random, most of them good: what is wrong is refused, and the reference and the best kernel agree on the rest. */
#include "arguments.h"
#include "kernels/layers.h"

enum { LAYERS = 4, CHANNELS = 128 };

static int channels_of(void)
{
    static const int odd[] = {0, -64, 63, 4, 8192, INT32_MAX, INT32_MIN};
    return draw(16) == 0 ? odd[draw(ELEMENTS(odd))] : 64 * (1 + (int)draw(CHANNELS / 64));
}

/* Pack weights for a layer into memory that is as large as they need; nothing may be touched when there can be no such layer. */
static int pack(struct vultus_layer *layer, enum guard guard)
{
    static int8_t weights[2][CHANNELS * CHANNELS], slope[CHANNELS];
    static int32_t bias[2][CHANNELS];
    static float scale[2][CHANNELS];
    fill(weights, sizeof weights);
    fill(slope, sizeof slope);
    for (int i = 0; i < 2 * CHANNELS; i++) {
        bias[i % 2][i / 2] = (int32_t)draw(20000) - 10000;
        scale[i % 2][i / 2] = (float)draw(1000) / 127000.0f;
    }
    if (draw(20) == 0)
        bias[draw(2)][draw(CHANNELS)] = draw(2) ? INT32_MIN : INT32_MAX;
    if (draw(20) == 0)
        scale[draw(2)][draw(CHANNELS)] = (float)number(1);
    for (int i = 0; i < CHANNELS; i++)
        slope[i] = slope[i] == -128 ? -127 : slope[i];
    layer->size = vultus_packed_size(layer->from, layer->to);
    const int possible = layer->size >= 0 && layer->from <= CHANNELS && layer->to <= CHANNELS;
    uint8_t *packed = possible ? guarded((size_t)layer->size, guard) : forbidden();
    layer->packed = packed;
    if (layer->size >= 0 && !possible)
        return -1; /* good, and larger than the weights here */
    if (layer->from == 0)
        return vultus_pack_depth((const int8_t *const[]){weights[0], weights[1]}, (const int32_t *const[]){bias[0], bias[1]},
                                 (const float *const[]){scale[0], scale[1]}, layer->to, layer->zero_in, packed, layer->size);
    return vultus_pack_point(weights[0], bias[0], scale[0], slope, scale[1], layer->from, layer->to, layer->zero_in, packed, layer->size);
}

int run_layers(void)
{
    struct vultus_layer layers[LAYERS];
    const enum guard guard = (enum guard)draw(2);
    const int count = draw(20) ? 1 + (int)draw(LAYERS) : draw(2) ? -(int)draw(9) : VULTUS_LAYER_COUNT + 1;
    int side = 1 + (int)draw(9), channels = channels_of(), zero = (int)draw(256);
    for (int i = 0; i < LAYERS; i++) {
        const int depthwise = draw(40) ? i % 2 : 1 - i % 2, stride = depthwise ? 1 + (int)draw(2) : 1;
        layers[i] = (struct vultus_layer){.from = depthwise ? 0 : channels, .to = depthwise ? channels : channels_of(), .side = draw(40) ? side : (int)draw(12) - 1,
                                          .stride = draw(40) ? stride : (int)draw(5) - 1, .zero_in = draw(60) ? zero : (int)draw(300) - 20, .zero_out = (int)draw(256)};
        const int status = pack(&layers[i], guard);
        if (status != VULTUS_OK)
            return status;
        side = (side - 1) / stride + 1, channels = layers[i].to, zero = layers[i].zero_out;
    }
    const ptrdiff_t room = vultus_layers_room(layers, count), given = room < 0 ? 64 : draw(20) ? room : room - 1;
    const struct vultus_layer *last = room < 0 ? layers : &layers[count - 1];
    const int made = (last->side - 1) / (last->stride ? last->stride : 1) + 1;
    const size_t input = (size_t)(layers[0].side * layers[0].side * layers[0].from), output = (size_t)(made * made * last->to);
    uint8_t *in = room < 0 ? forbidden() : guarded(input, guard), *scratch = guarded((size_t)given, guard), *out[2];
    int status[2];
    if (room >= 0)
        fill(in, input);
    for (int i = 0; i < 2; i++) {
        out[i] = room < 0 ? forbidden() : guarded(output, guard);
        vultus_force_isa(i ? "best" : "ref");
        status[i] = vultus_layers_u8(layers, count, in, out[i], scratch, given);
    }
    EXPECT(status[0] == status[1] && (status[0] == VULTUS_OK) == (room >= 0 && given >= room), count, status[0]);
    EXPECT(status[0] != VULTUS_OK || memcmp(out[0], out[1], output) == 0, count, made);
    return status[0];
}
