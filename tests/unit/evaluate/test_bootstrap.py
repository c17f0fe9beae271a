"""Resampling of people, held against a plain loop over copies of people."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from vultus.evaluate.metrics.bootstrap import Evidence, percentile_interval, resample, resample_pairs, resample_people, widen_at_ends
from vultus.evaluate.metrics.curves import ScoreTable
from vultus.evaluate.metrics.verification import at_fmr, equal_error_rate


def population(people: int = 7, seed: int = 0) -> Evidence:
    """Two samples a person, coarse scores so that ties occur."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), 2)
    pairs = [(i, j) for i, j in combinations(range(2 * people), 2) if person[i] != person[j]]
    a, b = (person[[p[k] for p in pairs]].astype(np.int32) for k in (0, 1))
    impostor = np.round(rng.normal(0, 1, len(pairs)), 1)
    failed = np.zeros(people, np.int64)
    failed[0] = 1
    return Evidence(
        np.round(rng.normal(1.5, 1, people), 1), np.arange(people, dtype=np.int32), failed, impostor, a, b, np.ones(len(pairs)),
        lambda w: float(w[a] @ w[b]),
    )  # fmt: skip


def test_each_replicate_is_the_evaluation_of_copied_people() -> None:
    """FNMR at target, both rates at a threshold and EER equal those of a data set with people copied as often as drawn."""
    evidence = population()
    targets, threshold = np.array([0.02, 0.1, 0.3]), 0.75
    found = resample(evidence, targets, np.array([threshold]), replicates=40, seed=5)
    rng = np.random.default_rng(5)
    for r in range(40):
        weight = np.bincount(rng.integers(0, evidence.people, evidence.people), minlength=evidence.people)
        genuine = np.repeat(evidence.genuine, weight[evidence.genuine_person])
        impostor = np.repeat(evidence.impostor, weight[evidence.impostor_a] * weight[evidence.impostor_b])
        curve = ScoreTable.from_scores(genuine, impostor, int(weight @ evidence.failed)).curve()
        points = [at_fmr(curve, t) for t in targets]
        assert found.fnmr[r] == pytest.approx([p.fnmr for p in points if p is not None])
        false, missed = curve.at(threshold)
        assert found.fmr_fixed[r, 0] == pytest.approx(false / curve.impostor_total)
        assert found.fnmr_fixed[r, 0] == pytest.approx(missed / curve.genuine_total)
        assert found.eer[r] == pytest.approx(equal_error_rate(curve))


def test_a_replicate_of_one_person_is_left_out() -> None:
    """Drawing one person twice leaves no impostor comparison, and NaN instead of a rate."""
    rng = np.random.default_rng(0)
    evidence = Evidence(
        rng.random(2), np.arange(2, dtype=np.int32), np.zeros(2, np.int64), rng.random(1), np.zeros(1, np.int32), np.ones(1, np.int32),
        np.ones(1), lambda w: float(w[0] * w[1]),
    )  # fmt: skip
    found = resample(evidence, np.array([0.1]), np.zeros(0), replicates=50)
    assert 10 < np.isnan(found.fnmr[:, 0]).sum() < 40


def test_one_rate_is_resampled_over_people() -> None:
    """The interval of a rate by people is wider than the binomial one when a person's trials all go alike."""
    errors, trials = np.array([10.0] * 3 + [0.0] * 27), np.full(30, 10.0)
    found = resample_people(errors, trials)
    assert found is not None
    assert found[0] == pytest.approx(0.0, abs=0.04)
    assert found[1] == pytest.approx(0.2, abs=0.04)


def test_impostor_errors_of_one_person_move_the_interval_together() -> None:
    """False matches that all involve one person give an interval that reaches zero: he may not have been met."""
    people = 20
    a, b = np.zeros(10, np.int32), np.arange(1, 11, dtype=np.int32)
    found = resample_pairs(a, b, people, lambda w: float((w.sum() ** 2 - w @ w) / 2))
    assert found is not None
    assert found[0] == 0.0
    assert found[1] > 2 * 10 / (people * (people - 1) / 2)


def test_no_errors_at_all_get_an_exact_bound() -> None:
    """Where resampling sees no spread, Clopper and Pearson's bound for the people closes the open side."""
    assert widen_at_ends(0.0, 0.0, 0.0, 50) == (0.0, pytest.approx(0.0711, abs=1e-3))
    assert widen_at_ends(1.0, 1.0, 1.0, 50) == (pytest.approx(1 - 0.0711, abs=1e-3), 1.0)
    assert widen_at_ends(0.5, 0.4, 0.6, 50) == (0.4, 0.6)


def test_too_few_usable_replicates_are_no_interval() -> None:
    """An interval from less than half of the replicates is None."""
    assert percentile_interval(np.array([np.nan, np.nan, 0.3])) is None
    assert percentile_interval(np.array([np.nan, 0.3, 0.3])) == (0.3, 0.3)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Over many populations of people with their own error rates, the 95 % interval holds the true rate in 88 to 100 % of cases."""
    rng = np.random.default_rng(11)
    hits = 0
    for trial in range(120):
        rates = rng.beta(2, 8, 60)
        errors = rng.binomial(8, rates).astype(float)
        low, high = resample_people(errors, np.full(60, 8.0), replicates=200, seed=trial) or (1.0, 0.0)
        hits += low <= 0.2 <= high
    assert 0.88 <= hits / 120 <= 1.0
