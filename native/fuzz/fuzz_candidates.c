/* Candidates drawn at random, many of them no numbers: what is taken are places of candidates, each once, best first. */
#include "arguments.h"

#include "vultus/candidates.h"

#include <math.h>

int run_candidates(void)
{
    const int count = draw(20) ? (int)draw(200) : -(int)draw(9);
    const enum guard guard = (enum guard)draw(2);
    const size_t number_of = count > 0 ? (size_t)count : 0;
    float *scores = guarded(number_of * sizeof(float), guard), *boxes = guarded(number_of * 4 * sizeof(float), guard);
    int32_t *taken = guarded(VULTUS_CANDIDATES * sizeof(int32_t), guard);
    for (size_t i = 0; i < number_of; i++) {
        scores[i] = (float)number(1);
        for (int k = 0; k < 4; k++)
            boxes[4 * i + (size_t)k] = (float)number(50);
    }
    const float least = (float)number(1);
    const double overlap = draw(30) ? (double)draw(100) / 100 : number(1);
    int found = -1;
    const int status = vultus_candidates_f32(scores, boxes, count, least, overlap, taken, &found);
    EXPECT((status == VULTUS_OK) == (count >= 0 && !isnan(least) && !isnan(overlap)), count, status);
    EXPECT(status != VULTUS_OK || (found >= 0 && found <= VULTUS_CANDIDATES), count, found);
    for (int i = 0; status == VULTUS_OK && i < found; i++) {
        EXPECT(taken[i] >= 0 && taken[i] < count && scores[taken[i]] > least && isfinite(boxes[4 * taken[i]]), i, taken[i]);
        EXPECT(i == 0 || scores[taken[i]] < scores[taken[i - 1]] || (scores[taken[i]] == scores[taken[i - 1]] && taken[i] > taken[i - 1]), i, taken[i]);
    }
    return status;
}
