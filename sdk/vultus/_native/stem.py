"""The recogniser's first layers in the core."""

from __future__ import annotations

import operator
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus._native.arrays import done, lib, packed, writable
from vultus.types import F32

STEM_WEIGHTS: Final = lib.VULTUS_STEM_WEIGHTS
STEM_SCRATCH: Final = lib.VULTUS_STEM_SCRATCH
STEM_IN: Final = (3, lib.VULTUS_STEM_SIDE, lib.VULTUS_STEM_SIDE)
STEM_OUT: Final = (lib.VULTUS_STEM_SIDE // 2, lib.VULTUS_STEM_SIDE // 2, 128)


def stem(weights: F32, planes: F32, zero: int, out: npt.NDArray[np.uint8], scratch: F32) -> None:
    """Write the 8-bit channels of a crop to `out`, uint8 (56, 56, 128); core.h says how.

    `planes` float32 (3, 112, 112), `weights` float32 (STEM_WEIGHTS,), `scratch` at least STEM_SCRATCH float32 that are written over;
    `zero`, 0..255, is the level of 0.
    """
    arrays = packed(weights, "weights", 1, np.float32), packed(planes, "planes", 3, np.float32)
    room, target = packed(scratch, "scratch", 1, np.float32), packed(out, "out", 3, np.uint8)
    writable(out, "out")
    writable(scratch, "scratch")
    if planes.shape != STEM_IN or out.shape != STEM_OUT:
        raise ValueError(f"planes must have the shape {STEM_IN} and out {STEM_OUT}; got {planes.shape} and {out.shape}")
    done(lib.vultus_stem_f32(arrays[0], weights.size, arrays[1], operator.index(zero), target, room, scratch.size), "stem")
