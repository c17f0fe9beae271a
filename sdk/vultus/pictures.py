"""Decode, encode, resample and draw pictures: the only module that imports OpenCV.

Arrays are as in `vultus.types`: RGB uint8 (h, w, 3) in the order R, G, B; grey uint8 or uint16 (h, w).
A picture's header is read before its pixels, so that a small file cannot ask for a large amount of memory.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from vultus.frames import MAX_SIDE, MIN_SIDE
from vultus.types import F32, U8, Stream

Array = npt.NDArray[Any]

MAX_FILE_BYTES: Final = 128 << 20
"""Largest picture file that is read; an uncompressed 16-bit grey picture of MAX_SIDE x MAX_SIDE is 128 MiB."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
# JPEG start-of-frame markers (ITU-T T.81 table B.1) that OpenCV's decoder knows: baseline, extended and progressive Huffman.
_JPEG_FRAMES: Final = frozenset((0xC0, 0xC1, 0xC2))


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """What a picture's header says: `bits` is per channel, `channels` counts alpha too."""

    kind: str
    width: int
    height: int
    bits: int
    channels: int


def probe(data: bytes) -> PictureInfo:
    """Read the header of a PNG or JPEG file; raises ValueError when it is neither or is cut short."""
    if data.startswith(_PNG):
        return _probe_png(data)
    if data.startswith(b"\xff\xd8"):
        return _probe_jpeg(data)
    if not data:
        raise ValueError("the file is empty")
    raise ValueError("neither PNG nor JPEG")


def _probe_png(data: bytes) -> PictureInfo:
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise ValueError("the PNG header is cut short")
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    if colour not in _PNG_CHANNELS:
        raise ValueError("the PNG header names an unknown colour type")
    return PictureInfo("png", width, height, max(bits, 8), _PNG_CHANNELS[colour])


def _probe_jpeg(data: bytes) -> PictureInfo:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError("the JPEG header is damaged")
        marker = data[at + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8 or marker == 0x01:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in _JPEG_FRAMES and at + 10 <= len(data):
            bits, height, width, channels = struct.unpack_from(">BHHB", data, at + 4)
            return PictureInfo("jpeg", width, height, bits, channels)
        if marker == 0xDA or length < 2:
            break
        at += 2 + length
    raise ValueError("the JPEG header is cut short or of a kind that is not supported")


def _check_whole(data: bytes, kind: str) -> None:
    """Refuse a truncated or altered file, which OpenCV would decode to a half-grey picture without an error."""
    if kind == "jpeg":
        if b"\xff\xd9" not in data[-4096:]:
            raise ValueError("the JPEG file is cut short")
        return
    at = len(_PNG)
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            break
        if zlib.crc32(data[at + 4 : at + 8 + length]) != struct.unpack_from(">I", data, at + 8 + length)[0]:
            raise ValueError("the PNG file is damaged: a checksum differs")
        if name == b"IEND":
            return
        at += 12 + length
    raise ValueError("the PNG file is cut short")


def check_size(info: PictureInfo) -> None:
    """Raise ValueError when a side is outside MIN_SIDE..MAX_SIDE."""
    if min(info.width, info.height) < MIN_SIDE or max(info.width, info.height) > MAX_SIDE:
        raise ValueError(f"sides must be {MIN_SIDE} to {MAX_SIDE} pixels; the picture is {info.width} x {info.height}")


def check_layout(info: PictureInfo, stream: Stream) -> None:
    """Raise ValueError when the picture's bits and channels do not suit `stream`."""
    if stream is Stream.RGB:
        if info.bits != 8:
            raise ValueError(f"rgb must be 8 bits a channel; the picture has {info.bits}")
    elif info.channels != 1:
        raise ValueError(f"{stream} must be a grey picture; this one has {info.channels} channels")
    elif stream is Stream.DEPTH and info.bits != 16:
        raise ValueError(f"depth must be 16-bit grey in millimetres; the picture has {info.bits} bits")
    elif info.bits not in (8, 16):
        raise ValueError(f"{stream} must be 8 or 16 bits; the picture has {info.bits}")


def decode(data: bytes, stream: Stream = Stream.RGB) -> Array:
    """Decode a PNG or JPEG file for `stream`, EXIF orientation applied to RGB.

    Size and layout are checked before any pixel is decoded. Raises ValueError for a picture that does not suit the stream,
    is cut short, or is damaged.
    """
    info = probe(data)
    check_size(info)
    check_layout(info, stream)
    _check_whole(data, info.kind)
    import cv2

    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR if stream is Stream.RGB else cv2.IMREAD_UNCHANGED)
    except cv2.error as problem:
        raise ValueError("the pixels cannot be decoded") from problem
    if image is None:
        raise ValueError("the pixels cannot be decoded")
    return np.ascontiguousarray(image[..., ::-1] if stream is Stream.RGB else image)


def read(path: Path, stream: Stream = Stream.RGB) -> Array:
    """Read and decode a file; raises OSError or, like `decode`, ValueError."""
    return decode(read_bytes(path), stream)


def read_bytes(path: Path) -> bytes:
    """Read a picture file of at most MAX_FILE_BYTES; raises OSError, or ValueError for a larger one."""
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"the file is larger than {MAX_FILE_BYTES >> 20} MiB")
    return data


def encode_png(image: Array) -> bytes:
    """Encode RGB uint8 or grey uint8 / uint16 as PNG, without loss."""
    import cv2

    # Level 1: a contact sheet of noise gains nothing from more, and takes ten times as long.
    ok, data = cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not ok:
        raise ValueError("the picture cannot be encoded as PNG")
    return bytes(data)


def resize(image: Array, width: int, height: int) -> Array:
    """Resample to width x height: area average when shrinking, bilinear when growing. Not for depth, whose zeros are holes."""
    import cv2

    shrink = width < image.shape[1] or height < image.shape[0]
    return cast(Array, cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR))


def sample(image: Array, x: F32, y: F32, outside: float | None = None) -> Array:
    """Sample `image` bilinearly at the float32 pixel coordinates x, y; beyond the edge repeat it, or give `outside`."""
    import cv2

    if outside is None:
        return cast(Array, cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    border = (outside,) * 4
    return cast(Array, cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=border))


def blur(image: Array, sigma: float) -> Array:
    """Blur with a Gaussian of `sigma` pixels; 0 gives the image back."""
    import cv2

    return cast(Array, cv2.GaussianBlur(image, (0, 0), sigma)) if sigma > 0 else image


def inside_distance(mask: npt.NDArray[np.bool_]) -> F32:
    """Return for each pixel of a mask the distance in pixels to the nearest pixel outside it."""
    import cv2

    return cast(F32, cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3))


def foreground(rgb: U8, guess: U8) -> npt.NDArray[np.bool_]:
    """Split a picture by colour (GrabCut) from a guess: 0 surely background, 1 surely foreground, 2 perhaps back, 3 perhaps front."""
    import cv2

    # GrabCut starts its colour models from OpenCV's global generator; a fixed seed makes the result the same every time.
    cv2.setRNGSeed(1)
    mask = guess.copy()
    cv2.grabCut(np.ascontiguousarray(rgb[..., ::-1]), mask, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    return cast(npt.NDArray[np.bool_], (mask & 1) == 1)


def draw_text(image: U8, text: str, x: int, y: int, colour: tuple[int, int, int] = (255, 255, 255), size: float = 0.5) -> None:
    """Write one line of ASCII text into an RGB picture in place, its base line starting at (x, y)."""
    import cv2

    cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
