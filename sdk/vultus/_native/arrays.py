"""What every call asks of its arrays before it hands their addresses to the core; the only module that imports the extension."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus._core import ffi, lib

F64 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]
Rect = tuple[int, int, int, int]

__all__ = ["ffi", "lib"]

_LINE: Final = 64
"""Bytes of a cache line and of the widest register."""
_POINTERS: Final = {
    np.dtype(np.uint8): "uint8_t *",
    np.dtype(np.uint16): "uint16_t *",
    np.dtype(np.int8): "int8_t *",
    np.dtype(np.int32): "int32_t *",
    np.dtype(np.float32): "float *",
    np.dtype(np.float64): "double *",
}
_ARRAYS: Final = {dtype: f"{kind.removesuffix(' *')}[]" for dtype, kind in _POINTERS.items()}


def check(array: object, name: str, ndim: int, *dtypes: type[np.generic]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype not in dtypes:
        wanted = " or ".join(d.__name__ for d in dtypes)
        raise TypeError(f"{name} must be a {wanted} array; got {getattr(array, 'dtype', type(array).__name__)}")
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions; got {array.ndim}")


def image(array: npt.NDArray[Any], name: str, *dtypes: type[np.generic], channels: int = 0) -> tuple[Any, int]:
    """Return the pointer to the first pixel and the row stride in bytes; `channels` = 0 for a grey image."""
    check(array, name, 3 if channels else 2, *dtypes)
    item = array.itemsize
    pixel = max(channels, 1) * item
    if channels and array.shape[2] != channels:
        raise ValueError(f"{name} must have the shape (height, width, {channels}); got {array.shape}")
    height, width = array.shape[:2]
    # numpy gives an axis of length 0 or 1, and every axis of an empty array, any stride it likes.
    if array.size and ((width > 1 and array.strides[1] != pixel) or (channels and array.strides[2] != item)):
        raise ValueError(f"{name} must have no gaps between its pixels; make it contiguous")
    return pointer(array), array.strides[0] if array.size and height > 1 else width * pixel


def packed(array: npt.NDArray[Any], name: str, ndim: int, dtype: type[np.generic]) -> Any:
    check(array, name, ndim, dtype)
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} must be contiguous")
    # A fifth of what asking numpy for the address costs.
    return ffi.from_buffer(_ARRAYS[array.dtype], array)


def pointer(array: npt.NDArray[Any]) -> Any:
    return ffi.cast(_POINTERS[array.dtype], array.ctypes.data)


def aligned(count: int, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Return memory for `count` elements that begins at a cache line, so that no load of a whole register takes two."""
    size = count * np.dtype(dtype).itemsize
    memory = np.empty(size + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + size].view(dtype)


def writable(array: npt.NDArray[Any], name: str) -> None:
    if not array.flags.writeable:
        raise ValueError(f"{name} is read-only")


def done(status: int, what: str) -> None:
    if status != lib.VULTUS_OK:
        raise ValueError(f"{what}: {ffi.string(lib.vultus_status_text(status)).decode()}")


def matrix_2x3(matrix: F64) -> Any:
    pointer = packed(matrix, "matrix", 2, np.float64)
    if matrix.shape != (2, 3):
        raise ValueError(f"matrix must have the shape (2, 3); got {matrix.shape}")
    return pointer


def rectangle(rect: Rect) -> Any:
    if len(rect) != 4:
        raise ValueError(f"a rectangle is (x, y, width, height); got {len(rect)} numbers")
    values = [operator.index(v) for v in rect]
    if any(abs(v) > 0x7FFFFFFF for v in values):
        raise ValueError("a rectangle leaves its image")
    return ffi.new("int[4]", values)


def level_of(value: int, name: str, dtype: np.dtype[Any]) -> int:
    level, top = operator.index(value), 255 if dtype == np.uint8 else 65535
    if not 0 <= level <= top:
        raise ValueError(f"{name} must be within 0..{top}; got {level}")
    return level


def same_shape(first: npt.NDArray[Any], second: npt.NDArray[Any], names: str) -> None:
    if first.shape != second.shape or first.dtype != second.dtype:
        raise ValueError(f"{names} must have one shape and one dtype")


def by_depth(image: npt.NDArray[Any], u8: Callable[..., int], u16: Callable[..., int]) -> Callable[..., int]:
    return u8 if image.dtype == np.uint8 else u16
