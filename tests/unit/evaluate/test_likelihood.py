"""Cllr, its minimum and reliability, held against direct formulas and SciPy's own isotonic regression."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import isotonic_regression

from vultus.evaluate.metrics.curves import ScoreTable
from vultus.evaluate.metrics.likelihood import blocks, cllr, min_cllr, reliability


def ones(genuine: np.ndarray, impostor: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay two arrays of log-likelihood ratios out as values with counts."""
    values = np.concatenate([genuine, impostor])
    same = np.concatenate([np.ones(len(genuine), np.int64), np.zeros(len(impostor), np.int64)])
    return values, same, 1 - same


def direct_cllr(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """Compute the published formula as it stands."""
    return 0.5 * (np.mean(np.log2(1 + np.exp(-genuine))) + np.mean(np.log2(1 + np.exp(impostor))))


ratios = st.integers(1, 40).flatmap(lambda n: arrays(np.float64, n, elements=st.integers(-20, 20).map(lambda v: v / 4)))


@given(ratios, ratios)
def test_cllr_is_the_published_formula(genuine, impostor) -> None:
    """Cllr equals the mean of both logarithmic costs."""
    assert cllr(*ones(genuine, impostor)) == pytest.approx(direct_cllr(genuine, impostor))


@given(ratios, ratios)
def test_min_cllr_is_cllr_after_scipys_isotonic_regression(genuine, impostor) -> None:
    """Min Cllr equals Cllr of the ratios that an independent pool-adjacent-violators gives, and no map beats it."""
    values, same, other = ones(genuine, impostor)
    _distinct, place = np.unique(values, return_inverse=True)
    counts = np.bincount(place)
    posterior = isotonic_regression(np.bincount(place, same) / counts, weights=counts.astype(float)).x[place]
    with np.errstate(divide="ignore"):
        best = np.log(posterior / (1 - np.minimum(posterior, 1 - 1e-300))) - np.log(len(genuine) / len(impostor))
        best = np.where(posterior >= 1 - 1e-12, np.inf, best)
    expected = cllr(best, same, other)
    found = min_cllr(ScoreTable.from_scores(genuine, impostor))
    assert found == pytest.approx(expected, abs=1e-9)
    assert found <= cllr(values, same, other) + 1e-12
    assert found <= 1 + 1e-12


def test_knowing_nothing_costs_one_bit() -> None:
    """A likelihood ratio of 1 everywhere has Cllr 1."""
    assert cllr(*ones(np.zeros(3), np.zeros(4))) == pytest.approx(1.0)


def test_certain_and_right_costs_nothing_and_certain_and_wrong_everything() -> None:
    """Infinite ratios cost 0 on the right side and infinity on the wrong one, without a warning."""
    assert cllr(*ones(np.array([np.inf]), np.array([-np.inf]))) == 0.0
    assert cllr(*ones(np.array([-np.inf]), np.array([0.0]))) == np.inf


def test_without_one_kind_there_is_no_cost() -> None:
    """Missing genuine or impostor comparisons give None."""
    assert cllr(*ones(np.zeros(0), np.zeros(2))) is None
    assert min_cllr(ScoreTable.from_scores(np.zeros(2), np.zeros(0))) is None
    assert reliability(*ones(np.zeros(2), np.zeros(0))) is None


def test_true_likelihood_ratios_are_reliable() -> None:
    """Ratios from the densities that made the scores have a small calibration error and hardly more than the least cost."""
    rng = np.random.default_rng(1)
    genuine, impostor = rng.normal(1, 1, 40000), rng.normal(-1, 1, 40000)
    values, same, other = ones(2 * genuine, 2 * impostor)
    found = reliability(values, same, other)
    assert found is not None
    assert found.weight.sum() == pytest.approx(1.0)
    assert found.ece < 0.01
    assert cllr(values, same, other) - min_cllr(ScoreTable.from_scores(genuine, impostor)) < 0.005


def test_overconfident_ratios_are_found_out() -> None:
    """Ratios three times too large have a larger calibration error than honest ones."""
    rng = np.random.default_rng(2)
    genuine, impostor = rng.normal(0.5, 1, 5000), rng.normal(-0.5, 1, 5000)
    honest, loud = reliability(*ones(genuine, impostor)), reliability(*ones(3 * genuine, 3 * impostor))
    assert honest is not None
    assert loud is not None
    assert loud.ece > 5 * honest.ece


def test_the_groups_of_unequal_size_weigh_the_same() -> None:
    """Both kinds make up half of the weight, however many comparisons each has."""
    values, same, other = ones(np.zeros(2), np.zeros(2000))
    found = reliability(values, same, other)
    assert found is not None
    assert np.allclose(found.observed, 0.5)


def test_blocks_state_the_observed_ratio() -> None:
    """A block's observed ratio is its share of the genuine comparisons over its share of the impostor ones."""
    table = ScoreTable.from_scores(np.array([1.0, 1.0, 2.0, 2.0]), np.array([0.0, 0.0, 1.0, 1.0, 1.0, 2.0]))
    found = blocks(table, table.scores)
    assert [(b.genuine, b.impostor) for b in found] == [(2, 3), (2, 1)]
    assert [b.observed for b in found] == pytest.approx([np.log((2 / 4) / (3 / 6)), np.log((2 / 4) / (1 / 6))])
    assert [b.stated for b in found] == [1.0, 2.0]
