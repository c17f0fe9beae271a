"""One look at a person: pose, expression and distance drawn at random, and what every pixel shows, before any light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.synthesis.mesh import F64, Mesh, normals
from models.training.synthesis.people import HAIR, LIPS, SKIN, Person
from models.training.synthesis.raster import Drawn, draw

U8 = npt.NDArray[np.uint8]
SIDE: Final = 192
"""Pixels of a view; a head is about 120 wide, its eyes about 43 apart, a little more than in the recogniser's crop."""
HEAD: Final = 120.0
_HEAD_CM: Final = 17.0
MOUTH, CLOTH, FRAME, LENS = 6, 7, 8, 9
"""What else than a person's own labels a pixel shows: teeth and gums, what is worn, the rim and the glass of spectacles."""
_NECK_CM: Final = -14.5
"""Below this height of the model there are clothes."""
_TENTH_MM: Final = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What is seen at each pixel. albedo: (s, s, 3) sRGB with the light of the photograph in it. normals: (s, s, 3) int8, 127 is 1, z to the
    camera. depth: (s, s) uint16 tenths of a millimetre, 0 where nothing is. labels: (s, s). points: (5, 2) where the model's eyes, nose and
    mouth corners are. pose: yaw and pitch in degrees, 0 is frontal. focal: pixels.
    """

    albedo: U8
    normals: npt.NDArray[np.int8]
    depth: npt.NDArray[np.uint16]
    labels: U8
    points: npt.NDArray[np.float32]
    pose: npt.NDArray[np.float32]
    focal: float


_CORNERS: Final = ((36, 39), (42, 45), (30, 30), (48, 48), (54, 54))
"""Multi-PIE landmarks whose middle is one of the five points."""


def look(mesh: Mesh, person: Person, rng: np.random.Generator, *, frontal: bool = False) -> View:
    """Render a look. frontal: within a few degrees and neutral, as at enrolment."""
    yaw, pitch, roll = _pose(rng, frontal=frontal)
    vertices = person.vertices + mesh.shaped(np.zeros(0), {} if frontal else _expression(mesh, rng)) - mesh.neutral
    turn = rotation(yaw, pitch, roll)
    pivot = np.array([0.0, 1.0, 2.0])
    moved = (vertices - pivot) @ turn.T
    distance = float(rng.uniform(35, 120))
    focal = HEAD / _HEAD_CM * distance
    z = distance - moved[:, 2]
    shift = rng.uniform(-6, 6, 2) + (SIDE - 1) / 2
    xy = np.stack([shift[0] + focal * moved[:, 0] / z, shift[1] - focal * moved[:, 1] / z], axis=1)
    seen = draw(xy, z, mesh.triangles, (SIDE, SIDE))
    albedo, labels = _surface(mesh, person, seen)
    depth = np.where(seen.inside, seen.z, 0).astype(np.float32)
    towards = seen.spread(normals(moved, mesh.triangles), mesh.triangles)
    if rng.random() < (0.0 if frontal else 0.15):
        _spectacles(mesh, moved, turn, (focal, distance, shift), (albedo, labels, depth), rng)
    five = np.array([(xy[mesh.landmarks[a]] + xy[mesh.landmarks[b]]) / 2 for a, b in _CORNERS], np.float32)
    return View(
        albedo,
        np.round(towards * 127).astype(np.int8),
        np.minimum(depth * _TENTH_MM, 65535).astype(np.uint16),
        labels,
        five,
        np.array([yaw, pitch], np.float32),
        focal,
    )


def rotation(yaw: float, pitch: float, roll: float) -> F64:
    """Return the matrix of a head turned to its side, then down, then tilted; degrees."""
    a, b, c = np.deg2rad([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y, np.float64)


def _pose(rng: np.random.Generator, *, frontal: bool) -> tuple[float, float, float]:
    if frontal:
        return float(rng.normal(0, 4)), float(rng.normal(0, 4)), float(rng.normal(0, 3))
    # Half of the looks are a sign-in's; the other half go as far as detectors find faces.
    yaw, pitch = (20, 15) if rng.random() < 0.5 else (60, 35)
    return float(rng.uniform(-yaw, yaw)), float(rng.uniform(-pitch, pitch)), float(rng.normal(0, 8))


def _expression(mesh: Mesh, rng: np.random.Generator) -> dict[str, float]:
    """Draw a few of the model's movements, the same on both sides."""
    out: dict[str, float] = {}
    stems = sorted({n[:-2] for n in mesh.expressions if n.endswith("_L")} | {"jawOpen", "mouthFunnel", "mouthShrugLower"})
    for stem in rng.choice(stems, int(rng.integers(0, 4)), replace=False):
        weight = float(rng.uniform(0, 0.7)) * (0.5 if stem == "jawOpen" else 1.0)
        names = [n for n in (f"{stem}_L", f"{stem}_R", str(stem)) if n in mesh.expressions]
        out |= dict.fromkeys(names, weight)
    if rng.random() < 0.4:
        out |= dict.fromkeys(("mouthSmile_L", "mouthSmile_R"), float(rng.uniform(0.2, 0.9)))
    return out


