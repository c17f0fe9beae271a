"""Comparisons judged by a device calibration of other people: halves of the people, or every two parts with what all the others made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.calibration import OUTVOTED, Calibration, PairTable
from vultus.comparison import STRANGER
from vultus.evaluate.comparisons import Comparisons, Pairs
from vultus.evaluate.device_calibration import calibrated_on, samples_of
from vultus.evaluate.held_out import fold_pairs, halves
from vultus.evaluate.metrics.bootstrap import percentile_interval, resample, widen_at_ends
from vultus.evaluate.metrics.intervals import Support
from vultus.evaluate.metrics.verification import at_fmr
from vultus.evaluate.samples import IDENTITY
from vultus.evaluate.scoring import ModalityPair, Scorer, Side
from vultus.evaluate.setting import Acquired, Setting
from vultus.evaluate.verification import TARGETS, Measured, evidence_of, of_compared
from vultus.types import F32

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FUSIONS: Final = ("joint", "merge", "mean")
"""How several pairs of one attempt are judged: joint, the sensor's table of their weighted mean, as a sign-in does; merge, e times the
geometric mean of their false-match rates, as a sign-in does without such a table; mean, the mean of their likelihood ratios."""
CHECKED: Final = ("1e-2", "1e-3", "1e-4")
"""Target rates of the check on people held out."""


@dataclass(frozen=True, slots=True, eq=False)
class Crossed:
    """One split: all comparisons that are made in it, and the false-match rate stated for each genuine and each impostor comparison."""

    comparisons: Comparisons
    genuine_rates: F64
    impostor_rates: F64


def cross(
    got: Acquired,
    base: Calibration,
    reference: Side,
    probe: Side,
    setting: Setting,
    *,
    splits: int,
    fusion: str,
    whiten: bool,
    folds: int = 0,
) -> list[Crossed]:
    """Return each split of the people, the scores being log-likelihood ratios (for `merge` minus the logarithm of the stated rate).

    With `splits` halvings, people are never compared across the halves: each lies in the space, and is judged by the tables, of the other's
    people. With `folds` parts there is one split, in which everybody is compared with everybody: two parts, or one with itself, by what all
    other parts made. Raises CalibrationError for too few people, ValueError for a fusion that is none or a number of parts that cannot be.
    """
    if fusion not in FUSIONS:
        raise ValueError(f"a fusion is one of {', '.join(FUSIONS)}; got {fusion!r}")
    samples, step = samples_of(got), setting.step("calibrating")
    plan = list(fold_pairs(len(got.people), folds)) if folds else [(fit, test, test) for fit, test in halves(len(got.people), splits)]
    parts: list[_Part] = []
    for n, (fit, one, other) in enumerate(plan):
        device = calibrated_on(base, samples, IDENTITY, fit, whiten=whiten)
        parts.append(_part(got, device, (np.isin(got.person, one), np.isin(got.person, other)), reference, probe, fusion))
        if step is not None:
            step(n + 1, len(plan))
    return [_together(got, parts)] if folds else [_together(got, pair) for pair in zip(parts[::2], parts[1::2], strict=True)]


_Part = tuple[Pairs, Pairs, npt.NDArray[np.int64], F64, F64]
"""Genuine and impostor pairs, failed genuine comparisons a person, the stated rates of both."""


def _part(got: Acquired, device: Calibration, sides: tuple[Bools, Bools], reference: Side, probe: Side, fusion: str) -> _Part:
    """Compare the samples of some people with those of others, or of the same."""
    one, other = sides
    mine = one | other
    space, vectors = device.space, dict(got.vectors)
    if space is not None:
        vectors = {m: space.rows(m, v) * (np.abs(v).max(1, keepdims=True) > 0) for m, v in vectors.items() if m in space.means}
    scorer = Scorer(vectors, Side(reference.due & mine, reference.modalities), Side(probe.due & mine, probe.modalities))
    rows, columns = np.flatnonzero(scorer.reference_due), np.flatnonzero(scorer.probe_due)
    i, j = (a.ravel() for a in np.meshgrid(rows, columns, indexing="ij"))
    keep = i < j if scorer.symmetric else i != j
    keep &= (one[i] & other[j]) | (other[i] & one[j])
    i, j = i[keep], j[keep]
    score, rate = judge(device, scorer.parts(i, j), fusion)
    same, usable = got.person[i] == got.person[j], np.isfinite(score)
    found = [
        Pairs(score[k].astype(np.float32), i[k].astype(np.int32), j[k].astype(np.int32), np.ones(int(k.sum())))
        for k in (same & usable, ~same & usable)
    ]
    failed = np.bincount(got.person[j[same & ~usable]], minlength=len(got.people))
    return found[0], found[1], failed, rate[same & usable], rate[~same & usable]


def judge(device: Calibration, parts: Mapping[ModalityPair, F32], fusion: str) -> tuple[F64, F64]:
    """Return a score and a stated false-match rate for each comparison; NaN and 1 where no pair that has a table was compared."""
    tables = {pair: device.tables.get(pair) or device.tables.get(pair[::-1]) for pair in parts}
    known = {pair: (parts[pair].astype(np.float64), table) for pair, table in tables.items() if table is not None}
    size = len(next(iter(parts.values())))
    score, rate = np.full(size, np.nan), np.ones(size)
    seen = np.array([np.isfinite(s) for s, _ in known.values()]).reshape(len(known), size)
    for pattern in np.unique(seen, axis=1).T:
        here = (seen == pattern[:, None]).all(0)
        used = {pair: (s[here], t) for (pair, (s, t)), on in zip(known.items(), pattern.tolist(), strict=True) if on}
        if used:
            score[here], rate[here] = _judge_alike(device, used, fusion)
    return score, rate


def _judge_alike(device: Calibration, used: Mapping[ModalityPair, tuple[F64, PairTable]], fusion: str) -> tuple[F64, F64]:
    """Judge comparisons that all have the same pairs."""
    each = np.array([rates_of(t, s) for s, t in used.values()])
    # As `calibration.merge` and `comparison.judged` do for one attempt.
    rates = each[0]
    if len(each) > 1:
        rates = np.minimum(1.0, np.maximum(np.e * np.exp(np.log(each).mean(0)), each.max(0) / OUTVOTED))
    if fusion == "merge" and len(used) > 1:
        return -np.log(rates), rates
    scores = np.mean([_log_lr(t, s) for s, t in used.values()], axis=0)
    joint = device.joint if fusion == "joint" else None
    if joint is not None and joint.weights.keys() == used.keys():
        mean = sum((w * used[pair][0] for pair, w in joint.weights.items()), np.zeros(1))
        mine = (each <= STRANGER).all(0)
        scores, rates = np.where(mine, _log_lr(joint.table, mean), scores), np.where(mine, rates_of(joint.table, mean), rates)
    return scores, rates


def _log_lr(table: PairTable, scores: F64) -> F64:
    return table.llr[0] * (table.shift + table.scale * scores) + table.llr[1]


def rates_of(table: PairTable, scores: F64) -> F64:
    """Return `table.rate` of many scores at once."""
    at = table.shift + table.scale * scores
    inside = 10.0 ** np.interp(at, table.scores, np.log10(table.fmr))
    found: F64 = np.maximum(np.where(at <= table.scores[0], 1.0, inside), table.floor)
    return found


def _together(got: Acquired, parts: Sequence[_Part]) -> Crossed:
    genuine, impostor = Pairs.join([p[0] for p in parts]), Pairs.join([p[1] for p in parts])
    scores = np.concatenate([genuine.scores, impostor.scores])
    span = (float(scores.min(initial=0.0)), float(scores.max(initial=1.0)))
    none = np.zeros(0, np.int64)
    failed = np.sum([p[2] for p in parts], axis=0)
    comparisons = Comparisons(got.person, len(got.people), genuine, failed, impostor, len(impostor.scores), none, span, None)
    return Crossed(comparisons, np.concatenate([p[3] for p in parts]), np.concatenate([p[4] for p in parts]))


def crossed_figures(splits: Sequence[Crossed], fusion: str | None, *, whiten: bool, replicates: int, folds: int = 0) -> dict[str, Any]:
    """Return TAR at each FAR over all splits at one threshold, with intervals over people, and what the stated rates really were.

    Every comparison of a split counts, so that a pair of samples weighs as often as it met; a rate is supported by distinct pairs alone.
    """
    m = Measured.of(_pooled([s.comparisons for s in splits]))
    pairs = np.unique(np.stack([m.comparisons.impostor.reference, m.comparisons.impostor.probe]), axis=1).shape[1]
    names = [name for name, fmr in TARGETS.items() if Support(fmr, pairs, m.impostor_people).supported]
    evidence = evidence_of(m.comparisons)
    drawn = 1.0 - resample(evidence, np.array([TARGETS[name] for name in names]), np.zeros(0), replicates).fnmr
    tar: dict[str, Any] = dict.fromkeys(TARGETS)
    for k, name in enumerate(names):
        point, low_high = at_fmr(m.curve, TARGETS[name]), percentile_interval(drawn[:, k])
        if point is not None and low_high is not None:
            low, high = widen_at_ends(point.tar, *low_high, evidence.genuine_people)
            tar[name] = {"value": point.tar, "low": low, "high": high, "threshold": point.threshold, "of_compared": of_compared(m, point)}
    return {
        "splits": len(splits),
        "folds": folds or None,
        "fusion": fusion,
        "whiten": whiten,
        "impostor_pairs": pairs,
        "tar_at_far": tar,
        "targets": {name: _stated(splits, TARGETS[name]) if name in names else None for name in CHECKED},
    }


def _pooled(parts: Sequence[Comparisons]) -> Comparisons:
    """Put the comparisons of several splits together; a comparison that several have stands there as often."""
    genuine, impostor = (Pairs.join([getattr(c, name) for c in parts]) for name in ("genuine", "impostor"))
    failed = np.sum([c.genuine_failed for c in parts], axis=0)
    span = min(c.span[0] for c in parts), max(c.span[1] for c in parts)
    return replace(parts[0], genuine=genuine, impostor=impostor, genuine_failed=failed, impostor_total=len(impostor.scores), span=span)


def _stated(splits: Sequence[Crossed], target: float) -> dict[str, Any]:
    """Return what became of the comparisons whose stated rate meets a target."""
    missed = [int(s.comparisons.genuine_failed.sum()) for s in splits]
    return {
        "fmr": _spread([float((s.impostor_rates <= target).mean()) for s in splits]),
        "tar": _spread(
            [float((s.genuine_rates <= target).sum()) / (len(s.genuine_rates) + m) for s, m in zip(splits, missed, strict=True)]
        ),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "lowest": float(min(values)), "highest": float(max(values))}
