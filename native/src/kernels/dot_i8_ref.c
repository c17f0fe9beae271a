#include "kernels.h"

void vultus_dot_i8_ref(const struct vultus_dot_i8_args *args)
{
    for (ptrdiff_t i = 0; i < args->count; i++) {
        const int8_t *row = args->rows + i * args->stride;
        int32_t sum = 0;
        for (ptrdiff_t j = 0; j < args->dim; j++)
            sum += args->query[j] * row[j];
        args->out[i] = sum;
    }
}
