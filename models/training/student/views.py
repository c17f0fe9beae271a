"""Pictures to distil on: views of public-domain portraits and of other pictures that installed packages carry.

A student of an identity recogniser may learn from no data set of people that the project may train on for other ends, so what is left is
two portraits, seen in many ways, and pictures of anything else: there the teacher's features teach, not who is shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from models.recipes.layers import MEAN, SCALE

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
SIDE: Final = 112
_EYE: Final = 35.2
"""Pixels between the eyes in an aligned crop."""
OTHERS: Final = ("chelsea.png", "coffee.png", "color.png", "ihc.png", "motorcycle_left.png", "retina.jpg", "rocket.jpg")
"""Colour pictures in scikit-image's wheel that show no person."""
_PORTRAITS: Final = 0.6
"""Share of views that show a portrait."""


class Views:
    """Draws aligned crops; the same seed gives the same ones."""

    def __init__(self, detector: Any, seed: int) -> None:
        import cv2
        import matplotlib as mpl
        import skimage.data

        folder = Path(skimage.data.__file__).parent
        hopper = Path(mpl.__file__).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
        self._cv2 = cv2
        self._rng = np.random.default_rng(seed)
        self._portraits = [(picture, _eyes(detector, picture)) for picture in map(_read, (hopper, folder / "astronaut.png"))]
        self._others = [_read(folder / name) for name in OTHERS]

    def batch(self, count: int) -> F32:
        """Return `count` crops (count, 3, 112, 112), R, G, B as (pixel - 127.5) / 128; a third of them grey, as NIR is."""
        return np.stack([self._view() for _ in range(count)])

    def _view(self) -> F32:
        rng, cv2 = self._rng, self._cv2
        turn, grown = np.radians(rng.normal(0, 8)), float(np.exp(rng.normal(0, 0.12)))
        if rng.random() < _PORTRAITS:
            picture, eyes = self._portraits[rng.integers(len(self._portraits))]
            middle, across = eyes.mean(0), eyes[1] - eyes[0]
            scale = grown * _EYE / float(np.hypot(*across))
            turn -= float(np.arctan2(across[1], across[0]))
            to = np.array([56.0, 51.6]) + rng.normal(0, 3, 2)
        else:
            picture = self._others[rng.integers(len(self._others))]
            middle = rng.uniform(0.2, 0.8, 2) * picture.shape[1::-1]
            scale, to = SIDE / rng.uniform(100, min(picture.shape[:2])), np.array([56.0, 56.0])
        linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        if rng.random() < 0.5:
            linear = np.diag([-1.0, 1.0]) @ linear
        matrix = np.hstack([linear, (to - linear @ middle)[:, None]])
        crop = cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA).astype(np.float32) / 255
        return self._seen(crop)

    def _seen(self, crop: F32) -> F32:
        """Change light, colour, sharpness and noise, and cover a part."""
        rng, cv2 = self._rng, self._cv2
        crop = np.clip(crop * rng.uniform(0.5, 1.4) + rng.normal(0, 0.05), 0, 1) ** rng.uniform(0.6, 1.6)
        crop = (
            np.repeat((crop @ rng.dirichlet((4.0, 2.0, 1.0)))[:, :, None], 3, 2) if rng.random() < 0.35 else crop * rng.uniform(0.8, 1.2, 3)
        )
        if rng.random() < 0.4:
            crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.8))
        if rng.random() < 0.2:
            y, x = rng.integers(0, 80, 2)
            crop[y : y + 32, x : x + 32] = rng.random()
        crop = crop + rng.normal(0, rng.uniform(0, 0.04), crop.shape)
        return np.asarray(((np.clip(crop, 0, 1) * 255 - MEAN) * SCALE).transpose(2, 0, 1), np.float32)


def _read(path: Path) -> U8:
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path} cannot be read; install matplotlib and scikit-image again")
    return np.ascontiguousarray(picture[:, :, ::-1])


def _eyes(detector: Any, picture: U8) -> npt.NDArray[np.float64]:
    """Return where the eyes of a portrait are, (2, 2)."""
    from vultus.stages.detect import Detector
    from vultus.types import Stream

    faces = Detector(detector, detector).find(picture, Stream.RGB)
    if not faces:
        raise ValueError("no face is found in a portrait that every installation carries; build the detector again")
    return np.asarray(max(faces, key=lambda face: face.eye_distance).landmarks[:2], np.float64)
