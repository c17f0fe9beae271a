"""Landmarks: place the five points of a face that was found, on an upright crop of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus.errors import ModelMismatch
from vultus.exposure import show
from vultus.geometry import TARGET, same_place, similarity
from vultus.graphs import Graph
from vultus.types import Face, Grey

EYES: Final = 28.0
"""Pixels between the eyes of a frontal head in the crop."""
_MIDDLE: Final = (47.5, 44.0)
"""Where the middle of the landmarks goes: half-way across, and a little above half-way down, since the chin is below them."""
_SPREAD: Final = (TARGET - TARGET.mean(0)) * (EYES / float(np.hypot(*(TARGET[1] - TARGET[0]))))
_EVEN: Final = (_SPREAD + _SPREAD[[1, 0, 2, 4, 3]] * (-1, 1)) / 2
TEMPLATE: Final[npt.NDArray[np.float64]] = _EVEN + np.array(_MIDDLE)
"""Where the landmarks of the first look go in the crop, the same in the mirror; the network was trained on crops cut out like this."""


class Landmarks:
    """The network and its crop, allocated once. Not thread-safe."""

    def __init__(self, graph: Graph) -> None:
        """Take the graph of the manifest's role `landmarks`; raises ModelMismatch when it gives no five points of one crop."""
        shapes = [spec.shape for spec in (*graph.entry.inputs, *graph.entry.outputs)]
        if len(shapes) != 2 or shapes[0][:2] != (1, 3) or shapes[1] != (1, len(TARGET), 2):
            raise ModelMismatch(
                f"graph {graph.entry.role}: {shapes} are not one crop and five points; run `vultus models build` or reinstall"
            )
        self._graph = graph

    def closer(self, image: Grey, face: Face) -> Face:
        """Return the face with the landmarks of a closer look at it; the face as it was where that look does not see it in its place."""
        try:
            matrix = similarity(face.landmarks, TEMPLATE)
        except ValueError:
            return face
        if not show(image, matrix, self._graph.input[0]):
            return face
        found = np.ascontiguousarray(self._graph.run()[0][0].astype(np.float64) @ matrix[:, :2].T + matrix[:, 2], np.float32)
        return replace(face, landmarks=found) if np.isfinite(found).all() and same_place(found, face.landmarks) else face
