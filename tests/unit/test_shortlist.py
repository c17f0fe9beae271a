"""Shortlist: never without the user whom comparing everybody would find."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vultus import _native
from vultus.stages.match import compare
from vultus.stages.shortlist import Index
from vultus.types import F32, Embedding, Modality

GRAPH = "0" * 64
KINDS = ((Modality.RGB,), (Modality.NIR,), (Modality.RGB, Modality.NIR), (Modality.NIR, Modality.RGB))


def unit(rng: np.random.Generator, n: int, near: F32 | None = None) -> F32:
    rows = rng.standard_normal((n, 128)).astype(np.float32)
    if near is not None:
        rows = near + 0.03 * rows
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def population(rng: np.random.Generator, users: int, spread: float) -> list[dict[Modality, F32]]:
    """Make users with one to four references a modality, all near one another when `spread` is small."""
    middle = unit(rng, 1)[0]
    out = []
    for _ in range(users):
        own = middle + np.float32(spread) * unit(rng, 1)[0]
        order = KINDS[rng.integers(len(KINDS))]
        out.append({m: unit(rng, int(rng.integers(1, 5)), own / np.linalg.norm(own)) for m in order})
    return out


def value(scores: tuple[float, ...]) -> float:
    """Stand for any match: it grows with every score."""
    return sum(math.atan(5 * s) + s**3 for s in scores)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.sampled_from([0.0, 0.01, 0.3, 30.0]), st.booleans(), st.booleans())
def test_the_best_match_is_always_on_it(seed: int, users: int, spread: float, both: bool, genuine: bool) -> None:
    """Whoever enrolled what, and however alike they are, the best of each kind of enrolment is among the shortlisted."""
    rng = np.random.default_rng(seed)
    people = population(rng, users, spread)
    modalities = (Modality.RGB, Modality.NIR) if both else (Modality.RGB,)
    base = next(iter(people[0].values()))[0] if genuine else unit(rng, 1)[0]
    probes = [Embedding(m, unit(rng, 1, base)[0], GRAPH) for m in modalities]
    found = Index(people).shortlist(probes)
    assert found == sorted(set(found))
    for kind in {tuple(p) for p in people}:
        places = [i for i, p in enumerate(people) if tuple(p) == kind]
        scores = {i: value(tuple(s.score for s in compare(probes, people[i]))) for i in places}
        best = max(scores.values())
        assert any(scores[i] == best for i in places if i in found)


def test_a_genuine_probe_leaves_few() -> None:
    """Among unrelated people, the shortlist of an enrolled person is that person."""
    rng = np.random.default_rng(1)
    people = [{Modality.RGB: unit(rng, 3)} for _ in range(2000)]
    rows = people[1234][Modality.RGB]
    probe = rows.mean(axis=0)
    found = Index(people).shortlist([Embedding(Modality.RGB, probe / np.linalg.norm(probe), GRAPH)])
    assert found == [1234]


def test_nobody_and_nothing_give_nobody() -> None:
    """Without users, or without a probe, the shortlist is empty."""
    rng = np.random.default_rng(2)
    probe = Embedding(Modality.RGB, unit(rng, 1)[0], GRAPH)
    assert Index([]).shortlist([probe]) == []
    assert Index([{}]).shortlist([probe]) == []
    assert Index([{Modality.RGB: unit(rng, 1)}]).shortlist([]) == []


@pytest.mark.slow
def test_a_hundred_thousand_rows_cost_less_than_as_many_float_products() -> None:
    """Finding the likely of 100,000 users costs less than the core's float product with their rows, by the best of fifteen turns in the same run.

    Both on one thread: numpy's product may take two.
    """
    rng = np.random.default_rng(3)
    rows = unit(rng, 100_000)
    index = Index([{Modality.RGB: row[None, :]} for row in rows])
    probe = Embedding(Modality.RGB, rows[77], GRAPH)
    ours, floats, products = [], [], np.empty(len(rows), np.float32)
    for _ in range(15):
        start = time.perf_counter()
        assert index.shortlist([probe]) == [77]
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        _native.dot_f32(probe.vector, rows, products)
        assert int(np.argmax(products)) == 77
        floats.append(time.perf_counter() - start)
    # The best turn of each: whatever else the machine does only ever makes a turn slower.
    assert min(ours) < min(floats)
