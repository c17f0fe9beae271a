#include "layers_x86_256.h"

#include "layers_point_x86.h"

void vultus_point_u8_avxvnni(const struct vultus_point_u8_args *args)
{
    run_point(args);
}
