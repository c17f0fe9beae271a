"""Compare everyone with everyone in bounded memory: the top of the impostor scores exactly, the rest counted and sampled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus.evaluate.metrics.curves import F64, I64, ScoreTable
from vultus.evaluate.scoring import Scorer

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]

TAIL_SHARE: Final = 0.011
"""Share of the impostor scores kept exactly: every threshold for a false-match rate up to 1e-2, with a tenth to spare."""
KEEP_ALL: Final = 1 << 21
"""Up to this many impostor comparisons all are kept: 24 MiB."""
BODY_SAMPLE: Final = 1 << 17
"""Scores below the tail that are drawn at random for the bootstrap: the sampling error of a rate of 10 % is then 0.1 %."""
BINS: Final = 1 << 17
"""Bins for the scores below the tail; over the range of cosines each is 1.5e-5 wide."""
_BLOCK: Final = 1 << 22
"""Scores computed at once: 16 MiB a float32 matrix."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Scores with the rows that were compared and how many comparisons each stands for."""

    scores: F32
    reference: I32
    probe: I32
    weight: F64

    @staticmethod
    def join(parts: Sequence[Pairs]) -> Pairs:
        """Concatenate parts."""
        if not parts:
            none = np.zeros(0, np.int32)
            return Pairs(np.zeros(0, np.float32), none, none, np.zeros(0))
        return Pairs(
            np.concatenate([p.scores for p in parts]),
            np.concatenate([p.reference for p in parts]),
            np.concatenate([p.probe for p in parts]),
            np.concatenate([p.weight for p in parts]),
        )

    def take(self, keep: npt.NDArray[np.bool_] | I64) -> Pairs:
        """Return a selection."""
        return Pairs(self.scores[keep], self.reference[keep], self.probe[keep], self.weight[keep])


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """All comparisons of one protocol.

    person: for each row, the number of its person. genuine_failed: for each person, the genuine comparisons that a failure
    to acquire took away. impostor: every high score and a weighted sample of the others, which `body` counts in the lowest
    of BINS equal bins over `span`; with an empty `body` every impostor score is there. scorer: None when the comparisons
    are a given list instead of all pairs of usable rows.
    """

    person: I32
    people: int
    genuine: Pairs
    genuine_failed: I64
    impostor: Pairs
    impostor_total: int
    body: I64
    span: tuple[float, float]
    scorer: Scorer | None

    @property
    def floor(self) -> float:
        """The score from which upwards every impostor score is kept."""
        return self.span[0] + len(self.body) * (self.span[1] - self.span[0]) / BINS if len(self.body) else -np.inf

    def table(self) -> ScoreTable:
        """Return the exact counts; a score below the tail is rounded up to its bin's upper edge, so that no FMR is understated."""
        width = (self.span[1] - self.span[0]) / BINS
        filled = np.flatnonzero(self.body)
        exact = self.impostor.scores[self.impostor.weight == 1.0] if filled.size else self.impostor.scores
        if filled.size:
            exact = exact[_bins(exact, self.span) >= len(self.body)]
        scores = np.concatenate([self.genuine.scores, exact, self.span[0] + (filled + 1) * width]).astype(np.float64)
        ones = np.ones(len(self.genuine.scores) + len(exact), np.int64)
        counts = np.concatenate([ones, self.body[filled]])
        return ScoreTable.from_weighted(scores, len(self.genuine.scores), counts, int(self.genuine_failed.sum()))

    def impostor_weight(self, weight: F64) -> float:
        """Return the impostor comparisons when person p counts `weight[p]` times."""
        if self.scorer is not None:
            return impostor_weight(self.scorer, self.person, weight)
        people = weight[self.person[self.impostor.reference]] * weight[self.person[self.impostor.probe]]
        return float(people @ self.impostor.weight)


