"""Lights a view: the lamp beside an NIR camera, the light of a room, and daylight for the colour camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.synthesis.optics import Optics, linear, reflectance
from models.training.synthesis.people import HAIR, IRIS, LIPS, SCLERA, SKIN
from models.training.synthesis.view import CLOTH, FRAME, LENS, MOUTH, View

F32 = npt.NDArray[np.float32]
_BEHIND_CM: Final = (30.0, 250.0)
"""How far behind the head a room's wall may be: from a seat's back to the far side."""


@dataclass(frozen=True, slots=True, eq=False)
class Lit:
    """Linear light 0.. at each pixel: of the lamp alone, of the room in NIR, and of the room in colour (h, w, 3)."""

    lamp: F32
    room: F32
    colour: F32


def light(view: View, rng: np.random.Generator, *, plain: bool = False) -> Lit:
    """Light a view at random. plain: colour in soft light from the front, as in a studio."""
    toward = view.normals.astype(np.float32) / 127
    depth = view.depth.astype(np.float32) / 100
    share = float(rng.uniform(0, 0.8))
    nir = _nir_surface(view, rng, share)
    wall, place = _wall(view, rng)
    far = np.where(view.labels > 0, depth, depth[view.labels > 0].max(initial=60) + wall)
    lamp = _lamp(view, toward, far, np.where(view.labels > 0, nir, place), rng)
    room = np.where(view.labels > 0, nir * _room(toward, rng), place * float(rng.uniform(0.1, 1.5)))
    surface = _flattened(linear(view.albedo), view, 0.0 if plain else share)
    if plain:
        shade = (0.35 + 0.65 * np.clip(toward[..., 2], 0, 1))[..., None]
        tint, backdrop = np.ones(3, np.float32), np.full((*nir.shape, 3), 0.3, np.float32)
    else:
        shade = _room(toward, rng)[..., None]
        tint = np.exp(rng.normal(0, 0.12, 3)).astype(np.float32)
        backdrop = place[..., None] * rng.uniform(0.3, 1.2, 3).astype(np.float32)
    colour = np.where((view.labels > 0)[..., None], surface * shade, backdrop) * tint
    return Lit(lamp, np.asarray(room, np.float32), np.asarray(colour, np.float32))


def _flattened(surface: F32, view: View, share: float) -> F32:
    """Take a share of the photograph's broad shading away."""
    head = (view.labels > 0).astype(np.float32)
    grey = surface.mean(2) * head
    broad = cv2.GaussianBlur(grey, (0, 0), 18) / np.maximum(cv2.GaussianBlur(head, (0, 0), 18), 0.05) + 0.03
    return np.asarray(surface / ((broad / max(float(broad[head > 0].mean()) if head.any() else 1, 1e-3)) ** share)[..., None], np.float32)


def _nir_surface(view: View, rng: np.random.Generator, share: float) -> F32:
    """Return what each pixel reflects at the lamp's wavelength. Each part's range spans what the literature reports of it."""
    flat = np.clip(_flattened(linear(view.albedo), view, share), 0, 1)
    as_bytes = np.asarray(
        np.clip(255 * np.where(flat <= 0.0031308, 12.92 * flat, 1.055 * np.maximum(flat, 1e-6) ** (1 / 2.4) - 0.055), 0, 255), np.uint8
    )
    nir = reflectance(as_bytes, Optics.draw(rng), 0.0)
    labels = view.labels
    skin = labels == SKIN
    level = float(np.median(nir[skin])) if skin.any() else 0.4
    # Pigment under light that scatters deeply: contrasts shrink and soften.
    nir[skin] = level * (nir[skin] / max(level, 1e-3)) ** float(rng.uniform(0.4, 1.0))
    spread = cv2.GaussianBlur(nir, (0, 0), float(rng.uniform(0.4, 1.6)))
    nir = np.where(skin | (labels == LIPS), spread, nir)
    lips = labels == LIPS
    nir[lips] += (level * float(rng.uniform(0.85, 1.05)) - nir[lips]) * float(rng.uniform(0.3, 1.0))
    nir[labels == HAIR] = np.clip(nir[labels == HAIR] * float(rng.uniform(1, 2.5)) + float(rng.uniform(0, 0.15)), 0, 0.9)
    iris = labels == IRIS
    nir[iris] += (float(rng.uniform(0.12, 0.45)) - nir[iris]) * float(rng.uniform(0.4, 1.0))
    nir[labels == SCLERA] *= float(rng.uniform(0.5, 1.0))
    nir[labels == MOUTH] *= float(rng.uniform(0.6, 1.2))
    nir[labels == CLOTH] = float(rng.uniform(0.05, 0.8))
    nir[labels == FRAME] = float(rng.uniform(0.02, 0.5))
    nir[labels == LENS] *= float(rng.uniform(0.75, 0.98))
    return np.asarray(nir, np.float32)


