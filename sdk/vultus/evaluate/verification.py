"""Turn the comparisons of one protocol into the figures of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from vultus.evaluate.comparisons import Comparisons
from vultus.evaluate.metrics import likelihood
from vultus.evaluate.metrics.bootstrap import REPLICATES, Evidence, Replicates, percentile_interval, resample, widen_at_ends
from vultus.evaluate.metrics.curves import F64, ErrorCurve, ScoreTable
from vultus.evaluate.metrics.intervals import Support
from vultus.evaluate.metrics.verification import OperatingPoint, at_fmr, equal_error_rate

TARGETS: Final[Mapping[str, float]] = {"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4, "1e-5": 1e-5, "1e-6": 1e-6}
"""False-match rates that are reported, by the names that they have in the JSON document."""
_PREFERRED: Final = ("1e-4", "1e-3", "1e-2")
"""The operating points of group and robustness tables: the SDK's default target first, then the nearest that the sample supports."""
_CURVE_POINTS: Final = 81
_HISTOGRAM_BINS: Final = 120

LogLr = Callable[[F64], F64]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Comparisons with what was computed from them once."""

    comparisons: Comparisons
    table: ScoreTable
    curve: ErrorCurve

    @classmethod
    def of(cls, comparisons: Comparisons) -> Measured:
        """Count the scores."""
        table = comparisons.table()
        return cls(comparisons, table, table.curve())

    def support(self, target: float) -> Support:
        """Say whether these comparisons carry a false-match rate."""
        return Support(target, self.curve.impostor_total, self.impostor_people)

    @property
    def impostor_people(self) -> int:
        """People that take part in impostor comparisons."""
        c = self.comparisons
        if c.scorer is not None:
            return len(np.unique(c.person[c.scorer.reference_usable | c.scorer.probe_usable]))
        return len(np.unique(c.person[np.concatenate([c.impostor.reference, c.impostor.probe])]))

    def operating_points(self) -> list[tuple[str, OperatingPoint]]:
        """Return the operating points that the sample supports, the preferred one of the group and robustness tables first."""
        points = [(name, at_fmr(self.curve, TARGETS[name])) for name in _PREFERRED if self.support(TARGETS[name]).supported]
        return [(name, point) for name, point in points if point is not None]


def evidence_of(c: Comparisons) -> Evidence:
    """Return the comparisons with their people, for resampling."""
    return Evidence(
        c.genuine.scores.astype(np.float64),
        c.person[c.genuine.probe],
        c.genuine_failed,
        c.impostor.scores.astype(np.float64),
        c.person[c.impostor.reference],
        c.person[c.impostor.probe],
        c.impostor.weight,
        c.impostor_weight,
    )


def figures(
    m: Measured, log_lr: LogLr | None, replicates: int = REPLICATES, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Return the figures of a verification protocol, JSON-ready: rates with intervals, curve, histograms, calibration measures.

    log_lr: the shipped calibration's natural-log likelihood ratio of a score; None where no calibration holds, and the measures
    that need one are null.
    """
    evidence = evidence_of(m.comparisons)
    grid = _grid(m)
    targets = np.concatenate([np.array(list(TARGETS.values())), grid])
    drawn = (
        resample(evidence, targets, np.zeros(0), replicates, progress=progress)
        if m.curve.genuine_total and m.curve.impostor_total
        else None
    )
    warnings: list[str] = []
    return {
        "eer": _eer(m, drawn, evidence),
        "tar_at_far": {name: _tar(m, drawn, i, evidence, warnings) for i, name in enumerate(TARGETS)},
        "min_cllr": likelihood.min_cllr(m.table),
        **calibration_figures(m.table, log_lr),
        "curve": [_curve_point(m, drawn, grid, i) for i in range(len(grid))] if drawn is not None else [],
        "histogram": histogram(m.table),
        "warnings": warnings,
    }


def _grid(m: Measured) -> F64:
    """Return the false-match rates of the drawn curve: from one to the lowest that the sample supports."""
    n = max(m.curve.impostor_total, 1)
    return np.logspace(0, min(np.log10(3.0 / n), -0.5), _CURVE_POINTS)


def _interval(value: float, replicates: F64, trials: int) -> tuple[float, float] | None:
    """Return the bootstrap interval, its open side closed by exact bounds."""
    found = percentile_interval(replicates)
    return None if found is None else widen_at_ends(value, *found, trials)


def _eer(m: Measured, drawn: Replicates | None, evidence: Evidence) -> dict[str, float] | None:
    value = equal_error_rate(m.curve)
    if value is None or drawn is None:
        return None
    interval = _interval(value, drawn.eer, evidence.genuine_people)
    return None if interval is None else {"value": value, "low": interval[0], "high": interval[1]}


