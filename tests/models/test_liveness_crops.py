"""What the liveness networks see of a face."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from models.training.liveness.crops import COLOUR_SIDE, LOOK, PLANES, SIDE, Crops, colour_crop

from vultus.geometry import TARGET, similarity

MARKS = (TARGET + 60.0).astype(np.float32)


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return depth, NIR and luma (240, 240): a sphere before a wall, with texture."""
    y, x = np.mgrid[0:240, 0:240].astype(float)
    r = np.hypot(x - MARKS[2, 0], y - MARKS[2, 1])
    depth = np.where(r < 60, 700 - 0.8 * np.sqrt(np.maximum(60**2 - r**2, 0)), 1500).astype(np.uint16)
    light = np.random.default_rng(0).uniform(60, 180, (240, 240))
    return depth, (light * 200).astype(np.uint16), light.astype(np.uint8)


def planes(depth: np.ndarray, nir: np.ndarray, luma: np.ndarray | None, level: float) -> np.ndarray:
    out = np.empty((PLANES, SIDE, SIDE), np.float32)
    assert Crops().planes(out, depth, MARKS, nir, MARKS, level, luma, None if luma is None else MARKS)
    return out


def test_depth_is_shown_from_the_middle_of_the_face() -> None:
    """Moved 200 mm away the depth planes are the same, the wall stays at the end of the range, and a hole is nought in both planes."""
    depth, nir, luma = scene()
    near = planes(depth, nir, luma, 24000.0)
    far = planes(depth + 200, nir, luma, 24000.0)
    assert np.array_equal(near[:2], far[:2])
    assert near[0].min() == -3.0
    depth[100:110, 100:110] = 0
    holed = planes(depth, nir, luma, 24000.0)
    x, y = np.rint(np.linalg.solve(_linear(), np.array([105.0, 105.0]) - _shift())).astype(int)
    assert holed[0, y, x] == holed[1, y, x] == 0


def _linear() -> np.ndarray:
    return similarity(MARKS, LOOK)[:, :2]


def _shift() -> np.ndarray:
    return similarity(MARKS, LOOK)[:, 2]


@given(st.sampled_from([0.25, 0.5, 1.0, 1.5]))
def test_the_exposure_of_nir_does_not_count(gain: float) -> None:
    """NIR with more or less light, its level with it, is shown alike, to the rounding of its steps."""
    depth, nir, luma = scene()
    level = float(nir.mean())
    shown = planes(depth, (nir * gain).astype(np.uint16), luma, level * gain)
    assert np.abs(shown[2] - planes(depth, nir, luma, level)[2]).max() < 0.02


def test_no_colour_picture_is_an_empty_plane_and_no_depth_is_no_score() -> None:
    """Without colour the plane is 0; with a wall of holes where the face is nothing is scored."""
    depth, nir, _ = scene()
    assert not planes(depth, nir, None, 24000.0)[3].any()
    out = np.empty((PLANES, SIDE, SIDE), np.float32)
    assert not Crops().planes(out, np.zeros_like(depth), MARKS, nir, MARKS, 24000.0, None, None)


def test_the_colour_crop_holds_the_face_alone() -> None:
    """The crop's values are those of the pixels about the landmarks, and what is beside the face does not change it."""
    rgb = np.random.default_rng(1).integers(0, 255, (240, 240, 3), np.uint8)
    first, second = (np.empty((3, COLOUR_SIDE, COLOUR_SIDE), np.float32) for _ in range(2))
    colour_crop(rgb, MARKS, first)
    other = rgb.copy()
    other[:, :60] = 0
    other[:60] = 0
    colour_crop(other, MARKS, second)
    assert np.array_equal(first, second)
    assert np.abs(first).max() <= 1
