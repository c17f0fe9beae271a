"""Simulates the NIR crop of a photographed face: reflectance, lamp, pose, camera. Drawn from wide ranges, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.normaliser.optics import Optics, reflectance

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
SIDE: Final = 112
FARTHEST: Final = 12.0
"""Depth in cm from which a pixel is no longer of the face."""
_PUPILS: Final = ((38.3, 51.7), (73.5, 51.5))


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Normals (112, 112, 3) and depth in cm (112, 112) of the mean face in the crop."""

    normals: F32
    depth: F32


def simulate(rgb: U8, shape: Shape, rng: np.random.Generator) -> U8:
    """Return the simulated 8-bit NIR crop (112, 112) of an aligned RGB crop (112, 112, 3)."""
    skin = reflectance(rgb, Optics.draw(rng), float(rng.uniform(0, 0.3)))
    lit = _unlit(skin, float(rng.uniform(0, 0.8))) * _lamp(shape, rng)
    # What is not the face is farther from the lamp, down to black.
    behind = cv2.GaussianBlur((shape.depth >= FARTHEST).astype(np.float32), (0, 0), 1.5)
    lit = _eyes(lit * (1 - behind * (1 - float(rng.uniform(0, 1)) ** 2)), rng)
    # Light of the room that the lamp's own picture could not be freed of.
    lit = lit + float(rng.uniform(0, 0.15)) * skin
    return _camera(_pose(lit, rng), rng)


def _unlit(skin: F32, share: float) -> F32:
    """Take a share of the photograph's broad shading away."""
    broad = cv2.GaussianBlur(skin, (0, 0), 14) + 0.05
    return np.asarray(skin / (broad / broad.mean()) ** share, np.float32)


def _lamp(shape: Shape, rng: np.random.Generator) -> F32:
    """Return the light of a lamp beside the lens: by the angle of the surface and the square of the distance, in any exposure."""
    place = rng.uniform((-8, -8, 30), (8, 8, 90))
    to_lamp = np.stack(np.broadcast_arrays(place[0], -place[1], place[2] + shape.depth), axis=2)
    distance = np.linalg.norm(to_lamp, axis=2)
    facing = np.clip((shape.normals * to_lamp).sum(2) / distance, 0.02, 1) ** float(rng.uniform(0.3, 1.2))
    return np.asarray(facing * (place[2] / distance) ** 2, np.float32)


def _eyes(lit: F32, rng: np.random.Generator) -> F32:
    """Put the lamp's reflex on the corneas, and on glasses now and then."""
    out = lit.copy()
    top = float(np.percentile(lit, 98))
    shift = rng.normal(0, 1.2, 2)
    if rng.random() < 0.7:
        for x, y in _PUPILS:
            cv2.circle(out, (round(x + shift[0]), round(y + shift[1])), 1, top * float(rng.uniform(1.2, 2.5)), -1)
    if rng.random() < 0.08:
        for x, y in _PUPILS:
            size = (int(rng.integers(2, 7)), int(rng.integers(2, 6)))
            cv2.ellipse(out, (round(x + 4 * shift[0]), round(y + 3 * shift[1])), size, 0, 0, 360, 2 * top, -1)
    return out


def _pose(lit: F32, rng: np.random.Generator) -> F32:
    """Move the crop as an error of the landmarks would, squeeze it as a turned head is, mirror it half the time."""
    turn = np.eye(2) * float(rng.normal(1, 0.04)) + rng.normal(0, 0.03, (2, 2))
    turn[0, 0] *= float(rng.uniform(0.85, 1.05))
    turn[1, 1] *= float(rng.uniform(0.92, 1.05))
    middle = np.array([56.0, 70.0])
    shift = middle - turn @ middle + rng.normal(0, 1.5, 2)
    out = cv2.warpAffine(lit, np.column_stack([turn, shift]), (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(out[:, ::-1] if rng.random() < 0.5 else out, np.float32)


def _camera(lit: F32, rng: np.random.Generator) -> U8:
    """See it with few pixels, blur, noise, an exposure, a tone curve and 8 bits."""
    side = int(rng.integers(40, SIDE + 1))
    seen = cv2.GaussianBlur(lit, (0, 0), 0.45 * SIDE / side + float(rng.exponential(0.35)))
    seen = cv2.resize(seen, (side, side), interpolation=cv2.INTER_LINEAR)
    seen = seen / max(float(np.median(seen)), 1e-3) * float(rng.uniform(0.12, 0.6))
    photons = float(np.exp(rng.uniform(np.log(200), np.log(20000))))
    seen = (
        seen
        + rng.normal(0, 1, seen.shape) * np.sqrt(np.maximum(seen, 0) / photons)
        + rng.normal(0, float(rng.uniform(0, 0.012)), seen.shape)
    )
    seen = cv2.resize(np.clip(seen, 0, 1).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    # Drivers give linear light or a display curve; the gate of exposure lets both through.
    return np.asarray(np.clip(seen ** float(rng.uniform(0.4, 1.0)) * 255 + 0.5, 0, 255), np.uint8)
