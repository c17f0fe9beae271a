"""Registration: NIR and depth as the RGB camera sees them, for applications that want the streams pixel by pixel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.frames import Extrinsics, Frame, FrameSet, Intrinsics

F64 = npt.NDArray[np.float64]
_Motion = tuple[F64, F64]


def register(frame_set: FrameSet) -> FrameSet:
    """Return a frame set whose NIR and depth frames have the size and the view of its RGB frame.

    Depth is drawn anew and the nearest surface wins; NIR is fetched through that depth, so that parallax is right, and is 0 where the depth
    is unknown or where something stood before the NIR camera. Frames without extrinsics are registered already and stay as they are;
    so do NIR frames without a depth frame. Raises ValueError when RGB, or what is known of a lens, is missing.
    """
    rgb, depth = frame_set.rgb, frame_set.depth
    if rgb is None:
        raise ValueError("registration needs an RGB frame to register to; this frame set has none")
    if depth is None or (depth.extrinsics is None and _there(frame_set.nir) and _there(frame_set.nir_ambient)):
        return frame_set
    target = _lens(rgb)
    drawn = depth
    if depth.extrinsics is not None:
        out = np.empty((target.height, target.width), np.uint16)
        _native.register_depth(depth.data, _lens(depth), target, *_motion(depth.extrinsics), out)
        drawn = _in_view(depth, out, target)
    nir = {f.stream.value: _fetched(f, depth, drawn, target) for f in (frame_set.nir, frame_set.nir_ambient) if f is not None}
    changed: dict[str, Any] = {"depth": drawn, **nir}
    return replace(frame_set, **changed)


def _fetched(nir: Frame, depth: Frame, drawn: Frame, target: Intrinsics) -> Frame:
    """Return a NIR frame in the RGB view, through the depth that stands there."""
    if nir.extrinsics is None:
        return nir
    source, (rotation, translation) = _lens(nir), _motion(nir.extrinsics)
    seen = depth.data
    if (depth.extrinsics, depth.intrinsics) != (nir.extrinsics, nir.intrinsics):
        seen = np.empty((source.height, source.width), np.uint16)
        there, moved = _motion(depth.extrinsics) if depth.extrinsics is not None else (np.eye(3), np.zeros(3))
        _native.register_depth(depth.data, _lens(depth), source, rotation.T @ there, rotation.T @ (moved - translation), seen)
    out = np.empty(drawn.data.shape, nir.data.dtype)
    _native.register_through_depth(nir.data, seen, drawn.data, source, target, rotation, translation, out)
    return _in_view(nir, out, target)


def _in_view(frame: Frame, data: npt.NDArray[Any], target: Intrinsics) -> Frame:
    data.flags.writeable = False
    return replace(frame, data=data, intrinsics=target, extrinsics=None)


def _there(frame: Frame | None) -> bool:
    return frame is None or frame.extrinsics is None


def _lens(frame: Frame) -> Intrinsics:
    if frame.intrinsics is None:
        raise ValueError(f"registration needs the intrinsics of {frame.stream}; record or open the device with its calibration")
    return frame.intrinsics


def _motion(extrinsics: Extrinsics) -> _Motion:
    return np.asarray(extrinsics.rotation, np.float64).reshape(3, 3), np.asarray(extrinsics.translation_mm, np.float64)
