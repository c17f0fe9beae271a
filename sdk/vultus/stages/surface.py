"""Surface: how the light of the NIR lamp, the colour picture and the measured depth of one face belong together.

The lamp stands beside the camera, so skin that turns away from it darkens: measured depth foretells how. A picture printed on a sheet, or
depth of another head, foretells it badly. Brows, eyes and lips are dark in both pictures; an even mask is not.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.geometry import TARGET, Surface, median_of, similarity
from vultus.types import F32, U16, Grey

GRID: Final = 48
_SCALE: Final = GRID / 112.0
_CELL_MM: Final = 63.0 / (35.24 * _SCALE)
"""Millimetres a cell, from adults' mean eye distance of 63 mm (ANSUR II); a wrong guess scales every slope alike."""
_BAND_MM: Final = 150.0
_ENOUGH: Final = 200
"""Cells, of 750 in the oval, without which nothing is said of the shading."""
_FLOORS: Final = np.array([2.0, 8.0], np.float32)[:, None, None]
"""Levels added before logarithms are taken, so that noise in the dark counts little."""
_DETAIL: Final = 0.05
"""Deviation in natural logarithms below which a picture has no detail to compare: blurred, or even."""
_WIDE: Final = (48, 96)
_EYE: Final = 16.0
"""Cells between the eyes in the wide grid, which reaches 3 eye distances to each side."""
_ROWS: Final = slice(8, 26, 2)
"""Rows from above the eyes to the mouth in the wide grid."""
_HEAD_MM: Final = 120.0
"""What is farther than this from the middle of the face is not the head's front half."""

Mask = npt.NDArray[np.bool_]


def _oval() -> Mask:
    y, x = np.mgrid[0:GRID, 0:GRID]
    inside: Mask = ((x - 0.5 * GRID) / (0.37 * GRID)) ** 2 + ((y - 0.60 * GRID) / (0.44 * GRID)) ** 2 <= 1.0
    return inside


_OVAL: Final = _oval()
_PLANE: Final = np.stack([np.ones((GRID, GRID)), *np.mgrid[0:GRID, 0:GRID]], axis=-1) / GRID
_FINE: Final = 72
"""Cells of the fine grid: 23 between the eyes, about what a head of 70 pixels has."""
_FINE_MM: Final = 63.0 / (35.24 * _FINE / 112.0)
_UNLIT: Final = 64.0 / 30.0
"""Level below which a NIR cell is not lit: a thirtieth of the face's mean."""
_SKIN_CELLS: Final = 500
"""Cells, of 1150 of bare skin, without which nothing is said of the fall-off."""


def _skin() -> Mask:
    """Mask bare skin in the fine grid: the oval without eyes, brows and mouth, whose reflectance is their own."""
    v, u = np.mgrid[0:_FINE, 0:_FINE] * (GRID / _FINE)
    inside = ((u - 0.5 * GRID) / (0.37 * GRID)) ** 2 + ((v - 0.60 * GRID) / (0.44 * GRID)) ** 2 <= 1.0
    for x, y in TARGET[:2] * _SCALE:
        inside &= (u - x) ** 2 + (v - y) ** 2 > 16.0
    inside &= (np.abs(v - 17.5) > 2.5) | (np.abs(u - 0.5 * GRID) >= 13.0)
    skin: Mask = inside & (((u - 0.5 * GRID) / 9.0) ** 2 + ((v - 39.5) / 3.5) ** 2 > 1.0)
    return skin


def _quadratic() -> npt.NDArray[np.float64]:
    """Return 1, x, y, x^2, x y, y^2 of the fine grid, (72, 72, 6): light that varies so slowly may come from where the lamp stands."""
    v, u = (np.mgrid[0:_FINE, 0:_FINE] - 0.5 * _FINE) / (0.5 * _FINE)
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)


