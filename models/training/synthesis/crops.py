"""Cuts frames as the recogniser sees them: the NIR crop, the shape of the face beside it, and the colour crop."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.recipes.crops import _TARGET as TARGET
from models.recipes.crops import similarity
from models.training.synthesis.frames import Frames
from models.training.synthesis.light import light
from models.training.synthesis.view import View

from vultus.stages.align import align_nir
from vultus.stages.assess import level_of
from vultus.types import Face, Stream

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
CROP: Final = 112
CHANNELS: Final = 4
"""Planes of a shape: relief, slope to the right, slope down, and where depth was measured."""
_RELIEF_MM, _SLOPE_MM = 40.0, 2.0
"""What counts as 1: the height of a nose and more; a slope of about 45 degrees, a pixel of the crop being 1.8 mm of a face."""
_SOFT: Final = 2.0
"""Pixels of the crop over which depth is smoothed; steps of 8 mm leave no slope in less."""


def nir_crop(view: View, frames: Frames, rng: np.random.Generator) -> tuple[F32, F32, npt.NDArray[np.float64], float]:
    """Return an NIR crop (112, 112) 0..255 as the SDK shows it to the recogniser, its shape (4, 112, 112), the map from the frame to the
    crop, and frame pixels a pixel of the view.

    The landmarks have an error; sometimes the room's light is taken away.
    """
    picture = frames.nir
    if rng.random() < 0.3:
        picture = np.asarray(np.maximum(frames.nir, frames.nir_ambient) - frames.nir_ambient, np.uint16)
    points = _erring(frames.points, frames.head, rng)
    to = similarity(points, TARGET)
    return shown(picture, points), shape_of(_depth_warped(frames.depth, to)), to, len(frames.nir) / len(view.labels)


def shown(picture: npt.NDArray[np.uint16], points: F32) -> F32:
    """Return the crop (112, 112) 0..255 of a linear NIR picture as `stages.align` makes it: exposed for the face, with a display curve."""
    low, high = points.min(0), points.max(0)
    level = level_of(Face(Stream.NIR, (*low, *(high - low)), points, 1.0), picture)
    out = np.zeros((1, 1, CROP, CROP), np.float32)
    if level is not None:
        align_nir(picture, points, level, out, mean=0.0, scale=1.0)
    return out[0, 0]


def plain_crop(view: View, to: npt.NDArray[Any], scale: float, rng: np.random.Generator) -> U8:
    """Return the colour crop (112, 112, 3) of the same face in soft light from the front, through the map that `nir_crop` used.

    scale: frame pixels a pixel of the view.
    """
    colour = np.clip(light(view, rng, plain=True).colour * 1.3, 0, 1) ** (1 / 2.2) * 255
    grown = np.array([[scale, 0, 0.5 * scale - 0.5], [0, scale, 0.5 * scale - 0.5], [0, 0, 1]])
    return _warped(np.asarray(colour + 0.5, np.uint8), to @ grown)


def colour_crop(frames: Frames, rng: np.random.Generator) -> U8:
    """Return a colour crop (112, 112, 3)."""
    return _warped(frames.colour, similarity(_erring(frames.colour_points, frames.head, rng), TARGET))


def shape_of(depth: npt.NDArray[np.uint16]) -> F32:
    """Return the planes (4, 112, 112) of an aligned depth picture in mm, 0 where nothing was measured."""
    there = (depth > 0).astype(np.float32)
    middle = depth[36:100, 32:80]
    level = float(np.median(middle[middle > 0])) if (middle > 0).any() else 0.0
    near = there * (np.abs(depth.astype(np.float32) - level) < 150)
    weight = cv2.GaussianBlur(near, (0, 0), _SOFT)
    height = cv2.GaussianBlur((level - depth.astype(np.float32)) * near, (0, 0), _SOFT) / np.maximum(weight, 1e-3)
    known = weight > 0.2
    slopes = [cv2.Sobel(height, cv2.CV_32F, dx, 1 - dx, ksize=3, scale=1 / 8) * known / _SLOPE_MM for dx in (1, 0)]
    return np.stack([np.clip(height * known / _RELIEF_MM, -2, 2), *(np.clip(s, -2, 2) for s in slopes), near]).astype(np.float32)


def real_shape(depth: npt.NDArray[np.uint16], to: npt.NDArray[Any]) -> F32:
    """Return the planes of a camera's depth picture through the 2 x 3 map to the crop."""
    return shape_of(_depth_warped(depth, to))


def _erring(points: F32, head: float, rng: np.random.Generator) -> F32:
    """Return points with a detector's error: 1 % of the head each, and a share of all of them alike."""
    return np.asarray(points + rng.normal(0, 0.01 * head, points.shape) + rng.normal(0, 0.008 * head, 2), np.float32)


def _warped(picture: U8, to: npt.NDArray[Any]) -> U8:
    return np.asarray(cv2.warpAffine(picture, to, (CROP, CROP), flags=cv2.INTER_CUBIC), np.uint8)


def _depth_warped(depth: npt.NDArray[np.uint16], to: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Warp by the nearest pixel: depths are not mixed across an edge or with 0."""
    return np.asarray(cv2.warpAffine(depth, to, (CROP, CROP), flags=cv2.INTER_NEAREST), np.uint16)
