"""Measures of likelihood ratios: how much they inform (Cllr) and whether they mean what they say (reliability)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vultus.evaluate.metrics.curves import F64, I64, ScoreTable

_LN2 = float(np.log(2.0))
_Weights = F64 | I64


def cllr(log_lr: F64, genuine: _Weights, impostor: _Weights) -> float | None:
    """Return the cost of log-likelihood ratios in bits: 0 perfect, 1 knows nothing, above 1 misleads; None without both kinds.

    log_lr: natural logarithm, infinite allowed; `genuine` and `impostor` are how many comparisons have that value.
    """
    if genuine.sum() == 0 or impostor.sum() == 0:
        return None
    with np.errstate(over="ignore"):
        miss = np.logaddexp(0.0, -log_lr[genuine > 0])
        false = np.logaddexp(0.0, log_lr[impostor > 0])
    bits = np.average(miss, weights=genuine[genuine > 0]) + np.average(false, weights=impostor[impostor > 0])
    return float(bits / (2 * _LN2))


def optimal_log_lr(table: ScoreTable) -> F64:
    """Return the log-likelihood ratio that pool-adjacent-violators gives to each score: the best monotone map in hindsight."""
    from sklearn.isotonic import isotonic_regression

    weights = (table.genuine + table.impostor).astype(np.float64)
    posterior = isotonic_regression(table.genuine / weights, sample_weight=weights)
    posterior = np.clip(np.asarray(posterior, np.float64), 0.0, 1.0)
    prior = table.genuine.sum() / table.impostor.sum()
    with np.errstate(divide="ignore"):
        out: F64 = np.log(posterior) - np.log1p(-posterior) - np.log(prior)
    return out


def min_cllr(table: ScoreTable) -> float | None:
    """Return the Cllr that no monotone calibration of these scores can beat; None without both kinds.

    Cllr - min Cllr is what calibration loses. Comparisons that failed to acquire have no likelihood ratio and do not count.
    """
    if table.genuine.sum() == 0 or table.impostor.sum() == 0:
        return None
    return cllr(optimal_log_lr(table), table.genuine, table.impostor)


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Stated against observed probability of "same person" at even odds, in bins of equal weight.

    `weight` is the share of comparisons in each bin, genuine and impostor each making up half.
    """

    stated: F64
    observed: F64
    weight: F64

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean distance between stated and observed, 0..1."""
        return float(np.sum(self.weight * np.abs(self.stated - self.observed)))


def reliability(log_lr: F64, genuine: _Weights, impostor: _Weights, bins: int = 15) -> Reliability | None:
    """Return the reliability diagram of log-likelihood ratios; None without both kinds.

    bins: 15, the usual number for the expected calibration error (Guo et al. 2017).
    """
    if genuine.sum() == 0 or impostor.sum() == 0:
        return None
    values, place = np.unique(log_lr, return_inverse=True)
    same = 0.5 * np.bincount(place, genuine) / genuine.sum()
    total = same + 0.5 * np.bincount(place, impostor) / impostor.sum()
    with np.errstate(over="ignore"):
        stated = 1.0 / (1.0 + np.exp(-values))
    # The middle of each value's own weight decides its bin, so that one heavy value falls into one bin.
    middle = np.cumsum(total) - total / 2
    bin_of = np.minimum((middle * bins).astype(np.int64), bins - 1)
    weight = np.bincount(bin_of, total, bins)
    filled = weight > 0
    share: F64 = weight[filled].astype(np.float64)
    mean = np.bincount(bin_of, total * stated, bins)[filled] / share
    seen = np.bincount(bin_of, same, bins)[filled] / share
    return Reliability(mean, seen, share)


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring scores that the comparisons cannot tell apart: their mean stated log-likelihood ratio and the one observed."""

    stated: float
    observed: float
    genuine: int
    impostor: int


def blocks(table: ScoreTable, log_lr: F64) -> list[Block]:
    """Return stated against observed log-likelihood ratio in the blocks of pool-adjacent-violators that hold both kinds.

    log_lr: at each score of the table. An observed ratio of nothing or everything is infinite and makes no block.
    """
    best = optimal_log_lr(table)
    starts = np.flatnonzero(np.concatenate([[True], best[1:] != best[:-1]])) if best.size else np.zeros(0, np.int64)
    weight = table.genuine / max(table.genuine.sum(), 1) + table.impostor / max(table.impostor.sum(), 1)
    out = []
    for first, last in zip(starts, [*starts[1:], len(best)], strict=True):
        if np.isfinite(best[first]):
            part = slice(int(first), int(last))
            stated = float(np.average(log_lr[part], weights=weight[part]))
            out.append(Block(stated, float(best[first]), int(table.genuine[part].sum()), int(table.impostor[part].sum())))
    return out
