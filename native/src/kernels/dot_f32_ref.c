#include "kernels.h"

void vultus_dot_f32_ref(const struct vultus_dot_f32_args *args)
{
    for (ptrdiff_t i = 0; i < args->count; i++) {
        const float *row = args->rows + i * args->stride;
        double sum = 0.0;
        for (ptrdiff_t j = 0; j < args->dim; j++)
            sum += (double)args->query[j] * (double)row[j];
        args->out[i] = (float)sum;
    }
}
