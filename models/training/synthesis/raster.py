"""Draws triangles: which one is nearest at each pixel, and where in it, by a depth buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What is seen at each pixel. triangle: (h, w), -1 where nothing is. weights: (h, w, 3) of the triangle's corners. z: (h, w), inf outside."""

    triangle: I32
    weights: F32
    z: F32

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """Where something is seen."""
        return self.triangle >= 0

    def spread(self, values: npt.NDArray[Any], triangles: I32) -> F32:
        """Return vertex values (v, c) at each pixel (h, w, c), 0 where nothing is seen."""
        corners = values[triangles[np.maximum(self.triangle, 0)]]
        out = np.einsum("hwk,hwkc->hwc", self.weights, corners.astype(np.float32))
        return np.asarray(out * self.inside[..., None], np.float32)


def draw(points: npt.NDArray[Any], distance: npt.NDArray[Any], triangles: I32, size: tuple[int, int]) -> Drawn:
    """Draw triangles that face the viewer.

    points: (v, 2) x, y in pixels, the middle of a pixel being a whole number. distance: (v,) from the viewer, above 0. triangles: (t, 3), turning
    counter-clockwise where y points up. size: height, width.
    """
    height, width = size
    corner = points[triangles]
    a, b, c = corner[:, 0], corner[:, 1], corner[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    low = np.maximum(np.ceil(corner.min(1)), 0).astype(np.int64)
    high = np.minimum(np.floor(corner.max(1)), (width - 1, height - 1)).astype(np.int64)
    span = high - low + 1
    # Pixel rows point down, so what turns counter-clockwise seen with y up has a negative area here.
    kept = np.flatnonzero((area < -1e-12) & (span > 0).all(1) & (distance[triangles].min(1) > 0))
    count = span[kept, 0] * span[kept, 1]
    which = np.repeat(kept, count)
    within = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    x = low[which, 0] + within % span[which, 0]
    y = low[which, 1] + within // span[which, 0]
    first, second, third = a[which], b[which], c[which]
    wb = ((x - first[:, 0]) * (third[:, 1] - first[:, 1]) - (y - first[:, 1]) * (third[:, 0] - first[:, 0])) / area[which]
    wc = ((second[:, 0] - first[:, 0]) * (y - first[:, 1]) - (second[:, 1] - first[:, 1]) * (x - first[:, 0])) / area[which]
    weights = np.stack([1 - wb - wc, wb, wc], axis=1)
    hit = (weights >= -1e-9).all(1)
    which, weights, x, y = which[hit], weights[hit], x[hit], y[hit]
    z = (weights * distance[triangles[which]]).sum(1)
    order = np.argsort(-z, kind="stable")
    pixel = (y * width + x)[order]
    triangle = np.full(height * width, -1, np.int32)
    depth = np.full(height * width, np.inf, np.float32)
    shares = np.zeros((height * width, 3), np.float32)
    # Farthest first: of several at one pixel the last one written, the nearest, stays.
    triangle[pixel] = which[order]
    depth[pixel] = z[order]
    shares[pixel] = weights[order]
    return Drawn(triangle.reshape(size), shares.reshape(height, width, 3), depth.reshape(size))
