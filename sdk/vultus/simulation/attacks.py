"""Attack species made from triplets: sheets, screens, masks, mixed streams and partial attacks, each with seeded random parameters.

Shapes and reflectances are chosen, not measured on attacks. Training and tests draw from separate ranges (`TRAINING`, `TESTS`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.simulation.triplets import F64, Triplet, measured, moved, moved_depth, onto
from vultus.types import U8, U16

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ranges:
    """From where an attack's parameters are drawn, uniformly: millimetres, degrees, and shares of the face's median NIR level.

    focal_px: that of the depth camera, for millimetres a pixel.
    """

    tilt: Range
    radius_mm: Range
    fold: Range
    protrusion_mm: Range
    approach: Range
    paper: Range
    ink: Range
    screen: Range
    focal_px: float = 365.0


TESTS: Final = Ranges((10, 40), (60, 200), (8, 45), (8, 25), (0.85, 1.2), (0.9, 1.6), (0.55, 0.85), (0.03, 0.15))
TRAINING: Final = Ranges((5, 50), (50, 300), (5, 60), (5, 30), (0.8, 1.3), (0.7, 1.8), (0.4, 0.95), (0.02, 0.25))
"""Kinect v2's depth camera has a focal length of about 365 px; the other values are chosen. TRAINING is wider, so that tests are inside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What one attack is made of: the victim whose pictures are shown, another person, the parameters and the generator."""

    victim: Triplet
    other: Triplet
    ranges: Ranges
    rng: np.random.Generator

    def draw(self, between: Range) -> float:
        """Draw from a range."""
        return float(self.rng.uniform(*between))


def _axes(scene: Scene, distance: float) -> tuple[F64, F64]:
    """Return millimetres right and down of the nose for each pixel at a distance."""
    h, w = scene.victim.depth.shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    nose = scene.victim.landmarks[2]
    scale = distance / scene.ranges.focal_px
    return (x - nose[0]) * scale, (y - nose[1]) * scale


def _distance(scene: Scene) -> float:
    return max(scene.victim.distance_mm(), 300.0) * scene.draw(scene.ranges.approach)


def _plane(scene: Scene, tilt: float) -> F64:
    """Return a sheet turned by `tilt` degrees about a random axis."""
    distance = _distance(scene)
    x, y = _axes(scene, distance)
    angle = scene.draw((0.0, 2 * np.pi))
    return np.asarray(distance + np.tan(np.radians(tilt)) * (np.cos(angle) * x + np.sin(angle) * y), np.float64)


def _bent(scene: Scene) -> F64:
    """Return a sheet rolled about a random axis, the middle towards the camera, tilted a little."""
    radius = scene.draw(scene.ranges.radius_mm)
    surface = _plane(scene, scene.draw((0.0, 15.0)))
    x, y = _axes(scene, float(np.median(surface)))
    angle = scene.draw((0.0, np.pi))
    across = np.clip(np.cos(angle) * x + np.sin(angle) * y, -0.95 * radius, 0.95 * radius)
    return np.asarray(surface + radius - np.sqrt(radius**2 - across**2), np.float64)


def _folded(scene: Scene) -> F64:
    """Return a sheet creased along a line near the nose, the crease towards the camera."""
    surface = _plane(scene, scene.draw((0.0, 15.0)))
    x, y = _axes(scene, float(np.median(surface)))
    angle = scene.draw((-0.3, 0.3)) + (0.0 if scene.rng.random() < 0.7 else np.pi / 2)
    across = np.cos(angle) * x + np.sin(angle) * y - scene.draw((-10.0, 10.0))
    return np.asarray(surface + np.tan(np.radians(scene.draw(scene.ranges.fold))) * np.abs(across), np.float64)


def _level(nir: U16) -> float:
    lit = nir[nir > 0]
    return float(np.median(lit)) if lit.size else 1.0


def _nir(values: npt.NDArray[Any]) -> U16:
    return np.asarray(np.clip(values, 0, 65535), np.uint16)


def _toner(scene: Scene) -> U16:
    """Return a laser print in NIR: the victim's NIR or colour picture in carbon, its contrast squeezed by paper and ink."""
    level, rng = _level(scene.victim.nir), scene.rng
    if rng.random() < 0.5:
        shown = scene.victim.nir / max(float(np.percentile(scene.victim.nir, 98)), 1.0)
    else:
        shown = (scene.victim.rgb.astype(np.float64).mean(-1) / 255.0) ** 2.2
        shown = shown / max(float(np.percentile(shown, 98)), 1e-3)
    ink = scene.draw(scene.ranges.ink)
    out = level * scene.draw(scene.ranges.paper) * (1 - ink + ink * np.clip(shown, 0, 1))
    return _nir(out * (1 + 0.02 * rng.standard_normal(out.shape)))


