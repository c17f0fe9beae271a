#include "layers_x86_256.h"

#include "layers_depth_x86.h"

void vultus_depth_u8_avxvnni(const struct vultus_depth_u8_args *args)
{
    run_depth(args);
}
