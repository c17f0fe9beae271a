"""Sheet: whether what surrounds a face moves with it, over the frame sets of one attempt before a camera that stands still.

A head turns and nods before a background that stays; a printed or shown face takes its surroundings along, up to the edge of the sheet.
Sends back, and refuses together with another cue, prints and screens that are moved by hand when they show more than a head's outline.
Does not block: a sheet held still or cut out along the head. Abstains until the face has moved, where its surroundings have no texture, and
where nothing in the picture stood still: then the camera itself moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.geometry import TARGET, similarity
from vultus.products import between
from vultus.types import F32, U8, Face

F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
EYES: Final = 16.0
"""Cells between the eyes in the canvas that frame sets are compared in."""
_WIDE, _HIGH = 72, 56
_ROW: Final = 38.0
"""The eyes' row in the canvas: it reaches 2.4 eye distances up, 1.1 down and 2.2 to each side."""
LOOK: Final = np.asarray((TARGET - TARGET[:2].mean(0)) * (EYES / 35.24) + (_WIDE / 2, _ROW), np.float64)
MOVED: Final = 0.12
"""Eye distances by which the two hypotheses must lie apart: twice the reach of the search."""
_SCALE: Final = 1.25
"""Change of size beyond which two frame sets are not compared."""
KEPT_NS: Final = 4_000_000_000
"""Age of the frame set that others are compared with; an older one gives way."""
_REACH: Final = 3
"""Cells each way of the neighbourhood that is compared: 0.4 eye distances wide."""
_ROUNDING: Final = 0.25
"""Variance that no neighbourhood goes below, so that rounding to grey levels is no texture."""
_TEXTURE: Final = 3.0
"""Standard deviation in grey levels below which a neighbourhood is too even to tell."""
_KNOWN: Final = 0.5
"""Correlation that the better hypothesis must reach: below it the place is covered or changed."""
_LEAST: Final = 24
"""Cells of the ring that must speak."""
_STILL: Final = 0.15
"""Share of the picture's textured parts beside the head that must have stayed."""
_COLUMNS, _ROWS = 80, 60
_HEAD: Final = 2.2
"""Eye distances about the face that the whole picture's part in this leaves out."""


@dataclass(frozen=True, slots=True, eq=False)
class _Detail:
    """A picture with the mean and the deviation of each cell's neighbourhood, which every comparison needs."""

    values: F32
    mean: F32
    deviation: F32

    @classmethod
    def of(cls, values: F32) -> _Detail:
        mean = _mean(values)
        return cls(values, mean, np.sqrt(np.maximum(_mean(values * values) - mean * mean, _ROUNDING)))

    def moved(self, dy: int, dx: int) -> _Detail:
        return _Detail(*(np.roll(part, (dy, dx), (0, 1)) for part in (self.values, self.mean, self.deviation)))


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What is kept of a frame set: its time and camera, the face's canvas and where it was cut out, and the small picture."""

    time_ns: int
    serial: str
    canvas: _Detail
    matrix: F64
    small: _Detail
    grain: tuple[float, float]
    face: Face


class Sheets:
    """Compares the face's surroundings with those of an earlier frame set; keeps one small picture in memory."""

    def __init__(self) -> None:
        self._kept: _Seen | None = None
        self._fine: F32 = np.empty((1, 2 * _HIGH, 2 * _WIDE), np.float32)
        self._small: F32 = np.empty((1, 2 * _ROWS, 2 * _COLUMNS), np.float32)

    def measure(self, luma: U8, face: Face, time_ns: int, serial: str) -> float | None:
        """Return how much better the face's movement explains its surroundings than none does, as a difference of correlations -1..1.

        Positive: they move with the face, as on a sheet. None until the face has moved by `MOVED` eye distances, and where nobody can tell.
        """
        matrix = similarity(face.landmarks, LOOK)
        height, width = luma.shape
        grain = (width / _COLUMNS, height / _ROWS)
        before = self._kept
        if before is None or before.serial != serial or not 0 < time_ns - before.time_ns <= KEPT_NS or _changed(before, grain, face):
            self._kept = _Seen(time_ns, serial, self._warped(luma, matrix), matrix, self._whole(luma), grain, face)
            return None
        ring = _RING & (_apart(before.matrix, matrix) > MOVED * EYES)
        if np.count_nonzero(ring) < _LEAST:
            return None
        now = _Seen(time_ns, serial, self._warped(luma, matrix), matrix, self._whole(luma), grain, face)
        if not _still(before, now):
            return None
        with_it = _likeness(before.canvas, now.canvas)
        without = _likeness(before.canvas, self._warped(luma, before.matrix))
        ring &= (before.canvas.deviation > _TEXTURE) & (np.maximum(with_it, without) > _KNOWN)
        return float((with_it - without)[ring].mean()) if int(ring.sum()) >= _LEAST else None

    def _warped(self, luma: U8, matrix: F64) -> _Detail:
        """Cut the canvas out at twice its size and halve it: each cell is the mean of four samples."""
        half = matrix.copy()
        half[:, :2] /= 2
        half[:, 2] -= half[:, :2].sum(1) / 2
        _native.warp_grey(luma, half, self._fine, gain=1.0, lut=None, scale=1.0, offset=0.0)
        return _Detail.of(_halved(self._fine[0]))

    def _whole(self, luma: U8) -> _Detail:
        h, w = luma.shape
        steps = np.array([[w / (2 * _COLUMNS), 0, 0], [0, h / (2 * _ROWS), 0]])
        _native.warp_grey(luma, steps, self._small, gain=1.0, lut=None, scale=1.0, offset=0.0)
        return _Detail.of(_halved(self._small[0]))


