"""Surface: how the light of the NIR lamp, the colour picture and the measured depth of one face belong together.

The lamp stands beside the camera, so skin that turns away from it darkens: measured depth foretells how. A picture printed on a sheet, or
depth of another head, foretells it badly. Brows, eyes and lips are dark in both pictures; an even mask is not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.detail import agreement, noise
from vultus.geometry import TARGET, Surface, median_of, similarity
from vultus.types import F32, U16, Grey

GRID: Final = 48
_SCALE: Final = GRID / 112.0
_BAND_MM: Final = 150.0
_FLOORS: Final = np.array([2.0, 8.0], np.float32)[:, None, None]
"""Levels added before logarithms are taken, so that noise in the dark counts little."""
_DETAIL: Final = 0.05
"""Deviation in natural logarithms below which a picture has no detail to compare: blurred, or even."""
_WIDE: Final = (48, 96)
_EYE: Final = 16.0
"""Cells between the eyes in the wide grid, which reaches 3 eye distances to each side."""
_ROWS: Final = slice(8, 26, 2)
"""Rows from above the eyes to the mouth in the wide grid."""
_HOLE: Final = 6
"""Cells without depth, 24 mm, over which a head goes on: missing depth must not make it narrow."""
_HEAD_MM: Final = 120.0
"""What is farther than this from the middle of the face is not the head's front half."""

Mask = npt.NDArray[np.bool_]


def _oval() -> Mask:
    y, x = np.mgrid[0:GRID, 0:GRID]
    inside: Mask = ((x - 0.5 * GRID) / (0.37 * GRID)) ** 2 + ((y - 0.60 * GRID) / (0.44 * GRID)) ** 2 <= 1.0
    return inside


_OVAL: Final = _oval()
_CELLS: Final = np.flatnonzero(_OVAL)
_FINE: Final = 72
"""Cells of the fine grid: 23 between the eyes, about what a head of 70 pixels has."""
_FINE_MM: Final = 63.0 / (35.24 * _FINE / 112.0)
_UNLIT: Final = 64.0 / 30.0
"""Level below which a NIR cell is not lit: a thirtieth of the face's mean."""
_SKIN_CELLS: Final = 500
"""Cells, of 1150 of bare skin, without which nothing is said of the fall-off."""


def _skin() -> Mask:
    """Mask bare skin in the fine grid: the oval without eyes, brows and mouth, whose reflectance is their own, inside the border."""
    v, u = np.mgrid[0:_FINE, 0:_FINE] * (GRID / _FINE)
    inside = ((u - 0.5 * GRID) / (0.37 * GRID)) ** 2 + ((v - 0.60 * GRID) / (0.44 * GRID)) ** 2 <= 1.0
    for x, y in TARGET[:2] * _SCALE:
        inside &= (u - x) ** 2 + (v - y) ** 2 > 16.0
    inside &= (np.abs(v - 17.5) > 2.5) | (np.abs(u - 0.5 * GRID) >= 13.0)
    skin: Mask = inside & (((u - 0.5 * GRID) / 9.0) ** 2 + ((v - 39.5) / 3.5) ** 2 > 1.0)
    skin[[0, -1]] = skin[:, [0, -1]] = False
    return skin


def _quadratic() -> npt.NDArray[np.float64]:
    """Return 1, x, y, x^2, x y, y^2 of the fine grid, (72, 72, 6): light that varies so slowly may come from where the lamp stands."""
    v, u = (np.mgrid[0:_FINE, 0:_FINE] - 0.5 * _FINE) / (0.5 * _FINE)
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)


def _blur(side: int, radius: int) -> F32:
    """Return the matrix (side, side) that takes a column to its means over 2 radius + 1 cells, the border repeated."""
    out = np.zeros((side, side), np.float32)
    for step in range(-radius, radius + 1):
        np.add.at(out, (np.arange(side), np.clip(np.arange(side) + step, 0, side - 1)), 1 / (2 * radius + 1))
    return out


_AROUND: Final = np.flatnonzero(_skin()) + np.array([[0], [1], [-1], [_FINE], [-_FINE]])
"""Each cell of bare skin, and its neighbours to the right, left, below and above; (5, n)."""
_SLOW: Final = _quadratic().reshape(_FINE * _FINE, -1)[_AROUND[0]]
_LOOK: Final = ((TARGET - TARGET[:2].mean(0)) * (_EYE / 35.24) + np.array([_WIDE[1] / 2, 14])).astype(np.float32)
_NEAR: Final = TARGET * _SCALE
_NEARER: Final = TARGET * (_FINE / 112.0)
_ONE, _FOUR = _blur(GRID, 1), _blur(GRID, 4)


