enum { LANES = 8, PIXELS = 4, VECTORS = 2, FIRST = 2 };
#include "stem_vectors.h"

void vultus_stem_f32_avx2(const struct vultus_stem_f32_args *args)
{
    stem_run(args);
}
