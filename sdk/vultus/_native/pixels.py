"""Arithmetic on the pixels of whole pictures: strobe difference, luma and camera formats."""

from __future__ import annotations

from typing import Any

import numpy as np

from vultus._native.arrays import by_depth, done, image, lib, same_shape, writable
from vultus.types import U8, U16


def difference(lit: U8 | U16, ambient: U8 | U16, out: U8 | U16) -> None:
    """Write max(lit - ambient, 0) to `out`, which may be one of the two; all are (h, w) of one dtype."""
    a, a_stride = image(lit, "lit", np.uint8, np.uint16)
    b, b_stride = image(ambient, "ambient", np.uint8, np.uint16)
    target, stride = image(out, "out", np.uint8, np.uint16)
    writable(out, "out")
    same_shape(lit, ambient, "lit and ambient")
    same_shape(lit, out, "lit and out")
    run = by_depth(lit, lib.vultus_difference_u8, lib.vultus_difference_u16)
    done(run(a, a_stride, b, b_stride, target, stride, lit.shape[1], lit.shape[0]), "difference")


def luma(rgb: U8, out: U8) -> None:
    """Write the BT.601 luma of uint8 (h, w, 3) to uint8 (h, w)."""
    pixels, stride = image(rgb, "rgb", np.uint8, channels=3)
    target, out_stride = image(out, "out", np.uint8)
    writable(out, "out")
    if out.shape != rgb.shape[:2]:
        raise ValueError(f"out must have the shape {rgb.shape[:2]}; got {out.shape}")
    done(lib.vultus_luma_u8(pixels, stride, target, out_stride, rgb.shape[1], rgb.shape[0]), "luma")


def yuyv_to_rgb(src: U8, out: U8) -> None:
    """Convert YUYV, uint8 (h, w, 2) with an even w, to uint8 (h, w, 3) in the order R, G, B; BT.601, luma 16..235 and chroma 16..240."""
    _yuyv(src, out, bgr=0)


def yuyv_to_bgr(src: U8, out: U8) -> None:
    """Convert as `yuyv_to_rgb`, in the order B, G, R."""
    _yuyv(src, out, bgr=1)


def nv12_to_rgb(y: U8, uv: U8, out: U8) -> None:
    """Convert NV12, uint8 `y` (h, w) and `uv` (h / 2, w) with even sides, to uint8 (h, w, 3); otherwise as `yuyv_to_rgb`."""
    _nv12(y, uv, out, bgr=0)


def nv12_to_bgr(y: U8, uv: U8, out: U8) -> None:
    """Convert as `nv12_to_rgb`, in the order B, G, R."""
    _nv12(y, uv, out, bgr=1)


def _yuyv(src: U8, out: U8, bgr: int) -> None:
    pixels, stride = image(src, "src", np.uint8, channels=2)
    target, out_stride = _colours(out, src.shape[0], src.shape[1])
    done(lib.vultus_yuyv_u8(pixels, stride, bgr, target, out_stride, src.shape[1], src.shape[0]), "yuyv")


def _nv12(y: U8, uv: U8, out: U8, bgr: int) -> None:
    luminance, stride = image(y, "y", np.uint8)
    chroma, chroma_stride = image(uv, "uv", np.uint8)
    target, out_stride = _colours(out, y.shape[0], y.shape[1])
    if y.shape[0] % 2:
        raise ValueError(f"the height must be even, two rows share their colours; got {y.shape[0]}")
    if uv.shape != (y.shape[0] // 2, y.shape[1]):
        raise ValueError(f"uv must have the shape {(y.shape[0] // 2, y.shape[1])}; got {uv.shape}")
    status = lib.vultus_nv12_u8(luminance, stride, chroma, chroma_stride, bgr, target, out_stride, y.shape[1], y.shape[0])
    done(status, "nv12")


def _colours(out: U8, height: int, width: int) -> tuple[Any, int]:
    if width % 2:
        raise ValueError(f"the width must be even, two pixels share their colour; got {width}")
    target, stride = image(out, "out", np.uint8, channels=3)
    writable(out, "out")
    if out.shape[:2] != (height, width):
        raise ValueError(f"out must have the shape {(height, width, 3)}; got {out.shape}")
    return target, stride
