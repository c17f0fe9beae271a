#include "checks.h"

#include "vultus/candidates.h"

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Intersection over union of two boxes; 0 where both are empty. */
static double shared(const float *a, const float *b)
{
    const double wide = larger(0.0, smaller((double)a[0] + a[2], (double)b[0] + b[2]) - larger(a[0], b[0]));
    const double high = larger(0.0, smaller((double)a[1] + a[3], (double)b[1] + b[3]) - larger(a[1], b[1]));
    const double whole = (double)a[2] * a[3] + (double)b[2] * b[3] - wide * high;
    return whole > 0.0 ? wide * high / whole : 0.0;
}

static int finite_box(const float *box)
{
    return isfinite(box[0]) && isfinite(box[1]) && isfinite(box[2]) && isfinite(box[3]);
}

/* The best candidates by score into `best`; returns how many. */
static int sorted(const float *scores, int count, float least, int32_t *best)
{
    int held = 0;
    for (int i = 0; i < count; i++) {
        if (!(scores[i] > least) || (held == VULTUS_CANDIDATES && !(scores[i] > scores[best[held - 1]])))
            continue;
        int at = held < VULTUS_CANDIDATES ? held++ : held - 1;
        for (; at > 0 && scores[i] > scores[best[at - 1]]; at--)
            best[at] = best[at - 1];
        best[at] = i;
    }
    return held;
}

int vultus_candidates_f32(const float *scores, const float *boxes, int count, float least, double overlap, int32_t *taken, int *found)
{
    if (scores == NULL || boxes == NULL || taken == NULL || found == NULL)
        return VULTUS_NULL_POINTER;
    if (count < 0)
        return VULTUS_BAD_SIZE;
    if (isnan(least) || isnan(overlap))
        return VULTUS_BAD_NUMBER;
    const int held = sorted(scores, count, least, taken);
    int kept = 0;
    for (int i = 0; i < held; i++) {
        const float *box = boxes + (ptrdiff_t)taken[i] * 4;
        int alone = finite_box(box);
        for (int j = 0; alone && j < kept; j++)
            alone = shared(box, boxes + (ptrdiff_t)taken[j] * 4) <= overlap;
        if (alone)
            taken[kept++] = taken[i];
    }
    *found = kept;
    return VULTUS_OK;
}
