"""Relief: how far a face's depth stands off the best plane and the best bent sheet, in millimetres."""

from __future__ import annotations

import math
from math import comb
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.geometry import TARGET, Relief, median_of, similarity
from vultus.types import F32, U16

F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

GRID: Final = 48
_SCALE: Final = GRID / 112.0
_DIRECTIONS: Final = np.radians(np.arange(0.0, 180.0, 15.0))
_BAND_MM: Final = 150.0
"""Depths farther than this from the median of the face belong to something else: a head is about 200 mm deep."""
_CHEEK: Final = 17.6
"""From the nose tip to a cheek, in pixels of the 112-pixel crop: half the distance between the eyes."""
_BROW, _BELOW = 13.1, 17.2
"""From an eye up to its brow and down to the cheek, in pixels of the 112-pixel crop: 0.37 and 0.49 eye distances."""
_CELL_MM: Final = 63.0 / (35.24 * _SCALE)
"""Millimetres a cell, from adults' mean eye distance of 63 mm (ANSUR II)."""
MIN_POINTS: Final = 600
"""Measured grid points, of about 1500 in the oval, without which nothing is said."""


def _oval() -> Mask:
    """Mask the face from brows to chin, cheeks included: an ellipse in the aligned grid."""
    y, x = np.mgrid[0:GRID, 0:GRID]
    inside: Mask = ((x - 0.5 * GRID) / (0.37 * GRID)) ** 2 + ((y - 0.60 * GRID) / (0.44 * GRID)) ** 2 <= 1.0
    return inside


_OVAL: Final = _oval()
_CELLS: Final = np.flatnonzero(_OVAL)
_GY, _GX = np.mgrid[0:GRID, 0:GRID]
_MIDDLE: Final = np.flatnonzero((np.abs(_GX - 0.5 * GRID) <= 12) & (_GY >= 18) & (_GY <= 42) & _OVAL)
"""Between the outer corners of the eyes, from the brows to below the mouth."""
_SLOPES: Final = np.stack([np.ones(_MIDDLE.size), *np.unravel_index(_MIDDLE, _OVAL.shape)[::-1]], axis=1).astype(np.float64)
"""1, x and y of those cells."""
_U: Final = ((_GX - 0.5 * GRID) / (0.5 * GRID)).astype(np.float64)
_V: Final = ((_GY - 0.6 * GRID) / (0.5 * GRID)).astype(np.float64)
_DEGREES: Final = tuple((i, j) for i in range(5) for j in range(5 - i))
_MONOMIALS: Final = np.stack([_U**i * _V**j for i, j in _DEGREES], axis=-1)[_OVAL]
"""Every u^i v^j up to the fourth degree in the oval's cells, float64 (n, 15)."""
_LINEAR: Final = np.ascontiguousarray(_MONOMIALS[:, [_DEGREES.index(d) for d in ((0, 0), (1, 0), (0, 1))]])


def _sheets() -> F64:
    """Return, for each direction, the columns of a bent sheet as sums of the monomials, float64 (12, 15, 6).

    A sheet bent about one axis is linear along it and a quartic across it (a circle's sag to 1 % for radii above its half width).
    """
    out = np.zeros((_DIRECTIONS.size, len(_DEGREES), 6))
    at = {degree: row for row, degree in enumerate(_DEGREES)}
    for sheet, angle in zip(out, _DIRECTIONS, strict=True):
        c, s = np.cos(angle), np.sin(angle)
        for column, power in ((0, 0), (1, 1), (3, 2), (4, 3), (5, 4)):
            for k in range(power + 1):
                sheet[at[power - k, k], column] = comb(power, k) * c ** (power - k) * s**k
        sheet[at[1, 0], 2], sheet[at[0, 1], 2] = -s, c
    return out


_SHEETS: Final = _sheets()
_RIDGE: Final = 1e-9


def _places() -> npt.NDArray[np.intp]:
    """Return the cells of nine places, (9, 25): nose tip, both cheeks, then brows, eyes and lower cheeks; where a place has fewer, one past the last."""
    tip, eyes = TARGET[2], TARGET[:2]
    cheek = np.array([_CHEEK, 0.0])
    around = [(tip, 1), (tip - cheek, 2), (tip + cheek, 2)]
    around += [(eye + np.array([0.0, down]), 1) for down in (-_BROW, 0.0, _BELOW) for eye in eyes]
    out = np.full((len(around), 25), GRID * GRID, np.intp)
    for row, (point, radius) in zip(out, around, strict=True):
        x, y = np.rint(point * _SCALE).astype(int)
        cells = [j * GRID + i for j in range(y - radius, y + radius + 1) for i in range(x - radius, x + radius + 1)]
        row[: len(cells)] = cells
    return out


_PLACES: Final = _places()


def sample(depth: U16, landmarks: F32, out: U16) -> None:
    """Write the depth around a face into `out`, uint16 (48, 48), by nearest neighbour, so that holes stay holes."""
    matrix = similarity(landmarks, TARGET * _SCALE)
    _native.warp_depth(depth, matrix, out)


