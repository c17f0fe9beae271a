#include "layers_x86_512.h"

#include "layers_point_x86.h"

void vultus_point_u8_avx512(const struct vultus_point_u8_args *args)
{
    run_point(args);
}
