"""Intervals and support, held against SciPy's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from vultus.evaluate.metrics.intervals import Support, clopper_pearson, proportion, rule_of_three, wilson

counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_both_intervals_are_scipys(count) -> None:
    """Clopper-Pearson and Wilson equal SciPy's binomial test and hold the rate."""
    errors, trials = count
    for ours, method in ((clopper_pearson, "exact"), (wilson, "wilson")):
        expected = binomtest(errors, trials).proportion_ci(method=method)
        low, high = ours(errors, trials)
        assert (low, high) == (pytest.approx(expected.low, abs=1e-9), pytest.approx(expected.high, abs=1e-9))
        assert low <= errors / trials <= high


def test_zero_errors_leave_the_rule_of_three() -> None:
    """No error in n trials bounds the rate by about 3 / n, and no trial bounds nothing."""
    assert rule_of_three(30_000) == pytest.approx(1e-4)
    assert rule_of_three(0) == 1.0
    assert rule_of_three(1) == 1.0
    assert clopper_pearson(0, 20) == (0.0, pytest.approx(0.168, abs=5e-4))


def test_no_trials_are_no_rate() -> None:
    """A rate of nothing is None, and its interval everything."""
    assert proportion(0, 0) is None
    assert wilson(0, 0) == (0.0, 1.0)
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("errors", "trials"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(errors, trials) -> None:
    """More errors than trials, or fewer than none, raise."""
    with pytest.raises(ValueError, match="make no rate"):
        wilson(errors, trials)


def test_a_rate_needs_three_over_it_comparisons() -> None:
    """1e-4 is supported from 30,000 comparisons on, and says in words when it is not."""
    short, enough = Support(1e-4, 29_999, 1000), Support(1e-4, 30_000, 1000)
    assert (short.supported, enough.supported) == (False, True)
    assert str(short) == "not supported by 29,999 comparisons"


def test_many_comparisons_of_few_people_are_thin() -> None:
    """Comparisons that suffice are thin when the pairs of people behind them do not."""
    assert Support(1e-4, 34_798, 62).thin
    assert not Support(1e-3, 34_798, 100).thin
    assert not Support(1e-4, 10, 62).thin


def test_every_supported_target_has_its_needed_number() -> None:
    """The number needed is the whole number 3 / x, without floating-point dust."""
    assert [Support(x, 0, 0).needed for x in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)] == [300, 3000, 30_000, 300_000, 3_000_000]
