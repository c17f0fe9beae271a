"""Point values of verification: equal error rate, rates at a fixed false-match rate, fold accuracy, ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vultus.evaluate.metrics.curves import F64, I64, ErrorCurve


def equal_error_rate(curve: ErrorCurve) -> float | None:
    """Return the rate at which the straight line between neighbouring operating points crosses FMR = FNMR; None without both kinds."""
    if not curve.genuine_total or not curve.impostor_total:
        return None
    return crossing(curve.fmr, curve.fnmr)


def crossing(fmr: F64, fnmr: F64) -> float:
    """Return where a falling and a rising rate meet, linear between points; the last point must have fnmr >= fmr."""
    gap = fnmr - fmr
    i = int(np.argmax(gap >= 0))
    if i == 0:
        return float(max(fmr[0], fnmr[0]))
    step = gap[i] - gap[i - 1]
    share = -gap[i - 1] / step
    return float(fmr[i - 1] + share * (fmr[i] - fmr[i - 1]))


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The lowest threshold whose measured FMR does not exceed `target`, and what it does."""

    target: float
    threshold: float
    false_matches: int
    fmr: float
    fnmr: float

    @property
    def tar(self) -> float:
        """True-accept rate: the share of genuine comparisons that match, failures to acquire counted against it."""
        return 1.0 - self.fnmr


def at_fmr(curve: ErrorCurve, target: float) -> OperatingPoint | None:
    """Return the operating point at a false-match rate; None without both kinds of comparison. Support is not judged here."""
    if not curve.genuine_total or not curve.impostor_total:
        return None
    i = curve.index_at_fmr(target)
    return OperatingPoint(target, float(curve.thresholds[i]), int(curve.false_matches[i]), float(curve.fmr[i]), float(curve.fnmr[i]))


@dataclass(frozen=True, slots=True, eq=False)
class FoldAccuracy:
    """Accuracy of each fold at the threshold that the other folds chose."""

    accuracies: F64
    thresholds: F64

    @property
    def mean(self) -> float:
        """Mean accuracy over the folds."""
        return float(self.accuracies.mean())

    @property
    def sd(self) -> float:
        """Standard deviation over the folds (n - 1); its standard error is sd / sqrt(folds)."""
        return float(self.accuracies.std(ddof=1))


def fold_accuracy(scores: npt.NDArray[Any], genuine: npt.NDArray[np.bool_], folds: I64) -> FoldAccuracy:
    """Return the accuracy of each fold with the threshold from all other folds (LFW's protocol: ten folds).

    scores: -inf for a pair without a score, which is a non-match at every threshold. Among equally good thresholds the
    middle one is taken.
    """
    names = np.unique(folds)
    if len(names) < 2:
        raise ValueError("a threshold from the other folds needs at least two folds")
    accuracies, thresholds = [], []
    for name in names:
        held = folds == name
        threshold = _best_threshold(scores[~held], genuine[~held])
        accuracies.append(np.mean((scores[held] >= threshold) == genuine[held]))
        thresholds.append(threshold)
    return FoldAccuracy(np.array(accuracies), np.array(thresholds))


def _best_threshold(scores: npt.NDArray[Any], genuine: npt.NDArray[np.bool_]) -> float:
    """Return the middle of the thresholds with the fewest errors."""
    values = np.unique(scores[np.isfinite(scores)].astype(np.float64))
    if not values.size:
        return 0.0
    missed = np.searchsorted(np.sort(scores[genuine]), values)
    wrong = np.count_nonzero(~genuine) - np.searchsorted(np.sort(scores[~genuine]), values)
    best = np.flatnonzero(missed + wrong == (missed + wrong).min())
    return float(values[best[len(best) // 2]])


def match_characteristic(ranks: I64, depth: int) -> F64:
    """Return the cumulative match characteristic: the share of probes whose person stands at rank 1..depth.

    ranks: 1-based; 0 for a probe that failed to acquire, which is found at no rank.
    """
    if not ranks.size:
        return np.full(depth, np.nan)
    found = np.bincount(np.clip(ranks, 0, depth + 1), minlength=depth + 2)[1 : depth + 1]
    return np.cumsum(found) / ranks.size
