"""Rates on people held out: each half of the people in the space, and at the scores, that leave the other half out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from models.matching.faces import Embedded

from vultus.evaluate.held_out import halves
from vultus.space_fitting import fit_space
from vultus.types import Modality

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
RATES: Final = (1e-4, 1e-3)
SPLITS: Final = 8
_DRAWS: Final = 400

Weights = Mapping[tuple[str, str], float]
"""How much the cosine of a reference's and a probe's modality counts; a pair that is missing does not."""
SCORES: Final[dict[str, Weights]] = {
    "RGB-RGB": {("rgb", "rgb"): 1.0},
    "NIR-NIR": {("nir", "nir"): 1.0},
    "RGB-NIR": {("rgb", "nir"): 1.0},
    "fused": {("rgb", "rgb"): 2 / 3, ("nir", "nir"): 1 / 3},
}


@dataclass(frozen=True, slots=True)
class Rate:
    """Share of genuine comparisons above the score that a share of the impostor comparisons exceeds, with its 95 % interval over people."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} ({100 * self.low:.1f} to {100 * self.high:.1f})"


def accepted(vectors: Embedded, people: npt.NDArray[np.int64], weights: Weights, *, whitened: bool) -> list[Rate]:
    """Return the rate at each of RATES, means over SPLITS halvings; comparisons are within a half, a sample without a face is a miss."""
    hits, made = hits_of(vectors, people, weights, whitened=whitened)
    return [Rate(*_share(h, made)) for h in hits]


def gained(ours: Embedded, plain: Embedded, people: npt.NDArray[np.int64], weights: Weights, *, whitened: bool) -> list[Rate]:
    """Return how much larger the rate at each of RATES is than with `plain`, and the interval over the same people."""
    (hits, made), (base, _) = (hits_of(v, people, weights, whitened=whitened) for v in (ours, plain))
    return [Rate(*_share(h - b, made)) for h, b in zip(hits, base, strict=True)]


def hits_of(vectors: Embedded, people: npt.NDArray[np.int64], weights: Weights, *, whitened: bool) -> tuple[list[F64], F64]:
    """Return for each of RATES how many genuine comparisons of each person are accepted, and how many there are, means over SPLITS halvings."""
    found: list[list[F64]] = [[] for _ in RATES]
    made = np.zeros(people.max() + 1)
    parts = list(halves(len(made), SPLITS))
    for pair in zip(parts[::2], parts[1::2], strict=True):
        halved = [_half(vectors, people, fit, test, weights, whitened=whitened) for fit, test in pair]
        impostor = np.sort(np.concatenate([s[~same & np.isfinite(s)] for s, same, _ in halved]))[::-1]
        for k, rate in enumerate(RATES):
            limit = impostor[int(rate * len(impostor))]
            found[k].append(sum(np.bincount(who[same], s[same] > limit, len(made)) for s, same, who in halved))
        made += sum(np.bincount(who[same], minlength=len(made)) for _, same, who in halved) / SPLITS
    return [np.mean(h, axis=0) for h in found], made


def _share(hits: F64, made: F64) -> tuple[float, float, float]:
    """Return the share over all people, and its 95 % interval."""
    draws = np.random.default_rng(0).integers(len(made), size=(_DRAWS, len(made)))
    low, high = np.percentile(hits[draws].sum(1) / made[draws].sum(1), (2.5, 97.5))
    return float(hits.sum() / made.sum()), float(low), float(high)


def _half(
    vectors: Embedded,
    people: npt.NDArray[np.int64],
    fit: npt.NDArray[np.int64],
    test: npt.NDArray[np.int64],
    weights: Weights,
    *,
    whitened: bool,
) -> tuple[F64, Bools, npt.NDArray[np.int64]]:
    """Return scores of one half (-inf where none), whether one person is in both, and the reference's person."""
    rows = np.flatnonzero(np.isin(people, test))
    probes, references = ({name: v[rows] for name, v in side.items()} for side in (vectors.probes, vectors.references))
    there = {name: np.abs(v).max(1) > 0 for name, v in probes.items()}
    if whitened:
        seen = {name: np.isin(people, fit) & (np.abs(v).max(1) > 0) for name, v in vectors.probes.items()}
        space = fit_space({Modality(n): (v[seen[n]], people[seen[n]], np.flatnonzero(seen[n])) for n, v in vectors.probes.items()})
        probes, references = (
            {name: space.rows(Modality(name), v) * there[name][:, None] for name, v in side.items()} for side in (probes, references)
        )
    alike = all(a == b for a, b in weights)
    i, j = (a.ravel() for a in np.meshgrid(np.arange(len(rows)), np.arange(len(rows)), indexing="ij"))
    keep = i < j if alike else i != j
    i, j = i[keep], j[keep]
    total, weight = np.zeros(len(i)), np.zeros(len(i))
    for (a, b), w in weights.items():
        on = w * (there[a][i] & there[b][j])
        total += on * (references[a] @ probes[b].T)[i, j]
        weight += on
    scores = np.divide(total, weight, out=np.full(len(i), -np.inf), where=weight > 0)
    who = people[rows]
    return scores, who[i] == who[j], who[i]


def table(rows: Sequence[tuple[str, Embedded]], people: npt.NDArray[np.int64], scores: Mapping[str, Weights]) -> Iterator[str]:
    """Yield a Markdown table: a row a form and treatment, a column a score and rate."""
    yield "| form | embeddings | " + " | ".join(f"{name} at {rate:g}" for name in scores for rate in RATES) + " |"
    yield "|---" * (2 + len(scores) * len(RATES)) + "|"
    for name, vectors in rows:
        for whitened in (False, True):
            cells = [str(r) for weights in scores.values() for r in accepted(vectors, people, weights, whitened=whitened)]
            yield f"| {name} | {'whitened' if whitened else 'as they are'} | " + " | ".join(cells) + " |"
