"""Depth and NIR pictures drawn as another camera would see them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from vultus._native.arrays import F64, by_depth, done, ffi, image, lib, writable
from vultus.frames import Intrinsics
from vultus.types import U8, U16

SLACK_MM: Final = 20.0
"""Two surfaces nearer to each other than this count as one: above a depth camera's noise at arm's length, below a hand before a face."""


def register_depth(depth: U16, source: Intrinsics, target: Intrinsics, rotation: F64, translation_mm: F64, out: U16) -> None:
    """Draw `depth`, uint16 mm with 0 = no return, of the camera `source` into `out` as the camera `target` sees it.

    `rotation` (3, 3) and `translation_mm` (3,) take a point of `source` to `target`. The nearest surface wins; a hole of one
    pixel, or a sight through one, takes the farther of its two neighbours; what nothing falls on is 0. `out` (h, w) must not share memory with `depth`.
    """
    pixels, stride = image(depth, "depth", np.uint16)
    drawn, out_stride = image(out, "out", np.uint16)
    writable(out, "out")
    _fits(depth, "depth", source, "source")
    _fits(out, "out", target, "target")
    _apart(out, depth)
    height, width = depth.shape
    motion = _motion(rotation, translation_mm)
    status = lib.vultus_register_depth_u16(
        pixels, width, height, stride, _camera(source), motion, _camera(target), drawn, out_stride, out.shape[1], out.shape[0]
    )
    done(status, "register_depth")


def register_through_depth(
    picture: U8 | U16,
    seen: U16,
    depth: U16,
    source: Intrinsics,
    target: Intrinsics,
    rotation: F64,
    translation_mm: F64,
    out: U8 | U16,
    slack_mm: float = SLACK_MM,
) -> None:
    """Fetch a uint8 or uint16 `picture` of the camera `source` into the view of `target`, through the depth that stands there.

    `depth` is what `register_depth` wrote for `target`, `seen` the depth in the picture's own view, `rotation` and `translation_mm`
    as there. `out` has the shape of `depth` and the dtype of `picture`; it is 0 where the depth is 0, where the picture ends, and
    where `seen` has something more than `slack_mm` in front.
    """
    pixels, stride = image(picture, "picture", np.uint8, np.uint16)
    near, near_stride = image(seen, "seen", np.uint16)
    standing, depth_stride = image(depth, "depth", np.uint16)
    drawn, out_stride = image(out, "out", np.uint8, np.uint16)
    writable(out, "out")
    _fits(picture, "picture", source, "source")
    _fits(seen, "seen", source, "source")
    _fits(depth, "depth", target, "target")
    _fits(out, "out", target, "target")
    if out.dtype != picture.dtype:
        raise TypeError(f"out must have the dtype of picture, {picture.dtype}; got {out.dtype}")
    _apart(out, picture, seen, depth)
    back = np.ascontiguousarray(np.asarray(rotation, np.float64).T)
    motion = _motion(back, -back @ np.asarray(translation_mm, np.float64))
    run = by_depth(picture, lib.vultus_register_through_u8, lib.vultus_register_through_u16)
    (height, width), (rows, columns) = picture.shape, depth.shape
    status = run(
        standing, columns, rows, depth_stride, _camera(target), motion, _camera(source), pixels, stride, near, near_stride, width, height,
        slack_mm, drawn, out_stride,
    )  # fmt: skip
    done(status, "register_through_depth")


def _fits(array: np.ndarray[Any, Any], name: str, camera: Intrinsics, whose: str) -> None:
    if array.shape != (camera.height, camera.width):
        raise ValueError(f"{name} must have the shape of {whose}, {(camera.height, camera.width)}; got {array.shape}")


def _apart(out: np.ndarray[Any, Any], *inputs: np.ndarray[Any, Any]) -> None:
    if any(np.may_share_memory(out, other) for other in inputs):
        raise ValueError("out must not share memory with an input")


def _camera(intrinsics: Intrinsics) -> Any:
    return ffi.new("struct vultus_camera *", (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy))


def _motion(rotation: F64, translation_mm: F64) -> Any:
    turn, shift = np.asarray(rotation, np.float64), np.asarray(translation_mm, np.float64)
    if turn.shape != (3, 3) or shift.shape != (3,):
        raise ValueError(f"a motion is a rotation (3, 3) and a translation (3,); got {turn.shape} and {shift.shape}")
    return ffi.new("double[12]", [*turn.ravel().tolist(), *shift.tolist()])
