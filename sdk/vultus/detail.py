"""Detail: whether the fine forms of the depth are those that the NIR light shows.

The lamp stands beside the camera: what turns away from it darkens, and so do hollows and creases, while ridges catch the light. Skin repeats this cell
by cell; depth of another head does so nowhere, and neither does a print on it, whose light and dark are another face's. On a time-of-flight
camera the depth of dark things is off by a little too, which adds to it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vultus.products import between
from vultus.types import F32, U16

SIDE: Final = 72
_MM: Final = 63.0 / (35.24 * SIDE / 112.0)
"""Millimetres a cell, from adults' mean eye distance of 63 mm (ANSUR II)."""
_BAND_MM: Final = 150.0
_HOLLOW_MM: Final = 0.9
"""Nats of light that a hollow loses for each 1 / mm of its curvature; 0.9 to 1.1 in regressions over real faces of one sensor (Kinect v2)."""
_FLOOR: Final = 2.0
"""Levels added before logarithms are taken, so that noise in the dark counts little."""
_CELLS: Final = 300
"""Cells, of 2500 in the oval, without which nothing is said; half as many in the strip of the eyes."""
_CLIP: Final = 2.0
"""Median deviations from which a cell counts no more: the frames of spectacles are dark and few."""
_SURE: Final = 1e-3

Mask = npt.NDArray[np.bool_]


def _oval() -> tuple[Mask, Mask]:
    """Return the face from brows to chin inside the border, and of it the strip of the eyes."""
    v, u = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    inside: Mask = ((u - 0.5) / 0.37) ** 2 + ((v - 0.6) / 0.44) ** 2 <= 1.0
    inside[[0, -1]] = inside[:, [0, -1]] = False
    eyes: Mask = inside & (np.abs(v - 19 / 48) < 6 / 48)
    return inside, eyes


def _blur(sigma: float) -> F32:
    """Return the matrix (72, 72) that takes a column to its means under a normal curve, the border repeated."""
    reach = int(4 * sigma + 0.5)
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    out, at = np.zeros((SIDE, SIDE)), np.arange(SIDE)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        np.add.at(out, (at, np.clip(at + step, 0, SIDE - 1)), weight)
    return np.asarray(out, np.float32)


_OVAL, _EYES = _oval()
_SMOOTH, _FINE, _COARSE = ((_blur(sigma), np.ascontiguousarray(_blur(sigma).T)) for sigma in (1.0, 0.6, 1.5))
"""Standard deviations in cells: what depth is smoothed by, and between which two the detail lies; from the left and from the right."""


def agreement(depth: U16, light: F32, unlit: float) -> tuple[float | None, float | None]:
    """Return the correlation of the light's detail with that foretold by the depth's slopes and curvatures, but for the eyes and about them.

    Apart, because spectacles and deep sockets are live people's too, while printed eyes are an attack's.

    `depth` uint16 (72, 72) in mm, 0 = hole, and `light` float32 (72, 72) show the face aligned alike; cells up to `unlit` are not lit. Cells are
    compared only where both were measured. None where too few were, or one of the two is even.
    """
    known = (depth > 0) & (light > unlit)
    face = depth[known & _OVAL]
    if face.size < _CELLS:
        return None, None
    middle = np.partition(face, face.size // 2)[face.size // 2]
    off = depth.astype(np.float32) - np.float32(middle)
    known &= np.abs(off) <= _BAND_MM
    weight = known.astype(np.float32)
    share, total = between(_SMOOTH[0], np.stack([weight, off * weight]), _SMOOTH[1])
    foretold = _foretold(total / np.maximum(share, _SURE))
    fine, coarse = (np.maximum(between(left, weight, right), np.float32(_SURE)) for left, right in (_FINE, _COARSE))
    logs = np.log(light + np.float32(_FLOOR))
    detail = np.stack([_between(plane * weight, fine, coarse) for plane in (foretold, logs)])
    inner = _OVAL.copy()
    inner[1:-1, 1:-1] &= known[1:-1, 1:-1] & known[1:-1, 2:] & known[1:-1, :-2] & known[2:, 1:-1] & known[:-2, 1:-1]
    cells = np.flatnonzero(inner)
    if cells.size < _CELLS:
        return None, None
    found = detail.reshape(2, -1).take(cells, axis=1)
    half = found.shape[1] // 2
    limit = _CLIP * np.partition(np.abs(found), half, axis=1)[:, half : half + 1]
    found = np.clip(found, -limit, limit)
    eyes = _EYES.ravel().take(cells)
    return _correlation(found[:, ~eyes]), _correlation(found[:, eyes])


def _between(plane: F32, fine: F32, coarse: F32) -> F32:
    """Return what lies between the two means of a weighed plane; `fine` and `coarse` are those of the weights."""
    return np.asarray(between(_FINE[0], plane, _FINE[1]) / fine - between(_COARSE[0], plane, _COARSE[1]) / coarse, np.float32)


def noise(light: F32, unlit: float) -> float | None:
    """Return how much the logarithm of the light jumps from cell to cell of the face, in nats; None where too few cells are lit.

    It is the deviation of what is left of four neighbouring cells when their slopes are taken out; the sensor's noise, and some of the skin's texture.
    """
    known = (light > unlit) & _OVAL
    logs = np.log(light + np.float32(_FLOOR))
    twist = np.abs(logs[:-1, :-1] - logs[:-1, 1:] - logs[1:, :-1] + logs[1:, 1:])
    found = twist[known[:-1, :-1] & known[1:, 1:] & known[:-1, 1:] & known[1:, :-1]]
    if found.size < _CELLS:
        return None
    return 1.4826 / 2.0 * float(np.partition(found, found.size // 2)[found.size // 2])


def _foretold(surface: F32) -> F32:
    """Return the logarithm of the light that a surface in mm (away from the lamp) sends back, but for slow parts."""
    right, down = _across(surface), _across(surface.T).T
    curved = _across(right) + _across(down.T).T
    return np.asarray(_HOLLOW_MM * curved - 0.5 * np.log1p(right * right + down * down), np.float32)


def _across(surface: F32) -> F32:
    """Return the slope from left to right, from the neighbours on both sides; 0 at the border."""
    out = np.zeros_like(surface)
    np.subtract(surface[:, 2:], surface[:, :-2], out=out[:, 1:-1])
    out *= np.float32(0.5 / _MM)
    return out


def _correlation(found: F32) -> float | None:
    if found.shape[1] < _CELLS // 2:
        return None
    a, b = (found - found.mean(1, keepdims=True)).astype(np.float64)
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 1e-9 else None
