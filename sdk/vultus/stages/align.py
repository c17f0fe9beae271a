"""Align: warp a detected face straight into the recogniser's input tensor."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.types import F32, Crop, Frame, Modality

SIDE: Final = 112
TARGET: Final = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Where the five landmarks go in the 112 x 112 crop; the recogniser was trained on this alignment (OpenCV Zoo, SFace)."""

_FACE_MEAN: Final = 64.0
"""Linear level, of 255, that the mean of a NIR face is brought to before the curve: a quarter of full scale, so that the forehead's
highlight (about three times the mean under a light beside the lens) is not clipped."""
_CURVE: Final[F32] = (255.0 * (np.arange(256) / 255.0) ** (1 / 2.2)).astype(np.float32)
"""Display curve that colour photographs carry and the recogniser expects; NIR sensors are linear."""


def similarity(landmarks: F32, target: npt.NDArray[np.float64] = TARGET) -> npt.NDArray[np.float64]:
    """Return the 2 x 3 matrix that takes a pixel of the crop to the frame: the least-squares similarity of the five points.

    Raises ValueError when the landmarks coincide.
    """
    source = landmarks.astype(np.float64)
    mean_t, mean_s = target.mean(0), source.mean(0)
    t, s = target - mean_t, source - mean_s
    norm = float((t * t).sum())
    a = float((t * s).sum()) / norm
    b = float((t[:, 0] * s[:, 1] - t[:, 1] * s[:, 0]).sum()) / norm
    if not np.isfinite([a, b]).all() or a * a + b * b < 1e-6:
        raise ValueError("the landmarks coincide")
    linear = np.array([[a, -b], [b, a]])
    return np.column_stack([linear, mean_s - linear @ mean_t])


def align_rgb(frame: Frame, landmarks: F32, out: F32, *, mean: float, scale: float) -> Crop:
    """Warp the face of an RGB frame into `out`, float32 (1, 3, 112, 112), as (pixel - mean) * scale in the order R, G, B."""
    matrix = similarity(landmarks)
    _native.warp_rgb(frame.data, matrix, out[0], bgr=False, scale=scale, offset=-mean * scale)
    return Crop(Modality.RGB, out, matrix)


def align_nir(image: npt.NDArray[np.uint8 | np.uint16], landmarks: F32, face_mean: float, out: F32, *, mean: float, scale: float) -> Crop:
    """Warp the face of a NIR picture into `out` as three equal planes, exposed for the face and with a display curve.

    `face_mean` is the mean level of the face in the picture's own unit; it must be positive.
    """
    matrix = similarity(landmarks)
    _native.warp_grey(image, matrix, out[0], gain=_FACE_MEAN / face_mean, lut=_CURVE, scale=scale, offset=-mean * scale)
    return Crop(Modality.NIR, out, matrix)
