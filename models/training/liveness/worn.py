"""What simulated people wear: beards, spectacles and fringes, drawn over a head as the camera sees it. Shapes and shares are chosen, not measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.liveness.heads import View

F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
_BEARDS, _SPECTACLES, _FRINGES = 0.25, 0.3, 0.2
"""Shares of people; a beard is full in half of its wearers, else stubble, which has no depth."""
_GAPS: Final = 0.5
"""Share of spectacles whose lenses depth does not see through as if they were not there: half of those it sees, half leave a hole."""


def worn(seen: View, rng: np.random.Generator) -> tuple[View, Mask]:
    """Return the head with what its owner wears, and where a depth camera gets nothing back because of it."""
    lost = np.zeros(seen.depth.shape, bool)
    x, y = _axes(seen)
    if rng.random() < _BEARDS:
        seen = _bearded(seen, x, y, rng)
    if rng.random() < _FRINGES:
        seen = _fringed(seen, x, y, rng)
    if rng.random() < _SPECTACLES:
        seen, lost = _spectacled(seen, x, y, rng)
    return seen, lost & (seen.depth > 0)


def _axes(seen: View) -> tuple[F32, F32]:
    """Return eye distances right and down of the middle between the eyes, along the line of the eyes."""
    height, width = seen.depth.shape
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    left, right = seen.points[:2]
    along = (right - left) / max(float(((right - left) ** 2).sum()), 1e-6)
    u, v = u - (left + right)[0] / 2, v - (left + right)[1] / 2
    return np.asarray(u * along[0] + v * along[1], np.float32), np.asarray(v * along[0] - u * along[1], np.float32)


def _blotches(shape: tuple[int, ...], size: float, rng: np.random.Generator) -> F32:
    noise = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), size)
    return np.asarray(noise / max(float(noise.std()), 1e-6), np.float32)


def _covered(seen: View, cover: F32, colour: npt.NDArray[Any], thick: F32, rng: np.random.Generator) -> View:
    """Lay hair on a head: its colour by `cover` (0 to 1), its thickness in mm, and slopes that no longer follow the skin."""
    cover = np.where(seen.depth > 0, cover, 0).astype(np.float32)
    hair = colour.astype(np.float32) * np.exp(0.4 * _blotches((*cover.shape, 1), 0.7, rng)).reshape(*cover.shape, 1)
    tangle = np.stack([_blotches(cover.shape, 0.8, rng), _blotches(cover.shape, 0.8, rng), np.zeros_like(cover)], -1)
    normals = seen.normals + (0.4 * cover)[..., None] * tangle
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-6)
    albedo = seen.albedo * (1 - cover)[..., None] + hair * cover[..., None]
    depth = np.where(seen.depth > 0, seen.depth - cover * thick, 0)
    return replace(seen, depth=depth.astype(np.float32), normals=normals.astype(np.float32), albedo=albedo.astype(np.float32))


def _dark(seen: View, low: float, high: float, rng: np.random.Generator) -> npt.NDArray[Any]:
    """Return a colour between the skin's and black."""
    skin = np.median(seen.albedo[seen.depth > 0], axis=0) if (seen.depth > 0).any() else np.full(3, 0.3)
    return np.asarray(skin * rng.uniform(low, high), np.float32)


def _bearded(seen: View, x: F32, y: F32, rng: np.random.Generator) -> View:
    full = rng.random() < 0.5
    mouth = seen.points[3:].mean(0) - seen.points[:2].mean(0)
    down = float(np.hypot(*mouth)) / max(float(np.hypot(*(seen.points[1] - seen.points[0]))), 1e-6)
    jaw = np.hypot(x / rng.uniform(0.8, 1.0), (y - down) / rng.uniform(0.6, 0.85)) < 1
    region = jaw & (y > down - (0.32 if rng.random() < 0.6 else -0.05)) & (np.hypot(x / 0.34, (y - down) / 0.11) > 1)
    region &= (np.abs(x) < 0.75) | (y > down - 0.2)
    cover = cv2.GaussianBlur(region.astype(np.float32), (0, 0), 1.2) * float(rng.uniform(0.6, 1.0) if full else rng.uniform(0.2, 0.5))
    patchy = np.clip(1 + 0.25 * _blotches(x.shape, 2.0, rng), 0, 1)
    thick = rng.uniform(2, 12) * np.clip(1 + 0.4 * _blotches(x.shape, 1.5, rng), 0, 2) if full else np.zeros_like(x)
    return _covered(seen, cover * patchy, _dark(seen, 0.05, 0.6, rng), np.asarray(thick, np.float32), rng)