def _blank(scene: Scene, level: float) -> U16:
    """Return an even surface in NIR with the sensor's grain."""
    shape = scene.victim.nir.shape
    return _nir(_level(scene.victim.nir) * level * (1 + 0.03 * scene.rng.standard_normal(shape)))


def _glare(scene: Scene) -> F64:
    """Return a specular spot somewhere on the sheet, 0..1."""
    x, y = _axes(scene, 700.0)
    at = scene.draw((-70, 70)), scene.draw((-90, 90))
    size = scene.draw((8, 30))
    return np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * size**2))


def _whitened(rgb: U8, amount: F64) -> U8:
    return np.clip(rgb + 255.0 * amount[..., None], 0, 255).astype(np.uint8)


def _sheet(scene: Scene, surface: F64, nir: U16, rgb: U8 | None = None) -> Triplet:
    victim = scene.victim
    return replace(victim, rgb=victim.rgb if rgb is None else rgb, nir=nir, depth=measured(surface, victim.depth, scene.rng))


def _flat(scene: Scene) -> Triplet:
    return _sheet(scene, _plane(scene, scene.draw((0.0, 8.0))), _toner(scene))


def _glossy(scene: Scene) -> Triplet:
    glare = _glare(scene)
    nir = _nir(_toner(scene) + 2.0 * _level(scene.victim.nir) * glare)
    return _sheet(scene, _plane(scene, scene.draw(scene.ranges.tilt)), nir, _whitened(scene.victim.rgb, 0.7 * glare))


def _inkjet(scene: Scene) -> Triplet:
    """Dye is transparent in NIR: only the paper is seen there."""
    surface = _bent(scene) if scene.rng.random() < 0.5 else _plane(scene, scene.draw(scene.ranges.tilt))
    return _sheet(scene, surface, _blank(scene, scene.draw(scene.ranges.paper)))


def _disc(scene: Scene, centre: npt.NDArray[Any], radius_mm: float) -> npt.NDArray[np.bool_]:
    x, y = _axes(scene, max(scene.victim.distance_mm(), 300.0))
    scale = max(scene.victim.distance_mm(), 300.0) / scene.ranges.focal_px
    at = (centre - scene.victim.landmarks[2]) * scale
    inside: npt.NDArray[np.bool_] = (x - at[0]) ** 2 + (y - at[1]) ** 2 < radius_mm**2
    return inside


def _cut_out(scene: Scene) -> Triplet:
    """A print worn over a face with holes for the eyes behind it and for the nose in front of it."""
    surface, marks = _bent(scene), scene.victim.landmarks
    behind, before = scene.draw((5.0, 20.0)), scene.draw(scene.ranges.protrusion_mm)
    for eye in marks[:2]:
        surface = surface + behind * _disc(scene, eye, 14.0)
    surface = surface - before * _disc(scene, marks[2], 14.0)
    return _sheet(scene, surface, _toner(scene))


def _chin_patch(scene: Scene) -> Triplet:
    """A print with a soft pad over the chin."""
    surface = _plane(scene, scene.draw((0.0, 10.0))) if scene.rng.random() < 0.5 else _bent(scene)
    x, y = _axes(scene, max(scene.victim.distance_mm(), 300.0))
    bump = np.exp(-(x**2 + (y - scene.draw((50, 75))) ** 2) / (2 * scene.draw((15, 28)) ** 2))
    return _sheet(scene, surface - scene.draw(scene.ranges.protrusion_mm) * bump, _toner(scene))


def _replay(scene: Scene, *, bright: bool) -> Triplet:
    """A screen: its pixels' moire in colour, a dark or a backlit panel in NIR, the lamp's glare in both."""
    victim, glare = scene.victim, _glare(scene)
    y, x = np.mgrid[0 : victim.nir.shape[0], 0 : victim.nir.shape[1]]
    turn, pitch = scene.draw((0, np.pi)), scene.draw((2.2, 9.0))
    moire = scene.draw((0.01, 0.06)) * np.sin(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / pitch)
    rgb = np.clip(victim.rgb * (1 + moire[..., None]), 0, 255).astype(np.uint8)
    panel = _blank(scene, scene.draw(scene.ranges.screen)).astype(np.float64)
    if bright:
        panel = panel + scene.draw((0.3, 1.0)) * _toner(scene)
    surface = _plane(scene, scene.draw((0.0, scene.ranges.tilt[1])))
    return _sheet(scene, surface, _nir(panel + 3.0 * _level(victim.nir) * glare), _whitened(rgb, 0.5 * glare))


