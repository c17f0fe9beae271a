"""Align: warp a detected face straight into the recogniser's input tensor, by a cubic filter where that enlarges it and a bilinear one elsewhere."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.geometry import similarity
from vultus.types import F32, Crop, Frame, Grey, Modality

FACE_MEAN: Final = 100.0
"""Linear level, of 255, that the mean of a NIR face is brought to before the curve: it is shown at 137, and what reflects 2.5 times as much
is white."""
GAMMA: Final = 1.5
"""Display curve of NIR, whose sensors are linear. Colour photographs carry 2.2; a lamp beside the lens and skin that is alike in NIR leave a
face a third of the contrast that it has in colour, and a weaker curve gives half of that back (models/matching/README.md)."""
_CURVE: Final[F32] = (255.0 * (np.arange(256) / 255.0) ** (1 / GAMMA)).astype(np.float32)


def align_rgb(frame: Frame, landmarks: F32, out: F32, *, mean: float, scale: float) -> Crop:
    """Warp the face of an RGB frame into `out`, float32 (1, 3, 112, 112), as (pixel - mean) * scale in the order R, G, B."""
    matrix = similarity(landmarks)
    _native.warp_rgb(frame.data, matrix, out[0], bgr=False, scale=scale, offset=-mean * scale, cubic=_enlarges(matrix))
    return Crop(Modality.RGB, out, matrix)


def align_nir(image: Grey, landmarks: F32, face_mean: float, out: F32, *, mean: float, scale: float) -> Crop:
    """Warp the face of a NIR picture into `out` as three equal planes, exposed for the face and with a display curve.

    `face_mean` is the mean level of the face in the picture's own unit; it must be positive.
    """
    matrix = similarity(landmarks)
    gain, cubic = FACE_MEAN / face_mean, _enlarges(matrix)
    _native.warp_grey(image, matrix, out[0], gain=gain, lut=_CURVE, scale=scale, offset=-mean * scale, cubic=cubic)
    return Crop(Modality.NIR, out, matrix)


def _enlarges(matrix: npt.NDArray[np.float64]) -> bool:
    """Say whether a pixel of the crop is less than one of the frame: there the cubic filter keeps more of a face, otherwise it keeps less.

    Measured on London and Canada, `python -m models.matching filters`: cosine with the face in full size +0.0036 with 20 pixels between the
    eyes, +0.0011 with 30, -0.0010 with 60; the crop has 35.
    """
    return float(np.hypot(*matrix[:, 0])) < 1.0
