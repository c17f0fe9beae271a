"""Register: carry points from one stream of a frame set to another through intrinsics and extrinsics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vultus.types import F32, Extrinsics, Frame


def transfer(points: F32, source: Frame, target: Frame, depth_mm: float | None) -> F32 | None:
    """Return `points`, float32 (n, 2) pixels of `source`, as pixels of `target`; None when the two cannot be related.

    Streams without extrinsics are registered pixel by pixel, up to a common scale. Otherwise both need intrinsics and the
    points' distance `depth_mm` from the source camera is used for all of them: a face is shallow against its distance.
    """
    if source.extrinsics is None and target.extrinsics is None:
        return _rescale(points, source, target)
    if source.intrinsics is None or target.intrinsics is None or depth_mm is None or not depth_mm > 0:
        return None
    s, t = source.intrinsics, target.intrinsics
    rays = np.stack([(points[:, 0] - s.cx) / s.fx, (points[:, 1] - s.cy) / s.fy, np.ones(len(points))], axis=1) * depth_mm
    r1, t1 = _motion(source.extrinsics)
    r2, t2 = _motion(target.extrinsics)
    there = (rays @ r1.T + t1 - t2) @ r2
    if not (there[:, 2] > 1.0).all():
        return None
    return np.stack([there[:, 0] / there[:, 2] * t.fx + t.cx, there[:, 1] / there[:, 2] * t.fy + t.cy], axis=1).astype(np.float32)


def _rescale(points: F32, source: Frame, target: Frame) -> F32 | None:
    sx, sy = target.width / source.width, target.height / source.height
    if abs(sx / sy - 1.0) > 0.01:
        return None
    scaled: F32 = ((points + 0.5) * np.array([sx, sy], np.float32) - 0.5).astype(np.float32)
    return scaled


def _motion(extrinsics: Extrinsics | None) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if extrinsics is None:
        return np.eye(3), np.zeros(3)
    return np.asarray(extrinsics.rotation, np.float64).reshape(3, 3), np.asarray(extrinsics.translation_mm, np.float64)
