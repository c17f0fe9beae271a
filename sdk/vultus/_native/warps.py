"""Warps of pictures into tensors."""

from __future__ import annotations

import numpy as np

from vultus._native.arrays import F64, by_depth, done, ffi, image, lib, matrix_2x3, packed, writable
from vultus.types import F32, U8, U16


def warp_rgb(src: U8, matrix: F64, out: F32, *, bgr: bool, scale: float, offset: float, cubic: bool = False) -> None:
    """Warp uint8 (h, w, 3) into float32 planes (3, h, w) of value * scale + offset, in the order R, G, B or with `bgr` B, G, R.

    `matrix` (2, 3) takes the pixel (x, y) of the output to a place in the source. Bilinear, or with `cubic` the cubic convolution of
    4 x 4 pixels, clipped to 0..255; the source is 0 outside.
    """
    pixels, stride = image(src, "src", np.uint8, channels=3)
    target = packed(out, "out", 3, np.float32)
    writable(out, "out")
    if out.shape[0] != 3:
        raise ValueError(f"out must have the shape (3, height, width); got {out.shape}")
    height, width, _ = src.shape
    _, rows, columns = out.shape
    where = matrix_2x3(matrix)
    status = lib.vultus_warp_rgb_u8(pixels, width, height, stride, where, int(cubic), int(bgr), scale, offset, target, columns, rows)
    done(status, "warp_rgb")


def warp_grey(
    src: U8 | U16, matrix: F64, out: F32, *, gain: float, lut: F32 | None, scale: float, offset: float, cubic: bool = False
) -> None:
    """Warp uint8 or uint16 (h, w) into 1 or 3 equal float32 planes (n, h, w) of tone(value * gain) * scale + offset.

    tone clips to 0..255, then reads the curve `lut` (256 float32, linear in between; None = no curve). Otherwise as `warp_rgb`.
    """
    pixels, stride = image(src, "src", np.uint8, np.uint16)
    target = packed(out, "out", 3, np.float32)
    writable(out, "out")
    curve = ffi.NULL
    if lut is not None:
        curve = packed(lut, "lut", 1, np.float32)
        if lut.shape != (256,):
            raise ValueError(f"lut must have 256 entries; got {lut.shape[0]}")
    planes, rows, columns = out.shape
    if planes not in (1, 3):
        raise ValueError(f"out must have the shape (1 or 3, height, width); got {out.shape}")
    warp = by_depth(src, lib.vultus_warp_grey_u8, lib.vultus_warp_grey_u16)
    height, width = src.shape
    where = matrix_2x3(matrix)
    status = warp(pixels, width, height, stride, where, int(cubic), gain, curve, scale, offset, target, planes, columns, rows)
    done(status, "warp_grey")


def warp_depth(src: U16, matrix: F64, out: U16) -> None:
    """Warp uint16 (h, w) depth into `out` (h, w) by the nearest pixel, so that a hole stays a hole; 0 outside."""
    pixels, stride = image(src, "src", np.uint16)
    target = packed(out, "out", 2, np.uint16)
    writable(out, "out")
    (height, width), (rows, columns) = src.shape, out.shape
    done(lib.vultus_warp_depth_u16(pixels, width, height, stride, matrix_2x3(matrix), target, columns, rows), "warp_depth")
