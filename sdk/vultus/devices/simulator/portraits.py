"""Portraits that the simulator can render: the two public-domain ones that matplotlib and scikit-image carry, or any picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from vultus import pictures
from vultus.errors import DeviceNotFound
from vultus.types import F32, U8

FindLandmarks = Callable[[U8], F32 | None]
"""Finds the five landmarks of the one face in an RGB picture; None when there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A photograph of one upright, nearly frontal face with its five landmarks, float32 (5, 2) in image order."""

    name: str
    image: U8 = field(repr=False)
    landmarks: F32 = field(repr=False)

    def __post_init__(self) -> None:
        points = np.asarray(self.landmarks, np.float32)
        if points.shape != (5, 2) or not np.isfinite(points).all():
            raise ValueError("a portrait needs five finite landmarks (5, 2): two eyes, nose tip, two mouth corners")
        if self.image.dtype != np.uint8 or self.image.ndim != 3 or self.image.shape[2] != 3:
            raise ValueError("a portrait is an RGB uint8 picture (height, width, 3)")
        height, width = self.image.shape[:2]
        if not ((points >= 0).all() and (points < (width, height)).all()):
            raise ValueError("the landmarks lie outside the portrait")
        eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
        if points[1, 0] - points[0, 0] < 8 or mouth[1] - eyes[1] < 8:
            raise ValueError("the face is too small, upside down or its landmarks are out of order (smaller x first)")
        object.__setattr__(self, "landmarks", points)


def _matplotlib_file() -> U8:
    import matplotlib as mpl

    return pictures.read(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg")


def _skimage_file() -> U8:
    from skimage import data

    # scikit-image names no types.
    load: Callable[[], U8] = data.astronaut
    return load()


# Landmarks placed by hand on the pictures as the two packages ship them (512 x 600 and 512 x 512 pixels).
_CARRIED: Final[dict[str, tuple[Callable[[], U8], tuple[tuple[float, float], ...]]]] = {
    "grace_hopper": (_matplotlib_file, ((222, 189), (305, 187), (268, 236), (230, 279), (307, 278))),
    "astronaut": (_skimage_file, ((201, 102), (247, 103), (221, 125), (201, 143), (240, 144))),
}


def portrait_names() -> tuple[str, ...]:
    """Return the names that `carried_portrait` knows."""
    return tuple(_CARRIED)


@lru_cache(maxsize=2)
def carried_portrait(name: str) -> Portrait:
    """Load one of the two portraits of the extra `demo`; raises DeviceNotFound when its package is not installed."""
    if name not in _CARRIED:
        raise ValueError(f"no portrait is called {name!r}; known: {', '.join(_CARRIED)}")
    load, points = _CARRIED[name]
    try:
        image = load()
    except (ImportError, OSError) as problem:
        raise DeviceNotFound(f"the portrait {name} is not installed; run: pip install 'vultus[demo]'") from problem
    return Portrait(name, image, np.asarray(points, np.float32))


def load_portrait(path: Path, landmarks: F32 | None = None, find_landmarks: FindLandmarks | None = None) -> Portrait:
    """Load a portrait from a PNG or JPEG file with given landmarks or those that `find_landmarks` finds.

    Raises DeviceNotFound for a missing file, ValueError for a picture that cannot be used or has no face.
    """
    try:
        image = pictures.read(path)
    except FileNotFoundError as problem:
        raise DeviceNotFound(f"{path}: no such portrait; give a PNG or JPEG file or one of {', '.join(_CARRIED)}") from problem
    except (OSError, ValueError) as problem:
        raise ValueError(f"{path}: {problem}") from problem
    if landmarks is None:
        if find_landmarks is None:
            raise ValueError(f"{path}: a portrait of one's own needs landmarks=x,y,... (five points) or find_landmarks")
        landmarks = find_landmarks(image)
        if landmarks is None:
            raise ValueError(f"{path}: no face was found in the portrait")
    return Portrait(path.stem, image, landmarks)