def measure(grid: U16) -> Relief | None:
    """Fit the sampled depth; None when too little of the face was measured.

    Fits are made in inverse depth, where a plane stays a plane under perspective, and scaled back to millimetres.
    """
    cells = grid.ravel()[_CELLS].astype(np.float64)
    known = cells > 0
    if int(np.count_nonzero(known)) < MIN_POINTS:
        return None
    distance = median_of(cells[known])
    known &= np.abs(cells - distance) <= _BAND_MM
    points = int(np.count_nonzero(known))
    if points < MIN_POINTS:
        return None
    before = distance - distance * distance / np.maximum(cells, 1.0)
    w, inside = np.zeros(GRID * GRID + 1), np.zeros(GRID * GRID + 1, bool)
    w[_CELLS], inside[_CELLS] = before, known
    whole = points == known.size
    value, linear, monomials = (a if whole else a[known] for a in (before, _LINEAR, _MONOMIALS))
    plane, off = _residual(linear, value, linear, value)
    keep = off <= max(4.0 * median_of(off), 3.0)
    kept = int(np.count_nonzero(keep))
    if kept < keep.size:
        plane, off = _residual(linear[keep], value[keep], linear, value)
        keep = off <= max(4.0 * median_of(off), 3.0)
        kept = int(np.count_nonzero(keep))
    sheet = _sheet(monomials, value) if kept == keep.size else _sheet(monomials[keep], value[keep])
    nose, sockets = _places_of(w, inside)
    grid_w, grid_inside = w[:-1].reshape(GRID, GRID), inside[:-1].reshape(GRID, GRID)
    return Relief(kept, distance, plane, sheet, nose, _noise(grid_w, grid_inside), sockets, _turn(w, inside))


def _residual(design: F64, value: F64, whole: F64, values: F64) -> tuple[float, F64]:
    """Fit `value` on `design`; return the root mean square that is left, and how far each of `values` lies off on `whole`."""
    normal = design.T @ design
    normal.flat[:: len(normal) + 1] += _RIDGE * len(value)
    found = np.linalg.solve(normal, design.T @ value)
    off = values - whole @ found
    left = off if value is values else value - design @ found
    return float(np.sqrt(left @ left / len(left))), np.abs(off)


def _sheet(monomials: F64, value: F64) -> float:
    """Return what the best of the sheets leaves: all of them follow from one set of normal equations in the monomials."""
    gram, right, squares = monomials.T @ monomials, monomials.T @ value, float(value @ value)
    normal = _SHEETS.transpose(0, 2, 1) @ gram @ _SHEETS
    wanted = (right @ _SHEETS)[..., None]
    found = np.linalg.solve(normal + _RIDGE * len(value) * np.eye(normal.shape[1]), wanted)
    crossed = np.swapaxes(found, 1, 2)
    left = squares + (crossed @ (normal @ found - 2.0 * wanted)).min()
    return float(np.sqrt(max(left, 0.0) / len(value)))


def _places_of(w: F64, inside: Mask) -> tuple[float | None, float | None]:
    """Return how far the nose tip stands before the nearer of both cheeks at its height, and the eyes behind the middle of brow and cheek.

    In mm, from medians of the places; None where one of them has fewer than three measured cells.
    """
    known = inside[_PLACES]
    counts = known.sum(1).tolist()
    values = np.sort(np.where(known, w[_PLACES], np.inf), axis=1)
    tip, left, right, *rest = (
        float(row[(n - 1) // 2] + row[n // 2]) / 2 if n >= 3 else None for row, n in zip(values, counts, strict=True)
    )
    nose = None if tip is None or left is None or right is None else min(left, right) - tip
    found = [v for v in rest if v is not None]
    if len(found) < len(rest):
        return nose, None
    brow, eye, cheek = ((a + b) / 2 for a, b in zip(found[::2], found[1::2], strict=True))
    return nose, eye - (brow + cheek) / 2


def _turn(w: F64, inside: Mask) -> float | None:
    """Return the slope from left to right of the plane through the middle of the face, in degrees; None where too little was measured."""
    known = inside[_MIDDLE]
    count = int(np.count_nonzero(known))
    if count < MIN_POINTS // 4:
        return None
    design, value = (_SLOPES, w[_MIDDLE]) if count == known.size else (_SLOPES[known], w[_MIDDLE][known])
    slope = np.linalg.solve(design.T @ design, design.T @ value)[1]
    return float(np.degrees(np.arctan(slope / _CELL_MM)))


def _noise(w: F64, inside: Mask) -> float:
    """Return the sensor's noise from second differences two grid steps apart: 1.4826 MAD / sqrt(6)."""
    second = w[:, :-4] - 2 * w[:, 2:-2] + w[:, 4:]
    found = np.abs(second[inside[:, :-4] & inside[:, 2:-2] & inside[:, 4:]])
    return 1.4826 * median_of(found) / math.sqrt(6.0) if found.size >= 100 else 0.0
