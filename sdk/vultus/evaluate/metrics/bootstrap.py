"""Resample people, not comparisons: intervals for rates whose comparisons share people.

Each replicate draws as many people as there are, with replacement. A genuine comparison counts as often as its person was drawn,
an impostor comparison as often as both of its people together (two-way resampling), so that one unusual person moves the interval
as much as he moves the estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus.evaluate.metrics.curves import F64, I64
from vultus.evaluate.metrics.intervals import CONFIDENCE, clopper_pearson
from vultus.evaluate.metrics.verification import crossing

I32 = npt.NDArray[np.int32]

REPLICATES: Final = 1000
"""Replicates of each bootstrap; the Monte Carlo error of a 95 % bound is then about a twentieth of its half-width."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Comparisons with their people.

    genuine, impostor: scores in any order. genuine_person: the person of each genuine comparison. impostor_a, impostor_b: both
    people of each impostor comparison. impostor_weight: how many comparisons each stands for. failed: for each person the genuine
    comparisons without a score. impostor_total: returns the impostor comparisons, kept or not, for given weights of the people.
    """

    genuine: F64
    genuine_person: I32
    failed: I64
    impostor: F64
    impostor_a: I32
    impostor_b: I32
    impostor_weight: F64
    impostor_total: Callable[[F64], float]

    @property
    def people(self) -> int:
        """People, those without a comparison included."""
        return len(self.failed)

    @property
    def genuine_people(self) -> int:
        """People with at least one genuine comparison: the independent trials behind a genuine rate."""
        return int(np.count_nonzero(np.bincount(self.genuine_person, minlength=self.people) + self.failed))


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """What each replicate measured, NaN where it could not: fnmr (replicates, targets) at the thresholds of that replicate, both rates
    (replicates, thresholds) at the given thresholds, eer (replicates,).
    """

    fnmr: F64
    fnmr_fixed: F64
    fmr_fixed: F64
    eer: F64


def resample(
    evidence: Evidence,
    targets: F64,
    thresholds: F64,
    replicates: int = REPLICATES,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Replicates:
    """Measure FNMR at each target FMR, both rates at each fixed threshold, and EER, on resampled people.

    targets: false-match rates. A replicate whose impostor comparisons vanish, as with two people, is left out as NaN.
    """
    rng = np.random.default_rng(seed)
    merged = _merge(evidence)
    fixed = merged.places(thresholds)
    nothing = [np.full((replicates, k), np.nan) for k in (len(targets), len(thresholds), len(thresholds))]
    out = Replicates(nothing[0], nothing[1], nothing[2], np.full(replicates, np.nan))
    for r in range(replicates):
        weight = np.bincount(rng.integers(0, evidence.people, evidence.people), minlength=evidence.people).astype(np.float64)
        genuine_total = float(weight[evidence.genuine_person].sum() + weight @ evidence.failed)
        impostor_total = evidence.impostor_total(weight)
        if genuine_total <= 0 or impostor_total <= 0:
            continue
        accepted, matched = merged.weigh(weight)
        fmr, tar = matched / impostor_total, accepted / genuine_total
        at = np.searchsorted(fmr, targets * (1 + 1e-12), side="right") - 1
        out.fnmr[r] = 1.0 - tar[at]
        out.fmr_fixed[r], out.fnmr_fixed[r] = fmr[fixed], 1.0 - tar[fixed]
        if fmr[-1] + tar[-1] >= 1.0:
            out.eer[r] = crossing(fmr[::-1], 1.0 - tar[::-1])
        if progress is not None:
            progress(r + 1, replicates)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Merged:
    """All comparisons by falling score, and where each run of equal scores ends."""

    scores: F64
    genuine: I64
    genuine_person: I32
    impostor: I64
    a: I32
    b: I32
    weight: F64

    def weigh(self, person: F64) -> tuple[F64, F64]:
        """Return the weights of accepted genuine and impostor comparisons above no, one, two, ... distinct scores."""
        genuine = np.concatenate([[0.0], np.cumsum(person[self.genuine_person])])
        impostor = np.concatenate([[0.0], np.cumsum(person[self.a] * person[self.b] * self.weight)])
        return genuine[self.genuine], impostor[self.impostor]

    def places(self, thresholds: F64) -> I64:
        """Return for each threshold how many distinct scores reach it."""
        return np.searchsorted(-self.scores, -thresholds, side="right")


def _merge(e: Evidence) -> _Merged:
    """Sort each kind once; the replicates then only weigh and add."""
    g, i = np.argsort(-e.genuine, kind="stable"), np.argsort(-e.impostor, kind="stable")
    scores = np.unique(np.concatenate([e.genuine, e.impostor]))[::-1]
    upto_genuine = np.searchsorted(-e.genuine[g], -scores, side="right")
    upto_impostor = np.searchsorted(-e.impostor[i], -scores, side="right")
    zero = np.zeros(1, np.int64)
    return _Merged(
        scores,
        np.concatenate([zero, upto_genuine]),
        e.genuine_person[g],
        np.concatenate([zero, upto_impostor]),
        e.impostor_a[i],
        e.impostor_b[i],
        e.impostor_weight[i],
    )


def percentile_interval(values: F64) -> tuple[float, float] | None:
    """Return the middle 95 % of the replicates that gave a value; None when fewer than half did."""
    seen = values[np.isfinite(values)]
    if seen.size * 2 < values.size or not seen.size:
        return None
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(seen, [tail, 100 - tail])
    return float(low), float(high)


def widen_at_ends(value: float, low: float, high: float, trials: int) -> tuple[float, float]:
    """Return the interval with its open side restored where resampling cannot see it.

    A sample without a single error has only replicates without errors. There Clopper and Pearson's bound for `trials` independent
    trials is used: the people, or the pairs of people.
    """
    if value <= 0.0:
        high = max(high, clopper_pearson(0, trials)[1])
    if value >= 1.0:
        low = min(low, clopper_pearson(trials, trials)[0])
    return min(low, value), max(high, value)


def resample_people(errors: F64, trials: F64, replicates: int = REPLICATES, seed: int = 0) -> tuple[float, float] | None:
    """Return the interval of sum(errors) / sum(trials) over resampled people; None where too few replicates have trials.

    errors, trials: for each person.
    """
    rng = np.random.default_rng(seed)
    people = len(trials)
    values = np.full(replicates, np.nan)
    for r in range(replicates):
        weight = np.bincount(rng.integers(0, people, people), minlength=people)
        total = float(weight @ trials)
        if total > 0:
            values[r] = float(weight @ errors) / total
    return percentile_interval(values)


def resample_pairs(
    a: I32, b: I32, people: int, total: Callable[[F64], float], replicates: int = REPLICATES, seed: int = 0
) -> tuple[float, float] | None:
    """Return the interval of an impostor rate over resampled people; None where too few replicates have comparisons.

    a, b: both people of each error. total: returns the comparisons for given weights of the people.
    """
    rng = np.random.default_rng(seed)
    values = np.full(replicates, np.nan)
    for r in range(replicates):
        weight = np.bincount(rng.integers(0, people, people), minlength=people).astype(np.float64)
        there = total(weight)
        if there > 0:
            values[r] = float(weight[a] @ weight[b]) / there
    return percentile_interval(values)
