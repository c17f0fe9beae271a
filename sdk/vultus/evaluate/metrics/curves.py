"""The error curve that every verification measure is read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """Counts of genuine and impostor comparisons at every distinct score, scores ascending; a match is score >= threshold.

    `failed` genuine comparisons have no score, because a face was not found, and match at no threshold.
    """

    scores: F64
    genuine: I64
    impostor: I64
    failed: int = 0

    def __post_init__(self) -> None:
        if not np.isfinite(self.scores).all():
            raise ValueError("scores must be finite; count a comparison without a score as failed")
        if self.scores.size > 1 and not (np.diff(self.scores) > 0).all():
            raise ValueError("scores must ascend without repeats")
        if min(self.genuine.min(initial=0), self.impostor.min(initial=0), self.failed) < 0:
            raise ValueError("counts must not be negative")

    @classmethod
    def from_scores(cls, genuine: npt.NDArray[Any], impostor: npt.NDArray[Any], failed: int = 0) -> Self:
        """Count raw scores, each comparison once."""
        return cls.from_weighted(np.concatenate([genuine, impostor]), len(genuine), np.ones(len(genuine) + len(impostor), np.int64), failed)

    @classmethod
    def from_weighted(cls, scores: npt.NDArray[Any], genuine_first: int, counts: I64, failed: int = 0) -> Self:
        """Count scores of which the first `genuine_first` are genuine and each stands for `counts` comparisons."""
        values, place = np.unique(np.asarray(scores, np.float64), return_inverse=True)
        tallies = [
            np.bincount(place[part], counts[part], len(values)).astype(np.int64)
            for part in (slice(0, genuine_first), slice(genuine_first, None))
        ]
        return cls(values, tallies[0], tallies[1], int(failed))

    @property
    def genuine_total(self) -> int:
        """Genuine comparisons tried, failures included."""
        return int(self.genuine.sum()) + self.failed

    @property
    def impostor_total(self) -> int:
        """Impostor comparisons that gave a score."""
        return int(self.impostor.sum())

    def curve(self) -> ErrorCurve:
        """Return both error counts at every threshold that changes one of them."""
        false_non_matches = np.concatenate([[0], np.cumsum(self.genuine)]) + self.failed
        false_matches = np.concatenate([np.cumsum(self.impostor[::-1])[::-1], [0]])
        above = np.nextafter(self.scores[-1:], np.inf) if self.scores.size else np.zeros(1)
        return ErrorCurve(np.concatenate([self.scores, above]), false_matches, false_non_matches, self.impostor_total, self.genuine_total)


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCurve:
    """False matches (falling) and false non-matches (rising) at ascending thresholds; the last threshold is above every score."""

    thresholds: F64
    false_matches: I64
    false_non_matches: I64
    impostor_total: int
    genuine_total: int

    @property
    def fmr(self) -> F64:
        """False-match rate at each threshold; NaN without impostor comparisons."""
        return self.false_matches / self.impostor_total if self.impostor_total else np.full(self.thresholds.shape, np.nan)

    @property
    def fnmr(self) -> F64:
        """False-non-match rate at each threshold; NaN without genuine comparisons."""
        return self.false_non_matches / self.genuine_total if self.genuine_total else np.full(self.thresholds.shape, np.nan)

    def at(self, threshold: float) -> tuple[int, int]:
        """Return the false matches and false non-matches at any threshold."""
        i = int(np.searchsorted(self.thresholds, threshold))
        if i == len(self.thresholds):
            return 0, self.genuine_total
        return int(self.false_matches[i]), int(self.false_non_matches[i])

    def index_at_fmr(self, fmr: float) -> int:
        """Return the place of the lowest threshold whose measured false-match rate does not exceed `fmr`."""
        if not 0 <= fmr <= 1:
            raise ValueError("a false-match rate lies in 0..1")
        # Counts fall along the curve; compare counts, not rates, so that x * N is not lost to rounding by one.
        allowed = np.floor(fmr * self.impostor_total * (1 + 1e-12))
        return int(np.searchsorted(-self.false_matches, -allowed))
