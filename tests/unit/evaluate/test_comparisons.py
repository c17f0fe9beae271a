"""All-against-all comparison in bounded memory, held against one plain matrix product."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from vultus.evaluate import comparisons as c
from vultus.evaluate.metrics.verification import at_fmr, equal_error_rate
from vultus.evaluate.scoring import Scorer, Side, modalities_of
from vultus.types import Modality

RGB, NIR = Modality.RGB, Modality.NIR


def faces(people: int, each: int, seed: int = 0, spread: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around one centre a person, and whose they are."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people, dtype=np.int32), each)
    vectors = rng.normal(size=(people, 16))[person] + spread * rng.normal(size=(people * each, 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), person


def scorer(
    features: dict, reference: str = "rgb", probe: str = "rgb", due: np.ndarray | None = None, probe_due: np.ndarray | None = None
) -> Scorer:
    """Compare all rows, or those that are due."""
    n = len(next(iter(features.values())))
    everyone = np.ones(n, bool)
    one = Side(everyone if due is None else due, modalities_of(reference))
    return Scorer(features, one, Side(one.due if probe_due is None else probe_due, modalities_of(probe)))


def plain(vectors: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return genuine and impostor scores of every unordered pair."""
    i, j = np.triu_indices(len(person), 1)
    scores = np.einsum("ij,ij->i", vectors[i], vectors[j])
    return scores[person[i] == person[j]], scores[person[i] != person[j]]


def test_small_sets_are_exact() -> None:
    """Every score of a small set is kept, each unordered pair once."""
    vectors, person = faces(9, 3)
    found = c.compare_all(scorer({RGB: vectors}), person)
    genuine, impostor = plain(vectors, person)
    assert np.allclose(np.sort(found.genuine.scores), np.sort(genuine), atol=1e-6)
    assert np.allclose(np.sort(found.impostor.scores), np.sort(impostor), atol=1e-6)
    assert found.impostor_total == len(impostor)
    assert not len(found.body)


@pytest.mark.parametrize("block", [1 << 9, 1 << 12, 1 << 22])
def test_large_sets_keep_the_tail_exactly_and_count_the_rest(monkeypatch, block) -> None:
    """With the memory limits lowered, thresholds up to FAR 1e-2 are exact, EER differs by at most a bin, and no comparison is lost."""
    monkeypatch.setattr(c, "KEEP_ALL", 100)
    monkeypatch.setattr(c, "_BLOCK", block)
    vectors, person = faces(60, 4, spread=1.4)
    found = c.compare_all(scorer({RGB: vectors}), person)
    genuine, impostor = plain(vectors, person)
    table = found.table()
    assert table.impostor_total == len(impostor) == found.impostor_total
    assert table.genuine_total == len(genuine)
    assert len(found.body)
    curve = table.curve()
    ordered = np.sort(impostor)
    for far in (1e-2, 3e-3, 1e-3):
        point = at_fmr(curve, far)
        allowed = int(far * len(impostor) * (1 + 1e-12))
        assert point is not None
        assert point.false_matches == allowed
        assert point.tar == pytest.approx(np.mean(genuine > ordered[-allowed - 1] + 1e-6), abs=1e-9)
    exact = c.ScoreTable.from_scores(genuine, impostor).curve()
    assert equal_error_rate(curve) == pytest.approx(equal_error_rate(exact), abs=2e-3)


def test_the_drawn_body_stands_for_all_of_it(monkeypatch) -> None:
    """The weights of tail and drawn body add up to all impostor comparisons, for the bootstrap to resample."""
    monkeypatch.setattr(c, "KEEP_ALL", 100)
    vectors, person = faces(60, 4)
    found = c.compare_all(scorer({RGB: vectors}), person)
    assert found.impostor.weight.sum() == pytest.approx(found.impostor_total)


