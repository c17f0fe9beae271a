"""Turn what librealsense states into the units and layouts of the SDK."""

from __future__ import annotations

from typing import Any

import numpy as np

from vultus.frames import Extrinsics, Intrinsics


def millimetres(data: Any, scale_mm: float) -> Any:
    """Convert raw depth to uint16 millimetres; what is too far for them becomes 0, no return."""
    if abs(scale_mm - 1.0) < 1e-6:  # the library keeps the unit as a 32-bit float
        return data
    mm = np.rint(data * np.float64(scale_mm))
    return np.where(mm <= np.iinfo(np.uint16).max, mm, 0).astype(np.uint16)


def intrinsics(profile: Any) -> Intrinsics:
    """Return the pinhole part of a stream profile's calibration; the lens distortion is left out."""
    i = profile.get_intrinsics()
    return Intrinsics(i.fx, i.fy, i.ppx, i.ppy, i.width, i.height)


def extrinsics(profile: Any, colour: Any) -> Extrinsics:
    """Return the motion to the colour camera; the library keeps rotations by columns and lengths in metres."""
    e = profile.get_extrinsics_to(colour)
    r, (x, y, z) = e.rotation, e.translation
    return Extrinsics((r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]), (1000 * x, 1000 * y, 1000 * z))
