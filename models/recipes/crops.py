"""Cuts aligned faces out of the evaluation sets with the shipped detector; nothing made here is ever stored."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from models.recipes.layers import MEAN, SCALE

from vultus.stages.align import FACE_MEAN, GAMMA

SCORE: Final = 0.6
"""Detection score from which a candidate counts."""
_TARGET: Final = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Where the five points lie in the 112 x 112 crop that SFace was trained on."""

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Faces:
    """Aligned faces as recogniser tensors (n, 3, 112, 112), with who each shows, from which sample and in which modality."""

    tensors: F32
    people: npt.NDArray[np.str_]
    samples: npt.NDArray[np.str_]
    modalities: npt.NDArray[np.str_]
    pictures: int
    """Pictures looked at, of which `len(people)` gave a face."""


def data_folder() -> Path:
    """Return the folder of the evaluation sets: VULTUS_DATA, or ../shared/data beside the checkout."""
    return Path(os.environ.get("VULTUS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def lfw_faces(detector: Any, names: set[str] | None = None) -> Faces:
    """Return the faces of LFW, or of the pictures with these names ("Name_0001")."""
    paths = sorted(p for p in (data_folder() / "lfw").glob("*/*.jpg") if names is None or p.stem in names)
    found = [(path, crop(detector, _read(path))) for path in paths]
    kept = [(path, tensor) for path, tensor in found if tensor is not None]
    return Faces(
        np.stack([tensor for _, tensor in kept]),
        np.array([path.parent.name for path, _ in kept]),
        np.array([path.stem for path, _ in kept]),
        np.array(["rgb"] * len(kept)),
        len(paths),
    )


def rap3df_faces(detector: Any) -> Faces:
    """Return the faces of rap3df-2017, colour and NIR, enlarged to the detector's height because the heads are 70 pixels wide."""
    import cv2

    folder = data_folder() / "rap3df-2017"
    kept, pictures = [], 0
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for modality in ("rgb", "nir"):
            picture = _read(folder / row[modality])
            if modality == "nir":
                picture = cv2.cvtColor(displayed(picture), cv2.COLOR_GRAY2BGR)
            factor = detector.input.shape[2] / picture.shape[0]
            tensor = crop(detector, cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR))
            pictures += 1
            if tensor is not None:
                kept.append((tensor, row["person"], row["sample"], modality))
    tensors, people, samples, modalities = zip(*kept, strict=True)
    return Faces(np.stack(tensors), np.array(people), np.array(samples), np.array(modalities), pictures)


def _read(path: Path) -> Any:
    """Return a picture as it is stored, colours in the order B, G, R; raises OSError when it cannot be read."""
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise OSError(f"{path} is missing or not a picture")
    return picture


def displayed(nir: npt.NDArray[np.uint16]) -> U8:
    """Return a linear 16-bit NIR picture as 8 bits, the median of what was measured exposed and the curve given as the SDK does it for a face."""
    level = float(np.median(nir[nir > 0])) * 255 / FACE_MEAN
    return (np.clip(nir / level, 0, 1) ** (1 / GAMMA) * 255).astype(np.uint8)


def toned(nir: F32, gamma: float) -> F32:
    """Give an NIR crop, 0..255 as the SDK shows it, another display curve; what the mean of the face is shown at stays."""
    linear = (nir / 255.0) ** GAMMA * (FACE_MEAN / 255.0) ** (gamma / GAMMA - 1.0)
    return np.clip(255.0 * linear ** (1 / gamma), 0, 255).astype(np.float32)


def crop(detector: Any, picture: U8) -> F32 | None:
    """Return the aligned face (3, 112, 112) of the person in the middle of a B G R picture, as large as the detector's input or smaller; None if none."""
    import cv2

    points = find(detector, picture)
    if points is None:
        return None
    aligned = cv2.warpAffine(picture, similarity(points, _TARGET), (112, 112), flags=cv2.INTER_LINEAR)
    return np.asarray((aligned[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) - MEAN) * SCALE, np.float32)


def find(detector: Any, picture: U8) -> F32 | None:
    """Return the five points (5, 2) of the largest face near the middle; None when no candidate reaches SCORE."""
    height, width = picture.shape[:2]
    detector.input[...] = 0
    detector.input[0, :, :height, :width] = picture.transpose(2, 0, 1)
    scores, boxes, points = detector.run()
    good = scores[:, 0] >= SCORE
    if not good.any():
        return None
    middle = boxes[:, :2] + boxes[:, 2:] / 2 - np.array([width, height]) / 2
    value = np.where(good, boxes[:, 2] * boxes[:, 3] - 2 * (middle**2).sum(1), -np.inf)
    first = int(value.argmax())
    # Candidates of the same face lie within a quarter of it; the best scored of them has the best points.
    same = good & (np.abs(boxes - boxes[first]).max(1) < boxes[first, 2:].max() / 4)
    best = int(np.where(same, scores[:, 0], -1).argmax())
    return np.array(points[best].reshape(5, 2))


def similarity(source: npt.NDArray[Any], target: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the 2 x 3 rotation, scale and shift that takes `source` to `target` with the least squared error."""
    a = source.astype(np.float64) @ np.array([1, 1j])
    b = target @ np.array([1, 1j])
    turn = np.vdot(a - a.mean(), b - b.mean()) / np.vdot(a - a.mean(), a - a.mean())
    shift = b.mean() - turn * a.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