def _fringed(seen: View, x: F32, y: F32, rng: np.random.Generator) -> View:
    """Hair over the forehead, cut straight, parted or to one side."""
    edge = -rng.uniform(0.25, 0.6) + rng.normal(0, 0.25) * x + rng.uniform(-0.3, 0.1) * np.abs(x)
    cover = 0.5 - 0.5 * np.tanh((y - edge + 0.05 * _blotches(x.shape, 1.0, rng)) / 0.08)
    thick = rng.uniform(3, 18) * np.clip(1 + 0.3 * _blotches(x.shape, 2.0, rng), 0, 2)
    return _covered(seen, np.asarray(cover, np.float32), _dark(seen, 0.04, 0.8, rng), np.asarray(thick, np.float32), rng)


def _spectacled(seen: View, x: F32, y: F32, rng: np.random.Generator) -> tuple[View, Mask]:
    """Frames round or square, 8 to 16 mm before the eyes, with temples; lenses clear, seen by depth, or a hole to it; now and then a glint."""
    half, tall, power = rng.uniform(0.34, 0.46), rng.uniform(0.24, 0.4), rng.choice((2.0, 4.0))
    rim, below = rng.uniform(0.03, 0.1), rng.uniform(-0.02, 0.1)
    ring, lens = np.zeros(x.shape, bool), np.zeros(x.shape, bool)
    for side in (-0.5, 0.5):
        far = (np.abs(x - side * 1.03) / half) ** power + (np.abs(y - below) / tall) ** power
        outer = (np.abs(x - side * 1.03) / (half + rim)) ** power + (np.abs(y - below) / (tall + rim)) ** power
        lens |= far < 1
        ring |= (far >= 1) & (outer < 1)
    ring |= (np.abs(y - below + tall / 3) < rim / 1.5) & (np.abs(x) < 0.5)
    temple = (np.abs(y - below) < rim / 1.5) & (np.abs(x) > 0.5 + half) & (np.abs(x) < 1.25)
    frames = (ring & ~lens) | temple
    near = seen.depth[(np.abs(y) < 0.2) & (np.abs(x) < 0.8) & (seen.depth > 0)]
    front = (float(np.median(near)) if near.size else float(seen.depth.max())) - rng.uniform(8, 16)
    state = rng.random()
    solid = (ring & ~lens) | (lens if state < _GAPS / 2 else np.zeros_like(lens))
    depth = np.where(solid & (seen.depth > 0), np.minimum(seen.depth, front + 12 * x**2), seen.depth)
    albedo = np.where(frames[..., None], rng.uniform(0.01, 0.5) * rng.uniform(0.5, 1, 3), seen.albedo)
    albedo = np.where(lens[..., None], albedo * rng.uniform(0.7, 1.0), albedo)
    if rng.random() < 0.5:
        glint = np.hypot(x - rng.choice((-0.5, 0.5)) - rng.normal(0, 0.12), y - rng.normal(0, 0.08)) < rng.uniform(0.03, 0.12)
        albedo = np.where((glint & lens)[..., None], rng.uniform(1.0, 3.0), albedo)
    lost = lens & (rng.random(x.shape) < 0.9) if _GAPS / 2 <= state < _GAPS else np.zeros_like(lens)
    return replace(seen, depth=depth.astype(np.float32), albedo=albedo.astype(np.float32)), lost
