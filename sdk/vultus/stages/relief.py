"""Relief: how far a face's depth stands off the best plane and the best bent sheet, in millimetres."""

from __future__ import annotations

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
_GY, _GX = np.mgrid[0:GRID, 0:GRID]
_MIDDLE: Final = (np.abs(_GX - 0.5 * GRID) <= 12) & (_GY >= 18) & (_GY <= 42)
"""Between the outer corners of the eyes, from the brows to below the mouth."""
_U: Final = ((_GX - 0.5 * GRID) / (0.5 * GRID)).astype(np.float64)
_V: Final = ((_GY - 0.6 * GRID) / (0.5 * GRID)).astype(np.float64)
_DEGREES: Final = tuple((i, j) for i in range(5) for j in range(5 - i))
_MONOMIALS: Final = np.stack([_U**i * _V**j for i, j in _DEGREES], axis=-1)
"""Every u^i v^j up to the fourth degree, float64 (48, 48, 15)."""


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


def sample(depth: U16, landmarks: F32, out: U16) -> None:
    """Write the depth around a face into `out`, uint16 (48, 48), by nearest neighbour, so that holes stay holes."""
    matrix = similarity(landmarks, TARGET * _SCALE)
    _native.warp_depth(depth, matrix, out)


def measure(grid: U16) -> Relief | None:
    """Fit the sampled depth; None when too little of the face was measured.

    Fits are made in inverse depth, where a plane stays a plane under perspective, and scaled back to millimetres.
    """
    inside = _OVAL & (grid > 0)
    if int(inside.sum()) < MIN_POINTS:
        return None
    distance = median_of(grid[inside])
    z = grid.astype(np.float64)
    inside &= np.abs(z - distance) <= _BAND_MM
    if int(inside.sum()) < MIN_POINTS:
        return None
    w = np.where(inside, distance - distance * distance / np.maximum(z, 1.0), 0.0)
    u, v, value = _U[inside], _V[inside], w[inside]
    keep = np.ones(value.size, bool)
    plane = 0.0
    for _ in range(2):
        plane, fitted = _residual(np.stack([np.ones_like(u), u, v], axis=1), value, keep)
        spread = np.abs(value - fitted)
        keep = spread <= max(4.0 * median_of(spread), 3.0)
    sheet = _sheet(_MONOMIALS[inside][keep], value[keep])
    sides = _sockets(w, inside), _turn(w, inside)
    return Relief(int(keep.sum()), distance, plane, sheet, _nose(w, inside), _noise(w, inside), *sides)


def _residual(design: F64, value: F64, keep: Mask) -> tuple[float, F64]:
    a, b = design[keep], value[keep]
    normal = a.T @ a
    normal[np.diag_indices_from(normal)] += 1e-9 * len(b)
    fitted = design @ np.linalg.solve(normal, a.T @ b)
    return float(np.sqrt(np.mean((b - fitted[keep]) ** 2))), fitted


def _sheet(monomials: F64, value: F64) -> float:
    """Return what the best of the sheets leaves: all of them follow from one set of normal equations in the monomials."""
    gram, right, squares = monomials.T @ monomials, monomials.T @ value, float(value @ value)
    normal = _SHEETS.transpose(0, 2, 1) @ gram @ _SHEETS
    wanted = (right @ _SHEETS)[..., None]
    found = np.linalg.solve(normal + 1e-9 * len(value) * np.eye(normal.shape[1]), wanted)
    crossed = np.swapaxes(found, 1, 2)
    left = squares + (crossed @ (normal @ found - 2.0 * wanted)).min()
    return float(np.sqrt(max(left, 0.0) / len(value)))


def _patch(w: F64, inside: Mask, point: F64, radius: int) -> float | None:
    x, y = np.rint(point * _SCALE).astype(int)
    window = np.s_[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
    values = w[window][inside[window]]
    return median_of(values) if values.size >= 3 else None


def _nose(w: F64, inside: Mask) -> float | None:
    """Return how far the nose tip stands before the nearer of both cheeks at its height, in mm; None where one is unmeasured."""
    tip = _patch(w, inside, TARGET[2], 1)
    cheeks = [_patch(w, inside, TARGET[2] + (aside, 0.0), 2) for aside in (-_CHEEK, _CHEEK)]
    known = [c for c in cheeks if c is not None]
    return min(known) - tip if tip is not None and len(known) == 2 else None


def _sockets(w: F64, inside: Mask) -> float | None:
    """Return how far both eyes lie behind the middle of brow and cheek, in mm; None where one of the six places is unmeasured."""
    places = [[_patch(w, inside, eye + np.array([0.0, down]), 1) for eye in TARGET[:2]] for down in (-_BROW, 0.0, _BELOW)]
    brow, eye, cheek = (None if left is None or right is None else (left + right) / 2 for left, right in places)
    return None if brow is None or eye is None or cheek is None else eye - (brow + cheek) / 2


def _turn(w: F64, inside: Mask) -> float | None:
    """Return the slope from left to right of the plane through the middle of the face, in degrees; None where too little was measured."""
    known = inside & _MIDDLE
    if int(known.sum()) < MIN_POINTS // 4:
        return None
    design = np.stack([np.ones(int(known.sum())), _GX[known], _GY[known]], axis=1).astype(np.float64)
    slope = np.linalg.solve(design.T @ design, design.T @ w[known])[1]
    return float(np.degrees(np.arctan(slope / _CELL_MM)))


def _noise(w: F64, inside: Mask) -> float:
    """Return the sensor's noise from second differences two grid steps apart: 1.4826 MAD / sqrt(6)."""
    second = w[:, :-4] - 2 * w[:, 2:-2] + w[:, 4:]
    valid = inside[:, :-4] & inside[:, 2:-2] & inside[:, 4:]
    return float(1.4826 * median_of(np.abs(second[valid])) / np.sqrt(6.0)) if valid.sum() >= 100 else 0.0
