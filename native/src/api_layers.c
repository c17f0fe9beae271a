#include "checks.h"
#include "dispatch.h"
#include "kernels/layers.h"

static ptrdiff_t whole_lines(ptrdiff_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static int made_by(const struct vultus_layer *layer)
{
    return (layer->side - 1) / layer->stride + 1;
}

/* Whether a layer can be where it stands; 1 x 1 and depthwise layers take turns. */
static int fits(const struct vultus_layer *layer, int index)
{
    const int depthwise = index % 2, side = layer->side;
    if ((layer->from == 0) != depthwise || layer->size < 0 || layer->size != vultus_packed_size(layer->from, layer->to))
        return 0;
    if (side < 1 || side > VULTUS_LAYER_MOST || layer->stride < 1 || layer->stride > 1 + depthwise)
        return 0;
    if (vultus_check_range(layer->zero_in, 0, 255) || vultus_check_range(layer->zero_out, 0, 255))
        return 0;
    if ((int64_t)(side + 2) * (side + 2) * layer->to > INT32_MAX || (int64_t)side * side * layer->from > INT32_MAX)
        return 0;
    const struct vultus_layer *before = layer - 1;
    return index == 0 || (before->to == (depthwise ? layer->to : layer->from) && before->zero_out == layer->zero_in && made_by(before) == side);
}

/* Memory for the pictures with pixels around them, and for those without; 0 when the layers do not fit each other. */
static int memory_of(const struct vultus_layer *layers, int count, ptrdiff_t *around, ptrdiff_t *plain)
{
    *around = *plain = 0;
    if (count < 1 || count > VULTUS_LAYER_COUNT)
        return 0;
    for (int i = 0; i < count; i++) {
        if (!fits(&layers[i], i))
            return 0;
        const ptrdiff_t side = layers[i].from ? layers[i].side + 2 : made_by(&layers[i]), bytes = whole_lines(side * side * layers[i].to);
        ptrdiff_t *largest = layers[i].from ? around : plain;
        *largest = bytes > *largest ? bytes : *largest;
    }
    return 1;
}

ptrdiff_t vultus_layers_room(const struct vultus_layer *layers, int count)
{
    ptrdiff_t around, plain;
    return layers != NULL && memory_of(layers, count, &around, &plain) ? around + plain + 63 : -1;
}

/* Write the pixels around a picture: they stand for 0. */
static void surround(uint8_t *picture, int side, int channels, int zero)
{
    const size_t pixel = (size_t)channels, row = (size_t)(side + 2) * pixel;
    memset(picture, zero, row + pixel);
    for (int y = 1; y <= side; y++)
        memset(picture + (size_t)y * row + row - pixel, zero, 2 * pixel);
    memset(picture + (size_t)(side + 1) * row + pixel, zero, row - pixel);
}

static void run_point(const struct vultus_layer *layer, const uint8_t *next, const uint8_t *in, uint8_t *out, int gap)
{
    const int side = layer->side;
    vultus_run_point_u8(&(struct vultus_point_u8_args){.in = in, .packed = layer->packed, .next = next, .pixels = side * side, .width = side, .from = layer->from,
                                                       .to = layer->to, .zero = layer->zero_out, .out = out, .out_row = (ptrdiff_t)(side + gap) * layer->to});
}

static void run_depth(const struct vultus_layer *layer, const uint8_t *in, uint8_t *out)
{
    const int made = made_by(layer);
    vultus_run_depth_u8(&(struct vultus_depth_u8_args){.in = in, .packed = layer->packed, .in_row = (ptrdiff_t)(layer->side + 2) * layer->to, .width = made,
                                                       .height = made, .channels = layer->to, .stride = layer->stride, .zero = layer->zero_out, .out = out});
}

int vultus_layers_u8(const struct vultus_layer *layers, int count, const uint8_t *in, uint8_t *out, uint8_t *scratch, ptrdiff_t room)
{
    if (layers == NULL || in == NULL || out == NULL || scratch == NULL)
        return VULTUS_NULL_POINTER;
    ptrdiff_t around, plain;
    if (!memory_of(layers, count, &around, &plain) || room < around + plain + 63)
        return VULTUS_BAD_SIZE;
    for (int i = 0; i < count; i++) {
        if (layers[i].packed == NULL)
            return VULTUS_NULL_POINTER;
        if ((uintptr_t)layers[i].packed % 64 != 0)
            return VULTUS_BAD_STRIDE;
    }
    uint8_t *const pictures = scratch + (-(uintptr_t)scratch & 63);
    for (int i = 0; i < count; i++) {
        const struct vultus_layer *layer = &layers[i];
        const int last = i + 1 == count;
        uint8_t *target = last ? out : pictures + around;
        if (layer->from == 0) {
            run_depth(layer, pictures, target);
        } else if (last) {
            run_point(layer, NULL, in, target, 0);
        } else {
            surround(pictures, layer->side, layer->to, layer->zero_out);
            run_point(layer, i + 2 < count ? layer[2].packed : NULL, in, pictures + (ptrdiff_t)(layer->side + 3) * layer->to, 2);
        }
        in = target;
    }
    return VULTUS_OK;
}

int vultus_head_u8(const uint8_t *in, int pixels, int channels, const int8_t *weights, const int32_t *bias, const float *scale, float *out)
{
    if (in == NULL || weights == NULL || bias == NULL || scale == NULL || out == NULL)
        return VULTUS_NULL_POINTER;
    if (pixels < 1 || channels < 4 || channels % 4 != 0 || pixels > VULTUS_LAYER_MOST || channels > VULTUS_LAYER_MOST)
        return VULTUS_BAD_SIZE;
    vultus_run_head_u8(&(struct vultus_head_u8_args){.in = in, .pixels = pixels, .channels = channels, .weights = weights, .bias = bias, .scale = scale, .out = out});
    return VULTUS_OK;
}
