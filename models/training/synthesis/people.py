"""People to render: a head, the colours of its surface, and what each part of it is."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.synthesis.fitting import fit
from models.training.synthesis.mesh import F64, Mesh

U8 = npt.NDArray[np.uint8]
SKIN, HAIR, IRIS, SCLERA, LIPS = 1, 2, 3, 4, 5
"""What a pixel of a texture shows; 0 is nothing."""
LANDMARK_FILES: Final = {"london": "landmarks_neutral_front.csv", "canada": "landmarks.csv"}
WEBMORPH: Final = {
    **dict(zip(range(17, 27), (71, 72, 73, 74, 75, 78, 79, 80, 81, 82), strict=True)),
    **dict(zip((27, 28, 29, 30), ((51, 57), (52, 58), (53, 59), (54, 60)), strict=True)),
    **dict(zip((31, 33, 35), (63, 55, 68), strict=True)),
    **dict(zip(range(36, 48), (18, 19, 21, 22, 30, 28, 23, 24, 26, 27, 33, 31), strict=True)),
    **dict(zip(range(48, 60), (87, 88, 89, 90, 91, 92, 93, 108, 107, 106, 105, 104), strict=True)),
    **dict(zip((61, 62, 63, 65, 66, 67), (95, 96, 97, 102, 101, 100), strict=True)),
    8: 129,
}
"""Multi-PIE point of the head model by point of webmorph's template of 189 (two: the middle between them)."""
_JAW: Final = (tuple(range(4, 13)), tuple(range(125, 134)))
"""Jaw lines from the height of one mouth corner round the chin to the other; only their shapes correspond."""
_BOUNDS: Final = (*range(115, 125), *range(125, 134), *range(148, 155))
"""Points that hold the whole head, ears and hair."""
_HEAD: Final = (109, 110, 111, *range(125, 134), 114, 113, 112, *reversed(range(148, 155)))
"""Outline of what is taken from the photograph; the ears stand before the background and are coloured by the cheek beside them."""
_HAIRLINE: Final = tuple(range(134, 145))
_TOP: Final = 151
_SIDE: Final = 420
"""Width of the kept part of a photograph: the head is then about 200 pixels wide, more than any camera here shows."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Somebody to render.

    name: set and person. vertices: (v, 3) cm at rest. texture: (h, w, 3) sRGB. labels: (h, w). places: (v, 2) x, y of each vertex in the
    texture. source: where the surface comes from.
    """

    name: str
    vertices: F64
    texture: U8
    labels: U8
    places: npt.NDArray[np.float32]
    source: str


def photographed(data: Path, mesh: Mesh, sets: tuple[str, ...]) -> Iterator[Person]:
    """Yield each person of the permitted photograph sets, out of the picture that has landmarks.

    Raises ValueError for a set without landmarks of its own, FileNotFoundError when the files are missing.
    """
    for name in sets:
        if name not in LANDMARK_FILES:
            raise ValueError(f"{name} may not be trained on or has no landmarks; permitted are {', '.join(LANDMARK_FILES)}")
        path = data / name / LANDMARK_FILES[name]
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; set VULTUS_DATA to the folder of the data sets")
        folder = data / name / ("neutral_front" if name == "london" else ".")
        for file, points in _landmarks(path).items():
            picture = cv2.imread(str(folder / file), cv2.IMREAD_COLOR)
            if picture is None:
                raise OSError(f"{folder / file} is missing or not a picture")
            yield from_picture(mesh, f"{name}/{Path(file).stem.split('_')[0]}", np.asarray(picture[:, :, ::-1], np.uint8), points, name)


