#include "arguments.h"

#include <math.h>

enum { LARGEST = 1 << 18 };

int side(void)
{
    static const int odd[] = {-1, INT32_MIN, INT32_MAX, VULTUS_MAX_SIDE, VULTUS_MAX_SIDE + 1, 0, 1};
    return draw(16) == 0 ? odd[draw(ELEMENTS(odd))] : (int)draw(70);
}

ptrdiff_t stride_of(int width, int bytes)
{
    const ptrdiff_t row = (ptrdiff_t)width * bytes;
    static const ptrdiff_t odd[] = {-1, 0, 1, INT32_MAX, PTRDIFF_MAX, PTRDIFF_MIN};
    return draw(16) == 0 ? odd[draw(ELEMENTS(odd))] : row + (ptrdiff_t)draw(4) * (draw(4) ? bytes : 1);
}

double number(double largest)
{
    static const double odd[] = {0.0, -1.0, 1e300, -1e300, 1e-300, INFINITY, 2147483647.5};
    const double v = ((double)draw(2000001) / 1000000.0 - 1.0) * largest;
    return draw(24) == 0 ? (draw(8) ? odd[draw(ELEMENTS(odd))] : (double)NAN) : v;
}

void *buffer(int width, int height, int bytes, ptrdiff_t stride, enum guard guard, size_t *size)
{
    *size = 0;
    if (width < 0 || height < 0 || width > VULTUS_MAX_SIDE || height > VULTUS_MAX_SIDE || stride < (ptrdiff_t)width * bytes || stride > INT32_MAX)
        return forbidden();
    *size = height > 0 ? (size_t)(stride * (height - 1) + (ptrdiff_t)width * bytes) : 0;
    if (*size > LARGEST)
        return NULL;
    void *memory = guarded(*size, guard);
    fill(memory, *size);
    return memory;
}
