#include "layers_x86_256.h"

#include "layers_head_x86.h"

void vultus_head_u8_avxvnni(const struct vultus_head_u8_args *args)
{
    run_head(args);
}
