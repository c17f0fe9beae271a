"""Reads the real NIR faces that normalisers are measured on, cut as the SDK cuts them, with their depth; nothing made here is stored."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from models.matching.faces import Shown, carried, open_detector, open_landmarks, shipped
from models.matching.faces import rap3df as shown_of
from models.recipes.crops import Faces, data_folder
from models.recipes.layers import MEAN, SCALE
from models.training.synthesis.crops import real_shape

from vultus.geometry import similarity

F32 = npt.NDArray[np.float32]


def rap3df() -> tuple[Faces, F32]:
    """Return the faces of rap3df-2017 and a normaliser's input (n, 5, 112, 112) for each; a colour face's is of no meaning."""
    shown = shown_of(data_folder(), open_detector(), open_landmarks())
    cut = [(one, name, crop) for one in shown for name, crop in shipped(one).items()]
    tensors = np.stack([_planes(crop) for _, _, crop in cut])
    inputs = np.stack([np.concatenate([tensor[:1], _shape(one, name)]) for (one, name, _), tensor in zip(cut, tensors, strict=True)])
    people, samples, modalities = (np.array(v) for v in zip(*((one.person, one.sample, name) for one, name, _ in cut), strict=True))
    return Faces(tensors, people, samples, modalities, 2 * len(shown)), inputs.astype(np.float32)


def _planes(crop: F32) -> F32:
    planes = crop.transpose(2, 0, 1) if crop.ndim == 3 else np.repeat(crop[None], 3, axis=0)
    return np.asarray((planes - MEAN) * SCALE, np.float32)


def _shape(one: Shown, name: str) -> F32:
    """Return the shape of the face where its crop is; depth is registered to both pictures."""
    marks = carried(one, one.closer)[name]
    return real_shape(np.asarray(one.depth, np.uint16), np.asarray(cv2.invertAffineTransform(similarity(marks)), np.float64))
