"""Verification measures, held against pyeer and scikit-learn on random and on degenerate scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyeer.eer_stats import calculate_roc, get_eer_values
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from vultus.evaluate.metrics.curves import ScoreTable
from vultus.evaluate.metrics.verification import at_fmr, equal_error_rate, fold_accuracy, match_characteristic


def scores(low: int = 1, high: int = 60):
    """Scores on a coarse grid, so that ties within and between both kinds are common."""
    return st.integers(low, high).flatmap(lambda n: arrays(np.float64, n, elements=st.integers(-8, 8).map(lambda v: v / 8)))


@given(scores(), scores())
def test_both_error_rates_are_those_of_pyeer_at_every_threshold(genuine, impostor) -> None:
    """FMR and FNMR at every distinct score equal an independent implementation's, ties included."""
    thresholds, fmr, fnmr = calculate_roc(genuine, impostor)
    curve = ScoreTable.from_scores(genuine, impostor).curve()
    assert np.array_equal(curve.thresholds[:-1], thresholds)
    assert np.allclose(curve.fmr[:-1], fmr)
    assert np.allclose(curve.fnmr[:-1], fnmr)


@given(scores(), scores())
def test_the_equal_error_rate_is_where_scikit_learns_roc_crosses_the_diagonal(genuine, impostor) -> None:
    """EER equals the root of FPR = 1 - TPR on the line between the points of an independent ROC."""
    labels = np.concatenate([np.ones(len(genuine)), np.zeros(len(impostor))])
    fpr, tpr, _ = roc_curve(labels, np.concatenate([genuine, impostor]), drop_intermediate=False)
    # The ROC may rise vertically; walking along it makes both rates functions of one number.
    along = np.arange(len(fpr), dtype=float)
    root = brentq(lambda t: float(1 - interp1d(along, tpr)(t) - interp1d(along, fpr)(t)), 0, len(fpr) - 1)
    value = equal_error_rate(ScoreTable.from_scores(genuine, impostor).curve())
    assert value == pytest.approx(float(interp1d(along, fpr)(root)), abs=1e-9)


def test_the_equal_error_rate_lies_in_pyeers_interval_on_random_scores() -> None:
    """On continuous scores EER agrees with pyeer's bracket to within the step of the curve."""
    rng = np.random.default_rng(3)
    genuine, impostor = rng.normal(1.5, 1, 700), rng.normal(0, 1, 9000)
    _, fmr, fnmr = calculate_roc(genuine, impostor)
    _, low, high, _ = get_eer_values(fmr, fnmr)
    value = equal_error_rate(ScoreTable.from_scores(genuine, impostor).curve())
    assert value is not None
    assert min(low, high) - 1 / 700 <= value <= max(low, high) + 1 / 700


@given(scores(), scores(), st.sampled_from([0.0, 0.01, 0.1, 0.25, 0.5, 1.0]), st.integers(0, 5))
def test_the_operating_point_keeps_the_rate_and_nothing_lower_does(genuine, impostor, target, failed) -> None:
    """The threshold's measured FMR does not exceed the target, every lower score's does, and failures never match."""
    point = at_fmr(ScoreTable.from_scores(genuine, impostor, failed).curve(), target)
    assert point is not None
    assert np.mean(impostor >= point.threshold) == pytest.approx(point.fmr)
    assert point.fmr <= target + 1e-12
    assert point.fnmr == pytest.approx((np.sum(genuine < point.threshold) + failed) / (len(genuine) + failed))
    lower = [s for s in np.concatenate([genuine, impostor]) if s < point.threshold]
    assert all(np.mean(impostor >= s) > target for s in lower)


def test_a_rate_of_one_in_n_allows_one_false_match_in_n() -> None:
    """The allowed number of false matches is not lost to the rounding of x * N."""
    impostor = np.arange(1000) / 1000
    for allowed in (1, 3, 7, 29, 100):
        point = at_fmr(ScoreTable.from_scores(np.ones(3), impostor).curve(), allowed / 1000)
        assert point is not None
        assert point.false_matches == allowed


