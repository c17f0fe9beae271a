"""Sheet: surroundings that move with a face, against a head before a background that stays."""

from __future__ import annotations

import numpy as np
import pytest

from vultus.frames import Stream
from vultus.geometry import TARGET
from vultus.stages.sheet import KEPT_NS, Sheets
from vultus.types import Face

HEIGHT, WIDTH = 480, 640
SECOND = 1_000_000_000


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Return a picture with detail of several sizes."""
    rng, out = np.random.default_rng(seed), np.zeros((height, width))
    for size in (4, 12, 40):
        coarse = rng.normal(0, 18, (height // size + 2, width // size + 2))
        out += np.kron(coarse, np.ones((size, size)))[:height, :width]
    return np.clip(out + 128, 0, 255)


ROOM, PICTURE = texture(1), texture(2)


def face_at(x: float, y: float, size: float = 60.0) -> Face:
    """Return a face whose eyes' middle lies at x, y."""
    marks = ((TARGET - TARGET[:2].mean(0)) * (size / 35.24) + (x, y)).astype(np.float32)
    return Face(Stream.RGB, (x - size, y - 0.7 * size, 2 * size, 2.6 * size), marks, 1.0)


def scene(x: int, *, half_wide: float, shift: int = 0) -> np.ndarray:
    """Return what a camera sees when a picture of half a width about x moves before a room; `shift` turns the camera itself."""
    view = np.roll(ROOM, shift, 1)
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH]
    inside = (np.abs(column - x) < half_wide) & (row > 60) & (row < 420)
    moved = np.roll(PICTURE, x - 300, 1)
    return np.where(inside, moved, view).astype(np.uint8)


def value(half_wide: float, to: int = 325, *, shift: int = 0, after_ns: int = SECOND) -> float | None:
    """Return what the second of two frame sets says."""
    sheets = Sheets()
    assert sheets.measure(scene(300, half_wide=half_wide), face_at(300, 200), 1, "one") is None
    return sheets.measure(scene(to, half_wide=half_wide, shift=shift), face_at(to, 200), 1 + after_ns, "one")


def test_a_sheet_takes_its_surroundings_along() -> None:
    """A picture wider than the ring about the head moves as one."""
    found = value(half_wide=160)
    assert found is not None
    assert found > 0.4


def test_a_head_moves_before_a_room_that_stays() -> None:
    """A head alone leaves what is beside it where it was."""
    found = value(half_wide=80)
    assert found is not None
    assert found < -0.15


@pytest.mark.parametrize("step", [0, 3, 6])
def test_a_face_that_hardly_moves_says_nothing(step: int) -> None:
    """Below a tenth of the eye distance the two explanations cannot be told apart."""
    assert value(half_wide=160, to=300 + step) is None


def test_a_camera_that_turns_says_nothing() -> None:
    """When the room moves too, the surroundings moved with the camera and not with a sheet."""
    assert value(half_wide=160, shift=25) is None


def test_an_old_frame_set_and_another_camera_are_not_compared() -> None:
    """After four seconds, or before another camera, the comparison begins anew."""
    assert value(half_wide=160, after_ns=KEPT_NS + 1) is None
    sheets = Sheets()
    sheets.measure(scene(300, half_wide=160), face_at(300, 200), 1, "one")
    assert sheets.measure(scene(325, half_wide=160), face_at(325, 200), SECOND, "two") is None


def test_even_surroundings_say_nothing() -> None:
    """Where there is no texture beside the face nobody can tell."""
    sheets, grey = Sheets(), np.full((HEIGHT, WIDTH), 128, np.uint8)
    sheets.measure(grey, face_at(300, 200), 1, "one")
    assert sheets.measure(grey, face_at(325, 200), SECOND, "one") is None
