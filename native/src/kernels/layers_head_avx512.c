#include "layers_x86_512.h"

#include "layers_head_x86.h"

void vultus_head_u8_avx512(const struct vultus_head_u8_args *args)
{
    run_head(args);
}
