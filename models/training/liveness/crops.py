"""What the networks see of a face: its depth, NIR and luma as planes, or its colour picture, cut out by the five landmarks as the SDK does."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.geometry import TARGET, similarity
from vultus.types import F32, U8, U16, Grey

SIDE: Final = 64
EYES: Final = 16.0
"""Cells between the eyes: the crop reaches 2 eye distances to each side and shows the head with its outline."""
PLANES: Final = 4
COLOUR_SIDE: Final = 128
COLOUR_EYES: Final = 48.0
"""The colour crop reaches 1.3 eye distances to each side: the face and nothing around it."""
_DEEP_MM: Final = 50.0
_FAR: Final = 3.0
"""Largest value of a plane: 150 mm from the middle of the face, or a factor of e to the power of 3 * 0.7 in light."""
_LIGHT: Final = 0.7
_FLOORS: Final = (2.0, 8.0)
"""Levels added to NIR and to luma before logarithms are taken, so that noise in the dark counts little."""


def _look(side: int, eyes: float, row: float) -> npt.NDArray[np.float64]:
    """Return where the five landmarks go in a crop whose eyes lie `eyes` apart in a row."""
    return np.asarray((TARGET - TARGET[:2].mean(0)) * (eyes / 35.24) + (side / 2, row), np.float64)


LOOK: Final = _look(SIDE, EYES, 25.0)
COLOUR_LOOK: Final = _look(COLOUR_SIDE, COLOUR_EYES, 44.0)


def _middle() -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    inside: npt.NDArray[np.bool_] = ((x - 32) / 18.0) ** 2 + ((y - 34) / 22.0) ** 2 <= 1.0
    return inside


_MIDDLE: Final = _middle()


class Crops:
    """Puts the streams of one face into the planes that the networks read, in memory allocated once."""

    def __init__(self) -> None:
        self._deep: U16 = np.empty((SIDE, SIDE), np.uint16)
        self._light: F32 = np.empty((1, SIDE, SIDE), np.float32)

    def planes(
        self, out: F32, depth: U16, in_depth: F32, nir: Grey, in_nir: F32, nir_level: float, luma: Grey | None, in_luma: F32 | None
    ) -> bool:
        """Write depth, where it was measured, NIR and luma into `out`, float32 (4, 64, 64); False when the face has no depth.

        Depth is in units of 50 mm towards the camera from the median of the face, light in logarithms about the mean of the face, over
        0.7; all within -3 to 3. `nir_level` is the mean level of the NIR face. The luma plane is 0 where there is no colour picture.
        """
        _native.warp_depth(depth, similarity(in_depth, LOOK), self._deep)
        known = self._deep > 0
        if int((known & _MIDDLE).sum()) < _MIDDLE.sum() // 3:
            return False
        middle = float(np.median(self._deep[known & _MIDDLE]))
        out[0] = np.where(known, np.clip((middle - self._deep) / _DEEP_MM, -_FAR, _FAR), 0.0)
        out[1] = known
        self._write(out[2], nir, in_nir, 64.0 / nir_level, _FLOORS[0])
        if luma is None or in_luma is None:
            out[3] = 0.0
        else:
            self._write(out[3], luma, in_luma, 1.0, _FLOORS[1])
        return True

    def _write(self, out: F32, image: Grey, marks: F32, gain: float, floor: float) -> None:
        _native.warp_grey(image, similarity(marks, LOOK), self._light, gain=gain, lut=None, scale=1.0, offset=floor)
        light = np.log(self._light[0])
        np.clip((light - light[_MIDDLE].mean()) / _LIGHT, -_FAR, _FAR, out=out)


def colour_crop(rgb: U8, landmarks: F32, out: F32) -> None:
    """Write the face into `out`, float32 (3, 128, 128), R, G and B planes of (pixel - 127.5) / 128; black outside the picture."""
    _native.warp_rgb(rgb, similarity(landmarks, COLOUR_LOOK), out, bgr=False, scale=1 / 128, offset=-127.5 / 128)