def from_picture(mesh: Mesh, name: str, picture: U8, points: npt.NDArray[Any], source: str) -> Person:
    """Lay the head onto a frontal photograph (h, w, 3) by its 189 points (x, y)."""
    low, high = points[list(_BOUNDS)].min(0), points[list(_BOUNDS)].max(0)
    margin = 0.12 * (high - low)
    factor = _SIDE / float((high - low + 2 * margin)[0])
    to = np.array([[factor, 0, -factor * (low - margin)[0]], [0, factor, -factor * (low - margin)[1]]])
    height = round(float((high - low + 2 * margin)[1]) * factor)
    soft = cv2.GaussianBlur(picture, (0, 0), max(0.45 / factor, 0.3))
    photo = cv2.warpAffine(soft, to, (_SIDE, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    at = points @ to[:, :2].T + to[:, 2]
    corners, seen, weight = _correspondences(mesh, at)
    found = fit(mesh, corners, seen, weight)
    vertices = _with_hair(mesh, found.vertices, found.places, at)
    # A vertex of the hair lies where it is seen from the front now, not where the bald skull was.
    scale = float(np.linalg.norm(np.ptp(found.places, axis=0)) / np.linalg.norm(np.ptp(found.vertices[:, :2], axis=0)))
    places = found.places + (vertices - found.vertices)[:, :2] * scale * (1, -1)
    return Person(name, vertices, *_painted(photo, at), places.astype(np.float32), source)


def _landmarks(path: Path) -> dict[str, F64]:
    found: dict[str, dict[int, tuple[float, float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["file"], {})[int(row["point"])] = (float(row["x"]), float(row["y"]))
    return {name: np.array([points[i] for i in range(len(points))]) for name, points in found.items()}


def _correspondences(mesh: Mesh, at: F64) -> tuple[npt.NDArray[np.int32], F64, F64]:
    """Return vertices, their pixels and the trust in each: inner points as given, the jaw by its length from the chin."""
    inner = [(mesh.landmarks[k], at[list(np.atleast_1d(v))].mean(0), 1.0) for k, v in WEBMORPH.items()]
    ours, theirs = mesh.landmarks[list(_JAW[0])], at[list(_JAW[1])]
    along = [_lengths(mesh.neutral[ours][:, :2]), _lengths(theirs)]
    jaw = [
        (ours[i], np.array([np.interp(along[0][i], along[1], theirs[:, axis]) for axis in (0, 1)]), 0.2) for i in range(len(ours)) if i != 4
    ]
    vertices, seen, weight = zip(*inner, *jaw, strict=True)
    return np.array(vertices, np.int32), np.array(seen), np.array(weight)


def _lengths(line: F64) -> F64:
    """Return each point's share of the line's length."""
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    return np.asarray(steps / steps[-1], np.float64)


def _with_hair(mesh: Mesh, vertices: F64, places: F64, at: F64) -> F64:
    """Swell the bald skull to the height of the hair, above the hairline and behind the ears."""
    per_cm = float(np.ptp(places[:, 1]) / np.ptp(vertices[:, 1]))
    thick = float(np.clip((places[:, 1].min() - at[_TOP, 1]) / per_cm, 0, 5))
    line = float(np.interp(at[list(_HAIRLINE), 1].mean(), np.sort(places[:, 1]), np.sort(-vertices[:, 1]))) * -1
    return swollen(mesh, vertices, thick, line)


def swollen(mesh: Mesh, vertices: F64, thick: float, line: float) -> F64:
    """Move the skull outward by `thick` cm above the height `line` in cm, and behind the ears; the face stays."""
    middle = np.array([0.0, 4.0, 0.0])
    rest = mesh.neutral
    above = np.clip((vertices[:, 1] - line) / 2.5, 0, 1)
    behind = np.clip((1.0 - rest[:, 2]) / 3, 0, 1) * np.clip((rest[:, 1] + 3) / 3, 0, 1) * (np.abs(rest[:, 0]) < 8.0)
    share = np.maximum(above, 0.6 * behind)[:, None]
    outward = rest - middle
    outward = outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    return np.asarray(vertices + thick * share * outward, np.float64)


def _painted(photo: U8, at: F64) -> tuple[U8, U8]:
    """Return the texture, its surroundings filled with the nearest of the head, and the labels."""
    height, width = photo.shape[:2]
    head = _filled((height, width), at[list(_HEAD)])
    head = cv2.erode(head, np.ones((7, 7), np.uint8)) | _filled((height, width), at[[127, 128, 129, 130, 131, 184, 183]])
    _, nearest = cv2.distanceTransformWithLabels(1 - head, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    ys, xs = np.nonzero(head)
    table = np.zeros(nearest.max() + 1, np.int64)
    table[nearest[ys, xs]] = ys * width + xs
    texture = photo.reshape(-1, 3)[table[nearest]].reshape(photo.shape)
    labels = np.full((height, width), SKIN, np.uint8)
    face = _filled((height, width), np.vstack([at[list(_HAIRLINE)], at[list(reversed(range(125, 134)))]]))
    grey = cv2.cvtColor(texture, cv2.COLOR_RGB2GRAY)
    cheek = float(np.median(grey[face > 0]))
    # Above the hairline and beside the face: hair where it is not as light as the face, for the bald have none.
    outside = (face == 0) & (np.arange(height)[:, None] < at[[110, 113], 1].mean())
    labels[outside & (np.abs(grey.astype(np.float32) - cheek) > 0.15 * cheek)] = HAIR
    for brow in (range(71, 77), range(77, 83)):
        patch = cv2.dilate(_filled((height, width), cv2.convexHull(at[list(brow)].astype(np.float32))[:, 0]), np.ones((5, 5), np.uint8))
        labels[(patch > 0) & (grey < 0.8 * cheek)] = HAIR
    labels[_filled((height, width), at[[*range(87, 94), *range(108, 103, -1)]]) > 0] = LIPS
    for lids, pupil, ring in (((18, 19, 20, 21, 22, 28, 29, 30), 0, range(2, 10)), ((23, 24, 25, 26, 27, 33, 32, 31), 1, range(10, 18))):
        eye = _filled((height, width), cv2.convexHull(at[list(lids)].astype(np.float32))[:, 0])
        labels[eye > 0] = SCLERA
        radius = float(np.linalg.norm(at[list(ring)] - at[pupil], axis=1).max())
        iris = cv2.circle(np.zeros_like(eye), tuple(round(float(v)) for v in at[pupil]), max(round(radius), 2), 1, -1)
        labels[(eye > 0) & (iris > 0)] = IRIS
    return np.asarray(texture, np.uint8), labels


def _filled(size: tuple[int, int], polygon: npt.NDArray[Any]) -> U8:
    return np.asarray(cv2.fillPoly(np.zeros(size, np.uint8), [np.round(polygon).astype(np.int32)], 1), np.uint8)
