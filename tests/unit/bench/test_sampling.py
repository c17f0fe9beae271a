from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.bench.sampling import FEWEST, Rules, ratio, summarise, take_turns


class Clock:
    """A clock that moves only when something is said to take time."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def taking(self, ms: float):
        def subject() -> None:
            self.now += int(ms * 1e6)

        return subject


def test_a_run_meets_both_limits() -> None:
    """A run lasts for the minimum time and for the minimum number of rounds, whichever comes later."""
    clock = Clock()
    by_time = take_turns({"a": clock.taking(10)}, Rules(seconds=1.0, rounds=3, warm_up=0), clock_ns=clock)
    by_rounds = take_turns({"a": clock.taking(10)}, Rules(seconds=0.01, rounds=7, warm_up=0), clock_ns=clock)
    assert len(by_time["a"]) == 100
    assert len(by_rounds["a"]) == 7


def test_warm_up_is_dropped_and_turns_change() -> None:
    """Warm-up rounds are run and not counted, and whoever goes first changes each round."""
    order: list[str] = []
    clock = Clock()
    subjects = {name: (lambda name=name: order.append(name)) for name in "abc"}
    times = take_turns(subjects, Rules(seconds=0, rounds=3, warm_up=2), clock_ns=clock)
    assert {name: len(t) for name, t in times.items()} == {"a": 3, "b": 3, "c": 3}
    assert "".join(order) == "abc" * 2 + "abc" + "bca" + "cab"


def test_each_subject_gets_its_own_time() -> None:
    """A subject's time holds neither another's nor that of the progress report."""
    clock = Clock()
    slow = clock.taking(1000)
    times = take_turns({"a": clock.taking(2), "b": clock.taking(5)}, Rules(0, 4, 1), clock_ns=clock, on_round=lambda *_: slow())
    assert times["a"] == [2.0] * 4
    assert times["b"] == [5.0] * 4


@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=300))
def test_percentiles_are_times_that_were_measured(times: list[float]) -> None:
    """Every percentile is one of the times, and they rise."""
    found = summarise(times)
    shown = [found.p50, found.p90, found.p95, found.p99, found.max]
    assert shown == sorted(shown)
    assert set(shown) <= set(times)
    assert found.max == max(times)


def test_an_unstable_series_is_not_compared() -> None:
    """A ratio with a series of wide spread, or of few rounds, is refused; a steady one under a drifting machine is given."""
    drift = np.linspace(1.0, 1.15, 60)
    steady, twice = list(10 * drift), list(20 * drift)
    wild = list(itertools.islice(itertools.cycle([5.0, 20.0]), 60))
    found = ratio(steady, twice)
    assert found is not None
    assert found.median == pytest.approx(0.5)
    assert found.high - found.low < 1e-9
    assert ratio(steady, wild) is None
    assert ratio(wild, steady) is None
    assert ratio(steady[: FEWEST - 1], twice[: FEWEST - 1]) is None


@pytest.mark.parametrize("bad", [{"seconds": -1.0}, {"rounds": 0}, {"warm_up": -1}])
def test_rules_refuse_what_cannot_be_run(bad: dict[str, int]) -> None:
    """Rules with a negative time or no round are refused."""
    with pytest.raises(ValueError, match="at least one round"):
        Rules(**bad)


def test_series_of_different_rounds_are_not_compared() -> None:
    """Two series of different lengths were not taken in the same rounds."""
    with pytest.raises(ValueError, match="same rounds"):
        ratio([1.0], [1.0, 2.0])
