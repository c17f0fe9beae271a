"""Look at surfaces through a pinhole camera, and add what sensors add: exposure, shot and read noise, depth noise and holes.

The camera's frame is millimetres, x right, y down, z away from the camera; RGB, NIR and depth share one view point, so that
the streams are registered pixel by pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus import pictures
from vultus.devices.simulator.head import Surface
from vultus.types import F32, Intrinsics

_STEPS: Final = 12
"""Steps of the search along a ray through a relief of at most 155 mm: 13 mm each, less than a nose is wide."""
_LENS_MM: Final = 50.0
"""Depth before which nothing is drawn."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a surface stands: row-major rotation to the camera's frame and position of its origin in mm."""

    rotation: npt.NDArray[np.float64]
    position: npt.NDArray[np.float64]

    def place(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Take points (n, 3) of the surface to the camera's frame."""
        placed: npt.NDArray[np.float64] = points @ self.rotation.T + self.position
        return placed


def rotation(yaw: float, pitch: float, roll: float) -> npt.NDArray[np.float64]:
    """Return the rotation of a head in degrees: yaw turns the nose to larger x, pitch lifts it, roll turns the crown to larger x."""
    a, b, c = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    tilt = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    product: npt.NDArray[np.float64] = tilt @ turn @ nod
    return product


def project(points: npt.NDArray[np.float64], camera: Intrinsics) -> F32:
    """Return the pixels (n, 2) of points (n, 3) in the camera's frame."""
    x = points[:, 0] / points[:, 2] * camera.fx + camera.cx
    y = points[:, 1] / points[:, 2] * camera.fy + camera.cy
    return np.column_stack([x, y]).astype(np.float32)


@dataclass(slots=True)
class Scenery:
    """What each pixel sees: linear colour and emission, NIR reflectance, cosine towards the camera, z in mm, readiness to lose depth."""

    colour: F32 = field(repr=False)
    emission: F32 = field(repr=False)
    nir: F32 = field(repr=False)
    cosine: F32 = field(repr=False)
    side: F32 = field(repr=False)
    depth: F32 = field(repr=False)
    loses: F32 = field(repr=False)
    glare: F32 = field(repr=False)

    def copy(self) -> Scenery:
        """Return an independent copy."""
        return Scenery(*(getattr(self, name).copy() for name in self.__slots__))


class Rays:
    """The rays of a camera's pixels in a block of rows and columns, at `step` pixels, as x / z and y / z."""

    def __init__(self, camera: Intrinsics, step: int, box: tuple[int, int, int, int]) -> None:
        left, top, right, bottom = box
        columns = np.arange(left, right, step, dtype=np.float32) + (step - 1) / 2
        rows = np.arange(top, bottom, step, dtype=np.float32) + (step - 1) / 2
        self.x = (columns[None, :] - np.float32(camera.cx)) / np.float32(camera.fx)
        self.y = (rows[:, None] - np.float32(camera.cy)) / np.float32(camera.fy)


class _Cast:
    """Rays seen from one placed surface: the point at camera depth t is (x, y, z)(t) = start + t * slope, in the surface's frame."""

    def __init__(self, rays: Rays, placement: Placement, surface: Surface) -> None:
        r = placement.rotation.astype(np.float32)
        self.start = (-placement.rotation.T @ placement.position).astype(np.float32)
        self.slope = [r[0, i] * rays.x + (r[1, i] * rays.y + r[2, i]) for i in range(3)]
        # Grid coordinates are affine in x and y; fold them in here, once a view instead of once a step.
        self.u0 = np.float32(self.start[0] / surface.pitch + surface.origin[0])
        self.v0 = np.float32(self.start[1] / surface.pitch + surface.origin[1])
        self.du = self.slope[0] / np.float32(surface.pitch)
        self.dv = self.slope[1] / np.float32(surface.pitch)

    def above(self, t: F32, height: F32) -> F32:
        """Return how far the points at depth t are in front of the relief, in mm."""
        found: F32 = pictures.sample(height, self.u0 + t * self.du, self.v0 + t * self.dv)
        found += self.start[2]
        found += t * self.slope[2]
        return -found


def _search(cast: _Cast, surface: Surface) -> tuple[F32, F32, npt.NDArray[np.bool_]]:
    """Find for each ray the last depth at which it is in front of the relief and the first behind it, and whether there is one."""
    # A ray that grazes the relief, or a shoulder turned into the camera, is searched over a bounded stretch in front of the lens.
    across = np.maximum(cast.slope[2], np.float32(0.1))
    near = np.maximum((-surface.top_mm - cast.start[2]) / across, np.float32(_LENS_MM))
    far = np.maximum((-surface.floor_mm - cast.start[2]) / across, near + np.float32(1.0))
    step = (far - near) / np.float32(_STEPS)
    t = near.copy()
    in_front = np.ones(t.shape, bool)
    passed = np.zeros(t.shape, np.float32)
    for _ in range(_STEPS):
        t += step
        in_front &= cast.above(t, surface.height) >= 0
        passed += in_front
    before = near + passed * step
    after = before + step
    for _ in range(3):
        t = 0.5 * (before + after)
        behind = cast.above(t, surface.height) < 0
        after = np.where(behind, t, after)
        before = np.where(behind, before, t)
    return before, after, ~in_front


def _box(surface: Surface, placement: Placement, camera: Intrinsics) -> tuple[int, int, int, int] | None:
    """Return the even block of pixels that the surface can cover; None when it is out of view."""
    height, width = surface.height.shape
    xs = (np.array([0, width - 1]) - surface.origin[0]) * surface.pitch
    ys = (np.array([0, height - 1]) - surface.origin[1]) * surface.pitch
    corners = np.array([(x, y, z) for x in xs for y in ys for z in (-surface.top_mm, -surface.floor_mm)])
    placed = placement.place(corners)
    if placed[:, 2].min() < _LENS_MM:
        return 0, 0, camera.width, camera.height
    seen = project(placed, camera)
    left, top = (int(v) // 2 * 2 for v in np.maximum(np.floor(seen.min(axis=0)), 0))
    right, bottom = (int(min(np.ceil(hi / 2) * 2, side)) for hi, side in zip(seen.max(axis=0), (camera.width, camera.height), strict=True))
    return (left, top, right, bottom) if right - left > 4 and bottom - top > 4 else None


def _span(used: npt.NDArray[np.bool_]) -> slice:
    """Return the stretch from the first to the last used place with one more on either side; empty when none is used."""
    places = np.flatnonzero(used)
    return slice(max(int(places[0]) - 1, 0), min(int(places[-1]) + 2, used.size)) if places.size else slice(0, 0)


def look(surface: Surface, placement: Placement, camera: Intrinsics, into: Scenery) -> None:
    """Draw a placed surface over what `into` shows, where it is nearer."""
    box = _box(surface, placement, camera)
    if box is None:
        return
    # The search runs on every second pixel; full size takes over the bracket and closes it.
    coarse = _Cast(Rays(camera, 2, box), placement, surface)
    before, after, hit = _search(coarse, surface)
    rows, columns = _span(np.asarray(hit.any(axis=1))), _span(np.asarray(hit.any(axis=0)))
    bracket = np.dstack([before, after])[rows, columns]
    if bracket.size == 0:
        return
    left, top = box[0] + 2 * columns.start, box[1] + 2 * rows.start
    right, bottom = min(box[0] + 2 * columns.stop, box[2]), min(box[1] + 2 * rows.stop, box[3])
    box = (left, top, right, bottom)
    guess = pictures.resize(bracket, right - left, bottom - top)
    cast = _Cast(Rays(camera, 1, box), placement, surface)
    t = _refine(cast, surface, guess)
    u, v = cast.u0 + t * cast.du, cast.v0 + t * cast.dv
    colour = pictures.sample(surface.colour, u, v, outside=0.0)
    matter = pictures.sample(surface.matter, u, v, outside=0.0)
    window = (slice(top, bottom), slice(left, right))
    cover = colour[..., 3] * (t < into.depth[window])
    _blend(surface, cast, (t, cover, colour, matter), placement, into, window)


def _refine(cast: _Cast, surface: Surface, guess: F32) -> F32:
    before, after = guess[..., 0] - 4.0, guess[..., 1] + 4.0
    low, high = cast.above(before, surface.height), cast.above(after, surface.height)
    # One false-position step inside the bracket; where the surface is steep the bracket's end is near enough.
    t: F32 = before + (after - before) * np.clip(low / np.maximum(low - high, 1e-3), 0, 1)
    return t


def _blend(
    surface: Surface, cast: _Cast, hit: tuple[F32, F32, F32, F32], placement: Placement, into: Scenery, window: tuple[slice, slice]
) -> None:
    t, cover, colour, matter = hit
    slope_x, slope_y = matter[..., 1], matter[..., 2]
    length = np.sqrt(1 + slope_x**2 + slope_y**2)
    qx, qy, qz = cast.slope
    ray = np.sqrt(qx**2 + qy**2 + qz**2)
    # The outward normal is -(hx, hy, 1) in the surface's frame; the way back to the camera is -q.
    cosine = np.clip((slope_x * qx + slope_y * qy + qz) / (length * ray), 0.02, 1)
    normal = -placement.rotation.astype(np.float32)
    side = (normal[0, 0] * slope_x + normal[0, 1] * slope_y + normal[0, 2]) / length
    keep = 1 - cover
    for old, new in ((into.nir, matter[..., 0]), (into.cosine, cosine), (into.side, side), (into.loses, matter[..., 3])):
        part = old[window]
        part *= keep
        part += cover * new
    lit = into.colour[window]
    lit *= keep[..., None]
    lit += colour[..., :3] * (cover * (1 - surface.emits))[..., None]
    into.emission[window] *= keep[..., None]
    if surface.emits:
        into.emission[window] += colour[..., :3] * (cover * surface.emits)[..., None]
    into.glare[window] *= keep
    if surface.gloss:
        into.glare[window] += cover * surface.gloss * np.exp(-((1 - cosine) / 4e-4))
    solid = cover > 0.5
    into.depth[window][solid] = t[solid]
