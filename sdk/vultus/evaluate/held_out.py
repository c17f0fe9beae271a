"""Decisions on people whom the calibration never saw: how many are wrong, how many are left open, and how comparisons of one attempt hang together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import numpy.typing as npt

from vultus.calibration import Calibration, PairTable
from vultus.comparison import merged_rates
from vultus.evaluate.device_calibration import calibrated_on
from vultus.evaluate.metrics.intervals import clopper_pearson
from vultus.policy import compared
from vultus.space_fitting import Samples, placed
from vultus.types import DeviceIdentity, Modality, Reason

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Pairs = Sequence[tuple[Modality, Modality]]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Comparisons of different frame sets: `scores` (n, pairs), whether both show one `same` person, and the rows compared (n, 2)."""

    scores: F64
    same: npt.NDArray[np.bool_]
    rows: I64


@dataclass(slots=True)
class Decided:
    """Reasons given to genuine and to impostor comparisons."""

    genuine: Counter[Reason] = field(default_factory=Counter)
    impostor: Counter[Reason] = field(default_factory=Counter)

    def add(self, other: Decided) -> None:
        """Add the counts of other people."""
        self.genuine.update(other.genuine)
        self.impostor.update(other.impostor)

    @property
    def false_accepts(self) -> float:
        """Share of the impostor comparisons that were accepted."""
        return self.impostor[Reason.ACCEPTED] / max(self.impostor.total(), 1)

    @property
    def wrong_genuine(self) -> float:
        """Share of the decided genuine comparisons that were rejected: the wrong ones where everybody is who they say."""
        wrong = self.genuine[Reason.NO_MATCH]
        return wrong / max(wrong + self.genuine[Reason.ACCEPTED], 1)

    @property
    def wrong_interval(self) -> tuple[float, float]:
        """Exact 95 % interval of `wrong_genuine`; comparisons of one person count as independent, which they are not quite."""
        wrong = self.genuine[Reason.NO_MATCH]
        return clopper_pearson(wrong, wrong + self.genuine[Reason.ACCEPTED])

    @property
    def wrong_even(self) -> float:
        """Share of wrong decisions among the decided ones when genuine and impostor attempts are equally frequent."""
        g, i = max(self.genuine.total(), 1), max(self.impostor.total(), 1)
        wrong = self.genuine[Reason.NO_MATCH] / g + self.impostor[Reason.ACCEPTED] / i
        open_ = self.genuine[Reason.UNSURE] / g + self.impostor[Reason.UNSURE] / i
        return wrong / max(2.0 - open_, 1e-12)


