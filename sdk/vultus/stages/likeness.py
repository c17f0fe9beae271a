"""Likeness: how far the NIR picture is the colour picture again, detail by detail.

Two cameras have noise of their own, and skin, brows, lips and glints look different in infrared. A NIR picture that somebody computed from
the colour picture, as an injected frame may be, repeats its detail.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vultus import _native
from vultus.geometry import TARGET, similarity
from vultus.products import between
from vultus.types import F32, Grey

SIDE: Final = 64
_SCALE: Final = SIDE / 112.0
_RADIUS: Final = 2
_TOP: Final = 8
_SIDE: Final = 12
"""Cells left out above and below, and on each side: hair and background."""
_REACH: Final = 2
"""Cells by which the landmarks of one stream may lie beside those carried over from the other: 0.2 eye distances."""


_MIDDLE: Final = SIDE - 2 * _TOP, SIDE - 2 * _SIDE
_INNER: Final = np.s_[_TOP - _REACH : SIDE - _TOP + _REACH, _SIDE - _REACH : SIDE - _SIDE + _REACH]
_AIM: Final = TARGET * _SCALE


def _fine() -> F32:
    """Return the matrix (64, 64) that takes a column to its means over five cells, the border repeated."""
    out = np.zeros((SIDE, SIDE), np.float32)
    for step in range(-_RADIUS, _RADIUS + 1):
        np.add.at(out, (np.arange(SIDE), np.clip(np.arange(SIDE) + step, 0, SIDE - 1)), 1 / (2 * _RADIUS + 1))
    return out


_MEAN: Final = _fine()


class Likeness:
    """Compares the two crops of a face in memory allocated once."""

    def __init__(self) -> None:
        self._crops: F32 = np.empty((2, 1, SIDE, SIDE), np.float32)
        self._inner: F32 = np.empty((_MIDDLE[0] + 2 * _REACH, _MIDDLE[1] + 2 * _REACH), np.float32)
        self._windows = np.lib.stride_tricks.sliding_window_view(self._inner, _MIDDLE)

    def measure(self, luma: Grey, in_luma: F32, nir: Grey, in_nir: F32, nir_level: float) -> float | None:
        """Return the correlation of what is finer than five cells in both crops, -1 to 1; None where one of them has no detail.

        `in_luma`, `in_nir` are the five landmarks in each picture, `nir_level` the mean level of the NIR face in the picture's unit.
        """
        gain = 64.0 / nir_level
        for crop, image, marks, factor in ((self._crops[0], luma, in_luma, 1.0), (self._crops[1], nir, in_nir, gain)):
            _native.warp_grey(image, similarity(marks, _AIM), crop, gain=factor, lut=None, scale=1.0, offset=0.0)
        roots = np.sqrt(self._crops[:, 0])
        one, other = roots - between(_MEAN, roots, _MEAN.T)
        return self._correlation(one, other)

    def _correlation(self, one: F32, other: F32) -> float | None:
        """Return the largest correlation of the middle of `one` with `other` moved by up to `_REACH` cells each way."""
        middle = one[_TOP : SIDE - _TOP, _SIDE : SIDE - _SIDE].ravel()
        middle = middle - middle.sum() / middle.size
        self._inner[:] = other[_INNER]
        windows = self._windows.reshape((2 * _REACH + 1) ** 2, -1)
        lengths = np.sqrt(np.einsum("ij,ij->i", windows, windows) * float(middle @ middle))
        return float((windows @ middle / np.maximum(lengths, 1e-9)).max()) if float(lengths.min()) > 1e-3 else None
