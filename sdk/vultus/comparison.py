"""Comparison: from enrolled users and scores of pairs to one candidate's match, over one frame set or several of one attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vultus import calibration as cal
from vultus.errors import NotEnrolled, StoreOutdated
from vultus.guard import Guard
from vultus.pipeline import Probe
from vultus.policy import Evidence
from vultus.stages.match import stack
from vultus.stages.shortlist import Index
from vultus.store import TemplateStore
from vultus.templates import Template
from vultus.types import F32, DeviceIdentity, Embedding, Match, Modality, PairScore

_MANY: Final = 32
"""Users from which on looking for the likely ones first costs less than comparing all: 32 comparisons take as long as an empty index."""

STRANGER: Final = 0.1
"""False-match rate of one picture above which it shows as good as a stranger: nine of ten impostors score lower than who is below it."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An enrolled user, the reference embeddings, one float32 (n, d) matrix a modality, what guards them and where they enrolled."""

    user: str
    references: Mapping[Modality, F32]
    guard: Guard
    device: DeviceIdentity | None = None
    """What the user was enrolled with; None = unknown, which is no device."""


class Gallery:
    """The enrolled users as embeddings of some `forms` (hashes by modality) can be compared with them; read again whenever the store has changed."""

    def __init__(self, store: TemplateStore, forms: Mapping[Modality, str]) -> None:
        self._store = store
        self._forms = forms
        self._held: tuple[tuple[int, DeviceIdentity | None], tuple[Candidate, ...]] | None = None
        self._index: tuple[tuple[int, DeviceIdentity | None], Index] | None = None
        self._claimed: tuple[int, str, tuple[Candidate, ...]] | None = None

    def candidates(self, user: str | None, device: DeviceIdentity | None = None) -> tuple[Candidate, ...]:
        """Return the one user, or everybody for None; empty when nobody is enrolled. Raises StoreOutdated, StoreAltered.

        device: leave out those who were enrolled with another one; None leaves nobody out.
        """
        if user is not None:
            return tuple(c for c in self._one(user) if device in (None, c.device))
        state = (self._store.revision, device)
        if self._held is None or self._held[0] != state:
            enrolled = self._store.all(self._forms)
            if enrolled.outdated and not enrolled.templates:
                raise StoreOutdated(f"{len(enrolled.outdated)} templates were made by another graph; enrol them again")
            self._held = (state, tuple(_candidate(t) for t in enrolled if device in (None, t.device)))
        return self._held[1]

    def _one(self, user: str) -> tuple[Candidate, ...]:
        revision = self._store.revision
        if self._claimed is None or self._claimed[:2] != (revision, user):
            try:
                template = self._store.get(user, self._forms)
            except NotEnrolled:
                return ()
            self._claimed = (revision, user, (_candidate(template),))
        return self._claimed[2]

    def likely(self, candidates: tuple[Candidate, ...], probes: Sequence[Embedding]) -> Sequence[Candidate]:
        """Return those of everybody, as `candidates(None)` gave them, who can be the best match of the probes: all of them when few."""
        if self._held is None or candidates is not self._held[1] or len(candidates) < _MANY:
            return candidates
        if self._index is None or self._index[0] != self._held[0]:
            self._index = (self._held[0], Index([c.references for c in candidates]))
        return [candidates[i] for i in self._index[1].shortlist(probes)]


def _candidate(template: Template) -> Candidate:
    return Candidate(template.user, stack(template.embeddings), template.guard, template.device)


class Looks:
    """Scores of the frame sets of one attempt, averaged by user and pair."""

    def __init__(self) -> None:
        self.count = 0
        self._sums: dict[tuple[str, Modality, Modality], tuple[float, int]] = {}

    def average(self, user: str, pairs: tuple[PairScore, ...]) -> tuple[PairScore, ...]:
        """Add the scores of one look and return their means so far, for the pairs of this look."""
        out = []
        for pair in pairs:
            key = (user, pair.probe, pair.reference)
            total, n = self._sums.get(key, (0.0, 0))
            total, n = total + pair.score, n + 1
            self._sums[key] = (total, n)
            out.append(PairScore(pair.probe, pair.reference, total / n, pair.references))
        return tuple(out)


def merged_rates(scored: Sequence[tuple[cal.PairTable, float]]) -> tuple[float, float, float | None]:
    """Return the false-match rate of the pairs of one attempt, its upper bound, and the share of missed matches (None = not measured).

    A match is missed when every pair says so: the largest of several shares is one that holds under any dependence.
    """
    rates = [table.rate(score) for table, score in scored]
    merged = cal.merge([r for r, _ in rates])
    measured = [m for m in (table.miss_rate(score) for table, score in scored) if m is not None]
    return merged, max(merged, cal.merge([u for _, u in rates])), max(measured, default=None)


def judged(usable: Sequence[tuple[PairScore, cal.PairTable]], joint: cal.Joint | None) -> list[tuple[cal.PairTable, float]]:
    """Return the scores to judge with their tables: one joint score where the sensor has a table for just these pairs, else each pair's own.

    A stranger in one of the two pictures is not outvoted by the other: then each speaks for itself, and the merge of a rate above STRANGER
    with any other meets no target below a tenth of that.
    """
    alone = [(table, pair.score) for pair, table in usable]
    score = joint.score([pair for pair, _ in usable]) if joint is not None else None
    if joint is None or score is None or any(table.rate(own)[0] > STRANGER for table, own in alone):
        return alone
    return [(joint.table, score)]


def match_of(
    usable: list[tuple[PairScore, cal.PairTable]], target: float, stated: float, joint: cal.Joint | None = None
) -> tuple[Match, bool]:
    """Judge the calibrated pairs of one candidate, as one joint score or merged; the flag says whether every table can support `target`."""
    scored = judged(usable, joint)
    thresholds = [table.threshold_for(target) for table, _ in scored]
    merged, upper, missed = merged_rates(scored)
    # The mean, not the sum, of the log-likelihood ratios: exact for fully dependent pairs, a lower bound for any others.
    log_lr = float(np.mean([table.log_lr(score) for table, score in scored]))
    first = thresholds[0].value
    match = Match(
        scored[0][1],
        log_lr,
        merged,
        upper,
        first if np.isfinite(first) else 1.0,
        stated,
        tuple(pair for pair, _ in usable),
        missed,
    )
    return match, all(t.supported for t in thresholds)


def evidence_of(probe: Probe, guard: Guard, looks: int = 1) -> Evidence:
    """Return a probe as evidence that nothing was compared with yet, one of `looks` at a device that asks for `guard`."""
    return Evidence(
        probe.source, probe.skew_ms, probe.faces, probe.quality, probe.liveness, looks=looks, guard=guard, hints=probe.hints,
        modalities=probe.modalities, latency_ms=probe.latency_ms,
    )  # fmt: skip
