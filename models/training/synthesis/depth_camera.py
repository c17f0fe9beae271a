"""Sees depth as cameras measure it: noise by distance and slant, steps, and places without an answer."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.synthesis.people import HAIR, IRIS
from models.training.synthesis.view import FRAME, LENS, View

U16 = npt.NDArray[np.uint16]
F32 = npt.NDArray[np.float32]
_AXIAL_MM: Final = (1.2, 1.9, 0.4)
"""Noise in mm at z metres: 1.2 + 1.9 (z - 0.4)^2 (Nguyen, Izadi, Lovell 2012, 3DIMPVT)."""
_STEP_MM: Final = (0.1, 8.0)
"""Steps of what is stored, from fine stereo to cameras that keep one byte."""


def measure(view: View, size: int, rng: np.random.Generator) -> U16:
    """Return depth in whole millimetres (size, size), 0 where nothing was measured."""
    whole = view.depth.astype(np.float32) / 10
    ys, xs = np.minimum(((np.mgrid[0:size, 0:size] + 0.5) * len(whole) / size).astype(int), len(whole) - 1)
    z, labels = whole[ys, xs], view.labels[ys, xs]
    slant = np.arccos(np.clip(view.normals[ys, xs, 2].astype(np.float32) / 127, 0.02, 1))
    metres = z / 1000
    sigma = _AXIAL_MM[0] + _AXIAL_MM[1] * (metres - _AXIAL_MM[2]) ** 2
    sigma = sigma + 0.1 / np.sqrt(np.maximum(metres, 0.2)) * slant**2 / (np.pi / 2 + 0.05 - slant) ** 2
    noise = rng.normal(0, 1, z.shape).astype(np.float32)
    # Stereo matches windows, so its error has the size of a window; time of flight errs by the pixel.
    wide = float(rng.uniform(0, 2))
    if wide > 0.4:
        noise = cv2.GaussianBlur(noise, (0, 0), wide)
        noise /= max(float(noise.std()), 1e-3)
    z = z + noise * sigma * float(rng.uniform(0.3, 2.0))
    gone = (labels == 0) | _lost(labels, slant, whole[ys, xs], rng)
    step = float(np.exp(rng.uniform(*np.log(_STEP_MM))))
    return np.asarray(np.where(gone, 0, np.clip(np.round(z / step) * step, 1, 65535)), np.uint16)


def _lost(labels: npt.NDArray[np.uint8], slant: F32, z: F32, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return where a camera gives no answer: steep surfaces, hair, eyes, glasses, edges, the projector's shadow, and chance."""
    draw = rng.random(labels.shape)
    gone = draw < (1 - np.cos(slant)) * float(rng.uniform(0, 0.6))
    blotch = cv2.GaussianBlur(rng.random(labels.shape).astype(np.float32), (0, 0), 2)
    blotch = (blotch - blotch.min()) / max(float(np.ptp(blotch)), 1e-6)
    gone |= (labels == HAIR) & (blotch < float(rng.uniform(0, 0.6)))
    gone |= np.isin(labels, (IRIS, LENS, FRAME)) & (draw < float(rng.uniform(0, 1)))
    edge = np.abs(cv2.Laplacian(z, cv2.CV_32F, ksize=3)) > float(rng.uniform(10, 40))
    gone |= edge & (draw < float(rng.uniform(0, 1)))
    shadow = int(rng.integers(-4, 5))
    if shadow:
        gone |= np.roll(z, shadow, 1) < z - 15
    return np.asarray(gone | (draw < float(rng.choice((0, 0, 0.02, 0.2)))), np.bool_)
