enum { LANES = 16, PIXELS = 14, VECTORS = 2, FIRST = 8 };
#include "stem_vectors.h"

void vultus_stem_f32_avx512(const struct vultus_stem_f32_args *args)
{
    stem_run(args);
}
