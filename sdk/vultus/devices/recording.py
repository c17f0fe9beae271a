"""Read a recording front to back and trust nothing in it: lengths are checked before memory is asked for, checksums verified."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from vultus.devices import wire
from vultus.devices.base import Order
from vultus.devices.recorder import CHUNK_BYTES, FORMAT, METADATA, TOPIC, checksum
from vultus.errors import DeviceNotFound, RecordingError
from vultus.frames import MAX_SIDE
from vultus.types import DeviceIdentity, FrameSet, Source, Stream

_MAGIC: Final = b"\x89MCAP0\r\n"
_MAX_RECORD: Final = CHUNK_BYTES + MAX_SIDE * MAX_SIDE * 3 + (1 << 20)
"""Largest record in bytes: a chunk that is all but full, an RGB frame of the largest size and what surrounds it."""
_MAX_SMALL: Final = 1 << 24
"""Largest record in bytes other than a chunk; a chunk index of a day's recording is far smaller."""
# Record types of the MCAP specification, version 0.
_FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _METADATA, _DATA_END = 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x0F


class _CutShort(Exception):
    """The file ends in the middle, as after a kill."""


class Recording:
    """An open recording; iterate over its frame sets, whose device is named as a replay of the one that was recorded.

    Raises DeviceNotFound for a missing file and RecordingError, with the number of frame sets that could be read, for one that is
    empty, foreign, altered or cut short; `partial` takes the whole frame sets of one that is cut short and ends there.
    """

    def __init__(self, path: Path | str, *, partial: bool = False) -> None:
        self.path = Path(path)
        self.read_count = 0
        self._partial = partial
        self._order = Order()
        self._channels: dict[int, Stream] = {}
        self._crc = 0
        try:
            self._file: BinaryIO = self.path.open("rb")
        except (FileNotFoundError, NotADirectoryError) as problem:
            raise DeviceNotFound(f"{self.path}: no such recording") from problem
        except OSError as problem:
            raise RecordingError(f"{self.path}: the recording cannot be read: {problem.strerror}") from problem
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise
        self._sets = self._frame_sets()

    def _begin(self) -> None:
        self._size = self._file.seek(0, io.SEEK_END)
        self._file.seek(0)
        if self._size == 0:
            raise RecordingError(f"{self.path}: the file is empty")
        if self._read(min(len(_MAGIC), self._size)) != _MAGIC:
            raise RecordingError(f"{self.path}: not an MCAP recording")
        try:
            self.recorded = self._find_identity()
        except (_CutShort, ValueError, struct.error) as problem:
            raise self._damaged(str(problem) or "it is cut short") from problem
        self.identity = DeviceIdentity("replay", self.recorded.model, self.recorded.serial, Source.RECORDING)

    def _damaged(self, what: str) -> RecordingError:
        return RecordingError(f"{self.path}: damaged after {self.read_count} readable frame sets: {what}")

    def _read(self, length: int) -> bytes:
        data = self._file.read(length)
        self._crc = zlib.crc32(data, self._crc)
        return data

    def _record(self) -> tuple[int, bytes, int]:
        """Read the next record; return its type, its content and the checksum of all that came before it."""
        before = self._crc
        head = self._read(9)
        if len(head) < 9:
            raise _CutShort
        kind, length = struct.unpack("<BQ", head)
        if length > (_MAX_RECORD if kind == _CHUNK else _MAX_SMALL):
            raise ValueError(f"a record claims {length} bytes")
        if length > self._size - self._file.tell():
            raise _CutShort
        return kind, self._read(length), before

    def _find_identity(self) -> DeviceIdentity:
        while True:
            kind, body, _ = self._record()
            if kind in (_CHUNK, _MESSAGE, _DATA_END, _FOOTER):
                raise ValueError("an MCAP file, but not one that Vultus recorded")
            if kind == _METADATA:
                name, at = _string(body, 0)
                if name == METADATA:
                    return _identity(_pairs(body, at))

    def __iter__(self) -> Iterator[FrameSet]:
        return self._sets

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._sets.close()
        self._file.close()

    def _frame_sets(self) -> Generator[FrameSet, None, None]:
        parts: list[wire.Part] = []
        try:
            for part in self._parts():
                first = parts[0] if parts else part
                if not 1 <= part.parts <= len(Stream) or (part.part, part.parts, part.sequence) != (
                    len(parts),
                    first.parts,
                    first.sequence,
                ):
                    raise ValueError("the frames of a set are out of order or missing")
                parts.append(part)
                if len(parts) == part.parts:
                    yield self._join(parts)
                    parts = []
            if parts:
                raise ValueError("the last frame set is not complete")
        except _CutShort as problem:
            if not self._partial:
                advice = "add ?partial=yes to replay what is there" if self.read_count else "record again"
                what = f"cut short after {self.read_count} readable frame sets"
                raise RecordingError(f"{self.path}: {what}; {advice}") from problem
        except (ValueError, TypeError, struct.error) as problem:
            raise self._damaged(str(problem)) from problem
        except OSError as problem:
            raise self._damaged(problem.strerror or "it cannot be read") from problem

    def _join(self, parts: list[wire.Part]) -> FrameSet:
        frames = {part.frame.stream.value: part.frame for part in parts}
        if len(frames) != len(parts):
            raise ValueError("a stream stands twice in one frame set")
        frame_set = FrameSet(self.identity, parts[0].sequence, **frames)
        problem = self._order.problem(frame_set)
        if problem is not None:
            raise ValueError(problem)
        self.read_count += 1
        return frame_set

    def _parts(self) -> Iterator[wire.Part]:
        while True:
            kind, body, before = self._record()
            if kind == _CHUNK:
                yield from self._messages(_unpack(body))
            elif kind == _MESSAGE:
                raise ValueError("a message stands outside a chunk, where nothing guards it")
            elif kind in (_SCHEMA, _CHANNEL):
                self._learn(kind, body)
            elif kind == _DATA_END:
                (expected,) = struct.unpack_from("<I", body)
                if expected and expected != before:
                    raise ValueError("the checksum over the whole recording differs")
                self._check_end()
                return

    def _check_end(self) -> None:
        self._crc = 0
        while True:
            kind, body, before = self._record()
            if kind == _FOOTER:
                break
        if len(body) != 20:
            raise ValueError("the footer is malformed")
        (expected,) = struct.unpack_from("<I", body, 16)
        if expected and zlib.crc32(struct.pack("<BQ", kind, 20) + body[:16], before) != expected:
            raise ValueError("the checksum over the summary differs")
        end = self._file.read(len(_MAGIC) + 1)
        if len(end) < len(_MAGIC) and _MAGIC.startswith(end):
            raise _CutShort
        if end != _MAGIC:
            raise ValueError("the end mark is missing or something follows it")

    def _messages(self, data: memoryview) -> Iterator[wire.Part]:
        at = 0
        while at < len(data):
            kind, length = struct.unpack_from("<BQ", data, at)
            at += 9
            if length > len(data) - at:
                raise ValueError("a record reaches beyond its chunk")
            body = data[at : at + length]
            at += length
            if kind == _CHANNEL:
                self._learn(kind, bytes(body))
            elif kind == _MESSAGE:
                (channel,) = struct.unpack_from("<H", body)
                if channel not in self._channels:
                    raise ValueError("a message has no channel")
                # Channel, 32-bit sequence and two times stand before the message itself.
                yield wire.decode(body[22:], self._channels[channel])

    def _learn(self, kind: int, body: bytes) -> None:
        if kind == _CHANNEL:
            (number,) = struct.unpack_from("<H", body)
            topic, _ = _string(body, 4)
            if not topic.startswith(TOPIC):
                raise ValueError(f"the channel {topic!r} is not one of a Vultus recording")
            self._channels[number] = Stream(topic.removeprefix(TOPIC))


