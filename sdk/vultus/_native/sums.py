"""Exact sums over rectangles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vultus._native.arrays import Rect, by_depth, done, ffi, image, level_of, lib, rectangle, same_shape
from vultus.types import U8, U16


class ImageSums(NamedTuple):
    """Exact sums over a rectangle; `n_laplacian` counts the pixels whose four neighbours are in it too."""

    n: int
    total: int
    total_squares: int
    n_low: int
    n_high: int
    n_laplacian: int
    laplacian: int
    laplacian_squares: int


class StrobeSums(NamedTuple):
    """Exact sums of a lit and an ambient picture over the `n` pixels where neither is saturated."""

    n: int
    n_saturated: int
    lit: int
    ambient: int


def image_sums(img: U8 | U16, rect: Rect, low: int, high: int) -> ImageSums:
    """Return the sums of a uint8 or uint16 (h, w) picture over a rectangle; `n_low` counts <= low, `n_high` >= high."""
    pixels, stride = image(img, "img", np.uint8, np.uint16)
    sums = ffi.new("struct vultus_image_sums *")
    run = by_depth(img, lib.vultus_image_sums_u8, lib.vultus_image_sums_u16)
    levels = level_of(low, "low", img.dtype), level_of(high, "high", img.dtype)
    done(run(pixels, img.shape[1], img.shape[0], stride, rectangle(rect), *levels, sums), "image_sums")
    s = sums[0]
    return ImageSums(s.n, s.total, s.total_squares, s.n_low, s.n_high, s.n_laplacian, s.laplacian, s.laplacian_squares)


def strobe_sums(lit: U8 | U16, ambient: U8 | U16, rect: Rect, high: int) -> StrobeSums:
    """Return the sums of a strobe pair over the pixels of a rectangle where neither picture reaches `high`."""
    a, a_stride = image(lit, "lit", np.uint8, np.uint16)
    b, b_stride = image(ambient, "ambient", np.uint8, np.uint16)
    same_shape(lit, ambient, "lit and ambient")
    sums = ffi.new("struct vultus_strobe_sums *")
    run = by_depth(lit, lib.vultus_strobe_sums_u8, lib.vultus_strobe_sums_u16)
    level = level_of(high, "high", lit.dtype)
    done(run(a, a_stride, b, b_stride, lit.shape[1], lit.shape[0], rectangle(rect), level, sums), "strobe_sums")
    return StrobeSums(sums[0].n, sums[0].n_saturated, sums[0].lit, sums[0].ambient)
