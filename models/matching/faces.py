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
from vultus.graphs import Graph, open_graph
from vultus.manifest import load_manifest
from vultus.stages.align import _FACE_MEAN
from vultus.stages.assess import level_of
from vultus.stages.detect import Detector, Region, foremost
from vultus.stages.landmarks import Landmarks
from vultus.types import Face, Stream

F32 = npt.NDArray[np.float32]
Array = npt.NDArray[Any]
SIDE: Final = 112
DETECTOR_SIDE: Final = 3.25
"""Side of the region of the detector's closer look, in extents of the landmarks: the best of 2.5 to 5 on London and Canada."""
_FIRST: Final = 1 / 2.2


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One frame set: its pictures, and per modality the face of the first look, of the network's closer one, of that taken twice, and of two more
    looks of the detector, one of them in the mirror; nothing where none was found.

    `nir` is exposed for the face and carries the display curve, 0..255, unclipped above.
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


def open_detector() -> Detector:
    """Open the shipped detector in both sizes."""
    manifest = load_manifest()
    return Detector(open_graph(manifest.entry("detector")), open_graph(manifest.entry("detector_near")))


def open_landmarks() -> Landmarks:
    """Open the shipped landmark network."""
    return Landmarks(open_graph(load_manifest().entry("landmarks")))


def open_recogniser() -> Graph:
    """Open the shipped recogniser."""
    return open_graph(load_manifest().entry("recogniser"))


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
    bright = np.clip(nir.astype(np.float32) * (_FACE_MEAN / (level or 1.0)), 0, 255)
    curve: F32 = np.asarray(255.0 * (bright / 255.0) ** _FIRST, np.float32)
    return Shown(row["person"], row["sample"], rgb, curve if level else np.zeros_like(curve), depth, first, closer, again, looked)


def carried(shown: Shown, looks: dict[str, Face]) -> dict[str, F32]:
    """Return landmarks by modality, the NIR ones taken from the colour picture where both show the face in one place."""
    marks = {name: face.landmarks for name, face in looks.items()}
    if "rgb" in looks and "nir" in looks and same_place(looks["rgb"].landmarks, shown.first["nir"].landmarks):
        marks["nir"] = looks["rgb"].landmarks
    return marks


def cut(picture: Array, marks: F32, filter_: str = "linear") -> F32:
    """Cut an aligned crop, float32 (112, 112[, 3]) 0..255, with a filter named linear, cubic or lanczos; 0 outside."""
    import cv2

    how = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}[filter_] | cv2.WARP_INVERSE_MAP
    return np.clip(cv2.warpAffine(picture.astype(np.float32), similarity(marks), (SIDE, SIDE), flags=how), 0, 255)


def embedding(graph: Graph, crop: F32, *, mirrored: bool = False) -> F32:
    """Return the unit-length embedding of a crop, with `mirrored` of the sum of its own and its mirror image's."""
    planes = crop.transpose(2, 0, 1) if crop.ndim == 3 else np.repeat(crop[None], 3, axis=0)
    total = np.zeros(128, np.float32)
    for image in (planes, planes[..., ::-1])[: 2 if mirrored else 1]:
        graph.input[0] = (image - graph.entry.mean) * graph.entry.scale
        total = total + graph.run()[0].reshape(-1)
    return np.asarray(total / np.linalg.norm(total), np.float32)


Form = Callable[[Shown], dict[str, F32]]
"""Makes the crops of one frame set by modality; a modality without a face is left out."""


def embed_all(graph: Graph, shown: list[Shown], form: Form, *, mirrored: bool = False) -> dict[str, F32]:
    """Return the embeddings of all frame sets by modality, rows of zeros where there is no face."""
    out = {name: np.zeros((len(shown), 128), np.float32) for name in ("rgb", "nir")}
    for i, one in enumerate(shown):
        for name, crop in form(one).items():
            out[name][i] = embedding(graph, crop, mirrored=mirrored)
    return out
