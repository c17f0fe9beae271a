"""Differences between groups at one threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def max_over_geomean(errors: Sequence[int], trials: Sequence[int]) -> float | None:
    """Return the worst group's rate over the geometric mean of all groups' rates: 1 is equal; None for fewer than two groups.

    Half an error is added to each group (Krichevsky-Trofimov), since the geometric mean of a zero is zero. NIST's lead measure.
    """
    rates = [(e + 0.5) / (n + 1.0) for e, n in zip(errors, trials, strict=True) if n > 0]
    if len(rates) < 2:
        return None
    return float(max(rates) / np.exp(np.mean(np.log(rates))))


def gini(rates: Sequence[float]) -> float | None:
    """Return the Gini coefficient with the correction for few groups, 0 equal to 1 all errors in one group; None for fewer than two."""
    x = np.asarray(rates, np.float64)
    n = len(x)
    if n < 2:
        return None
    mean = x.mean()
    if mean == 0:
        return 0.0
    spread = np.abs(x[:, None] - x[None, :]).sum()
    return float(n / (n - 1) * spread / (2 * n * n * mean))


def garbe(fmr: Sequence[float], fnmr: Sequence[float], alpha: float = 0.5) -> float | None:
    """Return GARBE (Howard et al. 2022): alpha * Gini(FMR) + (1 - alpha) * Gini(FNMR); None for fewer than two groups."""
    a, b = gini(fmr), gini(fnmr)
    return None if a is None or b is None else alpha * a + (1 - alpha) * b
