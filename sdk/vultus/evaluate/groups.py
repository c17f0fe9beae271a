"""Error rates by group at one threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.evaluate.metrics.bootstrap import resample_pairs, resample_people, widen_at_ends
from vultus.evaluate.metrics.curves import F64
from vultus.evaluate.metrics.fairness import garbe, max_over_geomean
from vultus.evaluate.metrics.intervals import Support
from vultus.evaluate.verification import Measured

_RULE_OF_30: Final = 30
"""Errors from which a rate is known to within 30 % with 90 % confidence (Doddington's rule of 30)."""

Mask = npt.NDArray[np.bool_]


def group_figures(m: Measured, column: str, values: Sequence[str], target: str, fmr: float, threshold: float) -> dict[str, Any]:
    """Return FMR and FNMR of each group at one threshold, and how far apart the groups are.

    values: each row's group, "" for none. An impostor comparison belongs to a group when both rows do, which is the harder and the
    more telling half; a genuine one when either row does.
    """
    labels = np.asarray(values)
    names = [str(n) for n in np.unique(labels) if n]
    rows = {name: _one(m, labels == name, fmr, threshold) for name in names}
    warnings = [f"{name}: {text}" for name, row in rows.items() for text in row["warnings"]]
    # Two false non-match rates or false-match rates are compared only where the sample supports them.
    match = [r for r in rows.values() if r["fmr"] is not None]
    reject = [r for r in rows.values() if r["fnmr"] is not None]
    both = [r for r in match if r["fnmr"] is not None]
    if len(both) < len(rows) and len(rows) > 1:
        warnings.append(f"only {len(both)} of {len(rows)} groups support both rates; the summary leaves the others out")
    return {
        "column": column,
        "target": target,
        "threshold": threshold,
        "rows": rows,
        "max_over_geomean": {
            "fmr": max_over_geomean([r["false_matches"] for r in match], [r["impostor"] for r in match]),
            "fnmr": max_over_geomean([r["false_non_matches"] for r in reject], [r["genuine"] for r in reject]),
        },
        "garbe": garbe([r["fmr"]["value"] for r in both], [r["fnmr"]["value"] for r in both]),
        "warnings": warnings,
    }


def _one(m: Measured, inside: Mask, fmr: float, threshold: float) -> dict[str, Any]:
    """Return one group's rates; a rate is None where the group cannot support it."""
    c = m.comparisons
    people = len(np.unique(c.person[inside]))
    misses, genuine = _genuine(m, inside, threshold)
    pairs = c.impostor
    wrong = np.flatnonzero((pairs.scores >= threshold) & inside[pairs.reference] & inside[pairs.probe])
    n, total = round(_impostor_total(m, inside, np.ones(c.people))), int(genuine.sum())
    support, warnings = Support(fmr, n, people), []
    if not support.supported:
        warnings.append(f"FMR {support}")
    elif support.thin or len(wrong) < _RULE_OF_30:
        warnings.append(f"FMR from {len(wrong):,} false matches and {support.people_pairs:,} pairs of people; may be off by more than 30 %")
    if total > 0 and misses.sum() < _RULE_OF_30:
        warnings.append(f"FNMR from {int(misses.sum()):,} false non-matches of {people:,} people; may be off by more than 30 %")
    return {
        "people": people,
        "samples": int(inside.sum()),
        "genuine": total,
        "impostor": n,
        "false_matches": len(wrong),
        "false_non_matches": int(misses.sum()),
        "fmr": _fmr(m, inside, wrong, n, support) if support.supported else None,
        "fnmr": _fnmr(misses, genuine) if total else None,
        "warnings": warnings,
    }


def _genuine(m: Measured, inside: Mask, threshold: float) -> tuple[F64, F64]:
    """Return false non-matches and genuine comparisons of each person; failures go to the group with the person's rows."""
    c = m.comparisons
    g = c.genuine
    mine = inside[g.reference] | inside[g.probe]
    who = c.person[g.probe[mine]]
    misses = np.bincount(who, g.scores[mine] < threshold, c.people).astype(np.float64)
    genuine = np.bincount(who, minlength=c.people).astype(np.float64)
    # A failed sample's comparisons are known by person only; a person's failures are shared out by where his rows are.
    rows = np.bincount(c.person, minlength=c.people)
    share = np.round(c.genuine_failed * np.bincount(c.person[inside], minlength=c.people) / np.maximum(rows, 1))
    return misses + share, genuine + share


def _impostor_total(m: Measured, inside: Mask, weight: F64) -> float:
    """Return the impostor comparisons within a group when person p counts `weight[p]` times."""
    c = m.comparisons
    if c.scorer is None:
        there = inside[c.impostor.reference] & inside[c.impostor.probe]
        return float((weight[c.person[c.impostor.reference[there]]] * weight[c.person[c.impostor.probe[there]]]).sum())
    r = np.bincount(c.person[inside & c.scorer.reference_usable], minlength=c.people)
    q = np.bincount(c.person[inside & c.scorer.probe_usable], minlength=c.people)
    both = float((weight @ r) * (weight @ q) - (weight * weight) @ (r * q))
    return both / 2 if c.scorer.symmetric else both


def _fmr(m: Measured, inside: Mask, wrong: npt.NDArray[np.int64], n: int, support: Support) -> dict[str, float | int]:
    c = m.comparisons
    value = len(wrong) / n
    a, b = c.person[c.impostor.reference[wrong]], c.person[c.impostor.probe[wrong]]
    found = resample_pairs(a, b, c.people, lambda w: _impostor_total(m, inside, w)) or (0.0, 1.0)
    low, high = widen_at_ends(value, *found, min(n, support.people_pairs))
    return {"value": value, "low": low, "high": high, "n": n}


def _fnmr(misses: F64, genuine: F64) -> dict[str, float | int]:
    value = float(misses.sum() / genuine.sum())
    mine = genuine > 0
    found = resample_people(misses[mine], genuine[mine]) or (0.0, 1.0)
    low, high = widen_at_ends(value, *found, int(mine.sum()))
    return {"value": value, "low": low, "high": high, "n": int(genuine.sum())}
