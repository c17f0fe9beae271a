"""Intervals for error rates, and the rule that says which rates a sample can support."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

CONFIDENCE: Final = 0.95
"""Two-sided confidence of every interval; ISO/IEC 19795-1 reports use 95 %."""
RULE_OF_THREE: Final = 3.0
"""-ln(0.05) = 2.996: with no error in n trials, 3 / n bounds the rate from above with 95 % confidence."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured rate with its 95 % interval and the number of trials behind it."""

    value: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, float | int]:
        """Return JSON-ready fields."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


def clopper_pearson(errors: int, trials: int) -> tuple[float, float]:
    """Return the exact interval of a binomial rate; (0, 1) without trials."""
    from scipy.stats import beta

    _check(errors, trials)
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if errors == 0 else float(beta.ppf(tail, errors, trials - errors + 1))
    high = 1.0 if errors == trials else float(beta.ppf(1 - tail, errors + 1, trials - errors))
    return low, high


def wilson(errors: int, trials: int) -> tuple[float, float]:
    """Return Wilson's interval of a binomial rate; (0, 1) without trials."""
    from scipy.stats import norm

    _check(errors, trials)
    if trials == 0:
        return 0.0, 1.0
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    rate = errors / trials
    scale = 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    # At the ends the formula is exact; floating point is not.
    return 0.0 if errors == 0 else max(0.0, centre - half), 1.0 if errors == trials else min(1.0, centre + half)


def rule_of_three(trials: int) -> float:
    """Return the upper 95 % bound of a rate of which no case was seen in `trials` independent trials."""
    return min(1.0, RULE_OF_THREE / trials) if trials > 0 else 1.0


def proportion(errors: int, trials: int) -> Estimate | None:
    """Return a rate of independent trials with its Clopper-Pearson interval; None without trials."""
    if trials == 0:
        return None
    low, high = clopper_pearson(errors, trials)
    return Estimate(errors / trials, low, high, trials)


@dataclass(frozen=True, slots=True)
class Support:
    """Whether a sample can carry a false-match rate.

    `supported`: at least 3 / rate impostor comparisons, since with fewer not even zero errors would show the rate.
    `thin`: supported, but fewer than 3 / rate distinct pairs of people stand behind the comparisons, which repeat each
    other's evidence; the number is shown with a warning.
    """

    rate: float
    comparisons: int
    people: int

    @property
    def needed(self) -> int:
        """Impostor comparisons that the rate needs."""
        return math.ceil(RULE_OF_THREE / self.rate - 1e-9)

    @property
    def people_pairs(self) -> int:
        """Distinct pairs of people."""
        return self.people * (self.people - 1) // 2

    @property
    def supported(self) -> bool:
        """True when the comparisons suffice."""
        return self.comparisons >= self.needed

    @property
    def thin(self) -> bool:
        """True when the comparisons suffice and the pairs of people do not."""
        return self.supported and self.people_pairs < self.needed

    def __str__(self) -> str:
        if not self.supported:
            return f"not supported by {self.comparisons:,} comparisons"
        return f"thin: {self.people_pairs:,} pairs of people for {self.needed:,}" if self.thin else "supported"


def _check(errors: int, trials: int) -> None:
    if not 0 <= errors <= trials:
        raise ValueError(f"{errors} errors in {trials} trials make no rate")
