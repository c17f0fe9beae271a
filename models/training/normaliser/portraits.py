"""Cuts aligned faces out of the photographs that may be trained on; no other set can be read from here."""

from __future__ import annotations

from collections.abc import Iterator
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


def files(data: Path, sets: tuple[str, ...] = PERMITTED) -> dict[str, list[Path]]:
    """Return the photographs by person. Raises ValueError for a set that may not be trained on, FileNotFoundError for none."""
    refused = sorted(set(sets) - set(PERMITTED))
    if refused:
        raise ValueError(f"{', '.join(refused)} may not be trained on; permitted are {', '.join(PERMITTED)}")
    found: dict[str, list[Path]] = {}
    for name in sets:
        for path in sorted((data / name).rglob("*.jpg")):
            found.setdefault(f"{name}/{path.stem.split('_')[0]}", []).append(path)
    if sets and not found:
        raise FileNotFoundError(f"no photographs of {' or '.join(sets)} below {data}; set VULTUS_DATA to the folder of the data sets")
    return found


def load(data: Path, detector: Any, sets: tuple[str, ...] = PERMITTED) -> Iterator[tuple[str, U8]]:
    """Yield the person and the aligned crop (112, 112, 3) of every photograph; one without a face is left out."""
    for name, paths in files(data, sets).items():
        for path in paths:
            crop = _aligned(detector, path)
            if crop is not None:
                yield name, crop


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
