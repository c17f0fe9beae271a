"""Reads the real NIR faces that normalisers are measured on, with their depth; nothing made here is stored."""

from __future__ import annotations

import csv
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from models.recipes.crops import _TARGET as TARGET
from models.recipes.crops import Faces, data_folder, displayed, find, similarity
from models.recipes.layers import MEAN, SCALE
from models.training.synthesis.crops import real_shape

F32 = npt.NDArray[np.float32]


def rap3df(detector: Any) -> tuple[Faces, F32]:
    """Return the faces of rap3df-2017 and a normaliser's input (n, 5, 112, 112) for each; a colour face's is of no meaning."""
    folder = data_folder() / "rap3df-2017"
    tensors, inputs, told, pictures = [], [], [], 0
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        depth = _read(folder / row["depth"])
        for modality in ("rgb", "nir"):
            pictures += 1
            picture = _read(folder / row[modality])
            if modality == "nir":
                picture = cv2.cvtColor(displayed(picture), cv2.COLOR_GRAY2BGR)
            factor = detector.input.shape[2] / picture.shape[0]
            large = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
            points = find(detector, np.asarray(large, np.uint8))
            if points is None:
                continue
            to = similarity(points, TARGET)
            tensor = (cv2.warpAffine(large, to, (112, 112))[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) - MEAN) * SCALE
            # The map from the small picture: a pixel's middle is half a pixel in.
            grown = np.array([[factor, 0, factor / 2 - 0.5], [0, factor, factor / 2 - 0.5], [0, 0, 1]])
            tensors.append(tensor)
            inputs.append(np.concatenate([tensor[:1], real_shape(np.asarray(depth, np.uint16), to @ grown)]))
            told.append((row["person"], row["sample"], modality))
    people, samples, modalities = (np.array(column) for column in zip(*told, strict=True))
    return Faces(np.stack(tensors).astype(np.float32), people, samples, modalities, pictures), np.stack(inputs).astype(np.float32)


def _read(path: Any) -> Any:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise OSError(f"{path} is missing or not a picture")
    return picture
