"""Triplets: the registered pictures that attacks are made from, and what a depth camera adds to a surface."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import pictures
from vultus.types import F32, U8, U16

F64 = npt.NDArray[np.float64]
Grid = npt.NDArray[np.floating[Any]]

_SMOOTH_MM: Final = 30.0
"""Steps to a neighbour above this are edges of things, not noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Triplet:
    """Registered pictures of one moment: `rgb` (h, w, 3), `nir` and `depth` (mm, 0 = hole) (h, w); `landmarks` (5, 2) in image order."""

    rgb: U8 = field(repr=False)
    nir: U16 = field(repr=False)
    depth: U16 = field(repr=False)
    landmarks: F32 = field(repr=False)

    @property
    def eye_distance(self) -> float:
        """Distance between the eyes in pixels."""
        return float(np.hypot(*(self.landmarks[1] - self.landmarks[0])))

    def distance_mm(self) -> float:
        """Return the median depth of the face, from the eyes to the mouth; 0 where nothing was measured."""
        (x0, y0), (x1, y1) = np.rint(self.landmarks.min(0)).astype(int), np.rint(self.landmarks.max(0)).astype(int)
        inside = self.depth[max(0, y0) : y1 + 1, max(0, x0) : x1 + 1]
        return float(np.median(inside[inside > 0])) if (inside > 0).any() else 0.0


def residuals(depth: U16) -> F64:
    """Return the real depth noise of a frame in mm: second differences along the rows, scaled to one pixel's deviation."""
    z = depth.astype(np.float64)
    second = z[:, :-2] - 2.0 * z[:, 1:-1] + z[:, 2:]
    steps = np.maximum(np.abs(z[:, 1:-1] - z[:, :-2]), np.abs(z[:, 2:] - z[:, 1:-1]))
    known = (depth[:, :-2] > 0) & (depth[:, 1:-1] > 0) & (depth[:, 2:] > 0) & (steps < _SMOOTH_MM)
    found: F64 = second[known] / np.sqrt(6.0)
    return found if found.size else np.zeros(1)


def step_mm(depth: U16) -> int:
    """Return the sensor's quantisation below 1024 mm: the greatest common divisor of what it measured; 1 when that says nothing."""
    near = np.unique(depth[(depth > 0) & (depth < 1024)]).astype(np.int64)
    return int(np.gcd.reduce(near)) if near.size > 1 else 1


def measured(surface: Grid, like: U16, rng: np.random.Generator) -> U16:
    """Return a surface (mm) as the camera of `like` sees it: noise drawn from that frame, its quantisation and a few of its holes."""
    noise = rng.choice(residuals(like), surface.shape)
    z = surface + noise
    step = np.where(z < 1024, step_mm(like), 2 * step_mm(like))
    out = np.asarray(np.clip(np.rint(z / step) * step, 0, 65535), np.uint16)
    out[rng.random(surface.shape) < 0.002] = 0
    return out


def moved(image: npt.NDArray[Any], matrix: F64) -> npt.NDArray[Any]:
    """Return a picture resampled so that pixel p shows what was at matrix @ (p, 1); `matrix` is float64 (2, 3)."""
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(np.float64)
    u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    v = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    return pictures.sample(image, u.astype(np.float32), v.astype(np.float32))


def moved_depth(depth: U16, matrix: F64) -> U16:
    """Return depth resampled as `moved` does, by nearest neighbour, so that holes stay holes; outside is a hole."""
    y, x = np.mgrid[0 : depth.shape[0], 0 : depth.shape[1]].astype(np.float64)
    u = np.rint(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]).astype(int)
    v = np.rint(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]).astype(int)
    inside = (u >= 0) & (v >= 0) & (u < depth.shape[1]) & (v < depth.shape[0])
    out = np.zeros_like(depth)
    out[inside] = depth[v[inside], u[inside]]
    return out


def onto(source: F32, target: F32) -> F64:
    """Return the 2 x 3 similarity that takes pixels of `target`'s picture to `source`'s, by least squares over the five points."""
    s, t = source.astype(np.float64), target.astype(np.float64)
    cs, ct = s - s.mean(0), t - t.mean(0)
    norm = float((ct * ct).sum())
    a = float((ct * cs).sum()) / norm
    b = float((ct[:, 0] * cs[:, 1] - ct[:, 1] * cs[:, 0]).sum()) / norm
    linear = np.array([[a, -b], [b, a]])
    return np.column_stack([linear, s.mean(0) - linear @ t.mean(0)])
