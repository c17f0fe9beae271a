"""The stem: the recogniser's first six layers, which the core runs row by row before the graph takes over.

They are few channels on large pictures, where a runtime that finishes one layer after the other waits for memory; in the core, on the
machine that models/README.md names, they take less than half the time. Their weights travel in the graph's own metadata, so that one file
and one hash stand for the whole recogniser.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.types import F32

KEY: Final = "vultus.stem"
"""Name of the metadata entry: base64 of one byte, the level of 0, and the weights as little-endian float32."""
INPUT: Final = ("stem", "uint8", (1, *_native.STEM_OUT))
"""What the rest of the graph takes: name, dtype, shape."""
CROP: Final = (1, *_native.STEM_IN)


class Stem:
    """The stem of one graph, with its memory allocated once. Not thread-safe."""

    __slots__ = ("_scratch", "_weights", "_zero")

    def __init__(self, weights: F32, zero: int) -> None:
        self._weights, self._zero = weights, zero
        self._scratch: F32 = np.empty(_native.STEM_SCRATCH, np.float32)

    def run(self, crop: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """Write what the rest of the graph takes of a crop, float32 (1, 3, 112, 112), to `out`, uint8 (1, 56, 56, 128)."""
        _native.stem(self._weights, crop[0], self._zero, out[0], self._scratch)


def pack(weights: F32, zero: int) -> str:
    """Return the metadata entry for a stem."""
    return base64.b64encode(bytes([zero]) + weights.astype("<f4").tobytes()).decode("ascii")


def unpack(text: str) -> Stem:
    """Read a metadata entry; raises ValueError for one that is no stem of this version."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("the weights of its first layers are no base64") from error
    if len(data) != 1 + 4 * _native.STEM_WEIGHTS:
        raise ValueError(f"its first layers have {len(data)} bytes, this version reads {1 + 4 * _native.STEM_WEIGHTS}")
    weights = _native.aligned(_native.STEM_WEIGHTS, np.float32)
    weights[:] = np.frombuffer(data, "<f4", offset=1)
    if not np.isfinite(weights).all():
        raise ValueError("the weights of its first layers are not all finite")
    return Stem(weights, data[0])