def _tar(m: Measured, drawn: Replicates | None, i: int, evidence: Evidence, warnings: list[str]) -> dict[str, Any] | None:
    """Return TAR at one false-match rate, or None when the sample does not support it."""
    name = list(TARGETS)[i]
    support = m.support(TARGETS[name])
    point = at_fmr(m.curve, TARGETS[name])
    if point is None or drawn is None or not support.supported:
        return None
    interval = _interval(point.tar, 1.0 - drawn.fnmr[:, i], evidence.genuine_people)
    if interval is None:
        return None
    if support.thin:
        warnings.append(
            f"FAR {name} rests on {support.comparisons:,} comparisons of only {support.people:,} people: {support.people_pairs:,} pairs of "
            f"people, where independent evidence takes {support.needed:,}. The interval resamples people; the rate itself may be off."
        )
    return {
        "value": point.tar, "low": interval[0], "high": interval[1], "threshold": point.threshold,
        "false_matches": point.false_matches, "thin": support.thin, "of_compared": of_compared(m, point),
    }  # fmt: skip


def of_compared(m: Measured, point: OperatingPoint) -> float | None:
    """Return the share of matches among the genuine comparisons that could be made, failures to acquire left out; None without any."""
    made = m.curve.genuine_total - m.table.failed
    return point.tar * m.curve.genuine_total / made if made else None


def _curve_point(m: Measured, drawn: Replicates, grid: F64, i: int) -> dict[str, float | None]:
    """Return one point of the ROC with its band."""
    at = m.curve.index_at_fmr(float(grid[i]))
    fmr, fnmr, threshold = float(m.curve.fmr[at]), float(m.curve.fnmr[at]), float(m.curve.thresholds[at])
    low, high = percentile_interval(drawn.fnmr[:, len(TARGETS) + i]) or (None, None)
    return {"fmr": fmr, "target": float(grid[i]), "fnmr": fnmr, "low": low, "high": high, "threshold": threshold}


def calibration_figures(table: ScoreTable, log_lr: LogLr | None) -> dict[str, Any]:
    """Return Cllr, ECE and the reliability diagram; null without a calibration."""
    none: dict[str, Any] = {"cllr": None, "ece": None, "reliability": [], "likelihood_ratios": []}
    if log_lr is None or not table.genuine.sum() or not table.impostor.sum():
        return none
    values = log_lr(table.scores)
    diagram = likelihood.reliability(values, table.genuine, table.impostor)
    if diagram is None:
        return none
    rows = zip(diagram.stated, diagram.observed, diagram.weight, strict=True)
    return {
        "cllr": likelihood.cllr(values, table.genuine, table.impostor),
        "ece": diagram.ece,
        "likelihood_ratios": [
            {"stated": b.stated, "observed": b.observed, "genuine": b.genuine, "impostor": b.impostor}
            for b in likelihood.blocks(table, values)
        ],
        "reliability": [{"stated": float(s), "observed": float(o), "weight": float(w)} for s, o, w in rows],
    }


def histogram(table: ScoreTable) -> dict[str, Any]:
    """Return the shares of genuine and impostor scores in equal bins over their common range."""
    if not table.scores.size:
        return {"edges": [], "genuine": [], "impostor": []}
    low, high = float(table.scores[0]), float(table.scores[-1])
    edges = np.linspace(low, high if high > low else low + 1e-6, _HISTOGRAM_BINS + 1)
    shares = [np.histogram(table.scores, edges, weights=counts)[0] / max(counts.sum(), 1) for counts in (table.genuine, table.impostor)]
    return {"edges": edges.tolist(), "genuine": shares[0].tolist(), "impostor": shares[1].tolist()}


def counts(m: Measured, samples: int, failed: int) -> dict[str, int]:
    """Return the counts that stand over every figure. samples, failed: rows tried, and those of them without features."""
    return {
        "people": m.comparisons.people,
        "samples": samples,
        "genuine": m.curve.genuine_total,
        "genuine_failed": m.table.failed,
        "impostor": m.curve.impostor_total,
        "failed_to_acquire": failed,
    }


def worst(m: Measured, threshold: float, most: int = 12) -> Mapping[str, Sequence[tuple[int, int, float]]]:
    """Return the rows of the highest false matches and of the lowest false non-matches at a threshold, worst first."""
    c = m.comparisons
    imp = np.flatnonzero(c.impostor.scores >= threshold)
    imp = imp[np.argsort(-c.impostor.scores[imp], kind="stable")][:most]
    gen = np.flatnonzero(c.genuine.scores < threshold)
    gen = gen[np.argsort(c.genuine.scores[gen], kind="stable")][:most]
    out = {}
    for name, pairs, at in (("false_matches", c.impostor, imp), ("false_non_matches", c.genuine, gen)):
        out[name] = [(int(pairs.reference[i]), int(pairs.probe[i]), float(pairs.scores[i])) for i in at]
    return out
