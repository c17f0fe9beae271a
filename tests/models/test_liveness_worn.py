"""What simulated people wear: beards, fringes and spectacles lie on the head, where they belong, and are the same for a seed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from models.training.liveness import worn as subject
from models.training.liveness.heads import View

POINTS = np.array([[57, 72], [87, 72], [72, 90], [61, 107], [83, 107]], np.float32)


def bare() -> View:
    """Return an even head, an ellipse 700 mm away, with its five points."""
    v, u = np.mgrid[0:176, 0:144].astype(np.float32)
    head = np.hypot((u - 72) / 45, (v - 85) / 60) < 1
    normals = np.zeros((176, 144, 3), np.float32)
    normals[..., 2] = 1
    return View(
        np.where(head, 700, 0).astype(np.float32),
        normals,
        np.where(head[..., None], 0.4, 0.0).astype(np.float32) * np.ones(3, np.float32),
        POINTS,
    )


def axes() -> tuple[np.ndarray, np.ndarray]:
    """Return eye distances right and down of the middle between the eyes."""
    v, u = np.mgrid[0:176, 0:144]
    return (u - 72) / 30, (v - 72) / 30


@pytest.mark.parametrize("seed", range(20))
def test_what_is_worn_lies_on_the_head_and_follows_its_seed(seed: int) -> None:
    """Nothing is drawn beside the head, depth only comes nearer, holes are on the head, and a seed gives the same again."""
    plain = bare()
    (seen, lost), (again, same) = (subject.worn(plain, np.random.default_rng(seed)) for _ in range(2))
    beside = plain.depth == 0
    assert not seen.depth[beside].any()
    assert (seen.depth[~beside] <= 700).all()
    assert (seen.depth[~beside] > 650).all()
    assert not lost[beside].any()
    assert np.isfinite(seen.albedo).all()
    assert np.allclose(np.linalg.norm(seen.normals, axis=2), 1, atol=1e-4)
    assert all(np.array_equal(a, b) for a, b in ((seen.depth, again.depth), (seen.albedo, again.albedo), (lost, same)))


@pytest.mark.parametrize("seed", range(8))
def test_a_beard_is_dark_below_the_nose_and_leaves_the_eyes(seed: int) -> None:
    """The jaw loses light, the eyes and the brow keep theirs and their depth."""
    x, y = axes()
    seen = subject._bearded(bare(), *subject._axes(bare()), np.random.default_rng(seed))
    jaw = (np.abs(x) < 0.3) & (np.abs(y - 1.5) < 0.1)
    assert seen.albedo[jaw].mean() < 0.37
    above = (y < 0.4) & (bare().depth > 0)
    assert np.allclose(seen.albedo[above], 0.4, atol=0.02)
    assert np.allclose(seen.depth[above], 700, atol=0.6)


def test_spectacles_stand_before_the_eyes_in_three_ways() -> None:
    """Over many draws depth sees lenses 8 to 16 mm before the eyes, sees through them, or gets nothing back; frames are before the face in all."""
    x, y = axes()
    eyes = (np.hypot(np.abs(x) - 0.5, y) < 0.1) & (bare().depth > 0)
    ways = set()
    for seed in range(40):
        seen, lost = subject._spectacled(bare(), *subject._axes(bare()), np.random.default_rng(seed))
        before = 700 - float(np.median(seen.depth[eyes]))
        hole = lost[eyes].mean() > 0.5
        assert before == 0 or 4 < before < 17
        assert (seen.depth[bare().depth > 0] < 697).any()
        ways.add("hole" if hole else "seen" if before else "clear")
    assert ways == {"hole", "seen", "clear"}