def _string(body: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<I", body, at)
    end = at + 4 + length
    if end > len(body):
        raise ValueError("a text reaches beyond its record")
    return body[at + 4 : end].decode(), end


def _pairs(body: bytes, at: int) -> dict[str, str]:
    (length,) = struct.unpack_from("<I", body, at)
    at += 4
    if at + length != len(body):
        raise ValueError("the metadata record is malformed")
    pairs = {}
    while at < len(body):
        name, at = _string(body, at)
        pairs[name], at = _string(body, at)
    return pairs


def _identity(about: dict[str, str]) -> DeviceIdentity:
    if about.get("crc32") != checksum(about):
        raise ValueError("the checksum over the device's identity differs")
    if about.get("format") != FORMAT:
        raise ValueError(f"format {about.get('format')!r}; this version of Vultus reads {FORMAT}")
    missing = [name for name in ("kind", "model", "serial", "source") if name not in about]
    if missing:
        raise ValueError(f"the device's identity has no {missing[0]}")
    return DeviceIdentity(about["kind"], about["model"], about["serial"], Source(about["source"]))


def _unpack(body: bytes) -> memoryview:
    """Return the content of a chunk, checked."""
    _, _, size, expected = struct.unpack_from("<QQQI", body)
    compression, at = _string(body, 28)
    (length,) = struct.unpack_from("<Q", body, at)
    packed = memoryview(body)[at + 8 :]
    if length != len(packed):
        raise ValueError("a chunk states another length than it has")
    if size > _MAX_RECORD:
        raise ValueError(f"a chunk claims {size} bytes")
    if compression == "zstd":
        packed = memoryview(_inflate(packed, size))
    elif compression:
        raise ValueError(f"chunks are packed by {compression!r}; only zstd and none are read")
    if len(packed) != size or zlib.crc32(packed) != expected:
        raise ValueError("the checksum of a chunk differs")
    return packed


def _inflate(packed: memoryview, size: int) -> bytes:
    import zstandard

    try:
        # The size inside the packed data is believed by the library; compare before anything is allocated.
        if zstandard.frame_content_size(packed) not in (size, -1):
            raise ValueError("a chunk states two sizes")
        data: bytes = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    except zstandard.ZstdError as problem:
        raise ValueError("a chunk cannot be unpacked") from problem
    return data
