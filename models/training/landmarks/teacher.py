"""Where landmarks belong: the mean of what YuNet finds in many looks at a large, clean picture, in the mirror too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vultus.geometry import same_place
from vultus.graphs import Graph
from vultus.stages.detect import Detector, Region
from vultus.types import F32, Face, Grey

SIDES: Final = (2.75, 3.25, 3.75)
"""Sides of the regions looked at, in extents of the landmarks: about the best one, 3.25 (models/matching)."""
_SHIFTS: Final = ((-0.04, 0.02), (0.05, -0.03))
"""Where the region's middle lies beside the face's, in extents: the error that remains depends on where the network's grid falls."""
_MIRRORED: Final = [1, 0, 2, 4, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """The detector's large input, for whole pictures and for the surroundings of a face."""

    detector: Detector

    @classmethod
    def of(cls, graph: Graph) -> Teacher:
        """Look at regions through the graph of the large input too."""
        return cls(Detector(graph, graph))

    def two_looks(self, picture: Grey, face: Face, side: float) -> F32:
        """Return the mean landmarks of a closer look at the face and of one in the mirror, the face's own where neither finds it."""
        found = self._looks(picture, face, side, (0.0, 0.0))
        return np.mean(found, axis=0, dtype=np.float32) if found else face.landmarks

    def truth(self, picture: Grey, face: Face) -> F32 | None:
        """Return the mean landmarks of twelve looks; None where fewer than half of them find the face."""
        found = [marks for side in SIDES for shift in _SHIFTS for marks in self._looks(picture, face, side, shift)]
        enough = len(found) >= len(SIDES) * len(_SHIFTS)
        return np.mean(found, axis=0, dtype=np.float32) if enough else None

    def _looks(self, picture: Grey, face: Face, side: float, shift: tuple[float, float]) -> list[F32]:
        extent = np.float32(np.ptp(face.landmarks, axis=0).max())
        found = []
        for mirrored in (False, True):
            shown = np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture
            middle = face.landmarks + np.float32(shift) * extent
            # Half a pixel, from a pixel's centre to its corner, so that both looks lie evenly about the face.
            region = Region.around_landmarks((_turned(middle, picture) if mirrored else middle) + np.float32(0.5), side)
            for other in self.detector.find(shown, face.stream, region):
                marks = _turned(other.landmarks, picture) if mirrored else other.landmarks
                if same_place(marks, face.landmarks):
                    found.append(marks)
                    break
        return found


def _turned(marks: F32, picture: Grey) -> F32:
    """Return where landmarks lie in the mirror image of a picture."""
    return np.ascontiguousarray((np.float32([picture.shape[1] - 1, 0]) - marks * np.float32([1, -1]))[_MIRRORED])
