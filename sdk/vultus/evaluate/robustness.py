"""How many genuine comparisons are lost when the probe is spoilt, at the threshold that the clean pictures set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vultus.evaluate.corrupt import STRENGTHS, UNITS, corruption_of
from vultus.evaluate.extraction import Task
from vultus.evaluate.features import Features
from vultus.evaluate.metrics.bootstrap import resample_people, widen_at_ends
from vultus.evaluate.samples import Sample
from vultus.evaluate.scoring import Scorer, Side
from vultus.frames import Stream
from vultus.types import Modality

I32 = npt.NDArray[np.int32]

Extract = Callable[[Sequence[Task], str], list[Features]]


@dataclass(frozen=True, slots=True, eq=False)
class Clean:
    """The evaluation without corruption: rows with their people and features, both sides of the comparison, and the threshold."""

    samples: Sequence[Sample]
    person: I32
    features: Sequence[Features]
    vectors: Mapping[Modality, npt.NDArray[np.float32]]
    reference: Side
    probe: Side
    scorer: Scorer
    threshold: float
    middle: float = 1.0


def robustness_figures(clean: Clean, extract: Extract, limit: int, seed: int = 0) -> dict[str, Any]:
    """Return FNMR by kind and strength for at most `limit` probes; a probe in which no face is found any more is a non-match."""
    probes = _choose(clean, limit, seed)
    base = _fnmr(clean, probes, {m: v[probes] for m, v in clean.vectors.items()})
    kinds = {}
    for kind, strengths in STRENGTHS.items():
        points = []
        for strength in strengths:
            tasks = [_task(clean, int(row), kind, strength) for row in probes]
            got = extract(tasks, f"corrupt: {kind}")
            vectors = {m: _stack(got, m, v.shape[1]) for m, v in clean.vectors.items()}
            lost = sum(not any(m in f.vectors for m in clean.probe.modalities) for f in got)
            points.append({"strength": strength, "fnmr": _fnmr(clean, probes, vectors), "no_features": lost})
        kinds[kind] = {"unit": UNITS[kind], "points": points}
    return {"threshold": clean.threshold, "probes": len(probes), "clean": base, "kinds": kinds}


def _choose(clean: Clean, limit: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw probes that were acquired clean and have a reference, one person after the other so that all people are heard."""
    rng = np.random.default_rng(seed)
    references = np.bincount(clean.person[clean.scorer.reference_usable], minlength=int(clean.person.max(initial=0)) + 1)
    rows = rng.permutation(np.flatnonzero(clean.scorer.probe_usable))
    own = clean.scorer.reference_usable[rows].astype(np.int64)
    rows = rows[references[clean.person[rows]] - own > 0]
    _, turn = np.unique(clean.person[rows], return_inverse=True)
    order = np.argsort(turn, kind="stable")
    starts = np.searchsorted(turn[order], turn[order])
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - starts
    return np.sort(rows[np.argsort(rank, kind="stable")[:limit]])


def _task(clean: Clean, row: int, kind: str, strength: float) -> Task:
    """Describe one probe with its colour and infrared pictures spoilt alike where the clean face was: the stages look from one to the other."""
    sample, found = clean.samples[row], clean.features[row].found
    change = {s: corruption_of(kind, strength, found[s], f"{sample.person}/{sample.name}") for s in (Stream.RGB, Stream.NIR) if s in found}
    if Stream.NIR in change:
        change[Stream.NIR_AMBIENT] = change[Stream.NIR]
    return Task(sample, row, clean.middle, change)


def _stack(features: Sequence[Features], modality: Modality, length: int) -> npt.NDArray[np.float32]:
    """Return embeddings as rows, zeros where there is none."""
    none = np.zeros(length, np.float32)
    return np.stack([f.vectors.get(modality, none) for f in features]) if features else np.zeros((0, length), np.float32)


def _fnmr(clean: Clean, probes: npt.NDArray[np.int64], vectors: Mapping[Modality, npt.NDArray[np.float32]]) -> dict[str, Any] | None:
    """Compare the given probe features with the clean references of the same people."""
    n = len(clean.person)
    stacked = {m: np.concatenate([v, vectors[m]]) for m, v in clean.vectors.items()}
    last = np.zeros(len(probes), bool)
    reference = Side(np.concatenate([clean.scorer.reference_usable, last]), clean.reference.modalities)
    probe = Side(np.concatenate([np.zeros(n, bool), ~last]), clean.probe.modalities)
    scorer = clean.scorer.over(stacked, reference, probe)
    same = (clean.person[:, None] == clean.person[probes][None, :]) & clean.scorer.reference_usable[:, None]
    same[probes, np.arange(len(probes))] = False
    rows, columns = np.nonzero(same)
    if not len(rows):
        return None
    scores = np.full(len(rows), -np.inf, np.float32)
    usable = scorer.probe_usable[n + columns]
    if usable.any():
        scores[usable] = scorer.pairs(rows[usable], n + columns[usable])
    people = int(clean.person.max()) + 1
    who = clean.person[rows]
    missed = ~(scores >= clean.threshold)
    errors = np.bincount(who, missed, people).astype(np.float64)
    trials = np.bincount(who, minlength=people).astype(np.float64)
    there = trials > 0
    value = float(missed.mean())
    found = resample_people(errors[there], trials[there]) or (0.0, 1.0)
    low, high = widen_at_ends(value, *found, int(there.sum()))
    return {"value": value, "low": low, "high": high, "n": len(rows)}
