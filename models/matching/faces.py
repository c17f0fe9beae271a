"""Faces of rap3df-2017 with their pictures and the landmarks of each way of looking; kept in memory alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from models.training.landmarks.teacher import Teacher

from vultus import pictures
from vultus.geometry import same_place, similarity
from vultus.graphs import open_graph
from vultus.manifest import load_manifest
from vultus.stages.align import FACE_MEAN, GAMMA, align_nir, align_rgb
from vultus.stages.align import _enlarges as enlarges
from vultus.stages.assess import level_of
from vultus.stages.detect import Detector, Region, foremost
from vultus.stages.embed import Recogniser
from vultus.stages.landmarks import Landmarks
from vultus.types import Face, Frame, Modality, Stream

F32 = npt.NDArray[np.float32]
Array = npt.NDArray[Any]
SIDE: Final = 112
DETECTOR_SIDE: Final = 3.25
"""Side of the region of the detector's closer look, in extents of the landmarks: the best of 2.5 to 5 on London and Canada."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One frame set: its pictures, and per modality the face of the first look, of the network's closer one, of that taken twice, and of two more
    looks of the detector, one of them in the mirror; nothing where none was found.

    `nir` is exposed for the face and carries the display curve, 0..255, unclipped above; `sensor` is the picture that it was made from, `level`
    the face's in it, None without a face.
    """

    person: str
    sample: str
    rgb: Array
    nir: Array
    depth: Array
    first: dict[str, Face]
    closer: dict[str, Face]
    again: dict[str, Face]
    detector: dict[str, Face]
    sensor: Array
    level: float | None


def open_detector() -> Detector:
    """Open the shipped detector in both sizes."""
    manifest = load_manifest()
    return Detector(open_graph(manifest.entry("detector")), open_graph(manifest.entry("detector_near")))


def open_landmarks() -> Landmarks:
    """Open the shipped landmark network."""
    return Landmarks(open_graph(load_manifest().entry("landmarks")))


def open_recogniser() -> Recogniser:
    """Open the shipped recogniser with its normaliser."""
    return Recogniser(load_manifest())


def rap3df(root: Path, detector: Detector, network: Landmarks) -> list[Shown]:
    """Read the set and find every face as the pipeline does."""
    teacher = Teacher.of(open_graph(load_manifest().entry("detector")))
    folder = root / "rap3df-2017"
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [_shown(row, folder, (detector, network, teacher)) for row in rows]


def _shown(row: dict[str, str], folder: Path, ways: tuple[Detector, Landmarks, Teacher]) -> Shown:
    detector, network, teacher = ways
    rgb, nir, depth = (pictures.read(folder / row[s], Stream(s)) for s in ("rgb", "nir", "depth"))
    first = {}
    seen = detector.search(rgb, Stream.RGB)
    if seen:
        first["rgb"] = foremost(seen, rgb)
    there = detector.find(nir, Stream.NIR, Region.around_landmarks(network.closer(rgb, first["rgb"]).landmarks)) if seen else []
    there = there or detector.search(nir, Stream.NIR)
    if there:
        first["nir"] = foremost(there, nir)
    seen_in = {"rgb": rgb, "nir": nir}
    closer = {name: network.closer(seen_in[name], face) for name, face in first.items()}
    again = {name: network.closer(seen_in[name], face) for name, face in closer.items()}
    looked = {name: replace(face, landmarks=teacher.two_looks(seen_in[name], face, DETECTOR_SIDE)) for name, face in first.items()}
    level = level_of(first["nir"], nir) if "nir" in first else None
    bright = np.clip(nir.astype(np.float32) * (FACE_MEAN / (level or 1.0)), 0, 255)
    curve: F32 = np.asarray(255.0 * (bright / 255.0) ** (1 / GAMMA), np.float32)
    return Shown(
        row["person"], row["sample"], rgb, curve if level else np.zeros_like(curve), depth, first, closer, again, looked, nir, level
    )


def carried(shown: Shown, looks: dict[str, Face]) -> dict[str, F32]:
    """Return landmarks by modality, the NIR ones taken from the colour picture where both show the face in one place."""
    marks = {name: face.landmarks for name, face in looks.items()}
    if "rgb" in looks and "nir" in looks and same_place(looks["rgb"].landmarks, shown.first["nir"].landmarks):
        marks["nir"] = looks["rgb"].landmarks
    return marks


def cut(picture: Array, marks: F32, filter_: str = "ships") -> F32:
    """Cut an aligned crop, float32 (112, 112[, 3]) 0..255, 0 outside.

    filter_: linear, cubic (a = -0.5), ships (cubic where the crop enlarges), or lanczos.
    """
    matrix = similarity(marks)
    if filter_ == "lanczos":
        import cv2

        how = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
        return np.clip(cv2.warpAffine(picture.astype(np.float32), matrix, (SIDE, SIDE), flags=how), 0, 255)
    cubic = filter_ == "cubic" or (filter_ == "ships" and enlarges(matrix))
    return np.clip(sampled(picture, matrix, -0.5 if cubic else None), 0, 255)


def sampled(picture: Array, matrix: Array, a: float | None) -> F32:
    """Return the crop (112, 112[, 3]) of a picture through the 2 x 3 map from crop to picture: bilinear, or cubic convolution with `a`."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    sx, sy = (m[0] * x + m[1] * y + m[2] for m in matrix)
    padded = np.pad(picture.astype(np.float32), ((4, 4), (4, 4), (0, 0))[: picture.ndim])
    sx, sy = np.clip(sx, -3, picture.shape[1] + 1) + 4, np.clip(sy, -3, picture.shape[0] + 1) + 4
    ix, iy = sx.astype(int), sy.astype(int)
    out = np.zeros((SIDE, SIDE, *picture.shape[2:]))
    for j in range(-1, 3):
        for i in range(-1, 3):
            share = weight(sx - ix - i, a) * weight(sy - iy - j, a)
            out += padded[iy + j, ix + i] * share.reshape(SIDE, SIDE, *(1,) * (picture.ndim - 2))
    return out.astype(np.float32)