class Surfaces:
    """Measures faces in memory allocated once."""

    def __init__(self) -> None:
        self._both: F32 = np.empty((2, GRID, GRID), np.float32)
        self._nir, self._luma = self._both[:1], self._both[1:]
        self._wide: U16 = np.empty(_WIDE, np.uint16)
        self._fine: U16 = np.empty((_FINE, _FINE), np.uint16)
        self._fine_nir: F32 = np.empty((1, _FINE, _FINE), np.float32)

    def outline(self, depth: U16, in_depth: F32) -> float | None:
        """Return how wide the thing is that carries the face, between eyes and mouth, in eye distances (at most 6); None where unmeasured."""
        _native.warp_depth(depth, similarity(in_depth, _LOOK), self._wide)
        face = self._wide[10:30, _WIDE[1] // 2 - 10 : _WIDE[1] // 2 + 10]
        known = face[face > 0]
        if known.size < face.size // 8:
            return None
        z = self._wide[_ROWS].astype(np.float64)
        near, blank, middle = (z > 0) & (np.abs(z - median_of(known)) <= _HEAD_MM), z == 0, _WIDE[1] // 2
        both = (np.concatenate([side[:, middle:], side[:, middle - 1 :: -1]]) for side in (near, blank))
        runs = _run(*both)
        return median_of(runs[: len(z)] + runs[len(z) :]) / _EYE

    def shaded(self, found: Surface, depth: U16, in_depth: F32, nir: Grey, in_nir: F32, level: float) -> Surface:
        """Return `found` with what depth says of the light: its fall-off, its detail, and how noisy it is; `level` as in `measure`."""
        _native.warp_depth(depth, similarity(in_depth, _NEARER), self._fine)
        _native.warp_grey(nir, similarity(in_nir, _NEARER), self._fine_nir, gain=64.0 / level, lut=None, scale=1.0, offset=0.0)
        falloff, gain = self._falloff() or (None, None)
        detail, eyes = agreement(self._fine, self._fine_nir[0], _UNLIT)
        return replace(found, falloff=falloff, gain=gain, detail=detail, eye_detail=eyes, noise=noise(self._fine_nir[0], _UNLIT))

    def _falloff(self) -> tuple[float, float] | None:
        """Return how NIR light on bare skin falls off with slope and distance: its correlation with what depth foretells, and the gain.

        A matt surface lit from the camera's side sends back the cosine of its slope over the square of its distance. What varies as slowly
        as a quadratic is taken out of both. None where too little was measured or the depth is even.
        """
        known = (self._fine > 0) & (self._fine_nir[0] > _UNLIT)
        skin = self._fine.ravel().take(_AROUND[0][known.ravel().take(_AROUND[0])])
        if skin.size < _SKIN_CELLS:
            return None
        middle = median_of(skin)
        known &= np.abs(self._fine - np.float32(middle)) <= _BAND_MM
        inner = known.ravel().take(_AROUND).all(0)
        count = int(np.count_nonzero(inner))
        if count < _SKIN_CELLS:
            return None
        around, slow = (_AROUND, _SLOW) if count == inner.size else (_AROUND[:, inner], _SLOW[inner])
        here, right, left, below, above = self._fine.ravel().take(around).astype(np.float32)
        lit = self._fine_nir.ravel().take(around[0])
        slope = ((right - left) ** 2 + (below - above) ** 2) / (2 * _FINE_MM) ** 2
        both = np.stack([-0.5 * np.log1p(slope) - 2.0 * np.log(here / middle), np.log(lit + _FLOORS[0, 0, 0])], axis=1, dtype=np.float64)
        foretold, seen = np.ascontiguousarray((both - slow @ np.linalg.solve(slow.T @ slow, slow.T @ both)).T)
        correlation = _correlation(foretold, seen)
        return None if correlation is None else (correlation, float(foretold @ seen) / float(foretold @ foretold))

    def measure(self, nir: Grey, in_nir: F32, level: float, luma: Grey | None, in_luma: F32 | None) -> Surface:
        """Return what the pictures say without depth; `level` is the mean NIR level of the face, `in_nir`, `in_luma` the landmarks."""
        _native.warp_grey(nir, similarity(in_nir, _NEAR), self._nir, gain=64.0 / level, lut=None, scale=1.0, offset=0.0)
        compared = luma is not None and in_luma is not None
        if luma is not None and in_luma is not None:
            _native.warp_grey(luma, similarity(in_luma, _NEAR), self._luma, gain=1.0, lut=None, scale=1.0, offset=0.0)
        number = 2 if compared else 1
        logs = np.log(self._both[:number] + _FLOORS[:number])
        fine = (_ONE @ logs @ _ONE.T - _FOUR @ logs @ _FOUR.T).reshape(number, -1)[:, _CELLS].astype(np.float64)
        fine -= fine.sum(1, keepdims=True) / fine.shape[1]
        spread = np.sqrt(np.einsum("ij,ij->i", fine, fine) / fine.shape[1]).tolist()
        structure = _correlation(fine[0], fine[1]) if compared and min(spread) >= _DETAIL else None
        return Surface(structure, spread[0])


def _run(near: Mask, blank: Mask) -> npt.NDArray[np.intp]:
    """Count the cells from the first column on, row by row, until two in a row are off; a hole in the head, with head behind it, is not."""
    bridged = near.copy()
    for step in range(1, _HOLE + 1):
        bridged[:, :-step] |= blank[:, :-step] & near[:, step:]
    off = ~bridged
    both = off[:, :-1] & off[:, 1:]
    return np.asarray(np.where(both.any(1), both.argmax(1), near.shape[1]), np.intp)


def _correlation(one: npt.NDArray[np.floating[Any]], other: npt.NDArray[np.floating[Any]]) -> float | None:
    """Return the correlation, or None where one of the two is even."""
    a, b = one - one.sum() / one.size, other - other.sum() / other.size
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 1e-9 else None