def score_pairs(samples: Mapping[Modality, Samples], people: I64, pairs: Pairs) -> Scored:
    """Compare all frame sets of `people` that have every modality of `pairs`, never a frame set with itself."""
    needed = sorted({m for pair in pairs for m in pair})
    chosen = {m: np.flatnonzero(np.isin(samples[m][1], people)) for m in needed}
    common = reduce(np.intersect1d, [samples[m][2][chosen[m]] for m in needed])
    place = {m: chosen[m][np.searchsorted(samples[m][2][chosen[m]], common)] for m in needed}
    who = samples[needed[0]][1][place[needed[0]]]
    valid = ~np.eye(len(common), dtype=bool)
    if all(a is b for a, b in pairs):
        valid = np.triu(valid)
    i, j = np.nonzero(valid)
    vectors = {m: samples[m][0][place[m]] for m in needed}
    scores = np.stack([(vectors[a] @ vectors[b].T)[i, j].astype(np.float64) for a, b in pairs], axis=1)
    return Scored(scores, who[i] == who[j], np.stack([common[i], common[j]], axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Comparisons as a policy sees them: false-match rate and share of missed matches (None = not measured) of each, `same` as in `Scored`."""

    rates: Sequence[tuple[float, float | None]]
    same: npt.NDArray[np.bool_]

    def decide(self, target: float, risk: float) -> Decided:
        """Give every comparison the reason that a policy of this target and risk gives."""
        out = Decided()
        for (rate, missed), same in zip(self.rates, self.same.tolist(), strict=True):
            (out.genuine if same else out.impostor)[compared(rate, missed, target, risk)] += 1
        return out


def judge(scored: Scored, tables: Sequence[PairTable], *, most: int = 5_000, seed: int = 0) -> Judged:
    """Look every genuine comparison up in the tables, and at most `most` impostor ones, drawn at random."""
    impostors = np.flatnonzero(~scored.same)
    if len(impostors) > most:
        impostors = np.random.default_rng(seed).choice(impostors, most, replace=False)
    rows = np.concatenate([np.flatnonzero(scored.same), impostors])
    merged = [merged_rates(list(zip(tables, row, strict=True))) for row in scored.scores[rows].tolist()]
    return Judged([(rate, missed) for rate, _, missed in merged], scored.same[rows])


def halves(people: int, splits: int, seed: int = 0) -> Iterator[tuple[I64, I64]]:
    """Yield each of `splits` random halvings of the people twice, as (fitted on, held out), so that everybody is held out once a split."""
    rng = np.random.default_rng(seed)
    for _ in range(splits):
        order = rng.permutation(people).astype(np.int64)
        first, second = np.sort(order[: people // 2]), np.sort(order[people // 2 :])
        yield first, second
        yield second, first


def fold_pairs(people: int, folds: int, seed: int = 0) -> Iterator[tuple[I64, I64, I64]]:
    """Yield every two parts of the people, and each part with itself, as (fitted on, one, other): fitted on all parts but those.

    So every two people meet once, judged by what the others made. Raises ValueError below 3 parts or above one a person.
    """
    if not 3 <= folds <= people:
        raise ValueError(f"{people} people are split into 3 to {people} parts; got {folds}")
    part = np.random.default_rng(seed).permutation(people) % folds
    for a in range(folds):
        for b in range(a, folds):
            held = (part == a) | (part == b)
            yield np.flatnonzero(~held), np.flatnonzero(part == a), np.flatnonzero(part == b)


def held_out(
    base: Calibration,
    samples: Mapping[Modality, Samples],
    identity: DeviceIdentity,
    pairs: Pairs,
    *,
    splits: int,
    most: int = 5_000,
    whiten: bool = False,
) -> list[tuple[Judged, Judged]]:
    """Return the two halves of each split, either looked up in the device calibration that the other made. Raises CalibrationError."""
    people = 1 + max(int(s[1].max()) for s in samples.values())
    out: list[Judged] = []
    for fit, test in halves(people, splits):
        device = calibrated_on(base, samples, identity, fit, whiten=whiten)
        mine = samples if device.space is None else placed(device.space, samples)
        out.append(judge(score_pairs(mine, test, pairs), [device.tables[p] for p in pairs], most=most))
    return list(zip(out[::2], out[1::2], strict=True))


def decide_splits(splits: Sequence[tuple[Judged, Judged]], target: float, risk: float) -> list[Decided]:
    """Return the decisions of each split, over both halves."""
    found = []
    for halved in splits:
        found.append(Decided())
        for half in halved:
            found[-1].add(half.decide(target, risk))
    return found


def intraclass(values: F64, cell: I64) -> tuple[float, int] | None:
    """Return the intraclass correlation ICC(1) of values that share a cell, and how many cells of two or more stand behind it; None without.

    One-way analysis of variance with unequal cells (Fisher); negative when values of one cell differ more than those of others.
    """
    _, place, size = np.unique(cell, return_inverse=True, return_counts=True)
    keep = size[place] > 1
    _, place, size = np.unique(cell[keep], return_inverse=True, return_counts=True)
    x = values[keep]
    cells, n = len(size), len(x)
    if cells < 2:
        return None
    mean = np.bincount(place, x) / size
    between = float((size * (mean - x.mean()) ** 2).sum()) / (cells - 1)
    within = float(((x - mean[place]) ** 2).sum()) / max(n - cells, 1)
    each = (n - float((size.astype(np.float64) ** 2).sum()) / n) / (cells - 1)
    total = between + (each - 1) * within
    return ((between - within) / total if total > 0 else 1.0), cells
