enum { LANES = 4, PIXELS = 4, VECTORS = 4, FIRST = 2 };
#include "stem_vectors.h"

void vultus_stem_f32_neon(const struct vultus_stem_f32_args *args)
{
    stem_run(args);
}
