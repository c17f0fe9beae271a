"""Find where in a recording a time is: by the index at its end, or, when it was cut short, by the heads of its chunks."""

from __future__ import annotations

import io
import struct
import zlib
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from vultus.devices.recordings import records
from vultus.types import Stream

_TAIL: Final = records.HEAD.size + 20 + len(records.MAGIC)
"""Length in bytes of what every whole MCAP file ends with: the footer and the magic number."""
_ENTRY: Final = struct.Struct("<QQQ")
"""What a chunk index begins with: first time, last time, place in the file."""
_TIMES: Final = struct.Struct("<QQ")
"""What a chunk begins with: first time, last time."""


@dataclass(slots=True)
class ChunkIndex:
    """Where each chunk begins, the newest time stamp up to its end, and the oldest of all, in ns; `whole` is False for a file cut short."""

    whole: bool
    places: list[int] = field(default_factory=list)
    newest: list[int] = field(default_factory=list)
    oldest: int = 0
    channels: dict[int, Stream] = field(default_factory=dict)

    def add(self, place: int, first: int, last: int) -> None:
        """Append a chunk; raises ValueError when it stands before the one before."""
        if self.places and place <= self.places[-1]:
            raise ValueError("the index is out of order")
        self.oldest = min(self.oldest, first) if self.places else first
        self.places.append(place)
        self.newest.append(max(last, self.newest[-1]) if self.newest else last)

    def before(self, time_ns: int) -> int | None:
        """Return the place of a chunk from which the first frame set at `time_ns` or later can be read; None past the end."""
        at = bisect_left(self.newest, time_ns)
        if at == len(self.places):
            return None
        # A chunk may hold as little as one frame, and the set's other frames then lie in the chunks before.
        return self.places[max(0, at - (len(Stream) - 1))]


def read_index(file: BinaryIO, size: int) -> ChunkIndex:
    """Read the index of a recording of `size` bytes; raises ValueError or struct.error for one that is damaged."""
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    if len(tail) < _TAIL or not tail.endswith(records.MAGIC) or records.HEAD.unpack_from(tail) != (records.FOOTER, 20):
        return _scan(file, size)
    start, _, expected = struct.unpack_from("<QQI", tail, records.HEAD.size)
    end = size - _TAIL
    if start == 0:
        index = _scan(file, end)
        index.whole = True
        return index
    if not len(records.MAGIC) <= start <= end:
        raise ValueError("the footer points outside the file")
    file.seek(start)
    summary = file.read(end - start)
    if expected and zlib.crc32(tail[: records.HEAD.size + 16], zlib.crc32(summary)) != expected:
        raise ValueError("the checksum over the summary differs")
    return _parse(summary, start)


def _parse(summary: bytes, data_end: int) -> ChunkIndex:
    index = ChunkIndex(whole=True)
    at = 0
    while at < len(summary):
        kind, length = records.HEAD.unpack_from(summary, at)
        at += records.HEAD.size
        if length > len(summary) - at:
            raise ValueError("a record reaches beyond the summary")
        if kind == records.CHUNK_INDEX:
            first, last, place = _ENTRY.unpack_from(summary, at)
            if not len(records.MAGIC) <= place < data_end:
                raise ValueError("the index points outside the file")
            index.add(place, first, last)
        elif kind == records.CHANNEL:
            number, stream = records.channel(summary[at : at + length])
            index.channels[number] = stream
        at += length
    return index


def _scan(file: BinaryIO, end: int) -> ChunkIndex:
    """Go from record to record without reading what is in them, up to the last that is complete."""
    index = ChunkIndex(whole=False)
    at = len(records.MAGIC)
    while at + records.HEAD.size <= end:
        file.seek(at)
        head = file.read(records.HEAD.size + _TIMES.size)
        kind, length = records.HEAD.unpack_from(head)
        if length > end - at - records.HEAD.size or kind == records.DATA_END:
            break
        if kind == records.CHUNK:
            index.add(at, *_TIMES.unpack_from(head, records.HEAD.size))
        at += records.HEAD.size + length
    file.seek(0, io.SEEK_SET)
    return index