_SKIN: Final = _skin()
_SLOW: Final = _quadratic()
_LOOK: Final = (TARGET - TARGET[:2].mean(0)) * (_EYE / 35.24) + np.array([_WIDE[1] / 2, 14], np.float32)


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
        _native.warp_depth(depth, similarity(in_depth, _LOOK.astype(np.float32)), self._wide)
        face = self._wide[10:30, _WIDE[1] // 2 - 10 : _WIDE[1] // 2 + 10]
        known = face[face > 0]
        if known.size < face.size // 8:
            return None
        z = self._wide[_ROWS].astype(np.float64)
        near = (z > 0) & (np.abs(z - median_of(known)) <= _HEAD_MM)
        middle = _WIDE[1] // 2
        return median_of(_run(near[:, middle:]) + _run(near[:, middle - 1 :: -1])) / _EYE

    def falloff(self, depth: U16, in_depth: F32, nir: Grey, in_nir: F32, level: float) -> tuple[float, float] | None:
        """Return how NIR light on bare skin falls off with slope and distance: its correlation with what depth foretells, and the gain.

        A matt surface lit from the camera's side sends back the cosine of its slope over the square of its distance. What varies as slowly
        as a quadratic is taken out of both. None where too little was measured or the depth is even.
        """
        scale = TARGET * (_FINE / 112.0)
        _native.warp_depth(depth, similarity(in_depth, scale), self._fine)
        _native.warp_grey(nir, similarity(in_nir, scale), self._fine_nir, gain=64.0 / level, lut=None, scale=1.0, offset=0.0)
        z, light = self._fine.astype(np.float64), self._fine_nir[0].astype(np.float64)
        known = (self._fine > 0) & (light > _UNLIT)
        if int((known & _SKIN).sum()) < _SKIN_CELLS:
            return None
        middle = median_of(z[known & _SKIN])
        known &= np.abs(z - middle) <= _BAND_MM
        inner = _SKIN & known
        inner[1:-1, 1:-1] &= known[1:-1, 2:] & known[1:-1, :-2] & known[2:, 1:-1] & known[:-2, 1:-1]
        if int(inner.sum()) < _SKIN_CELLS:
            return None
        slope = np.zeros_like(z)
        slope[1:-1, 1:-1] = ((z[1:-1, 2:] - z[1:-1, :-2]) ** 2 + (z[2:, 1:-1] - z[:-2, 1:-1]) ** 2) / (2 * _FINE_MM) ** 2
        both = np.stack([-0.5 * np.log1p(slope[inner]) - 2.0 * np.log(z[inner] / middle), np.log(light[inner] + _FLOORS[0, 0, 0])], axis=1)
        slow = _SLOW[inner]
        foretold, seen = (both - slow @ np.linalg.solve(slow.T @ slow, slow.T @ both)).T
        correlation = _correlation(foretold, seen)
        return None if correlation is None else (correlation, float(foretold @ seen) / float(foretold @ foretold))

    def measure(self, grid: U16 | None, nir: Grey, in_nir: F32, level: float, luma: Grey | None, in_luma: F32 | None) -> Surface:
        """Return what can be measured. `grid` is the aligned depth, uint16 (48, 48) in mm; `level` the mean NIR level of the face.

        `in_nir`, `in_luma` are the five landmarks in each picture.
        """
        _native.warp_grey(nir, similarity(in_nir, TARGET * _SCALE), self._nir, gain=64.0 / level, lut=None, scale=1.0, offset=0.0)
        compared = luma is not None and in_luma is not None
        if luma is not None and in_luma is not None:
            _native.warp_grey(luma, similarity(in_luma, TARGET * _SCALE), self._luma, gain=1.0, lut=None, scale=1.0, offset=0.0)
        logs = np.log(self._both[: 2 if compared else 1] + _FLOORS[: 2 if compared else 1])
        fine = (_mean(logs, 1) - _mean(logs, 4))[:, _OVAL]
        structure = _correlation(fine[0], fine[1]) if compared and float(fine.std(axis=1).min()) >= _DETAIL else None
        return Surface(None if grid is None else _shading(grid, logs[0]), structure, float(fine[0].std()))


def _shading(grid: U16, log_nir: F32) -> float | None:
    """Return the correlation of measured brightness with that foretold by the depth's slopes, level and gradient taken out of both."""
    known = _OVAL & (grid > 0)
    if int(known.sum()) < _ENOUGH:
        return None
    middle = median_of(grid[known])
    known &= np.abs(grid - middle) <= _BAND_MM
    off, share, light = _mean(np.stack([np.where(known, grid - middle, 0.0), known, log_nir]).astype(np.float32), 2)
    inner = share > 0.999
    if int(inner.sum()) < _ENOUGH:
        return None
    z = off / np.maximum(share, 1e-6)
    slope = np.zeros_like(z)
    slope[1:-1, 1:-1] = ((z[1:-1, 2:] - z[1:-1, :-2]) ** 2 + (z[2:, 1:-1] - z[:-2, 1:-1]) ** 2) / (2 * _CELL_MM) ** 2
    both = np.stack([np.log1p(slope[inner]) * -0.5, light[inner]], axis=1).astype(np.float64)
    plane = _PLANE[inner]
    rest = both - plane @ np.linalg.solve(plane.T @ plane, plane.T @ both)
    return _correlation(rest[:, 0], rest[:, 1])


def _run(near: Mask) -> npt.NDArray[np.intp]:
    """Count the cells from the first column on, row by row, until two in a row are off."""
    off = ~near
    both = off[:, :-1] & off[:, 1:]
    return np.asarray(np.where(both.any(1), both.argmax(1), near.shape[1]), np.intp)


def _mean(images: F32, radius: int) -> F32:
    """Return each image's mean over (2 radius + 1) squared cells, the border repeated; (n, h, w)."""
    wide = 2 * radius + 1
    rows = np.clip(np.arange(-radius - 1, GRID + radius), 0, GRID - 1)
    sums = images[:, rows][:, :, rows].cumsum(1, dtype=np.float64).cumsum(2)
    boxes = sums[:, wide:, wide:] - sums[:, :-wide, wide:] - sums[:, wide:, :-wide] + sums[:, :-wide, :-wide]
    return np.asarray(boxes / wide**2, np.float32)


def _correlation(one: npt.NDArray[np.floating[Any]], other: npt.NDArray[np.floating[Any]]) -> float | None:
    """Return the correlation, or None where one of the two is even."""
    a, b = one - one.mean(), other - other.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 1e-9 else None
