"""Fitting: make calibration documents from embeddings of known people. Needs the `evaluate` extra (scikit-learn)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.calibration_document import FORMAT
from vultus.documents import digest
from vultus.types import F32, Modality

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

_TAIL: Final = 0.05
"""Share of the impostor scores that is kept one by one; thresholds of interest lie far inside it."""
_STEP: Final = 0.005
"""Distance of the table's knots in cosine: a tenth of the way between FMR 1e-4 and 1e-5."""
_REPEATS: Final = 200
_BLOCK: Final = 512
MIN_GENUINE: Final = 100
"""Genuine comparisons without which nothing is said about the share of missed matches."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """All comparisons of two sets of samples: every genuine score, and the impostor scores as moments, a histogram and an exact tail.

    `tail` rises; `first`, `second` are the people of each tail score. `each` is the number of samples a person in (first, second) set.
    """

    genuine: F64
    impostors: int
    mean: float
    deviation: float
    histogram: I64
    tail: F64
    first: I64
    second: I64
    each: tuple[I64, I64]
    symmetric: bool
    sampled: F64


EDGES: Final = np.linspace(-1.0, 1.0, 2001)


def compare_all(
    a: F32, people_a: I64, b: F32 | None = None, people_b: I64 | None = None, *, paired: bool = False, seed: int = 0
) -> Comparisons:
    """Score every row of `a` with every row of `b`, or with b None every pair within `a` once; people are numbered 0..n-1.

    `paired` says that rows of equal index come from one frame set: they are not compared, being easier than any two attempts.
    """
    symmetric = b is None
    other, ids = (a, people_a) if b is None or people_b is None else (b, people_b)
    n = int(max(people_a.max(), ids.max())) + 1
    rng = np.random.default_rng(seed)
    cut = _tail_cut(a, other, rng)
    genuine, tails, firsts, seconds, samples = [], [], [], [], []
    histogram = np.zeros(len(EDGES) - 1, np.int64)
    total = squares = 0.0
    count = 0
    for start in range(0, len(a), _BLOCK):
        rows = slice(start, min(start + _BLOCK, len(a)))
        scores = a[rows] @ other.T
        valid = np.ones(scores.shape, bool)
        if symmetric:
            valid = np.arange(len(other))[None] > np.arange(rows.start, rows.stop)[:, None]
        elif paired:
            valid = np.arange(len(other))[None] != np.arange(rows.start, rows.stop)[:, None]
        same = people_a[rows, None] == ids[None]
        genuine.append(scores[valid & same])
        valid &= ~same
        s = scores[valid].astype(np.float64)
        count, total, squares = count + s.size, total + float(s.sum()), squares + float(s @ s)
        histogram += np.histogram(s, EDGES)[0]
        samples.append(s[rng.random(s.size) < 2e5 / max(len(a) * len(other) / 2, 2e5)])
        i, j = np.nonzero(valid & (scores > cut))
        tails.append(scores[i, j])
        firsts.append(people_a[rows][i])
        seconds.append(ids[j])
    mean = total / max(count, 1)
    order = np.argsort(tail := np.concatenate(tails).astype(np.float64), kind="stable")
    each = (np.bincount(people_a, minlength=n), np.bincount(ids, minlength=n))
    return Comparisons(
        np.concatenate(genuine).astype(np.float64), count, mean, float(np.sqrt(max(squares / max(count, 1) - mean**2, 0.0))), histogram,
        tail[order], np.concatenate(firsts)[order], np.concatenate(seconds)[order], each, symmetric, np.concatenate(samples),
    )  # fmt: skip


def _tail_cut(a: F32, b: F32, rng: np.random.Generator) -> float:
    if len(a) * len(b) <= 200_000:
        # The people of one sensor: all comparisons are fewer than what would be drawn, and a hundredth of its time.
        return float(np.quantile(a @ b.T, 1.0 - _TAIL))
    i, j = rng.integers(0, len(a), 200_000), rng.integers(0, len(b), 200_000)
    return float(np.quantile(np.einsum("nd,nd->n", a[i], b[j]), 1.0 - _TAIL))


def _weights(c: Comparisons, w: F64) -> float:
    """Return the weight of all impostor comparisons when person i counts w[i] times."""
    left, right = w * c.each[0], w * c.each[1]
    total = float(left.sum() * right.sum() - (left * right).sum())
    return total / 2 if c.symmetric else total


def impostor_table(c: Comparisons, seed: int = 0) -> dict[str, list[float]]:
    """Return knots of score and false-match rate with 95 % bounds from a bootstrap over people (both sides drawn together)."""
    last = c.tail[-3]
    knots = np.arange(np.ceil(c.tail[0] / _STEP) * _STEP, last, _STEP)
    at = np.searchsorted(c.tail, knots, side="left")
    people = len(c.each[0])
    rng = np.random.default_rng(seed)
    drawn = np.empty((_REPEATS, len(knots)))
    for r in range(_REPEATS):
        w = rng.multinomial(people, np.full(people, 1.0 / people)).astype(np.float64)
        above = np.concatenate([np.cumsum((w[c.first] * w[c.second])[::-1])[::-1], [0.0]])
        drawn[r] = above[at] / max(_weights(c, w), 1.0)
    fmr = (c.tail.size - at) / c.impostors
    # A bootstrap of few counts cannot see what did not happen: the bounds also hold the rule of three.
    floor = 3.0 / c.impostors
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    low, high = np.minimum(np.maximum(low, floor / 10), fmr), np.maximum(np.maximum(high, fmr), floor)
    body = EDGES[1000 : np.searchsorted(EDGES, knots[0]) : 20]
    rates = 1.0 - np.cumsum(c.histogram)[np.searchsorted(EDGES, body) - 1] / c.impostors
    widen = high[0] / fmr[0], low[0] / fmr[0]
    falling = np.minimum.accumulate
    return {
        "scores": [round(float(x), 4) for x in (*body, *knots)],
        "fmr": [_short(x) for x in falling([*rates, *fmr])],
        "fmr_low": [_short(x) for x in falling([*(rates * widen[1]), *low])],
        "fmr_high": [_short(x) for x in falling([*np.minimum(rates * widen[0], 1.0), *high])],
    }


def _short(x: float) -> float:
    return float(f"{x:.4g}")


def fit_log_lr(genuine: F64, impostor: F64, pull: float = 0.0) -> tuple[float, float]:
    """Fit the natural-log likelihood ratio as a line in the score by logistic regression with equal priors.

    `pull` is the weight, in samples, of two made-up ones at +-2 nats on the wrong side: it keeps the slope finite.
    """
    from sklearn.linear_model import LogisticRegression

    x = np.concatenate([genuine, impostor])[:, None]
    y = np.concatenate([np.ones(len(genuine)), np.zeros(len(impostor))])
    weights = np.where(y == 1, 0.5 / len(genuine), 0.5 / len(impostor)) * len(y)
    if pull > 0:
        x = np.concatenate([x, [[-2.0], [2.0]]])
        y, weights = np.append(y, [1.0, 0.0]), np.append(weights, [pull, pull])
    model = LogisticRegression(C=1e6).fit(x, y, sample_weight=weights)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def pair_entry(pair: tuple[Modality, Modality], c: Comparisons, people: int, *, simulated: bool) -> dict[str, Any]:
    """Return one pair of a shipped calibration."""
    slope, intercept = fit_log_lr(c.genuine, c.sampled)
    return {
        "pair": [m.value for m in pair],
        **impostor_table(c),
        "llr": [round(slope, 5), round(intercept, 5)],
        "people": people,
        "comparisons": c.impostors,
        "genuine": int(c.genuine.size),
        "genuine_scores": genuine_quantiles(c.genuine),
        "impostor_mean": round(c.mean, 5),
        "impostor_deviation": round(c.deviation, 5),
        "simulated": simulated,
    }


def genuine_quantiles(genuine: F64) -> list[float]:
    """Return evenly spaced quantiles of the genuine scores, as many as the sample supports up to 1001; empty below MIN_GENUINE."""
    if genuine.size < MIN_GENUINE:
        return []
    shares = np.linspace(0.0, 1.0, min(genuine.size, 1001))
    # The higher of two neighbours: a share is then never stated too small.
    return [round(float(x), 5) for x in np.quantile(genuine, shares, method="higher")]


def seal_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with its format and its hash."""
    body = {**document, "format": FORMAT}
    return {**body, "sha256": digest(body)}
