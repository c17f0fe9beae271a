"""Read a recording, from its beginning or from any time, and trust nothing in it: lengths are checked before memory is asked for, checksums verified."""

from __future__ import annotations

import io
import struct
import zlib
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Self

from vultus.devices import records, wire
from vultus.devices.base import Order
from vultus.devices.chunk_index import ChunkIndex, read_index
from vultus.devices.recorder import CHUNK_BYTES, FORMAT, METADATA, checksum
from vultus.errors import DeviceNotFound, RecordingError
from vultus.frames import MAX_SIDE
from vultus.types import DeviceIdentity, FrameSet, Source, Stream

_MAX_RECORD: Final = CHUNK_BYTES + MAX_SIDE * MAX_SIDE * 3 + (1 << 20)
"""Largest record in bytes: a chunk that is all but full, an RGB frame of the largest size and what surrounds it."""
_MAX_SMALL: Final = 1 << 24
"""Largest record in bytes other than a chunk; a chunk index of a day's recording is far smaller."""


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
        self._from_start = True
        self._index: ChunkIndex | None = None
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
        if self._read(min(len(records.MAGIC), self._size)) != records.MAGIC:
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
        if length > (_MAX_RECORD if kind == records.CHUNK else _MAX_SMALL):
            raise ValueError(f"a record claims {length} bytes")
        if length > self._size - self._file.tell():
            raise _CutShort
        return kind, self._read(length), before

    def _find_identity(self) -> DeviceIdentity:
        while True:
            kind, body, _ = self._record()
            if kind in (records.CHUNK, records.MESSAGE, records.DATA_END, records.FOOTER):
                raise ValueError("an MCAP file, but not one that Vultus recorded")
            if kind == records.METADATA:
                name, at = records.text(body, 0)
                if name == METADATA:
                    return _identity(records.pairs(body, at))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> FrameSet:
        return next(self._sets)

    @property
    def span_ns(self) -> tuple[int, int]:
        """Return the oldest and the newest time stamp in the recording; (0, 0) when it holds nothing. Raises RecordingError as `seek` does."""
        index = self._indexed()
        return (index.oldest, index.newest[-1]) if index.places else (0, 0)

    def seek(self, time_ns: int) -> None:
        """Go on with the first frame set whose time is `time_ns` or later, which may be none.

        The checksum over the whole file is no longer compared then, those over each chunk are. Raises RecordingError for a damaged index.
        """
        place = self._indexed().before(time_ns)
        self._sets.close()
        self._order, self._from_start = Order(), False
        self._sets = self._frame_sets(place, time_ns)

    def _indexed(self) -> ChunkIndex:
        """Read the index once; the place in the file is as it was."""
        if self._index is None:
            here, crc = self._file.tell(), self._crc
            try:
                index = read_index(self._file, self._size)
                self._channels.update(index.channels)
                if index.places and not self._channels:
                    self._file.seek(index.places[0])
                    deque(self._messages(_unpack(self._record()[1])), maxlen=0)
                self._file.seek(here)
                self._index, self._crc = index, crc
            except (_CutShort, ValueError, TypeError, struct.error) as problem:
                raise self._damaged(str(problem) or "it is cut short") from problem
            except OSError as problem:
                raise self._damaged(problem.strerror or "it cannot be read") from problem
        if not self._index.whole and not self._partial:
            raise RecordingError(f"{self.path}: cut short; add ?partial=yes to replay what is there")
        return self._index

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._sets.close()
        self._file.close()

    def _frame_sets(self, place: int | None = 0, since: int = 0) -> Generator[FrameSet, None, None]:
        """Yield the frame sets from `since` on, beginning to look at the chunk at `place`: 0 = go on where the file is, None = there are none."""
        if place is None:
            return
        parts: list[wire.Part] = []
        try:
            if place:
                self._file.seek(place)
            for part in self._parts():
                if place and part.part:
                    continue  # the set began before the chunk
                place = 0
                first = parts[0] if parts else part
                if not 1 <= part.parts <= len(Stream) or (part.part, part.parts, part.sequence) != (
                    len(parts),
                    first.parts,
                    first.sequence,
                ):
                    raise ValueError("the frames of a set are out of order or missing")
                parts.append(part)
                if len(parts) == part.parts:
                    frame_set = self._join(parts)
                    if frame_set.time_ns >= since:
                        self.read_count += 1
                        yield frame_set
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
        frame_set = FrameSet(self.identity, parts[0].sequence, **frames).timed(parts[0].timing)
        problem = self._order.problem(frame_set)
        if problem is not None:
            raise ValueError(problem)
        return frame_set

    def _parts(self) -> Iterator[wire.Part]:
        while True:
            kind, body, before = self._record()
            if kind == records.CHUNK:
                yield from self._messages(_unpack(body))
            elif kind == records.MESSAGE:
                raise ValueError("a message stands outside a chunk, where nothing guards it")
            elif kind in (records.SCHEMA, records.CHANNEL):
                self._learn(kind, body)
            elif kind == records.DATA_END:
                (expected,) = struct.unpack_from("<I", body)
                if expected and expected != before and self._from_start:
                    raise ValueError("the checksum over the whole recording differs")
                self._check_end()
                return

    def _check_end(self) -> None:
        self._crc = 0
        while True:
            kind, body, before = self._record()
            if kind == records.FOOTER:
                break
        if len(body) != 20:
            raise ValueError("the footer is malformed")
        (expected,) = struct.unpack_from("<I", body, 16)
        if expected and zlib.crc32(struct.pack("<BQ", kind, 20) + body[:16], before) != expected:
            raise ValueError("the checksum over the summary differs")
        end = self._file.read(len(records.MAGIC) + 1)
        if len(end) < len(records.MAGIC) and records.MAGIC.startswith(end):
            raise _CutShort
        if end != records.MAGIC:
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
            if kind == records.CHANNEL:
                self._learn(kind, bytes(body))
            elif kind == records.MESSAGE:
                (channel,) = struct.unpack_from("<H", body)
                if channel not in self._channels:
                    raise ValueError("a message has no channel")
                # Channel, 32-bit sequence and two times stand before the message itself.
                yield wire.decode(body[22:], self._channels[channel])

    def _learn(self, kind: int, body: bytes) -> None:
        if kind == records.CHANNEL:
            number, stream = records.channel(body)
            self._channels[number] = stream


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
    compression, at = records.text(body, 28)
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
