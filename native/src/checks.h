/* What the API asks of its arguments before a kernel sees them. */
#ifndef VULTUS_CHECKS_H
#define VULTUS_CHECKS_H

#include "vultus/core.h"

#include <math.h>

/* Leave the API function with the status unless it is VULTUS_OK. */
#define VULTUS_CHECK(status) \
    do { \
        const int checked = (status); \
        if (checked != VULTUS_OK) \
            return checked; \
    } while (0)

static inline int vultus_check_size(int width, int height)
{
    return width < 0 || height < 0 || width > VULTUS_MAX_SIDE || height > VULTUS_MAX_SIDE ? VULTUS_BAD_SIZE : VULTUS_OK;
}

/* An image of `channels` elements of `element` bytes a pixel. Kernels address it with 32-bit offsets. */
static inline int vultus_check_image(const void *data, int width, int height, int channels, int element, ptrdiff_t stride)
{
    VULTUS_CHECK(vultus_check_size(width, height));
    if (data == NULL)
        return VULTUS_NULL_POINTER;
    const ptrdiff_t row = (ptrdiff_t)width * channels * element;
    if (stride < row || stride % element != 0 || (uintptr_t)data % (uintptr_t)element != 0 || (height > 0 && stride > INT32_MAX / height))
        return VULTUS_BAD_STRIDE;
    return VULTUS_OK;
}

static inline int vultus_check_rect(const int *rect, int width, int height)
{
    if (rect == NULL)
        return VULTUS_NULL_POINTER;
    if (rect[0] < 0 || rect[1] < 0 || rect[2] < 0 || rect[3] < 0 || rect[2] > width - rect[0] || rect[3] > height - rect[1])
        return VULTUS_BAD_RECT;
    return VULTUS_OK;
}

static inline int vultus_check_range(int value, int low, int high)
{
    return value < low || value > high ? VULTUS_BAD_NUMBER : VULTUS_OK;
}

static inline int vultus_check_finite(const double *values, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return VULTUS_BAD_NUMBER;
    return VULTUS_OK;
}

#endif
