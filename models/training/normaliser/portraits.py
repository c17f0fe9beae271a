"""Cuts aligned faces out of the photographs that may be trained on; no other set can be read from here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.recipes.crops import _TARGET as TARGET
from models.recipes.crops import find, similarity

U8 = npt.NDArray[np.uint8]
PERMITTED: Final = ("london", "canada")
"""Sets whose terms allow training a normaliser; all other pictures of people are for evaluation only."""
WATCH: Final = 5
"""Every fifth person is kept from training, to see when it stops helping."""


@dataclass(frozen=True, slots=True, eq=False)
class Portraits:
    """Aligned RGB crops uint8 (n, 112, 112, 3) and the person of each, numbered from 0."""

    crops: U8
    people: npt.NDArray[np.int64]

    def split(self) -> tuple[Portraits, Portraits]:
        """Return the people to train on and those to watch."""
        kept = self.people % WATCH != 0
        return Portraits(self.crops[kept], self.people[kept]), Portraits(self.crops[~kept], self.people[~kept])


def files(data: Path, sets: tuple[str, ...] = PERMITTED) -> dict[str, list[Path]]:
    """Return the photographs by person. Raises ValueError for a set that may not be trained on, FileNotFoundError for none."""
    refused = sorted(set(sets) - set(PERMITTED))
    if refused:
        raise ValueError(f"{', '.join(refused)} may not be trained on; permitted are {', '.join(PERMITTED)}")
    found: dict[str, list[Path]] = {}
    for name in sets:
        for path in sorted((data / name).rglob("*.jpg")):
            found.setdefault(f"{name}/{path.stem.split('_')[0]}", []).append(path)
    if not found:
        raise FileNotFoundError(f"no photographs of {' or '.join(sets)} below {data}; set VULTUS_DATA to the folder of the data sets")
    return found


def load(data: Path, detector: Any, sets: tuple[str, ...] = PERMITTED) -> Portraits:
    """Read and align every photograph; one without a face is left out."""
    crops, people = [], []
    for number, paths in enumerate(files(data, sets).values()):
        for path in paths:
            crop = _aligned(detector, path)
            if crop is not None:
                crops.append(crop)
                people.append(number)
    return Portraits(np.stack(crops), np.array(people, np.int64))


def _aligned(detector: Any, path: Path) -> U8 | None:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise OSError(f"{path} is missing or not a picture")
    factor = detector.input.shape[2] / max(picture.shape[:2])
    points = find(detector, np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8))
    if points is None:
        return None
    # The photograph is larger than the crop: smooth first, or the warp would take single pixels of pores and lashes.
    grown = similarity(points / factor, TARGET)
    shrink = float(np.hypot(*grown[:, 0]))
    smooth = cv2.GaussianBlur(picture, (0, 0), max(0.45 / shrink, 0.3))
    return np.asarray(cv2.warpAffine(smooth, grown, (112, 112), flags=cv2.INTER_LINEAR)[:, :, ::-1], np.uint8)