def _lamp(view: View, toward: F32, depth: F32, surface: F32, rng: np.random.Generator) -> F32:
    """Return the light of a lamp beside the lens: by angle, by the square of the distance, with shine of skin, eyes and glasses."""
    height, width = depth.shape
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    rays = np.stack([(xs - width / 2) / view.focal, -(ys - height / 2) / view.focal], axis=2) * depth[..., None]
    place = rng.uniform(-6, 6, 2)
    to_lamp = np.stack([place[0] - rays[..., 0], place[1] - rays[..., 1], depth], axis=2)
    distance = np.linalg.norm(to_lamp, axis=2)
    to_lamp /= distance[..., None]
    head = view.labels > 0
    near = float(np.percentile(distance[head], 2)) if head.any() else 50.0
    facing = np.where(head, np.clip((toward * to_lamp).sum(2), 0.02, 1) ** float(rng.uniform(0.5, 1.2)), 1.0)
    beam = np.exp(-((xs - width / 2) ** 2 + (ys - height / 2) ** 2) / (2 * (width * float(rng.uniform(0.5, 2.0))) ** 2))
    fall = (near / distance) ** 2 * beam
    half = to_lamp + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half, axis=2, keepdims=True)
    shine = (
        np.clip((toward * half).sum(2), 0, 1) ** float(rng.uniform(15, 80))
        * float(rng.uniform(0, 0.25))
        * np.isin(view.labels, (SKIN, LIPS))
    )
    out = (surface * facing + shine) * fall
    return _reflexes(out, view, rng)


def _reflexes(lit: F32, view: View, rng: np.random.Generator) -> F32:
    """Put the lamp's image on the corneas and on glasses, and now and then light a pupil up from behind."""
    out = lit.copy()
    top = float(np.percentile(lit[view.labels > 0], 98)) if (view.labels > 0).any() else 1.0
    shift, strength, pupil = rng.normal(0, 1.0, 2), float(rng.uniform(0, 3)), rng.random() < 0.15
    for x, y in view.points[:2]:
        row, column = int(np.clip(y, 0, len(lit) - 1)), int(np.clip(x, 0, len(lit) - 1))
        near = view.labels[max(row - 6, 0) : row + 7, max(column - 6, 0) : column + 7]
        if (near == IRIS).any():
            if pupil:
                cv2.circle(out, (round(float(x)), round(float(y))), 2, top * float(rng.uniform(0.8, 2)), -1, cv2.LINE_AA)
            cv2.circle(out, (round(float(x + shift[0])), round(float(y + shift[1]))), 1, top * strength, -1)
    lens = view.labels == LENS
    if lens.any() and rng.random() < 0.7:
        for x, y in view.points[:2] + rng.normal(0, 5, 2):
            size = (int(rng.integers(1, 9)), int(rng.integers(1, 7)))
            spot = cv2.ellipse(np.zeros_like(out), (round(float(x)), round(float(y))), size, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
            out += cv2.GaussianBlur(spot, (0, 0), 0.7) * lens * top * float(rng.uniform(0.5, 4))
    return np.asarray(out, np.float32)


def _room(toward: F32, rng: np.random.Generator) -> F32:
    """Return the light of one to three broad sources about the head, about 1 in the middle."""
    out = np.full(toward.shape[:2], float(rng.uniform(0.15, 0.8)), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        way = rng.normal(0, 1, 3) * (1.0, 0.8, 0.6) + (0, 0.5, 0.6)
        way /= np.linalg.norm(way)
        wrap = float(rng.uniform(0, 0.5))
        out += float(rng.uniform(0.1, 0.8)) * np.clip((toward @ way.astype(np.float32) + wrap) / (1 + wrap), 0, None)
    return np.asarray(out, np.float32)


def _wall(view: View, rng: np.random.Generator) -> tuple[float, F32]:
    """Return how far a wall is behind the head in cm, and what it reflects: blotches of any size."""
    side = view.labels.shape[0]
    cells = int(rng.integers(2, 24))
    blotches = cv2.resize(rng.random((cells, cells)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return float(np.exp(rng.uniform(*np.log(_BEHIND_CM)))), np.clip(
        blotches * float(rng.uniform(0.1, 1)) + float(rng.uniform(0, 0.2)), 0, 1
    )
