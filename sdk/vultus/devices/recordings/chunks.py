"""Unpack the chunks of a recording, and pack what is sealed, with every stated length checked before memory is asked for."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from vultus.devices.recordings import records
from vultus.frames import MAX_SIDE

CHUNK_BYTES: Final = 1 << 26
"""A chunk is closed early after the frame that takes it beyond this size; a frame set of four full-HD streams is a quarter of it."""
MAX_RECORD: Final = CHUNK_BYTES + MAX_SIDE * MAX_SIDE * 3 + (1 << 20)
"""Largest record in bytes: a chunk that is all but full, an RGB frame of the largest size and what surrounds it."""


def unpack(body: bytes) -> memoryview:
    """Return the content of a chunk, checked; raises ValueError or struct.error for one that is damaged."""
    _, _, size, expected = struct.unpack_from("<QQQI", body)
    compression, at = records.text(body, 28)
    (length,) = struct.unpack_from("<Q", body, at)
    packed = memoryview(body)[at + 8 :]
    if length != len(packed):
        raise ValueError("a chunk states another length than it has")
    if size > MAX_RECORD:
        raise ValueError(f"a chunk claims {size} bytes")
    if compression == "zstd":
        packed = memoryview(inflate(packed, size))
    elif compression:
        raise ValueError(f"chunks are packed by {compression!r}; only zstd and none are read")
    if len(packed) != size or zlib.crc32(packed) != expected:
        raise ValueError("the checksum of a chunk differs")
    return packed


def inflate(packed: memoryview | bytes, size: int) -> bytes:
    """Return what was packed by zstd, which must be `size` bytes; raises ValueError."""
    import zstandard

    try:
        # The size inside the packed data is believed by the library; compare before anything is allocated.
        if zstandard.frame_content_size(packed) not in (size, -1):
            raise ValueError("a chunk states two sizes")
        data: bytes = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    except zstandard.ZstdError as problem:
        raise ValueError("a chunk cannot be unpacked") from problem
    return data


def deflate(data: bytes) -> bytes:
    """Pack bytes by zstd, at the level that recordings use throughout."""
    import zstandard

    packed: bytes = zstandard.ZstdCompressor(level=3).compress(data)
    return packed
