"""The C core as typed functions over numpy arrays; the only module that imports the extension.

Outputs are arrays of the caller. Nothing is copied, so an image may be a view with gaps between its rows but not between its
pixels. A wrong dtype raises TypeError, a wrong shape or layout ValueError, before any work. A rectangle is (x, y, width,
height) in pixels and lies inside its image. Calls release the interpreter lock.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from vultus._core import ffi as _ffi
from vultus._core import lib as _lib
from vultus.types import F32, U8, U16

F64 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]
Rect = tuple[int, int, int, int]


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


class PlaneFit(NamedTuple):
    """The plane z = a x + b y + c in millimetres before the camera; `rms_mm` and `max_mm` are distances at right angles to it."""

    a: float
    b: float
    c: float
    rms_mm: float
    max_mm: float
    n: int


_POINTERS: Final = {
    np.dtype(np.uint8): "uint8_t *",
    np.dtype(np.uint16): "uint16_t *",
    np.dtype(np.int8): "int8_t *",
    np.dtype(np.int32): "int32_t *",
    np.dtype(np.float32): "float *",
    np.dtype(np.float64): "double *",
}


def _check(array: object, name: str, ndim: int, *dtypes: type[np.generic]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype not in dtypes:
        wanted = " or ".join(d.__name__ for d in dtypes)
        raise TypeError(f"{name} must be a {wanted} array; got {getattr(array, 'dtype', type(array).__name__)}")
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions; got {array.ndim}")


def _image(array: npt.NDArray[Any], name: str, *dtypes: type[np.generic], channels: int = 0) -> tuple[Any, int]:
    """Return the pointer to the first pixel and the row stride in bytes; `channels` = 0 for a grey image."""
    _check(array, name, 3 if channels else 2, *dtypes)
    item = array.itemsize
    pixel = max(channels, 1) * item
    if channels and array.shape[2] != channels:
        raise ValueError(f"{name} must have the shape (height, width, {channels}); got {array.shape}")
    height, width = array.shape[:2]
    # numpy gives an axis of length 0 or 1, and every axis of an empty array, any stride it likes.
    if array.size and ((width > 1 and array.strides[1] != pixel) or (channels and array.strides[2] != item)):
        raise ValueError(f"{name} must have no gaps between its pixels; make it contiguous")
    return _pointer(array), array.strides[0] if array.size and height > 1 else width * pixel


def _packed(array: npt.NDArray[Any], name: str, ndim: int, dtype: type[np.generic]) -> Any:
    _check(array, name, ndim, dtype)
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} must be contiguous")
    return _pointer(array)


def _pointer(array: npt.NDArray[Any]) -> Any:
    return _ffi.cast(_POINTERS[array.dtype], array.ctypes.data)


def _writable(array: npt.NDArray[Any], name: str) -> None:
    if not array.flags.writeable:
        raise ValueError(f"{name} is read-only")


def _done(status: int, what: str) -> None:
    if status != _lib.VULTUS_OK:
        raise ValueError(f"{what}: {_ffi.string(_lib.vultus_status_text(status)).decode()}")


def _matrix(matrix: F64) -> Any:
    pointer = _packed(matrix, "matrix", 2, np.float64)
    if matrix.shape != (2, 3):
        raise ValueError(f"matrix must have the shape (2, 3); got {matrix.shape}")
    return pointer


def _rect(rect: Rect) -> Any:
    if len(rect) != 4:
        raise ValueError(f"a rectangle is (x, y, width, height); got {len(rect)} numbers")
    values = [operator.index(v) for v in rect]
    if any(abs(v) > 0x7FFFFFFF for v in values):
        raise ValueError("a rectangle leaves its image")
    return _ffi.new("int[4]", values)


def _level(value: int, name: str, dtype: np.dtype[Any]) -> int:
    level, top = operator.index(value), 255 if dtype == np.uint8 else 65535
    if not 0 <= level <= top:
        raise ValueError(f"{name} must be within 0..{top}; got {level}")
    return level


def _same_shape(first: npt.NDArray[Any], second: npt.NDArray[Any], names: str) -> None:
    if first.shape != second.shape or first.dtype != second.dtype:
        raise ValueError(f"{names} must have one shape and one dtype")


def _by_depth(image: npt.NDArray[Any], u8: Callable[..., int], u16: Callable[..., int]) -> Callable[..., int]:
    return u8 if image.dtype == np.uint8 else u16


def warp_rgb(src: U8, matrix: F64, out: F32, *, bgr: bool, scale: float, offset: float) -> None:
    """Warp uint8 (h, w, 3) into float32 planes (3, h, w) of value * scale + offset, in the order R, G, B or with `bgr` B, G, R.

    `matrix` (2, 3) takes the pixel (x, y) of the output to a place in the source. Bilinear; the source is 0 outside.
    """
    pixels, stride = _image(src, "src", np.uint8, channels=3)
    target = _packed(out, "out", 3, np.float32)
    _writable(out, "out")
    if out.shape[0] != 3:
        raise ValueError(f"out must have the shape (3, height, width); got {out.shape}")
    height, width, _ = src.shape
    _, rows, columns = out.shape
    status = _lib.vultus_warp_rgb_u8(pixels, width, height, stride, _matrix(matrix), int(bgr), scale, offset, target, columns, rows)
    _done(status, "warp_rgb")


def warp_grey(src: U8 | U16, matrix: F64, out: F32, *, gain: float, lut: F32 | None, scale: float, offset: float) -> None:
    """Warp uint8 or uint16 (h, w) into 1 or 3 equal float32 planes (n, h, w) of tone(value * gain) * scale + offset.

    tone clips to 0..255, then reads the curve `lut` (256 float32, linear in between; None = no curve). Otherwise as `warp_rgb`.
    """
    pixels, stride = _image(src, "src", np.uint8, np.uint16)
    target = _packed(out, "out", 3, np.float32)
    _writable(out, "out")
    curve = _ffi.NULL
    if lut is not None:
        curve = _packed(lut, "lut", 1, np.float32)
        if lut.shape != (256,):
            raise ValueError(f"lut must have 256 entries; got {lut.shape[0]}")
    planes, rows, columns = out.shape
    if planes not in (1, 3):
        raise ValueError(f"out must have the shape (1 or 3, height, width); got {out.shape}")
    warp = _by_depth(src, _lib.vultus_warp_grey_u8, _lib.vultus_warp_grey_u16)
    height, width = src.shape
    status = warp(pixels, width, height, stride, _matrix(matrix), gain, curve, scale, offset, target, planes, columns, rows)
    _done(status, "warp_grey")


def warp_depth(src: U16, matrix: F64, out: U16) -> None:
    """Warp uint16 (h, w) depth into `out` (h, w) by the nearest pixel, so that a hole stays a hole; 0 outside."""
    pixels, stride = _image(src, "src", np.uint16)
    target = _packed(out, "out", 2, np.uint16)
    _writable(out, "out")
    (height, width), (rows, columns) = src.shape, out.shape
    _done(_lib.vultus_warp_depth_u16(pixels, width, height, stride, _matrix(matrix), target, columns, rows), "warp_depth")


def difference(lit: U8 | U16, ambient: U8 | U16, out: U8 | U16) -> None:
    """Write max(lit - ambient, 0) to `out`, which may be one of the two; all are (h, w) of one dtype."""
    a, a_stride = _image(lit, "lit", np.uint8, np.uint16)
    b, b_stride = _image(ambient, "ambient", np.uint8, np.uint16)
    target, stride = _image(out, "out", np.uint8, np.uint16)
    _writable(out, "out")
    _same_shape(lit, ambient, "lit and ambient")
    _same_shape(lit, out, "lit and out")
    run = _by_depth(lit, _lib.vultus_difference_u8, _lib.vultus_difference_u16)
    _done(run(a, a_stride, b, b_stride, target, stride, lit.shape[1], lit.shape[0]), "difference")


def luma(rgb: U8, out: U8) -> None:
    """Write the BT.601 luma of uint8 (h, w, 3) to uint8 (h, w)."""
    pixels, stride = _image(rgb, "rgb", np.uint8, channels=3)
    target, out_stride = _image(out, "out", np.uint8)
    _writable(out, "out")
    if out.shape != rgb.shape[:2]:
        raise ValueError(f"out must have the shape {rgb.shape[:2]}; got {out.shape}")
    _done(_lib.vultus_luma_u8(pixels, stride, target, out_stride, rgb.shape[1], rgb.shape[0]), "luma")


def image_sums(img: U8 | U16, rect: Rect, low: int, high: int) -> ImageSums:
    """Return the sums of a uint8 or uint16 (h, w) picture over a rectangle; `n_low` counts <= low, `n_high` >= high."""
    pixels, stride = _image(img, "img", np.uint8, np.uint16)
    sums = _ffi.new("struct vultus_image_sums *")
    run = _by_depth(img, _lib.vultus_image_sums_u8, _lib.vultus_image_sums_u16)
    levels = _level(low, "low", img.dtype), _level(high, "high", img.dtype)
    _done(run(pixels, img.shape[1], img.shape[0], stride, _rect(rect), *levels, sums), "image_sums")
    s = sums[0]
    return ImageSums(s.n, s.total, s.total_squares, s.n_low, s.n_high, s.n_laplacian, s.laplacian, s.laplacian_squares)


def strobe_sums(lit: U8 | U16, ambient: U8 | U16, rect: Rect, high: int) -> StrobeSums:
    """Return the sums of a strobe pair over the pixels of a rectangle where neither picture reaches `high`."""
    a, a_stride = _image(lit, "lit", np.uint8, np.uint16)
    b, b_stride = _image(ambient, "ambient", np.uint8, np.uint16)
    _same_shape(lit, ambient, "lit and ambient")
    sums = _ffi.new("struct vultus_strobe_sums *")
    run = _by_depth(lit, _lib.vultus_strobe_sums_u8, _lib.vultus_strobe_sums_u16)
    level = _level(high, "high", lit.dtype)
    _done(run(a, a_stride, b, b_stride, lit.shape[1], lit.shape[0], _rect(rect), level, sums), "strobe_sums")
    return StrobeSums(sums[0].n, sums[0].n_saturated, sums[0].lit, sums[0].ambient)


def plane_fit(depth: U16, rect: Rect, fx: float, fy: float, cx: float, cy: float, lo_mm: int, hi_mm: int) -> PlaneFit | None:
    """Fit a plane to the back-projected pixels of a rectangle with lo_mm <= depth <= hi_mm; None when they determine none."""
    pixels, stride = _image(depth, "depth", np.uint16)
    low, high = _level(lo_mm, "lo_mm", depth.dtype), _level(hi_mm, "hi_mm", depth.dtype)
    camera = _ffi.new("struct vultus_camera *", (fx, fy, cx, cy))
    plane = _ffi.new("struct vultus_plane *")
    status = _lib.vultus_plane_fit_u16(pixels, depth.shape[1], depth.shape[0], stride, _rect(rect), camera, low, high, plane)
    if status == _lib.VULTUS_DEGENERATE:
        return None
    _done(status, "plane_fit")
    p = plane[0]
    return PlaneFit(p.a, p.b, p.c, p.rms_mm, p.max_mm, p.n)


def dot_f32(query: F32, rows: F32, out: F32) -> None:
    """Write the float32 products of `query` (d,) with each of `rows` (n, d) to `out` (n,)."""
    _dot(_lib.vultus_dot_f32, np.float32, np.float32, query, rows, out)


def dot_i8(query: I8, rows: I8, out: I32) -> None:
    """Write the exact int32 products of int8 `query` (d,) with each of int8 `rows` (n, d) to `out` (n,)."""
    _dot(_lib.vultus_dot_i8, np.int8, np.int32, query, rows, out)


def _dot(
    run: Callable[..., int],
    dtype: type[np.generic],
    out_dtype: type[np.generic],
    query: npt.NDArray[Any],
    rows: npt.NDArray[Any],
    out: npt.NDArray[Any],
) -> None:
    vector = _packed(query, "query", 1, dtype)
    matrix, stride = _image(rows, "rows", dtype)
    target = _packed(out, "out", 1, out_dtype)
    _writable(out, "out")
    if rows.shape != (out.shape[0], query.shape[0]):
        raise ValueError(f"rows must have the shape {(out.shape[0], query.shape[0])}; got {rows.shape}")
    _done(run(vector, matrix, stride, rows.shape[0], rows.shape[1], target), "dot")


def isa() -> Mapping[str, str]:
    """Return which instruction set each operation runs at present."""
    found: dict[str, str] = {}
    while (name := _lib.vultus_op_name(len(found))) != _ffi.NULL:
        found[_ffi.string(name).decode()] = _ffi.string(_lib.vultus_op_isa(len(found))).decode()
    return MappingProxyType(found)


def force_isa(name: str) -> None:
    """Run no kernel above the named instruction set ("ref", "avx2"); "best" undoes it. For tests and benches.

    Raises ValueError, and changes nothing, for a name that is unknown or that this machine cannot run.
    """
    if _lib.vultus_force_isa(name.encode()) != _lib.VULTUS_OK:
        raise ValueError(f"no instruction set {name!r} on this machine; use ref, avx2 or best")
