"""Shows a face as a small sensor does and cuts it out at landmarks with a first look's error."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from models.recipes.landmarks import SIDE
from models.training.landmarks.sources import unit_of

from vultus.geometry import similarity
from vultus.stages.landmarks import TEMPLATE
from vultus.types import F32, U8

EYES: Final = (13.0, 48.0)
"""Pixels between the eyes: heads 30 to 110 pixels wide; larger ones lose in the crop what they have more."""
_HALF: Final = 0.62
"""Share below which a picture is halved by areas first."""


def draw(picture: U8, marks: F32, rng: np.random.Generator) -> tuple[F32, F32]:
    """Return a crop (3, SIDE, SIDE), B, G, R 0..255, and the landmarks (5, 2) in it."""
    unit = unit_of(marks)
    eyes = float(np.exp(rng.uniform(np.log(EYES[0]), np.log(min(EYES[1], 1.1 * unit)))))
    scale = eyes / unit
    if scale < _HALF:
        picture = np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        marks, scale = (marks + 0.5) / 2 - 0.5, scale * 2
    shown = _coloured(picture, rng)
    angle = np.radians(rng.normal(0, 10))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    size = rng.uniform((3.4, 3.8), (5.0, 5.6)) * eyes
    middle = size / 2 + rng.normal(0, 0.2, 2) * eyes
    there = marks @ turn.T + (middle - turn @ marks.mean(0))
    matrix = np.column_stack([turn, middle - turn @ marks.mean(0)])
    soft = cv2.GaussianBlur(shown, (0, 0), 0.35 / min(scale, 1.0) + float(rng.exponential(0.35)) / scale)
    border = cv2.BORDER_REFLECT_101 if rng.random() < 0.6 else cv2.BORDER_CONSTANT
    small = cv2.warpAffine(soft, matrix, tuple(int(n) for n in np.ceil(size)), flags=cv2.INTER_LINEAR, borderMode=border)
    seen = _sensed(small.astype(np.float32), there, eyes, rng)
    to = similarity(_mistaken(there, eyes, rng), TEMPLATE)
    crop = cv2.warpAffine(seen, to, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    planes = crop.transpose(2, 0, 1) if crop.ndim == 3 else np.repeat(crop[None], 3, axis=0)
    return np.ascontiguousarray(planes, np.float32), np.asarray((there - to[:, 2]) @ np.linalg.inv(to[:, :2]).T, np.float32)


def _coloured(picture: U8, rng: np.random.Generator) -> U8:
    """Show a colour picture in colour, in grey, or in a grey that leans to red, as NIR does."""
    how = float(rng.random())
    if picture.ndim == 2 or how < 0.55:
        return picture
    shares = rng.dirichlet((1.0, 1.0, 6.0) if how < 0.85 else (2.0, 6.0, 3.0))
    return np.asarray(picture.astype(np.float32) @ shares.astype(np.float32) + 0.5, np.uint8)


def _mistaken(marks: npt.NDArray[np.float64], eyes: float, rng: np.random.Generator) -> F32:
    """Return landmarks with the error of a first look: of each point, and of all in place, size and tilt."""
    middle = marks.mean(0)
    angle, grown = np.radians(rng.normal(0, 4)), float(np.exp(rng.normal(0, 0.06)))
    turn = grown * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    each = 0.05 * float(np.exp(rng.normal(0, 0.5)))
    return np.asarray((marks - middle) @ turn.T + middle + eyes * (rng.normal(0, each, marks.shape) + rng.normal(0, 0.05, 2)), np.float32)


def _sensed(picture: F32, marks: npt.NDArray[np.float64], eyes: float, rng: np.random.Generator) -> F32:
    """Light the picture unevenly, cover and seam it, and expose it with noise, in 8 bits."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.random() < 0.5:
        way = rng.normal(0, 0.3, 2)
        slope = way[0] * (x - marks[:, 0].mean()) / eyes + way[1] * (y - marks[:, 1].mean()) / eyes
        lit = np.exp(np.clip(slope, -1.2, 1.2) - np.log1p(np.exp(slope)) * float(rng.choice((0, 1))))
        picture = picture * (lit[..., None] if picture.ndim == 3 else lit)
    if rng.random() < 0.3:
        picture = picture * (rng.uniform(0.8, 1.2, 3).astype(np.float32) if picture.ndim == 3 else 1)
    picture = 255 * (np.clip(picture * float(np.exp(rng.normal(0, 0.3))), 0, 255) / 255) ** float(np.exp(rng.normal(0, 0.25)))
    if rng.random() < 0.25:
        _seam(picture, marks, eyes, rng)
    if rng.random() < 0.15:
        at = (marks[rng.integers(5)] + rng.normal(0, 0.5, 2) * eyes).round().astype(int)
        half = (rng.uniform(0.1, 0.45, 2) * eyes).round().astype(int)
        cv2.ellipse(
            picture,
            tuple(int(n) for n in at),
            tuple(int(n) for n in half),
            float(rng.uniform(0, 180)),
            0,
            360,
            tuple(rng.uniform(0, 200, 3)),
            -1,
        )
    noise = float(rng.exponential(4.0)) * np.sqrt(0.3 + picture / 255 * float(rng.uniform(0, 1)))
    seen = np.asarray(np.clip(picture + rng.standard_normal(picture.shape, np.float32) * noise + 0.5, 0, 255), np.uint8)
    if rng.random() < 0.2:
        seen = np.asarray(
            cv2.imdecode(cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))])[1], cv2.IMREAD_UNCHANGED),
            np.uint8,
        )
    return seen.astype(np.float32)


def _seam(picture: F32, marks: npt.NDArray[np.float64], eyes: float, rng: np.random.Generator) -> None:
    """Blacken lines and spots, as a colour picture has that was registered to depth, or a NIR one where it was too bright."""
    for _ in range(int(rng.integers(1, 4))):
        start = marks[rng.integers(5)] + rng.normal(0, 0.6, 2) * eyes
        way = rng.normal(0, 1, 2) * eyes * (0.3, 1.0)
        line = np.stack([start - way, start + rng.normal(0, 0.1, 2) * eyes, start + way]).round().astype(np.int32)
        cv2.polylines(picture, [line], isClosed=False, color=(0, 0, 0), thickness=max(1, round(float(rng.uniform(0.02, 0.12)) * eyes)))
