"""The choice among a detector's candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vultus._native.arrays import done, ffi, lib, packed


def candidates(scores: npt.NDArray[Any], boxes: npt.NDArray[Any], *, least: float, overlap: float) -> list[int]:
    """Return which candidates are faces, best first: scores above `least`, at most 64, none over a better one by more than `overlap`.

    scores: float32 (n, 1). boxes: float32 (n, 4), x, y, width and height. overlap: intersection over union. What is not finite is left out.
    """
    if scores.shape != (len(boxes), 1) or boxes.shape[1:] != (4,):
        raise ValueError(f"scores and boxes must have the shapes (n, 1) and (n, 4); got {scores.shape} and {boxes.shape}")
    taken, found = ffi.new("int32_t[]", lib.VULTUS_CANDIDATES), ffi.new("int *")
    source, places = packed(scores, "scores", 2, np.float32), packed(boxes, "boxes", 2, np.float32)
    done(lib.vultus_candidates_f32(source, places, len(boxes), least, overlap, taken, found), "candidates")
    return [int(i) for i in taken[0 : found[0]]]
