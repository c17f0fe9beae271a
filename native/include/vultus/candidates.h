/* The native core's choice among a detector's candidates; core.h says what holds for every function. */
#ifndef VULTUS_CANDIDATES_H
#define VULTUS_CANDIDATES_H

#include <stdint.h>

/* binding: begin */

enum { VULTUS_CANDIDATES = 64 };

/* Which of `count` candidates are faces: of those whose score is above `least`, the best VULTUS_CANDIDATES by their scores, the earlier first where
 * two are equal, but for those that overlap a better one that was taken by more than `overlap`, intersection over union. `boxes` are x, y, width,
 * height for each; one that is not finite is left out, and so is a score that is no number. Their places, best first, go to `taken`, which
 * holds VULTUS_CANDIDATES, and their number to `found`. */
int vultus_candidates_f32(const float *scores, const float *boxes, int count, float least, double overlap, int32_t *taken, int *found);

/* binding: end */

#endif