def test_weighting_people_counts_their_comparisons() -> None:
    """The closed form for resampled people equals the sum over comparisons."""
    vectors, person = faces(6, 3)
    found = c.compare_all(scorer({RGB: vectors}), person)
    weight = np.array([0, 1, 2, 0, 3, 1], float)
    summed = (weight[person[found.impostor.reference]] * weight[person[found.impostor.probe]]).sum()
    assert found.impostor_weight(weight) == pytest.approx(summed)


def test_a_sample_never_meets_itself_across_modalities() -> None:
    """RGB against NIR compares ordered pairs of different samples only."""
    vectors, person = faces(4, 3)
    other, _ = faces(4, 3, seed=1)
    found = c.compare_all(scorer({RGB: vectors, NIR: other}, "rgb", "nir"), person)
    assert (found.genuine.reference != found.genuine.probe).all()
    assert len(found.genuine.scores) == 4 * 3 * 2
    assert found.impostor_total == 12 * 12 - 4 * 9
    first = int(found.genuine.reference[0]), int(found.genuine.probe[0])
    assert found.genuine.scores[0] == pytest.approx(float(vectors[first[0]] @ other[first[1]]), abs=1e-6)


def test_failures_cost_their_genuine_comparisons_and_no_impostor_ones() -> None:
    """A sample without features counts all its genuine comparisons as failed, and is absent from the impostors."""
    vectors, person = faces(3, 4)
    vectors[0] = 0
    vectors[4:6] = 0
    found = c.compare_all(scorer({RGB: vectors}), person)
    pairs = list(combinations(range(12), 2))
    lost = [i for i, j in pairs if person[i] == person[j] and {i, j} & {0, 4, 5}]
    assert found.genuine_failed.tolist() == [3, 5, 0]
    assert found.genuine_failed.sum() == len(lost)
    assert found.impostor_total == sum(person[i] != person[j] and not {i, j} & {0, 4, 5} for i, j in pairs)


def test_separate_references_and_probes_are_counted_once() -> None:
    """References of one session and probes of another give every ordered pair, failures included."""
    vectors, person = faces(5, 2)
    first = np.tile([True, False], 5)
    vectors[1] = 0
    found = c.compare_all(scorer({RGB: vectors}, due=first, probe_due=~first), person)
    assert len(found.genuine.scores) == 4
    assert found.genuine_failed.tolist() == [1, 0, 0, 0, 0]
    assert found.impostor_total == 5 * 4 - 4


def test_fused_scores_are_the_mean_of_what_both_rows_have() -> None:
    """A row without NIR is compared by RGB alone; a row with only NIR meets the other's RGB, as the matcher does."""
    rgb, _person = faces(3, 1)
    nir, _ = faces(3, 1, seed=1)
    nir[1] = 0
    rgb[2] = 0
    s = scorer({RGB: rgb, NIR: nir}, "fused", "fused")
    rows = np.array([0, 1, 1, 0])
    columns = np.array([0, 0, 2, 2])
    expected = [(rgb[0] @ rgb[0] + nir[0] @ nir[0]) / 2, (rgb[1] @ rgb[0] + rgb[1] @ nir[0]) / 2, rgb[1] @ nir[2], nir[0] @ nir[2]]
    assert np.allclose(s.pairs(rows, columns), expected, atol=1e-6)
    assert np.allclose(np.diag(s.block(rows, columns)), expected, atol=1e-6)


def test_one_person_has_no_impostors() -> None:
    """A set of one person has genuine comparisons and nothing else, without an error."""
    vectors, person = faces(1, 3)
    found = c.compare_all(scorer({RGB: vectors}), person)
    assert found.impostor_total == 0
    assert len(found.genuine.scores) == 3
    assert equal_error_rate(found.table().curve()) is None


def test_an_unknown_side_is_refused() -> None:
    """A side that is neither rgb, nir nor fused raises ValueError."""
    with pytest.raises(ValueError, match="depth"):
        modalities_of("depth")
