"""The choice among a detector's candidates, against a second definition in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus import _native

LEAST, OVERLAP = 0.6, 0.3


def second(scores: Any, boxes: Any) -> list[int]:
    """Choose by a stable sort of all and a matrix of overlaps."""
    good = [int(i) for i in np.argsort(-scores[:, 0], kind="stable") if scores[i, 0] > np.float32(LEAST)][:64]
    kept: list[int] = []
    for i in good:
        if not np.isfinite(boxes[i]).all():
            continue
        x, y, w, h = boxes[i].astype(np.float64)
        free = True
        for j in kept:
            u, v, a, b = boxes[j].astype(np.float64)
            both = max(0.0, min(x + w, u + a) - max(x, u)) * max(0.0, min(y + h, v + b) - max(y, v))
            whole = w * h + a * b - both
            free = free and (both / whole if whole > 0 else 0.0) <= OVERLAP
        kept += [i] if free else []
    return kept


@given(st.integers(0, 300), st.integers(0, 2**31))
def test_what_is_taken_is_what_the_definition_takes(count: int, seed: int) -> None:
    """Whatever scores and boxes there are, equal ones and ones that are no numbers among them, the core takes what numpy takes."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(50, 100, (count, 1)).astype(np.float32) / 100
    boxes = (rng.random((count, 4)) * (80, 80, 40, 40)).astype(np.float32)
    for array in (scores, boxes):
        array[rng.random(array.shape) < 0.02] = rng.choice([np.nan, np.inf, -np.inf, 0])
    assert _native.candidates(scores, boxes, least=LEAST, overlap=OVERLAP) == second(scores, boxes)


def test_the_sixty_four_best_are_looked_at() -> None:
    """Of 100 candidates far apart the 64 best are taken, in the order of their scores."""
    scores = np.linspace(0.7, 0.9, 100, dtype=np.float32)[:, None]
    boxes = np.array([[100 * i, 0, 10, 10] for i in range(100)], np.float32)
    assert _native.candidates(scores, boxes, least=LEAST, overlap=OVERLAP) == list(range(99, 35, -1))


@pytest.mark.parametrize(
    ("scores", "boxes", "least"),
    [
        (np.zeros(3, np.float32), np.zeros((3, 4), np.float32), LEAST),
        (np.zeros((3, 1), np.float32), np.zeros((4, 4), np.float32), LEAST),
        (np.zeros((3, 1), np.float32), np.zeros((3, 5), np.float32), LEAST),
        (np.zeros((3, 1), np.float32), np.zeros((3, 4), np.float32), float("nan")),
    ],
)
def test_other_shapes_and_no_numbers_are_refused(scores: Any, boxes: Any, least: float) -> None:
    """A shape that is not n candidates, or a limit that is no number, raises ValueError."""
    with pytest.raises(ValueError, match=r"candidates|shapes"):
        _native.candidates(scores, boxes, least=least, overlap=OVERLAP)


def test_other_types_are_refused() -> None:
    """Scores that are not float32 raise TypeError."""
    with pytest.raises(TypeError, match="float32"):
        _native.candidates(np.zeros((3, 1)), np.zeros((3, 4), np.float32), least=LEAST, overlap=OVERLAP)