def _ring() -> Mask:
    """Return the cells beside and above a head, hair left out, and nothing below the mouth, where shoulders are."""
    y, x = np.mgrid[0:_HIGH, 0:_WIDE]
    across, down = (x - _WIDE / 2) / EYES, (y - _ROW) / EYES
    # One cell more than the neighbourhood reaches: the search moves it by one, and beyond the border lies the other side.
    rim = _REACH + 1
    inside = (x >= rim) & (x < _WIDE - rim) & (y >= rim) & (y < _HIGH - rim)
    found: Mask = inside & ((np.abs(across) > 1.45) | (down < -1.7)) & (down < 0.9)
    return found


_RING: Final = _ring()
_Y, _X = np.ogrid[0.0:_HIGH, 0.0:_WIDE]


def _halved(fine: F32) -> F32:
    return np.asarray((fine[0::2, 0::2] + fine[1::2, 0::2] + fine[0::2, 1::2] + fine[1::2, 1::2]) / 4, np.float32)


def _apart(one: F64, other: F64) -> F32:
    """Return for each cell by how many cells the two hypotheses lie apart in the picture."""
    change = other - one
    across, down = (change[i, 0] * _X + change[i, 1] * _Y + change[i, 2] for i in (0, 1))
    return np.asarray(np.hypot(across, down) / max(float(np.hypot(*one[:, 0])), 1e-6), np.float32)


def _changed(before: _Seen, grain: tuple[float, float], face: Face) -> bool:
    """Say whether the camera's mode changed, or the face's size by too much to compare."""
    ratio = face.eye_distance / max(before.face.eye_distance, 1e-6)
    return grain != before.grain or not 1 / _SCALE < ratio < _SCALE


def _still(before: _Seen, now: _Seen) -> bool:
    """Say whether enough of the picture beside the head stayed as it was."""
    y, x = np.mgrid[0:_ROWS, 0:_COLUMNS]
    away = np.ones((_ROWS, _COLUMNS), bool)
    for seen in (before, now):
        middle = seen.face.landmarks.mean(0)
        away &= np.hypot(x * seen.grain[0] - middle[0], y * seen.grain[1] - middle[1]) > _HEAD * seen.face.eye_distance
    textured = away & (before.small.deviation > _TEXTURE)
    if int(textured.sum()) < _LEAST:
        return False
    stayed = _correlation(before.small, now.small)[textured] > 0.8
    return bool(stayed.mean() >= _STILL)


def _likeness(one: _Detail, other: _Detail) -> F32:
    """Return each cell's best correlation of its neighbourhood with the other canvas, where it is or a cell beside it."""
    found = [_correlation(one, other.moved(dy, dx)) for dy, dx in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))]
    return np.asarray(np.maximum.reduce(found), np.float32)


def _correlation(one: _Detail, other: _Detail) -> F32:
    both = _mean(one.values * other.values) - one.mean * other.mean
    return np.asarray(both / (one.deviation * other.deviation), np.float32)


def _mean(values: F32) -> F32:
    """Return the mean of each cell's neighbourhood; of part of one at the border."""
    return between(_BAND[values.shape[0]].T, values, _BAND[values.shape[1]])


def _band(side: int) -> F32:
    apart = np.abs(np.subtract.outer(np.arange(side), np.arange(side))) <= _REACH
    return np.asarray(apart / apart.sum(0), np.float32)


_BAND: Final = {side: _band(side) for side in (_HIGH, _WIDE, _ROWS, _COLUMNS)}
