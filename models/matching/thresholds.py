"""What a likelihood ratio is at the score of one false-match rate, by the line that calibrations carry and by the scores alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from models.matching.faces import Embedded
from models.matching.measure import F64, SPLITS, Weights, _half

from vultus.evaluate.held_out import halves
from vultus.fitting import fit_log_lr

RATES: Final = (1e-2, 1e-3, 1e-4)
_LEAST: Final = 1e-7
"""Least posterior that a monotone fit may state: its first and last steps hold scores of one kind only."""


def ratios(vectors: Embedded, people: npt.NDArray[np.int64], scores: Mapping[str, Weights]) -> Iterator[str]:
    """Yield a Markdown table: natural-log likelihood ratios at the score that each rate of the impostor comparisons exceeds, and their loss.

    Scores are of people held out; both fits see them all, so that neither is at an advantage over the other. "any": the likelihood ratio that
    rises with the score and fits best (isotonic regression), which no line can beat in Cllr.
    """
    yield "| score | embeddings | " + " | ".join(f"line at {r:g} | any at {r:g}" for r in RATES) + " | Cllr of the line | of any |"
    yield "|---" * (4 + 2 * len(RATES)) + "|"
    for name, weights in scores.items():
        for whitened in (False, True):
            genuine, impostor = _scores(vectors, people, weights, whitened=whitened)
            at = np.array([np.sort(impostor)[::-1][int(r * len(impostor))] for r in RATES])
            slope, intercept = fit_log_lr(genuine, impostor)
            any_ = _monotone(genuine, impostor)
            cells = [f"{slope * t + intercept:.2f} | {float(any_(np.array([t]))[0]):.2f}" for t in at]
            lines = cost(slope * genuine + intercept, slope * impostor + intercept)
            least = cost(any_(genuine), any_(impostor))
            treated = "whitened" if whitened else "as they are"
            yield f"| {name} | {treated} | " + " | ".join(cells) + f" | {lines:.3f} | {least:.3f} |"


def cost(genuine: F64, impostor: F64) -> float:
    """Return Cllr of natural-log likelihood ratios in bits (N. Bruemmer, J. du Preez 2006)."""
    return 0.5 * float(np.logaddexp(0, -genuine).mean() + np.logaddexp(0, impostor).mean()) / float(np.log(2))


def _scores(vectors: Embedded, people: npt.NDArray[np.int64], weights: Weights, *, whitened: bool) -> tuple[F64, F64]:
    parts = []
    for fit, test in halves(int(people.max()) + 1, SPLITS):
        scores, same, _ = _half(vectors, people, fit, test, weights, whitened=whitened)
        there = np.isfinite(scores)
        parts.append((scores[same & there], scores[~same & there]))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _monotone(genuine: F64, impostor: F64) -> Callable[[F64], F64]:
    """Return the likelihood ratio as the rising function of the score that fits best with equal priors."""
    from sklearn.isotonic import IsotonicRegression

    scores = np.concatenate([genuine, impostor])
    same = np.concatenate([np.ones(len(genuine)), np.zeros(len(impostor))])
    weights = np.where(same > 0, 0.5 / len(genuine), 0.5 / len(impostor))
    fit = IsotonicRegression(out_of_bounds="clip").fit(scores, same, sample_weight=weights)

    def log_lr(scores: F64) -> F64:
        share = np.clip(fit.predict(scores), _LEAST, 1 - _LEAST)
        return np.asarray(np.log(share / (1 - share)), np.float64)

    return log_lr
