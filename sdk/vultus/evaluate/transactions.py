"""Error rates and times of whole transactions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from vultus.evaluate.metrics.bootstrap import resample_pairs, resample_people, widen_at_ends
from vultus.evaluate.metrics.intervals import proportion

_PERCENTILES: Final = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class Transaction:
    """How one transaction ended: who stood there, whose name was claimed, and the reason of its last try."""

    kind: str
    person: str
    claimed: str
    accepted: bool
    reason: str
    seconds: float
    tries: int


def system_figures(done: Sequence[Transaction], people: Sequence[str]) -> dict[str, Any]:
    """Return FAR, FRR and IAPAR with intervals, the time to decision and the reasons, JSON-ready."""
    kinds: dict[str, list[Transaction]] = {}
    for t in done:
        kinds.setdefault(t.kind, []).append(t)
    species = {k: v for k, v in kinds.items() if k not in ("genuine", "impostor")}
    iapar = {k: found for k, v in species.items() if (found := proportion(sum(t.accepted for t in v), len(v))) is not None}
    ordered = sorted(iapar.items(), key=lambda item: (-item[1].value, -item[1].high, item[0]))
    return {
        "far": _far(kinds.get("impostor", []), people),
        "frr": _frr(kinds.get("genuine", []), people),
        "iapar": {name: e.to_dict() for name, e in ordered},
        "iapar_worst": {"species": ordered[0][0], **ordered[0][1].to_dict()} if ordered else None,
        "latency_ms": {name: _latency([t.seconds for t in v if t.tries]) for name, v in kinds.items()},
        "reasons": {name: dict(Counter(t.reason for t in v).most_common()) for name, v in kinds.items()},
        "warnings": _warnings(kinds, species),
    }


def _far(impostors: Sequence[Transaction], people: Sequence[str]) -> dict[str, Any] | None:
    """Return the share of impostor transactions that were accepted, resampled over both people of each."""
    if not impostors:
        return None
    place = {p: i for i, p in enumerate(people)}
    known = {t.person for t in impostors} | set(people)
    place |= {p: len(place) + i for i, p in enumerate(sorted(known - set(people)))}
    a = np.array([place[t.person] for t in impostors], np.int32)
    b = np.array([place[t.claimed] for t in impostors], np.int32)
    wrong = np.array([t.accepted for t in impostors], bool)
    value = float(wrong.mean())
    found = resample_pairs(a[wrong], b[wrong], len(place), lambda w: float(w[a] @ w[b])) or (0.0, 1.0)
    pairs = len({frozenset((t.person, t.claimed)) for t in impostors})
    low, high = widen_at_ends(value, *found, pairs)
    return {"value": value, "low": low, "high": high, "n": len(impostors), "accepted": int(wrong.sum()), "pairs_of_people": pairs}


def _frr(genuine: Sequence[Transaction], people: Sequence[str]) -> dict[str, Any] | None:
    """Return the share of genuine transactions that were not accepted, failures to enrol and to acquire included."""
    if not genuine:
        return None
    names = sorted({t.person for t in genuine} | set(people))
    place = {p: i for i, p in enumerate(names)}
    who = np.array([place[t.person] for t in genuine])
    wrong = np.array([not t.accepted for t in genuine], np.float64)
    errors = np.bincount(who, wrong, len(names)).astype(np.float64)
    trials = np.bincount(who, minlength=len(names)).astype(np.float64)
    there = trials > 0
    value = float(wrong.mean())
    found = resample_people(errors[there], trials[there]) or (0.0, 1.0)
    low, high = widen_at_ends(value, *found, int(there.sum()))
    return {"value": value, "low": low, "high": high, "n": len(genuine), "rejected": int(wrong.sum())}


def _latency(seconds: Sequence[float]) -> dict[str, Any]:
    """Return percentiles of the time to decision; one that fewer than 1 / (1 - p) transactions stand behind is null."""
    ms = np.asarray(seconds) * 1000
    out: dict[str, Any] = {"n": len(ms)}
    for p in _PERCENTILES:
        out[f"p{p}"] = float(np.percentile(ms, p)) if len(ms) * (100 - p) >= 100 else None
    return out


def _warnings(kinds: dict[str, list[Transaction]], species: dict[str, list[Transaction]]) -> list[str]:
    """Say what a reader must know before he believes a rate."""
    out = ["lock-out is left out, so that every try is counted; the clock runs from the decoded frame set to the decision"]
    if not species:
        out.append("the index holds no attacks; nothing is said about IAPAR")
    genuine = kinds.get("genuine", [])
    if genuine and all(t.reason in ("liveness_missing", "liveness_undecided", "stream_missing") for t in genuine):
        out.append("no genuine transaction got past liveness: the data set lacks streams that this tier needs; FAR says nothing here")
    return out
