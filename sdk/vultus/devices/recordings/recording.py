"""Read a recording, from its beginning or from any time, and trust nothing in it: lengths are checked before memory is asked for, checksums verified."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Self

from vultus.devices.base import Order
from vultus.devices.recordings import records, wire
from vultus.devices.recordings.chunk_index import ChunkIndex, read_index
from vultus.devices.recordings.chunks import MAX_RECORD, unpack
from vultus.devices.recordings.envelope import END, Consent, Envelope, Key
from vultus.devices.recordings.recorder import FORMAT, METADATA, SEALED_FORMAT, checksum
from vultus.errors import DeviceNotFound, RecordingError
from vultus.types import DeviceIdentity, FrameSet, Source, Stream

_MAX_SMALL: Final = 1 << 24
"""Largest record in bytes other than a chunk; a chunk index of a day's recording is far smaller."""
_MESSAGE: Final = struct.Struct("<HIQQ")
"""What stands before a message: its channel, 32-bit sequence, time and time of publication."""


class _CutShort(Exception):
    """The file ends in the middle, as after a kill."""


class Recording:
    """An open recording; iterate over its frame sets, whose device is named as a replay of the one that was recorded.

    Raises DeviceNotFound for a missing file and RecordingError, with the number of frame sets that could be read, for one that is
    empty, foreign, altered or cut short; `partial` takes the whole frame sets of one that is cut short and ends there.
    key: opens an encrypted recording; None takes the user's own, or the passphrase of the settings. consent: the note that the file carries.
    """

    def __init__(self, path: Path | str, *, partial: bool = False, key: Key | None = None) -> None:
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
            self._begin(key)
        except BaseException:
            self._file.close()
            raise
        self._sets = self._frame_sets()

    def _begin(self, key: Key | None) -> None:
        self._size = self._file.seek(0, io.SEEK_END)
        self._file.seek(0)
        if self._size == 0:
            raise RecordingError(f"{self.path}: the file is empty")
        if self._read(min(len(records.MAGIC), self._size)) != records.MAGIC:
            raise RecordingError(f"{self.path}: not an MCAP recording")
        try:
            about = self._find_header()
            self.recorded, self.consent = _identity(about), _consent(about)
        except (_CutShort, ValueError, struct.error) as problem:
            raise self._damaged(str(problem) or "it is cut short") from problem
        try:
            self.envelope = Envelope.unwrap(about, key) if about["format"] == SEALED_FORMAT else None
        except ValueError as problem:
            raise RecordingError(f"{self.path}: {problem}") from problem
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
        if length > (MAX_RECORD if kind == records.CHUNK else _MAX_SMALL):
            raise ValueError(f"a record claims {length} bytes")
        if length > self._size - self._file.tell():
            raise _CutShort
        return kind, self._read(length), before

    def _find_header(self) -> dict[str, str]:
        while True:
            kind, body, _ = self._record()
            if kind in (records.CHUNK, records.MESSAGE, records.DATA_END, records.FOOTER):
                raise ValueError("an MCAP file, but not one that Vultus recorded")
            if kind == records.METADATA:
                name, at = records.text(body, 0)
                if name == METADATA:
                    return records.pairs(body, at)

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
        if self.envelope is not None:
            self.envelope.jump()
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
                    for kind, body in _contents(unpack(self._record()[1])):
                        self._learn(kind, bytes(body) if kind == records.CHANNEL else b"")
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
                yield from self._messages(unpack(body))
            elif kind == records.MESSAGE:
                raise ValueError("a message stands outside a chunk, where nothing guards it")
            elif kind in (records.SCHEMA, records.CHANNEL):
                self._learn(kind, body)
            elif kind == records.METADATA and self.envelope is not None:
                name, at = records.text(body, 0)
                if name == END:
                    self.envelope.check_end(records.pairs(body, at))
            elif kind == records.DATA_END:
                if self.envelope is not None and not self.envelope.ended:
                    raise ValueError("an encrypted recording ends without its closing record: messages were left out")
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
        for kind, body in _contents(data):
            if kind == records.CHANNEL:
                self._learn(kind, bytes(body))
            elif kind == records.MESSAGE:
                channel, sequence, time_ns, _ = _MESSAGE.unpack_from(body)
                if channel not in self._channels:
                    raise ValueError("a message has no channel")
                stream, message = self._channels[channel], body[_MESSAGE.size :]
                if self.envelope is not None:
                    message = memoryview(self.envelope.open(message, stream, time_ns, sequence))
                yield wire.decode(message, stream)

    def _learn(self, kind: int, body: bytes) -> None:
        if kind == records.CHANNEL:
            number, stream = records.channel(body)
            self._channels[number] = stream


def _identity(about: dict[str, str]) -> DeviceIdentity:
    if about.get("crc32") != checksum(about):
        raise ValueError("the checksum over the device's identity differs")
    if about.get("format") not in (FORMAT, SEALED_FORMAT):
        raise ValueError(f"format {about.get('format')!r}; this version of Vultus reads {FORMAT} and {SEALED_FORMAT}")
    missing = [name for name in ("kind", "model", "serial", "source") if name not in about]
    if missing:
        raise ValueError(f"the device's identity has no {missing[0]}")
    return DeviceIdentity(about["kind"], about["model"], about["serial"], Source(about["source"]))


def _consent(about: dict[str, str]) -> Consent | None:
    return Consent(about["consent"], about.get("consent_until", "")) if "consent" in about else None


def _contents(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the kind and the content of each record of a chunk."""
    at = 0
    while at < len(data):
        kind, length = records.HEAD.unpack_from(data, at)
        at += records.HEAD.size
        if length > len(data) - at:
            raise ValueError("a record reaches beyond its chunk")
        yield kind, data[at : at + length]
        at += length
