"""Detect: find faces and their five landmarks in an RGB or NIR picture with YuNet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, cast

import numpy as np

from vultus import _native
from vultus.graphs import Graph
from vultus.types import F32, U8, Face, Frame, Grey, Stream

SCORE_LIMIT: Final = 0.6
"""Detection score from which a candidate counts; YuNet finds 99 % of 70-pixel NIR heads at 0.6 and 87 % at 0.9."""
_OVERLAP_LIMIT: Final = 0.3
"""Intersection over union from which two candidates are one face; the value that YuNet's authors publish."""
_CANDIDATES: Final = 64
"""Candidates looked at, best first; one face gives about ten."""
_CONTEXT: Final = 2.0
"""Side of the region searched around the last face, in face sides: half a face of movement each way between frame sets."""
_RIVAL: Final = 0.5
"""A second face counts when its eye distance is at least this share of the first's; smaller ones are bystanders or pictures on a wall."""
CLOSE: Final = 3.25
"""Side of the region of a closer look, in extents of the landmarks; of 2.5 to 5 it has the least error on London and Canada (models/matching)."""
_APART: Final = 0.25
"""Distance, in extents of the landmarks, up to which two sets of landmarks belong to one face: a quarter of it."""
_MIRRORED: Final = (1, 0, 2, 4, 3)
"""Where each of the five landmarks stands in the mirror: left and right eye and left and right corner of the mouth change places."""
_GREY_LEVEL: Final = 72.0
"""Level, of 255, that the light-weighted mean of a NIR picture is brought to before the display curve."""
_CURVE: Final[F32] = (255.0 * (np.arange(256) / 255.0) ** (1 / 2.2)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a frame in pixels: x, y of the top-left corner, width, height."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def around(cls, face: Face) -> Region:
        """Return the region in which the face is looked for next."""
        x, y, w, h = face.box
        side = _CONTEXT * max(w, h)
        return cls(x + w / 2 - side / 2 * 1.25, y + h / 2 - side / 2, side * 1.25, side)

    @classmethod
    def around_landmarks(cls, landmarks: F32, context: float = 2.0 * _CONTEXT) -> Region:
        """Return the region in which a face with about these landmarks is looked for; `context` is its side in extents of the landmarks."""
        low, high = landmarks.min(0), landmarks.max(0)
        side = context * float(max(high - low))
        cx, cy = (low + high) / 2
        return cls(float(cx) - side / 2 * 1.25, float(cy) - side / 2, side * 1.25, side)


class Detector:
    """Two sizes of one graph: the whole frame in `full`, the neighbourhood of a known face in `near`. Not thread-safe."""

    def __init__(self, full: Graph, near: Graph) -> None:
        self._full = full
        self._near = near

    def find(self, image: Grey, stream: Stream, region: Region | None = None, *, least: float = SCORE_LIMIT) -> list[Face]:
        """Return the faces of score `least` or more, best first; with a `region`, those whose centre lies in it. An empty list means none."""
        height, width = image.shape[:2]
        whole = Region(0.0, 0.0, float(width), float(height))
        graph, area = (self._full, whole) if region is None else (self._near, region)
        return self._look(image, stream, graph, area, least=least)

    def closer(self, image: Grey, face: Face, context: float = CLOSE) -> Face:
        """Return the face with the mean landmarks of two looks at its surroundings, one of them in the mirror.

        The network errs differently in the mirror, and a face that fills the same share of its input is found in the same way from every
        distance: the region's side is `context` times the extent of the landmarks. A look that does not find the face in its place does not
        count; without any the face is returned as it was.
        """
        # Half a pixel, from a pixel's centre to its corner, so that both looks lie evenly about the face.
        region = Region.around_landmarks(face.landmarks + np.float32(0.5), context)
        found = []
        for mirrored in (False, True):
            looks = self._look(image, face.stream, self._full, region, mirrored=mirrored)
            mine = next((f.landmarks for f in looks if same_place(f.landmarks, face.landmarks)), None)
            if mine is not None:
                found.append(mine)
        return replace(face, landmarks=np.mean(found, axis=0, dtype=np.float32)) if found else face

    def _look(
        self, image: Grey, stream: Stream, graph: Graph, area: Region, *, mirrored: bool = False, least: float = SCORE_LIMIT
    ) -> list[Face]:
        """Return the faces that one run of a graph finds in an area of the picture; `mirrored` shows it the area left to right."""
        rows, cols = graph.input.shape[2], graph.input.shape[3]
        scale = max(area.width / cols, area.height / rows)
        x0 = area.x + (area.width - scale * cols) / 2 + scale / 2 - 0.5
        y0 = area.y + (area.height - scale * rows) / 2 + scale / 2 - 0.5
        if mirrored:
            x0 += scale * (cols - 1)
        along = -scale if mirrored else scale
        matrix = np.array([[along, 0.0, x0], [0.0, scale, y0]])
        if image.ndim == 3 and image.dtype == np.uint8:
            _native.warp_rgb(cast(U8, image), matrix, graph.input[0], bgr=True, scale=1.0, offset=0.0)
        else:
            gain = grey_gain(image)
            if gain is None:
                return []
            _native.warp_grey(image, matrix, graph.input[0], gain=gain, lut=_CURVE, scale=1.0, offset=0.0)
        score, box, points = graph.run()
        return _decode(score, box, points, (along, scale), (x0, y0), stream, least)


def grey_gain(image: Grey) -> float | None:
    """Return the gain that exposes a NIR picture for its bright parts; None for a black picture.

    The level is the light-weighted mean, sum(v^2) / sum(v): a lit face in front of a dark room sets it, the room does not.
    """
    height, width = image.shape
    top = 255 if image.dtype == np.uint8 else 65535
    sums = _native.image_sums(image, (0, 0, width, height), 0, top)
    return _GREY_LEVEL * sums.total / sums.total_squares if sums.total_squares > 0 else None


def same_place(marks: F32, others: F32) -> bool:
    """Say whether two sets of landmarks have one centre, to a quarter of their extent."""
    extent = float(np.ptp(others, axis=0).max())
    return float(np.abs(marks.mean(0) - others.mean(0)).max()) <= _APART * extent


def _decode(
    score: F32, box: F32, points: F32, step: tuple[float, float], origin: tuple[float, float], stream: Stream, least: float
) -> list[Face]:
    """Turn the graph's candidates, in pixels of its input, into faces in pixels of the frame; overlapping ones give way to the best.

    step: the frame's pixels a pixel of the input, across and down; a negative one across says that the input showed the mirror image.
    """
    score = score.reshape(-1)
    index = np.flatnonzero(score > least)
    index = index[np.argsort(-score[index], kind="stable")][:_CANDIDATES]
    corners = np.concatenate([box[index, :2], box[index, :2] + box[index, 2:]], axis=1)
    kept: list[int] = []
    for i in range(index.size):
        if np.isfinite(corners[i]).all() and all(_overlap(corners[i], corners[j]) <= _OVERLAP_LIMIT for j in kept):
            kept.append(i)
    scale, start = np.array(step, np.float32), np.array(origin, np.float32)
    faces = []
    for i in kept:
        w, h = box[index[i], 2:] * scale[1]
        x, y = corners[i, :2] * scale + start
        x = x - w if step[0] < 0 else x
        marks = points[index[i]].reshape(5, 2) * scale + start
        marks = np.ascontiguousarray(marks[list(_MIRRORED)] if step[0] < 0 else marks, np.float32)
        faces.append(Face(stream, (float(x), float(y), float(w), float(h)), marks, float(min(score[index[i]], 1.0))))
    return faces


def _overlap(a: F32, b: F32) -> float:
    wide = max(0.0, float(min(a[2], b[2]) - max(a[0], b[0])))
    high = max(0.0, float(min(a[3], b[3]) - max(a[1], b[1])))
    union = float((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])) - wide * high
    return wide * high / union if union > 0 else 0.0


def foremost(faces: list[Face], frame: Frame | None) -> Face:
    """Return the largest face, weighed by how near to the middle it is: nothing in a corner, all of its size in the middle."""
    if frame is None or len(faces) == 1:
        return faces[0]
    middle = np.array([frame.width, frame.height]) / 2
    reach = float(np.hypot(*middle))
    return max(faces, key=lambda f: f.eye_distance * (1 - float(np.hypot(*(f.landmarks.mean(0) - middle))) / reach))


def rivals(faces: list[Face]) -> int:
    """Count the faces that are about as large as the largest."""
    largest = max((f.eye_distance for f in faces), default=0.0)
    return sum(f.eye_distance >= _RIVAL * largest for f in faces)
