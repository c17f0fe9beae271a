"""Geometry of one face: landmarks to a crop, a pose and a rectangle, and the measured relief of its depth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.types import F32, Face

SIDE: Final = 112
_APART: Final = 0.25
"""Distance, in extents of the landmarks, up to which two sets of landmarks belong to one face: a quarter of it."""
MAX_TURN: Final = 35.0
"""Degrees of yaw or pitch beyond which a face is neither recognised nor judged; the recogniser's misses are heads turned farther than this."""
TARGET: Final = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Where the five landmarks go in the 112 x 112 crop; the recogniser was trained on this alignment (OpenCV Zoo, SFace)."""

CUT: Final = 4
"""How a face is cut out for the recogniser; raised when that changes, because embeddings of two ways are not compared: 1 at the landmarks of
the first look, 2 at the mean of two closer looks of the detector, and in NIR at those of the colour picture where the two are registered,
3 at the landmarks of a network of their own, 4 by a cubic filter where that enlarges the face."""
SHOWN: Final = 2
"""How an NIR face is exposed and which display curve it is given (stages.align); raise it with every change, for NIR's embeddings alone."""

_MODEL: Final = np.array([[-31.5, 0.0, 0.0], [31.5, 0.0, 0.0], [0.0, 37.0, -30.0], [-25.0, 69.0, -8.0], [25.0, 69.0, -8.0]])
"""Five landmarks of a mean adult head in mm, x right, y down, z away from the camera (eye distance 63 mm, ISO/TR 7250-2)."""
_FIT: Final = np.linalg.pinv(_MODEL - _MODEL.mean(0))
"""Takes landmarks to the least-squares projection of that head: computed once, since each frame set asks for its pose several times."""


@dataclass(frozen=True, slots=True)
class Relief:
    """Fit of one face: residuals are root mean squares in mm; `sheet_mm` is the best developable sheet over all directions.

    `noise_mm` is the sensor's own noise, from neighbours on the grid. `nose_mm` is how far the nose tip stands before the nearer of the
    cheeks beside it (positive towards the camera), `sockets_mm` how far the eyes lie behind brows and cheeks, None where one of the places
    was not measured. `turn` is the slope of the middle of the face from left to right in degrees. `distance_mm` is the median depth.
    """

    points: int
    distance_mm: float
    plane_mm: float
    sheet_mm: float
    nose_mm: float | None
    noise_mm: float
    sockets_mm: float | None = None
    turn: float | None = None


@dataclass(frozen=True, slots=True)
class Surface:
    """How one face's pictures and depth belong together; None where something needed was not measured.

    `structure` is the correlation of NIR and colour detail from one to four cells of 48, -1..1; `contrast` the deviation of that NIR
    detail in natural logarithms. `falloff` is the correlation of NIR light on bare skin with that foretold by the slope and the distance
    of the depth at full resolution, `gain` how many times as much the light varies as foretold (1 for a matt white head, less for sensors
    with noise). `detail` is the correlation of the finest forms in light and depth but for the eyes, `eye_detail` that about the eyes;
    `noise` how much the logarithm of the light jumps from cell to cell.
    """

    structure: float | None
    contrast: float
    falloff: float | None = None
    gain: float | None = None
    detail: float | None = None
    eye_detail: float | None = None
    noise: float | None = None


def median_of(values: npt.NDArray[Any]) -> float:
    """Return the median of at least one number; numpy's own brings masked arrays along, 8 ms of a first sign-in."""
    flat = np.sort(values, axis=None)
    half = flat.size // 2
    return float(flat[half]) if flat.size % 2 else 0.5 * (float(flat[half - 1]) + float(flat[half]))


def similarity(landmarks: F32, target: npt.NDArray[np.float64] = TARGET) -> npt.NDArray[np.float64]:
    """Return the 2 x 3 matrix that takes a pixel of the crop to the frame: the least-squares similarity of the five points.

    Raises ValueError when the landmarks coincide.
    """
    xs, ys = landmarks.T.tolist()
    tx, ty, mean_tx, mean_ty = _aim(np.asarray(target, np.float64).tobytes())
    a = sum(u * x + v * y for u, v, x, y in zip(tx, ty, xs, ys, strict=True))
    b = sum(u * y - v * x for u, v, x, y in zip(tx, ty, xs, ys, strict=True))
    if not math.isfinite(a + b) or a * a + b * b < 1e-6:
        raise ValueError("the landmarks coincide")
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    return np.array([[a, -b, mean_x - a * mean_tx + b * mean_ty], [b, a, mean_y - b * mean_tx - a * mean_ty]])


@lru_cache(maxsize=32)
def _aim(target: bytes) -> tuple[list[float], list[float], float, float]:
    """Return what a target takes of landmarks: its points about their mean over their squared length, x and y, and the mean."""
    points = np.frombuffer(target, np.float64).reshape(-1, 2)
    off = points - points.mean(0)
    tx, ty = (off / float((off * off).sum())).T.tolist()
    return tx, ty, float(points[:, 0].mean()), float(points[:, 1].mean())


def same_place(marks: F32, others: F32) -> bool:
    """Say whether two sets of landmarks have one centre, to a quarter of their extent."""
    extent = float(np.ptp(others, axis=0).max())
    return float(np.abs(marks.mean(0) - others.mean(0)).max()) <= _APART * extent


@dataclass(frozen=True, slots=True)
class Pose:
    """Head rotation in degrees: yaw > 0 turns to the image's right, pitch > 0 looks down, roll > 0 is clockwise in the image."""

    yaw: float
    pitch: float
    roll: float


def pose_of(landmarks: F32) -> Pose:
    """Estimate the head's rotation from five landmarks by a scaled-orthographic fit of a mean head."""
    return _pose(np.ascontiguousarray(landmarks, np.float32).tobytes())


@lru_cache(maxsize=8)
def _pose(landmarks: bytes) -> Pose:
    """Fit once for each face: five cues and the quality of a frame set ask for the pose of the same two faces."""
    marks = np.frombuffer(landmarks, np.float32).reshape(-1, 2)
    affine = (_FIT @ (marks.astype(np.float64) - marks.mean(0))).T
    u, _, vt = np.linalg.svd(affine, full_matrices=False)
    r = u @ vt
    x, y, z = r[0, 1] * r[1, 2] - r[0, 2] * r[1, 1], r[0, 2] * r[1, 0] - r[0, 0] * r[1, 2], r[0, 0] * r[1, 1] - r[0, 1] * r[1, 0]
    yaw = float(np.degrees(np.arctan2(-x, np.hypot(y, z))))
    pitch = float(np.degrees(np.arctan2(y, z)))
    roll = float(np.degrees(np.arctan2(r[1, 0], r[0, 0])))
    return Pose(yaw, pitch, roll)


def face_rect(face: Face, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Return x, y, w, h of the inner face (brows to mouth) clipped to the frame; None when less than 8 x 8 pixels of it are inside."""
    low, high = face.landmarks.min(0), face.landmarks.max(0)
    pad = 0.2 * face.eye_distance
    x0, y0 = max(0, int(low[0] - pad)), max(0, int(low[1] - pad))
    x1, y1 = min(width, int(high[0] + pad) + 1), min(height, int(high[1] + pad) + 1)
    return (x0, y0, x1 - x0, y1 - y0) if x1 - x0 >= 8 and y1 - y0 >= 8 else None
