#include "layers_x86_512.h"

#include "layers_depth_x86.h"

void vultus_depth_u8_avx512(const struct vultus_depth_u8_args *args)
{
    run_depth(args);
}
