"""The mean face of the ICT model as seen in an aligned crop: which way its surface looks and how far it lies."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.recipes.crops import _TARGET as TARGET
from models.recipes.crops import similarity

F32 = npt.NDArray[np.float32]
SIDE: Final = 112
_CORNERS: Final = ((36, 39), (42, 45), (30, 30), (48, 48), (54, 54))
"""Multi-PIE landmarks whose middle is one of the five points."""


@lru_cache(maxsize=1)
def mean_face(model: Path) -> tuple[F32, F32]:
    """Return normals (112, 112, 3), z towards the camera, and depth (112, 112) in cm behind the nose tip.

    model: ict_face_model.npz. Beside the face the depth grows no further and the normal looks at the camera.
    """
    with np.load(model) as file:
        points, triangles, marks = (np.asarray(file[k]) for k in ("neutral", "triangles", "landmarks68"))
    five = np.array([(points[marks[a]] + points[marks[b]]) / 2 for a, b in _CORNERS])
    to_crop = similarity(five[:, :2] * (1, -1), TARGET)
    flat = points[:, :2] * (1, -1) @ to_crop[:, :2].T + to_crop[:, 2]
    normals = _normals(points, triangles)
    nearest = np.full((SIDE, SIDE), -np.inf)
    seen = np.zeros((SIDE, SIDE, 3))
    seen[..., 2] = 1
    order = np.argsort(points[:, 2])
    # The mesh has several vertices a pixel on the face, so splatting them back to front leaves few holes.
    for dy in (0, 1):
        for dx in (0, 1):
            x, y = (np.floor(flat[order]) + np.array((dx, dy))).astype(int).T
            inside = (x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE) & (normals[order, 2] > 0)
            x, y, who = x[inside], y[inside], order[inside]
            nearer = points[who, 2] > nearest[y, x]
            nearest[y[nearer], x[nearer]] = points[who[nearer], 2]
            seen[y[nearer], x[nearer]] = normals[who[nearer]]
    depth = np.minimum(points[:9409, 2].max() - nearest, 12.0).astype(np.float32)
    holes = np.abs(depth - cv2.medianBlur(depth, 5)) > 1
    depth[holes] = cv2.medianBlur(depth, 5)[holes]
    for axis in range(3):
        plane = seen[..., axis].astype(np.float32)
        seen[..., axis][holes] = cv2.medianBlur(plane, 5)[holes]
    seen /= np.maximum(np.linalg.norm(seen, axis=2, keepdims=True), 1e-6)
    return np.asarray(seen, np.float32), depth


def _normals(points: npt.NDArray[Any], triangles: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    a, b, c = (points[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    out = np.zeros((len(points), 3))
    for k in range(3):
        np.add.at(out, triangles[:, k], face)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
