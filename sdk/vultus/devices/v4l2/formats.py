"""Turn the bytes of a camera's buffer into a picture of the SDK, and say which stream a pixel format is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import pictures
from vultus._native import nv12_to_rgb, yuyv_to_rgb
from vultus.frames import Stream
from vultus.types import U8

Pixels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a frame lies in its buffer: format, size in pixels, bytes from row to row."""

    format: str
    width: int
    height: int
    stride: int


def _rows(data: U8, layout: Layout, row_bytes: int, rows: int) -> U8:
    """View the first `row_bytes` of each row; raises ValueError when the buffer is too small for them."""
    stride = max(layout.stride, row_bytes)
    if data.size < stride * (rows - 1) + row_bytes:
        raise ValueError(f"{data.size} bytes are too few for {layout.width} x {layout.height} {layout.format}")
    return np.lib.stride_tricks.as_strided(data, (rows, row_bytes), (stride, 1))


def _yuyv(data: U8, layout: Layout) -> Pixels:
    rows = _rows(data, layout, layout.width * 2, layout.height)
    source = np.lib.stride_tricks.as_strided(rows, (layout.height, layout.width, 2), (rows.strides[0], 2, 1))
    out = np.empty((layout.height, layout.width, 3), np.uint8)
    yuyv_to_rgb(source, out)
    return out


def _nv12(data: U8, layout: Layout) -> Pixels:
    rows = _rows(data, layout, layout.width, layout.height * 3 // 2)
    out = np.empty((layout.height, layout.width, 3), np.uint8)
    nv12_to_rgb(rows[: layout.height], rows[layout.height :], out)
    return out


def _mjpg(data: U8, layout: Layout) -> Pixels:
    image = pictures.decode(data.tobytes())
    if image.shape[:2] != (layout.height, layout.width):
        raise ValueError(f"a picture of {image.shape[1]} x {image.shape[0]} came, not {layout.width} x {layout.height}")
    return image


def _grey(data: U8, layout: Layout) -> Pixels:
    return np.array(_rows(data, layout, layout.width, layout.height))


def _y8i(data: U8, layout: Layout) -> Pixels:
    """Take the left of two infrared pictures whose pixels alternate; the right sees nearly the same and is left out."""
    return np.array(_rows(data, layout, layout.width * 2, layout.height)[:, 0::2], order="C")


def _sixteen(data: U8, layout: Layout) -> Pixels:
    return np.array(_rows(data, layout, layout.width * 2, layout.height), order="C").view("<u2").astype(np.uint16, copy=False)


CONVERT: Final[dict[str, Callable[[U8, Layout], Pixels]]] = {
    "YUYV": _yuyv,
    "NV12": _nv12,
    "MJPG": _mjpg,
    "GREY": _grey,
    "Y8I": _y8i,
    "Y16": _sixteen,
    "Z16": _sixteen,
}
"""By format, what makes a new array of a buffer: RGB uint8 (h, w, 3), infrared uint8 or uint16 (h, w), depth in the camera's unit uint16 (h, w).

Raises ValueError for a buffer that is too small or a damaged picture. One pass over the pixels: the kernel will write to the buffer again, and
frames are the caller's for good, so that a grey frame is copied once and a colour frame converted once.
"""

# In the order of preference at one size: what costs least work for the least loss first.
STREAMS: Final[dict[Stream, tuple[str, ...]]] = {
    Stream.RGB: ("YUYV", "NV12", "MJPG"),
    Stream.NIR: ("GREY", "Y16", "Y8I"),
    Stream.DEPTH: ("Z16",),
}
DTYPES: Final = {"Y16": "uint16", "Z16": "uint16"}
"""Type of a picture's values where it is not uint8."""


def full_range(picture: Pixels, bits: int) -> Pixels:
    """Stretch a 16-bit picture whose lowest `bits` are filled to all 16; what is above them counts as the brightest."""
    return picture if bits == 16 else np.minimum(picture, (1 << bits) - 1) << np.uint16(16 - bits)


def row_bytes(format_: str, width: int) -> int:
    """Return the bytes of one row without padding; 0 for a compressed format."""
    return {"YUYV": 2, "NV12": 1, "GREY": 1, "Y8I": 2, "Y16": 2, "Z16": 2}.get(format_, 0) * width
