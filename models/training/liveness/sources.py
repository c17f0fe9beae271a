"""Photographs that the networks may be trained on, cut out around the face with its five points; no other set can be read from here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.recipes.crops import find, similarity
from models.training.normaliser import portraits

from vultus.devices.simulator.portraits import carried_portrait, portrait_names

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
SIDE: Final = 384
EYES_PX: Final = 100.0
"""Distance between the eyes in a cut-out: about that of the photographs, so that nothing is made up by enlarging."""
_EYES: Final = np.array([[SIDE / 2 - EYES_PX / 2, 150.0], [SIDE / 2 + EYES_PX / 2, 150.0]])
WATCH: Final = 5
"""Every fifth person is kept from training, to see how well what was learnt carries over."""
PUBLIC: Final = "public"
"""The two public-domain portraits that matplotlib and scikit-image carry."""


@dataclass(frozen=True, slots=True, eq=False)
class Photographs:
    """Cut-outs uint8 RGB (n, 384, 384, 3), five points of each (n, 5, 2) and the person of each, numbered from 0."""

    pictures: U8
    points: F32
    people: npt.NDArray[np.int64]

    def split(self) -> tuple[Photographs, Photographs]:
        """Return the people to train on and every fifth person, who is watched; both are all of them where there are fewer than five."""
        if len(set(self.people.tolist())) < WATCH:
            return self, self
        kept = self.people % WATCH != 0
        return self._of(kept), self._of(~kept)

    def _of(self, mask: npt.NDArray[np.bool_]) -> Photographs:
        return Photographs(self.pictures[mask], self.points[mask], self.people[mask])


def load(data: Path, detector: Any, sets: tuple[str, ...]) -> Photographs:
    """Read the photographs of sets that may be trained on; one without a face is left out. Raises as `portraits.files` does."""
    found = [_cut(p.image, p.landmarks, i) for i, p in enumerate(map(carried_portrait, portrait_names())) if PUBLIC in sets]
    named = tuple(s for s in sets if s != PUBLIC)
    people = portraits.files(data, named).values() if named else ()
    for number, paths in enumerate(people, len(found)):
        for path in paths:
            picture, points = _read(path), None
            factor = detector.input.shape[2] / max(picture.shape[:2])
            small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            points = find(detector, np.asarray(small, np.uint8))
            if points is not None:
                found.append(_cut(np.ascontiguousarray(picture[..., ::-1]), points / factor, number))
    if not found:
        raise ValueError(f"no photographs to train on in {', '.join(sets)}")
    pictures, points_, numbers = zip(*found, strict=True)
    return Photographs(np.stack(pictures), np.stack(points_), np.array(numbers, np.int64))


def _cut(picture: U8, points: npt.NDArray[Any], person: int) -> tuple[U8, F32, int]:
    """Turn and scale a picture so that the eyes lie where they do in every cut-out."""
    matrix = similarity(points[:2], _EYES)
    shrink = float(np.hypot(*matrix[:, 0]))
    smooth = cv2.GaussianBlur(picture, (0, 0), 0.45 / shrink) if shrink < 0.8 else picture
    cut = cv2.warpAffine(smooth, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(cut, np.uint8), np.asarray(moved, np.float32), person


def _read(path: Path) -> U8:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise OSError(f"{path} is missing or not a picture")
    return np.asarray(picture, np.uint8)