def test_constant_scores_have_an_equal_error_rate_of_one_half() -> None:
    """When every comparison scores the same nothing is known: EER 0.5, and no threshold but one above all gives FMR 0."""
    table = ScoreTable.from_scores(np.full(5, 0.3), np.full(9, 0.3))
    point = at_fmr(table.curve(), 1e-3)
    assert equal_error_rate(table.curve()) == pytest.approx(0.5)
    assert point is not None
    assert (point.fmr, point.fnmr) == (0.0, 1.0)


def test_perfect_separation_has_no_error() -> None:
    """Disjoint scores have EER 0 and TAR 1 at FMR 0."""
    curve = ScoreTable.from_scores(np.array([0.8, 0.9]), np.array([-0.2, 0.1])).curve()
    point = at_fmr(curve, 0.0)
    assert equal_error_rate(curve) == 0.0
    assert point is not None
    assert point.tar == 1.0


def test_without_one_kind_of_comparison_there_is_no_figure() -> None:
    """Missing genuine or impostor comparisons give None, never 0."""
    for table in (ScoreTable.from_scores(np.ones(2), np.zeros(0)), ScoreTable.from_scores(np.zeros(0), np.ones(2))):
        assert equal_error_rate(table.curve()) is None
        assert at_fmr(table.curve(), 0.1) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused(bad) -> None:
    """A comparison without a score must be counted as failed, not hidden among the scores."""
    with pytest.raises(ValueError, match="failed"):
        ScoreTable.from_scores(np.array([0.1, bad]), np.zeros(1))


def test_weighted_scores_count_like_repeated_ones() -> None:
    """A score that stands for n comparisons is n comparisons."""
    repeated = ScoreTable.from_scores(np.array([0.5]), np.array([0.1, 0.1, 0.1, 0.7]))
    weighted = ScoreTable.from_weighted(np.array([0.5, 0.1, 0.7]), 1, np.array([1, 3, 1]))
    assert np.array_equal(repeated.impostor, weighted.impostor)
    assert np.array_equal(repeated.scores, weighted.scores)


def test_fold_accuracy_takes_the_threshold_from_the_other_folds() -> None:
    """A fold whose scores are all shifted is judged at the others' threshold, and does badly."""
    genuine = np.tile([True, True, False, False], 4)
    scores_ = np.tile([0.8, 0.9, 0.1, 0.2], 4)
    scores_[12:] += 1.0
    found = fold_accuracy(scores_, genuine, np.repeat([0, 1, 2, 3], 4))
    assert found.accuracies.tolist() == [1.0, 1.0, 1.0, 0.5]
    assert found.sd == pytest.approx(np.std([1, 1, 1, 0.5], ddof=1))


def test_a_pair_without_a_score_counts_as_different_people() -> None:
    """-inf is wrong for a genuine pair and right for an impostor pair, whatever the threshold."""
    genuine = np.tile([True, False], 4)
    scores_ = np.tile([0.9, 0.1], 4)
    scores_[6:] = -np.inf
    assert fold_accuracy(scores_, genuine, np.repeat([0, 1, 2, 3], 2)).accuracies.tolist() == [1.0, 1.0, 1.0, 0.5]


def test_one_fold_has_no_other_folds() -> None:
    """Fold accuracy refuses to judge a fold by itself."""
    with pytest.raises(ValueError, match="two folds"):
        fold_accuracy(np.ones(4), np.ones(4, bool), np.zeros(4, np.int64))


def test_the_match_characteristic_counts_failures_at_no_rank() -> None:
    """Rank 0 is a failure to acquire: it stays in the denominator and is never found."""
    assert match_characteristic(np.array([1, 1, 3, 0]), 3).tolist() == [0.5, 0.5, 0.75]