def _surface(mesh: Mesh, person: Person, seen: Drawn) -> tuple[U8, U8]:
    """Return colours and labels: the person's texture, and what the texture does not hold."""
    at = seen.spread(person.places, mesh.triangles)
    albedo = cv2.remap(person.texture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    labels = cv2.remap(person.labels, at[..., 0], at[..., 1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    owner = np.maximum(seen.triangle, 0)
    eyes, mouth = mesh.parts("Sclera", "Iris")[owner], mesh.parts("Gums", "Teeth")[owner]
    teeth = mesh.parts("Teeth")[owner]
    # Skin is never an eye's colour and an eye never skin: where the fit is a pixel off, the mesh knows better.
    labels[~eyes & (labels > HAIR) & (labels < LIPS)] = SKIN
    height = seen.spread(np.asarray(mesh.neutral[:, 1:2]), mesh.triangles)[..., 0]
    labels[mouth] = MOUTH
    albedo[mouth & ~teeth] = (120, 60, 58)
    albedo[teeth] = (205, 195, 180)
    worn = seen.inside & (height < _NECK_CM)
    labels[worn] = CLOTH
    albedo[worn] = person.texture[::7, ::7].reshape(-1, 3).mean(0) * 0.5 + np.array([30, 35, 50])
    labels[~seen.inside] = 0
    albedo[~seen.inside] = 0
    return np.asarray(albedo, np.uint8), np.asarray(labels, np.uint8)


def _spectacles(
    mesh: Mesh,
    moved: F64,
    turn: F64,
    camera: tuple[float, float, Any],
    planes: tuple[U8, U8, npt.NDArray[np.float32]],
    rng: np.random.Generator,
) -> None:
    """Draw rims and glasses before both eyes into the view's planes."""
    focal, distance, shift = camera
    albedo, labels, depth = planes
    wide, high, thick = float(rng.uniform(2.2, 3.0)), float(rng.uniform(1.5, 2.4)), int(rng.integers(1, 4))
    colour = rng.integers(10, 140, 3)
    ring = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    power = float(rng.uniform(0.5, 1.0))
    eyes = [(moved[mesh.landmarks[a]] + moved[mesh.landmarks[b]]) / 2 for a, b in _CORNERS[:2]]
    across, up, ahead = turn.T
    for eye in eyes:
        c, s = (np.sign(f(ring)) * np.abs(f(ring)) ** power for f in (np.cos, np.sin))
        points = eye + 1.3 * ahead + np.outer(wide * c, across) + np.outer(high * s - 0.3, up)
        z = distance - points[:, 2]
        flat = np.stack([shift[0] + focal * points[:, 0] / z, shift[1] - focal * points[:, 1] / z], axis=1)
        polygon = [np.round(flat).astype(np.int32)]
        lens = cv2.fillPoly(np.zeros((SIDE, SIDE), np.uint8), polygon, 1)
        rim = cv2.polylines(np.zeros((SIDE, SIDE), np.uint8), polygon, True, 1, thick)
        labels[(lens > 0) & (labels > 0)] = LENS
        labels[rim > 0], albedo[rim > 0], depth[rim > 0] = FRAME, colour, float(z.mean())
