"""One frame as a message of a recording: Foxglove's `foxglove.RawImage` in protocol-buffer encoding, with fields of our own.

Foxglove and any other reader of that schema show the pictures; fields from 101 on carry what it has no place for. Pixels are little-endian,
row after row, without padding. `timestamp` is the frame's `time_ns`.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from vultus.frames import Extrinsics, Frame, Intrinsics, Stream, StreamTiming, Timing

SCHEMA_NAME: Final = "foxglove.RawImage"
_TYPES: Final = {
    "message": 11,
    "string": 9,
    "fixed32": 7,
    "bytes": 12,
    "int64": 3,
    "int32": 5,
    "uint64": 4,
    "uint32": 13,
    "double": 1,
    "sfixed64": 16,
}
_FIELDS: Final = (
    ("timestamp", 1, "message"),
    ("frame_id", 7, "string"),
    ("width", 2, "fixed32"),
    ("height", 3, "fixed32"),
    ("encoding", 4, "string"),
    ("step", 5, "fixed32"),
    ("data", 6, "bytes"),
    # The frame set's number, and which of how many frames of the set this is.
    ("vultus_sequence", 101, "uint64"),
    ("vultus_part", 102, "uint32"),
    ("vultus_parts", 103, "uint32"),
    # fx, fy, cx, cy; absent = unknown.
    ("vultus_intrinsics", 105, "double"),
    # Nine of the rotation, row-major, then three of the translation in mm; absent = registered to RGB.
    ("vultus_extrinsics", 106, "double"),
    # How the set was put together, in its first frame: sets, unmatched, stale, mean and worst skew in ns, then for each stream its place
    # in the order of `Stream`, received, used, lost, refused, clock offset in ns; absent = the device hands the streams over together.
    ("vultus_timing", 107, "sfixed64"),
)
_REPEATED: Final = frozenset({"double", "sfixed64"})
_ENCODINGS: Final = {
    (Stream.RGB, "uint8"): "rgb8",
    (Stream.NIR, "uint8"): "mono8",
    (Stream.NIR, "uint16"): "mono16",
    (Stream.NIR_AMBIENT, "uint8"): "mono8",
    (Stream.NIR_AMBIENT, "uint16"): "mono16",
    (Stream.DEPTH, "uint16"): "16UC1",
}
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A frame and where it belongs: part `part` of `parts` of the frame set `sequence`, whose timing part 0 has where there is one."""

    frame: Frame
    sequence: int
    part: int
    parts: int
    timing: Timing | None = None


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _block(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _fixed32(field: int, value: int) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<I", value)


def schema() -> bytes:
    """Return the schema as a serialised FileDescriptorSet, which MCAP asks for."""

    def message(name: str, fields: tuple[tuple[str, int, str], ...]) -> bytes:
        body = _block(1, name.encode())
        for field_name, number, kind in fields:
            repeated = 3 if kind in _REPEATED else 1
            field = _block(1, field_name.encode()) + _number(3, number) + _number(4, repeated) + _number(5, _TYPES[kind])
            body += _block(2, field + (_block(6, b".google.protobuf.Timestamp") if kind == "message" else b""))
        return _block(4, body)

    stamp = _block(1, b"google/protobuf/timestamp.proto") + _block(2, b"google.protobuf")
    stamp += message("Timestamp", (("seconds", 1, "int64"), ("nanos", 2, "int32"))) + _block(12, b"proto3")
    image = _block(1, b"foxglove/RawImage.proto") + _block(2, b"foxglove") + _block(3, b"google/protobuf/timestamp.proto")
    image += message("RawImage", _FIELDS) + _block(12, b"proto3")
    return _block(1, stamp) + _block(1, image)


def _pack_timing(timing: Timing) -> bytes:
    numbers = [timing.sets, timing.unmatched, timing.stale, timing.mean_skew_ns, timing.worst_skew_ns]
    for place, stream in enumerate(Stream):
        if stream in timing.streams:
            s = timing.streams[stream]
            numbers += [place, s.received, s.used, s.lost, s.refused, s.offset_ns]
    try:
        return struct.pack(f"<{len(numbers)}q", *numbers)
    except struct.error as problem:
        raise ValueError("a count of the timing does not fit in 64 bits") from problem


def _unpack_timing(data: memoryview) -> Timing:
    """Parse a timing; raises ValueError for one that no frame set can have."""
    if len(data) % 8 or (len(data) // 8 - 5) % 6 or not 5 <= len(data) // 8 <= 5 + 6 * len(Stream):
        raise ValueError("the timing has a wrong length")
    numbers = struct.unpack(f"<{len(data) // 8}q", data)
    streams = {}
    for at in range(5, len(numbers), 6):
        place, received, used, lost, refused, offset_ns = numbers[at : at + 6]
        if not 0 <= place < len(Stream) or min(received, used, lost, refused) < 0:
            raise ValueError("the timing of a stream makes no sense")
        streams[tuple(Stream)[place]] = StreamTiming(received, used, lost, refused, offset_ns)
    if len(streams) != (len(numbers) - 5) // 6 or min(numbers[:5]) < 0:
        raise ValueError("the timing makes no sense")
    return Timing(streams, *numbers[:5])


def encode(frame: Frame, sequence: int, part: int, parts: int, timing: Timing | None = None) -> bytes:
    """Serialise a frame; raises ValueError for a sequence or a count of the timing that does not fit in 64 bits."""
    if sequence >= 2**64:
        raise ValueError("the sequence does not fit in 64 bits")
    data = np.ascontiguousarray(frame.data)
    if sys.byteorder == "big":
        data = data.byteswap()
    seconds, nanos = divmod(frame.time_ns, _NS)
    out = _block(1, _number(1, seconds) + _number(2, nanos)) + _fixed32(2, frame.width) + _fixed32(3, frame.height)
    out += _block(4, _ENCODINGS[frame.stream, str(frame.data.dtype)].encode()) + _fixed32(5, data.nbytes // frame.height)
    out += _block(7, frame.stream.value.encode())
    out += _number(101, sequence) + _number(102, part) + _number(103, parts)
    if frame.intrinsics is not None:
        i = frame.intrinsics
        out += _block(105, struct.pack("<4d", i.fx, i.fy, i.cx, i.cy))
    if frame.extrinsics is not None:
        out += _block(106, struct.pack("<12d", *frame.extrinsics.rotation, *frame.extrinsics.translation_mm))
    if timing is not None:
        out += _block(107, _pack_timing(timing))
    return out + _block(6, data.tobytes())


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number in the message is cut short or too long")


def _read_fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield (field number, value): int for numbers, memoryview for blocks."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _read_varint(data, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, at = _read_varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError("the message has a field of an unknown kind")
        if size > len(data) - at:
            raise ValueError("a field reaches beyond the end of its message")
        block = data[at : at + size]
        at += size
        yield tag >> 3, block if kind == 2 else int.from_bytes(block, "little")


def decode(data: bytes | memoryview, stream: Stream) -> Part:
    """Parse a message of `stream`'s channel; the frame's pixels are a read-only view of `data`. Raises ValueError when anything is off."""
    fields = dict(_read_fields(memoryview(data)))
    try:
        stamp = dict(_read_fields(fields[1]))
        width, height, name = fields[2], fields[3], fields[4]
        if not (isinstance(width, int) and isinstance(height, int) and isinstance(name, memoryview)):
            raise ValueError("a field of the message has the wrong form")  # noqa: TRY004 - the message is wrong, not the caller; bytes(number) would make as many bytes
        encoding = bytes(name).decode()
        dtype = next((d for (s, d), known in _ENCODINGS.items() if s is stream and known == encoding), None)
        if dtype is None:
            raise ValueError(f"{encoding!r} is no encoding of {stream}")
        channels = 3 if stream is Stream.RGB else 1
        pixels = np.frombuffer(fields[6], np.dtype(dtype).newbyteorder("<"))
        if pixels.size != width * height * channels:
            raise ValueError(f"{pixels.size} values do not make a picture of {width} x {height}")
        if sys.byteorder == "big":
            pixels = pixels.astype(dtype)
        elif not pixels.flags.aligned:
            pixels = pixels.copy()  # the field may begin at an odd byte, where 16-bit pixels cannot be read in place
        picture = pixels.reshape((height, width, 3) if channels == 3 else (height, width))
        intrinsics = extrinsics = None
        if 105 in fields:
            fx, fy, cx, cy = struct.unpack("<4d", fields[105])
            intrinsics = Intrinsics(fx, fy, cx, cy, width, height)
        if 106 in fields:
            numbers = struct.unpack("<12d", fields[106])
            extrinsics = Extrinsics(numbers[:9], numbers[9:])
        time_ns = stamp.get(1, 0) * _NS + stamp.get(2, 0)
        frame = Frame(stream, picture, time_ns, intrinsics, extrinsics)
        timing = _unpack_timing(memoryview(fields[107])) if 107 in fields else None
        return Part(frame, int(fields[101]), int(fields.get(102, 0)), int(fields[103]), timing)
    except KeyError as problem:
        raise ValueError(f"the message has no field {problem}") from problem
    except (TypeError, struct.error) as problem:
        raise ValueError(f"a field of the message has the wrong form: {problem}") from problem
