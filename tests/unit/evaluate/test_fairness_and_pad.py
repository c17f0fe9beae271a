"""Differences between groups, and the rates of attack detection."""

from __future__ import annotations

import numpy as np
import pytest

from vultus.evaluate.metrics.fairness import garbe, gini, max_over_geomean
from vultus.evaluate.metrics.pad import apcer_at_bpcer, equal_error, rates, worst_first
from vultus.types import Verdict

P, F, A = Verdict.PASS, Verdict.FAIL, Verdict.ABSTAIN


def test_equal_groups_have_no_difference() -> None:
    """Same counts everywhere: Max/GeoMean 1, Gini and GARBE 0."""
    assert max_over_geomean([5, 5, 5], [100, 100, 100]) == pytest.approx(1.0)
    assert gini([0.1, 0.1, 0.1]) == pytest.approx(0.0)
    assert garbe([0.1, 0.1], [0.2, 0.2]) == pytest.approx(0.0)


def test_all_errors_in_one_group_are_the_most_that_can_be() -> None:
    """The corrected Gini coefficient is 1 for any number of groups when one has all errors."""
    for n in (2, 3, 9):
        assert gini([0.3] + [0.0] * (n - 1)) == pytest.approx(1.0)


def test_max_over_geomean_is_the_published_ratio_with_half_an_error_added() -> None:
    """Rates 1e-1, 1e-2 and 1e-3 give 10, and a zero count does not make it infinite."""
    assert max_over_geomean([100_000, 10_000, 1000], [1_000_000] * 3) == pytest.approx(10.0, rel=1e-2)
    found = max_over_geomean([0, 10], [1000, 1000])
    assert found == pytest.approx(np.sqrt(10.5 / 0.5))


def test_fewer_than_two_groups_cannot_differ() -> None:
    """One group, or none with trials, gives None."""
    assert max_over_geomean([1], [10]) is None
    assert max_over_geomean([1, 0], [10, 0]) is None
    assert gini([0.1]) is None
    assert garbe([], []) is None


def test_garbe_weighs_both_errors() -> None:
    """Alpha moves the weight from false non-matches to false matches."""
    assert garbe([1.0, 0.0], [0.5, 0.5], alpha=0.5) == pytest.approx(0.5)
    assert garbe([1.0, 0.0], [0.5, 0.5], alpha=0.0) == pytest.approx(0.0)


def test_non_responses_are_no_errors_and_stay_below_the_line() -> None:
    """An abstention or a missing face is neither passed nor failed; all presentations are the denominator of both rates."""
    attack = rates([P, F, A, None], attack=True)
    live = rates([P, F, A, None], attack=False)
    assert attack is not None
    assert live is not None
    assert (attack.error.value, attack.no_response.value) == (0.25, 0.5)
    assert (live.error.value, live.no_response.value) == (0.25, 0.5)
    assert attack.error.n == 4
    assert rates([], attack=True) is None


def test_species_stand_worst_first_and_the_less_tested_before_the_better_tested() -> None:
    """Order is by falling APCER, ties by the upper bound."""
    found = {"a": rates([F] * 50, attack=True), "b": rates([P] + [F] * 9, attack=True), "c": rates([F] * 5, attack=True)}
    assert [name for name, _ in worst_first({k: v for k, v in found.items() if v is not None})] == ["b", "c", "a"]


def test_apcer_at_bpcer_takes_the_worst_species_at_one_threshold() -> None:
    """At BPCER 10 % of ten bona fide scores one may fall below; the worst species is named."""
    live = np.arange(10) / 10
    found = apcer_at_bpcer(live, {"weak": np.array([0.0, 0.05]), "strong": np.array([0.05, 0.5])}, 0.1)
    assert found == (0.5, "strong", pytest.approx(0.1))
    assert apcer_at_bpcer(np.zeros(0), {"x": live}, 0.1) is None
    assert apcer_at_bpcer(live, {"x": np.zeros(0)}, 0.1) is None


def test_the_equal_error_of_a_liveness_score_takes_higher_as_live() -> None:
    """Attacks that score above every live presentation give 1, below every one 0."""
    assert equal_error(np.array([0.9]), np.array([0.1])) == 0.0
    assert equal_error(np.array([0.1]), np.array([0.9])) == 1.0
