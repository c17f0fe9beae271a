"""Time several subjects in turn, so that a machine whose speed drifts slows all of them alike.

The rules are those of MLPerf LoadGen and pyperf: samples are ready before the clock runs, warm-up rounds are dropped, and a run ends when
it has lasted long enough and has enough rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

UNSTABLE_SPREAD: Final = 0.25
"""Inter-quartile range over median above which a series is called unstable; the middle half of a quiet machine lies within 5 %."""
FEWEST: Final = 20
"""Rounds below which no spread can be told, so a series counts as unstable."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When a run may end: after `seconds` and `rounds`, both. `warm_up` rounds come before the clock."""

    seconds: float = 10.0
    rounds: int = 100
    warm_up: int = 10

    def __post_init__(self) -> None:
        if self.seconds < 0 or self.rounds < 1 or self.warm_up < 0:
            raise ValueError("a run needs at least one round; seconds and warm-up rounds cannot be negative")


@dataclass(frozen=True, slots=True)
class Summary:
    """A series of times in milliseconds; `spread` is the inter-quartile range over the median."""

    count: int
    p50: float
    p90: float
    p95: float
    p99: float
    max: float
    spread: float

    @property
    def stable(self) -> bool:
        """True when the series may be compared with another."""
        return self.count >= FEWEST and self.spread <= UNSTABLE_SPREAD


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median over rounds of one subject's time over another's in the same round, with the middle half of those ratios."""

    median: float
    low: float
    high: float


def summarise(times_ms: Sequence[float]) -> Summary:
    """Return the percentiles of at least one time; they are times that were measured, never between two."""
    series = np.asarray(times_ms, np.float64)
    if series.size == 0:
        raise ValueError("there is no time to summarise")
    low, p50, high, p90, p95, p99 = (float(v) for v in np.percentile(series, (25, 50, 75, 90, 95, 99), method="higher"))
    return Summary(series.size, p50, p90, p95, p99, float(series.max()), (high - low) / p50 if p50 > 0 else 0.0)


def ratio(times: Sequence[float], base: Sequence[float]) -> Ratio | None:
    """Compare two series of the same rounds; None when either is unstable, for then the ratio would say nothing."""
    if len(times) != len(base):
        raise ValueError("a ratio needs two series of the same rounds")
    if not (summarise(times).stable and summarise(base).stable):
        return None
    low, median, high = (float(v) for v in np.percentile(np.asarray(times) / np.asarray(base), (25, 50, 75)))
    return Ratio(median, low, high)


def take_turns(
    subjects: Mapping[str, Callable[[], None]],
    rules: Rules,
    *,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
    on_round: Callable[[int, float], None] | None = None,
) -> dict[str, list[float]]:
    """Return the times of every subject in milliseconds, one a round; the order turns by one each round.

    `on_round` is told rounds and seconds so far, outside every measurement.
    """
    names = list(subjects)
    for _ in range(rules.warm_up):
        for name in names:
            subjects[name]()
    times: dict[str, list[float]] = {name: [] for name in names}
    begin, done = clock_ns(), 0
    while done < rules.rounds or clock_ns() - begin < rules.seconds * 1e9:
        first = done % len(names)
        for name in names[first:] + names[:first]:
            subject = subjects[name]
            start = clock_ns()
            subject()
            times[name].append((clock_ns() - start) / 1e6)
        done += 1
        if on_round is not None:
            on_round(done, (clock_ns() - begin) / 1e9)
    return times