def _mask(scene: Scene, gain: Range, blur: bool) -> Triplet:
    """Another person's head in depth, carrying the victim's colours; NIR is toner on paper, or the material's even reflectance."""
    to_other = onto(scene.other.landmarks, scene.victim.landmarks)
    depth = moved_depth(scene.other.depth, to_other)
    if not blur:
        return replace(scene.victim, nir=_toner(scene), depth=depth)
    shading = moved(scene.other.nir, to_other).astype(np.float64)
    return replace(scene.victim, nir=_nir(0.5 * (shading + _level(scene.other.nir)) * scene.draw(gain)), depth=depth)


def _swapped(scene: Scene, stream: str) -> Triplet:
    """One stream of another person as it was taken, not moved to fit."""
    return replace(scene.victim, **{stream: getattr(scene.other, stream)})


def _injected_nir(scene: Scene) -> Triplet:
    """The victim's NIR picture pushed into the pipe while the colour camera is black and depth sees a wall."""
    surface = _plane(scene, scene.draw((0.0, 20.0)))
    return _sheet(scene, surface, scene.victim.nir, np.zeros_like(scene.victim.rgb))


def _glasses(scene: Scene) -> Triplet:
    """Another person wearing the victim's printed eyes on flat glasses; he is alive, so this is impersonation of the matcher."""
    other, marks = scene.other, scene.other.landmarks
    to_victim = onto(scene.victim.landmarks, marks)
    y, x = np.mgrid[0 : other.nir.shape[0], 0 : other.nir.shape[1]]
    eyes = marks[:2].mean(0)
    strip = (np.abs(x - eyes[0]) < 1.05 * other.eye_distance) & (np.abs(y - eyes[1]) < 0.33 * other.eye_distance)
    near = other.depth[strip & (other.depth > 0)]
    front = float(np.percentile(near, 5)) - 5.0 if near.size else 700.0
    depth = measured(np.where(strip, front, other.depth.astype(np.float64)), other.depth, scene.rng)
    rgb = np.where(strip[..., None], moved(scene.victim.rgb, to_victim), other.rgb).astype(np.uint8)
    nir = np.where(strip, moved(_toner(scene), to_victim), other.nir).astype(np.uint16)
    return Triplet(rgb, nir, np.where(strip | (other.depth > 0), depth, 0).astype(np.uint16), marks)


SPECIES: Final[Mapping[str, Callable[[Scene], Triplet]]] = {
    "print_flat": _flat,
    "print_tilted": lambda s: _sheet(s, _plane(s, s.draw(s.ranges.tilt)), _toner(s)),
    "print_bent": lambda s: _sheet(s, _bent(s), _toner(s)),
    "print_folded": lambda s: _sheet(s, _folded(s), _toner(s)),
    "print_cut_out": _cut_out,
    "print_glossy": _glossy,
    "print_inkjet": _inkjet,
    "print_chin_patch": _chin_patch,
    "replay_dark": lambda s: _replay(s, bright=False),
    "replay_bright": lambda s: _replay(s, bright=True),
    "mask_paper": lambda s: _mask(s, s.ranges.paper, False),
    "mask_latex": lambda s: _mask(s, (1.1, 1.6), True),
    "mask_silicone": lambda s: _mask(s, (0.8, 1.2), True),
    "other_rgb": lambda s: _swapped(s, "rgb"),
    "other_nir": lambda s: _swapped(s, "nir"),
    "other_depth": lambda s: _swapped(s, "depth"),
    "injected_nir": _injected_nir,
    "eye_glasses": _glasses,
}
"""Maker of each species by its name; every table calls them simulated."""


def attack(species: str, victim: Triplet, other: Triplet, rng: np.random.Generator, ranges: Ranges = TESTS) -> Triplet:
    """Return one presentation of a species; equal arguments and generator states give equal pictures. Raises KeyError."""
    return SPECIES[species](Scene(victim, other, ranges, rng))