class _Tail:
    """Keeps the highest scores seen, and lifts its floor whenever it holds twice its capacity."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.floor = -np.inf
        self._parts: list[Pairs] = []
        self._held = 0

    def add(self, part: Pairs) -> None:
        self._parts.append(part)
        self._held += len(part.scores)
        if self._held > 2 * self.capacity:
            self.shrink()

    def shrink(self) -> Pairs:
        """Drop all below the capacity-th score, never one of several equal ones."""
        held = Pairs.join(self._parts)
        if len(held.scores) > self.capacity:
            self.floor = float(np.partition(held.scores, -self.capacity)[-self.capacity])
            held = held.take(held.scores >= self.floor)
        self._parts, self._held = [held], len(held.scores)
        return held


def compare_all(scorer: Scorer, person: I32, seed: int = 0, progress: Callable[[int, int], None] | None = None) -> Comparisons:
    """Compare every usable reference row with every usable probe row, never a sample with itself.

    When references and probes are the same thing each unordered pair counts once. progress: called with done and total rows.
    """
    reference, probe = np.flatnonzero(scorer.reference_usable), np.flatnonzero(scorer.probe_usable)
    people = int(person.max(initial=-1)) + 1
    total = impostor_weight(scorer, person, np.ones(people))
    capacity = total if total <= KEEP_ALL else int(TAIL_SHARE * total) + 1
    tail, genuine, rng = _Tail(max(int(capacity), 1)), [], np.random.default_rng(seed)
    draw = min(1.0, BODY_SAMPLE / max(total, 1.0))
    drawn: list[Pairs] = []
    counts = np.zeros(BINS, np.int64)
    step = max(1, _BLOCK // max(len(probe), 1))
    for start in range(0, len(reference), step):
        rows = reference[start : start + step]
        columns = probe[np.searchsorted(probe, rows[0], side="right") :] if scorer.symmetric else probe
        if columns.size:
            block = scorer.block(rows, columns)
            same = person[rows][:, None] == person[columns][None, :]
            valid = rows[:, None] < columns[None, :] if scorer.symmetric else rows[:, None] != columns[None, :]
            genuine.append(_pick(block, rows, columns, same & valid))
            block[same | ~valid] = -np.inf
            tail.add(_pick(block, rows, columns, np.isfinite(block) & (block >= tail.floor)))
            if capacity < total:
                counts += np.bincount(_bins(block[np.isfinite(block)], scorer.span), minlength=BINS)
                drawn.append(_draw(block, rows, columns, draw, rng))
        if progress is not None:
            progress(min(start + step, len(reference)), len(reference))
    return _finish(scorer, person, people, genuine, tail, drawn, counts, int(total))


def _pick(block: F32, rows: I64, columns: I64, mask: npt.NDArray[np.bool_]) -> Pairs:
    """Return the marked scores of a block, each standing for itself."""
    at = np.flatnonzero(mask)
    i, j = np.divmod(at, block.shape[1])
    return Pairs(block.ravel()[at], rows[i].astype(np.int32), columns[j].astype(np.int32), np.ones(len(at)))


def _draw(block: F32, rows: I64, columns: I64, rate: float, rng: np.random.Generator) -> Pairs:
    """Return each impostor score of a block with probability `rate`, standing for 1 / rate of them."""
    at = np.unique(rng.integers(0, block.size, rng.binomial(block.size, rate)))
    at = at[np.isfinite(block.ravel()[at])]
    i, j = np.divmod(at, block.shape[1])
    return Pairs(block.ravel()[at], rows[i].astype(np.int32), columns[j].astype(np.int32), np.full(len(at), 1.0 / rate))


def _finish(
    scorer: Scorer, person: I32, people: int, genuine: list[Pairs], tail: _Tail, drawn: list[Pairs], counts: I64, total: int
) -> Comparisons:
    """Put the parts together: from one bin edge upwards the tail, below it the counts and the sample."""
    top, cut = tail.shrink(), 0
    if len(top.scores) < total:
        # Whole bins belong to one side: all scores above the floor's own bin are in the tail.
        cut = int(_bins(np.array([tail.floor], np.float32), scorer.span)[0]) + 1
        top = top.take(_bins(top.scores, scorer.span) >= cut)
        body = Pairs.join(drawn)
        body = body.take(_bins(body.scores, scorer.span) < cut)
        each = (total - len(top.scores)) / max(len(body.scores), 1)
        top = Pairs.join([top, Pairs(body.scores, body.reference, body.probe, np.full(len(body.scores), each))])
    return Comparisons(
        person=person,
        people=people,
        genuine=Pairs.join(genuine),
        genuine_failed=failed_genuine(scorer, person, people),
        impostor=top,
        impostor_total=total,
        body=counts[:cut],
        span=scorer.span,
        scorer=scorer,
    )


def _bins(scores: F32, span: tuple[float, float]) -> I32:
    """Return the bin of each score; one formula everywhere, so that rounding at an edge never moves a score twice."""
    scale = np.float32(BINS / (span[1] - span[0]))
    place: F32 = np.clip((scores - np.float32(span[0])) * scale, 0, BINS - 1)
    return place.astype(np.int32)


def impostor_weight(scorer: Scorer, person: I32, weight: F64) -> float:
    """Return the number of impostor comparisons of all usable rows when each person counts `weight` times."""
    people = len(weight)
    r = np.bincount(person[scorer.reference_usable], minlength=people)
    q = np.bincount(person[scorer.probe_usable], minlength=people)
    both = float((weight @ r) * (weight @ q) - (weight * weight) @ (r * q))
    return both / 2 if scorer.symmetric else both


def failed_genuine(scorer: Scorer, person: I32, people: int) -> I64:
    """Return for each person the genuine comparisons that were due and have no score."""
    tried_r = np.bincount(person[scorer.reference_due], minlength=people)
    tried_q = np.bincount(person[scorer.probe_due], minlength=people)
    had_r = np.bincount(person[scorer.reference_usable], minlength=people)
    had_q = np.bincount(person[scorer.probe_usable], minlength=people)
    if scorer.symmetric:
        return (tried_r * (tried_r - 1) - had_r * (had_r - 1)) // 2
    tried_same = np.bincount(person[scorer.reference_due & scorer.probe_due], minlength=people)
    had_same = np.bincount(person[scorer.reference_usable & scorer.probe_usable], minlength=people)
    out: I64 = (tried_r * tried_q - tried_same) - (had_r * had_q - had_same)
    return out
