"""Likeness: how far the NIR picture is the colour picture again, detail by detail.

Two cameras have noise of their own, and skin, brows, lips and glints look different in infrared. A NIR picture that somebody computed from
the colour picture, as an injected frame may be, repeats its detail.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vultus import _native
from vultus.geometry import TARGET, similarity
from vultus.types import F32, Grey

SIDE: Final = 64
_SCALE: Final = SIDE / 112.0
_RADIUS: Final = 2
_TOP: Final = 8
_SIDE: Final = 12
"""Cells left out above and below, and on each side: hair and background."""
_REACH: Final = 2
"""Cells by which the landmarks of one stream may lie beside those carried over from the other: 0.2 eye distances."""


class Likeness:
    """Compares the two crops of a face in memory allocated once."""

    def __init__(self) -> None:
        self._crops: F32 = np.empty((2, 1, SIDE, SIDE), np.float32)

    def measure(self, luma: Grey, in_luma: F32, nir: Grey, in_nir: F32, nir_level: float) -> float | None:
        """Return the correlation of what is finer than five cells in both crops, -1 to 1; None where one of them has no detail.

        `in_luma`, `in_nir` are the five landmarks in each picture, `nir_level` the mean level of the NIR face in the picture's unit.
        """
        gain = 64.0 / nir_level
        for crop, image, marks, factor in ((self._crops[0], luma, in_luma, 1.0), (self._crops[1], nir, in_nir, gain)):
            matrix = similarity(marks, TARGET * _SCALE)
            _native.warp_grey(image, matrix, crop, gain=factor, lut=None, scale=1.0, offset=0.0)
        one, other = (_detail(np.sqrt(crop[0])) for crop in self._crops)
        return _correlation(one, other)


def _detail(crop: F32) -> F32:
    """Take away the mean of the surrounding 5 x 5 cells."""
    wide = 2 * _RADIUS + 1
    sums = np.pad(crop, ((_RADIUS + 1, _RADIUS), (_RADIUS + 1, _RADIUS)), mode="edge").cumsum(0, dtype=np.float64).cumsum(1)
    mean = (sums[wide:, wide:] - sums[:-wide, wide:] - sums[wide:, :-wide] + sums[:-wide, :-wide]) / wide**2
    return np.asarray(crop - mean, np.float32)


def _correlation(one: F32, other: F32) -> float | None:
    """Return the largest correlation of the middle of `one` with `other` moved by up to `_REACH` cells each way."""
    height, width = one.shape
    middle = one[_TOP : height - _TOP, _SIDE : width - _SIDE]
    middle = middle - middle.mean()
    inner = other[_TOP - _REACH : height - _TOP + _REACH, _SIDE - _REACH : width - _SIDE + _REACH]
    windows = np.lib.stride_tricks.sliding_window_view(inner, middle.shape)
    products = np.einsum("yxij,ij->yx", windows, middle)
    lengths = np.sqrt(np.einsum("yxij,yxij->yx", windows, windows) * float((middle * middle).sum()))
    return float((products / np.maximum(lengths, 1e-9)).max()) if float(lengths.min()) > 1e-3 else None
