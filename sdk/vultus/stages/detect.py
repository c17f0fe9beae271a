"""Detect: find faces and their five landmarks in an RGB or NIR picture with YuNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vultus import _native
from vultus.exposure import show
from vultus.graphs import Graph
from vultus.types import F32, Face, Grey, Stream

SCORE_LIMIT: Final = 0.6
"""Detection score from which a candidate counts; YuNet finds 99 % of 70-pixel NIR heads at 0.6 and 87 % at 0.9."""
_OVERLAP_LIMIT: Final = 0.3
"""Intersection over union from which two candidates are one face; the value that YuNet's authors publish."""
_CONTEXT: Final = 2.0
"""Side of the region searched around the last face, in face sides: half a face of movement each way between frame sets."""
_LARGE: Final = 10.0
"""Pixels of the small input between the eyes of a face beside which that input finds every rival: 60 of 60 pairs of photographs (London, Canada)
at 40 pixels in 640 x 480 with a second face of 0.55 times the size, 56 of 60 at 32 pixels."""
_RIVAL: Final = 0.5
"""A second face counts when its eye distance is at least this share of the first's; smaller ones are bystanders or pictures on a wall."""


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
        return self._look(image, stream, graph, area, least)

    def search(self, image: Grey, stream: Stream) -> list[Face]:
        """Return the faces of a whole picture, best first, as `find` does at a fifth of its cost where the foremost face is large.

        Where the small input finds none, or one whose eyes are less than `_LARGE` of its pixels apart, the large one decides.
        """
        height, width = image.shape[:2]
        faces = self._look(image, stream, self._near, Region(0.0, 0.0, float(width), float(height)), SCORE_LIMIT)
        pixel = max(width / self._near.input.shape[3], height / self._near.input.shape[2])
        return faces if faces and foremost(faces, image).eye_distance >= _LARGE * pixel else self.find(image, stream)

    def _look(self, image: Grey, stream: Stream, graph: Graph, area: Region, least: float) -> list[Face]:
        """Return the faces that one run of a graph finds in an area of the picture."""
        rows, cols = graph.input.shape[2], graph.input.shape[3]
        scale = max(area.width / cols, area.height / rows)
        x0 = area.x + (area.width - scale * cols) / 2 + scale / 2 - 0.5
        y0 = area.y + (area.height - scale * rows) / 2 + scale / 2 - 0.5
        matrix = np.array([[scale, 0.0, x0], [0.0, scale, y0]])
        if not show(image, matrix, graph.input[0]):
            return []
        score, box, points = graph.run()
        return _decode(score, box, points, scale, (x0, y0), stream, least)


def _decode(score: F32, box: F32, points: F32, scale: float, origin: tuple[float, float], stream: Stream, least: float) -> list[Face]:
    """Turn the graph's candidates, in pixels of its input, into faces in pixels of the frame; overlapping ones give way to the best."""
    start = np.array(origin, np.float32)
    faces = []
    for i in _native.candidates(score, box, least=least, overlap=_OVERLAP_LIMIT):
        x, y, w, h = box[i].tolist()
        place = (x * scale + origin[0], y * scale + origin[1], w * scale, h * scale)
        marks = points[i].reshape(5, 2) * np.float32(scale) + start
        faces.append(Face(stream, place, marks, min(float(score[i, 0]), 1.0)))
    return faces


def foremost(faces: list[Face], image: Grey) -> Face:
    """Return the largest face of a picture, weighed by how near to the middle it is: nothing in a corner, all of its size in the middle."""
    if len(faces) == 1:
        return faces[0]
    middle = np.array([image.shape[1], image.shape[0]]) / 2
    reach = float(np.hypot(*middle))
    return max(faces, key=lambda f: f.eye_distance * (1 - float(np.hypot(*(f.landmarks.mean(0) - middle))) / reach))


def rivals(faces: list[Face]) -> int:
    """Count the faces that are about as large as the largest."""
    largest = max((f.eye_distance for f in faces), default=0.0)
    return sum(f.eye_distance >= _RIVAL * largest for f in faces)