def weight(distance: Array, a: float | None) -> Array:
    """Return what a pixel at a distance weighs: 1 - distance, or the cubic convolution of R. Keys (1981)."""
    d = np.abs(distance)
    if a is None:
        return np.maximum(1 - d, 0)
    return np.where(d <= 1, (a + 2) * d**3 - (a + 3) * d**2 + 1, np.where(d < 2, a * (d**3 - 5 * d**2 + 8 * d - 4), 0))


def shipped(one: Shown) -> dict[str, F32]:
    """Cut both pictures with the SDK's own stage."""
    out = {}
    for name, marks in carried(one, one.closer).items():
        tensor = np.zeros((1, 3, SIDE, SIDE), np.float32)
        if name == "rgb":
            align_rgb(Frame(Stream.RGB, one.rgb, 0), marks, tensor, mean=0.0, scale=1.0)
        elif one.level is not None:
            align_nir(one.sensor, marks, one.level, tensor, mean=0.0, scale=1.0)
        out[name] = np.ascontiguousarray(tensor[0].transpose(1, 2, 0) if name == "rgb" else tensor[0, 0])
    return out


def embedding(recogniser: Recogniser, crop: F32, *, mirrored: bool = False, normalised: bool = True) -> F32:
    """Return the unit-length embedding of a crop, with `mirrored` of the sum of its own and its mirror image's.

    A crop of one plane is NIR, and goes through the normaliser unless `normalised` is false.
    """
    modality = Modality.NIR if crop.ndim == 2 and normalised else Modality.RGB
    planes = crop.transpose(2, 0, 1) if crop.ndim == 3 else np.repeat(crop[None], 3, axis=0)
    total = np.zeros(128, np.float32)
    for image in (planes, planes[..., ::-1])[: 2 if mirrored else 1]:
        recogniser.input[0] = (image - recogniser.mean) * recogniser.scale
        total = total + recogniser.run(modality)
    return np.asarray(total / np.linalg.norm(total), np.float32)


Form = Callable[[Shown], dict[str, F32]]
"""Makes the crops of one frame set by modality; a modality without a face is left out."""


WAYS: Final = ("none", "references", "both", "nir", "direct")
"""Whose embedding is the mean with that of the mirror image (nir: in NIR those of references and probes), or direct: NIR without the normaliser."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Embeddings of all frame sets by modality, rows of zeros where there is no face; a reference is compared with a probe, never two of a kind."""

    probes: dict[str, F32]
    references: dict[str, F32]

    @classmethod
    def alike(cls, vectors: dict[str, F32]) -> Embedded:
        """Return embeddings that are the same as reference and as probe."""
        return cls(vectors, vectors)


def embed_all(recogniser: Recogniser, shown: list[Shown], form: Form, way: str = "none") -> Embedded:
    """Return the embeddings of all frame sets; `way` is one of WAYS."""
    out = [{name: np.zeros((len(shown), 128), np.float32) for name in ("rgb", "nir")} for _ in range(2)]
    for i, one in enumerate(shown):
        for name, crop in form(one).items():
            for side, kinds in zip(out, (("both", name), ("both", name, "references")), strict=True):
                side[name][i] = embedding(recogniser, crop, mirrored=way in kinds, normalised=way != "direct")
    return Embedded(*out)
