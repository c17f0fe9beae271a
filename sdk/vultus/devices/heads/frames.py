"""Join the chunks of a serial head to frames (native/serial/PROTOCOL.md, section 6); chunks may come late, twice or never."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.devices.heads.packets import crc32c
from vultus.frames import MAX_SIDE, MIN_SIDE

WINDOW: Final = 256
"""Chunks in flight at most: what the bits of an ACK can tell."""
_HEADER: Final = struct.Struct("<BBBBHHIIQHHI")
_CHUNK: Final = struct.Struct("<IH")
_ACK: Final = struct.Struct("<IIH")
_ACK_EVERY: Final = 8
_ACK_AFTER_S: Final = 0.02
_LAYOUTS: Final[dict[int, tuple[str, int]]] = {0: ("|u1", 3), 1: ("|u1", 1), 2: ("<u2", 1), 3: ("<u2", 1)}
"""Format to dtype and values a pixel."""
_FORMATS: Final[dict[int, frozenset[int]]] = {0: frozenset({0}), 1: frozenset({1, 2}), 3: frozenset({3})}
"""Stream to the formats that it may have."""
RGB: Final = 0
NIR: Final = 1
DEPTH: Final = 3


@dataclass(frozen=True, slots=True)
class HeadFrame:
    """One picture as the head sent it: uint8 (h, w, 3) for RGB, else uint8 or uint16 (h, w), read-only."""

    stream: int
    exposure: int
    last: bool
    set: int
    strobe: int
    position: int
    time_us: int
    data: npt.NDArray[Any] = field(repr=False)


class Joiner:
    """Orders chunks, says which have come, and makes frames of them; `wrong` counts frames that were dropped whole."""

    def __init__(self) -> None:
        self.frames: deque[HeadFrame] = deque()
        self.wrong = 0
        self.doubles = 0
        self._next = 0
        self._held: dict[int, tuple[int, bytes]] = {}
        self._latest: int | None = None
        self._unsaid = 0
        self._since = 0.0
        self._gap = False
        self._parts: list[bytes] | None = None
        self._have = 0
        self._size = 0

    @property
    def limit(self) -> int:
        """The first chunk that the head may not send yet."""
        return self._next + WINDOW

    def take(self, payload: bytes, sequence: int, now: float) -> bool:
        """Take in the payload of a CHUNK; False when it is malformed."""
        if len(payload) <= _CHUNK.size:
            return False
        number, index = _CHUNK.unpack_from(payload)
        if number >= self.limit:
            return False
        if self._latest is None or (sequence - self._latest) & 0xFFFF < 0x8000:
            self._latest = sequence
        if self._unsaid == 0:
            self._since = now
        self._unsaid += 1
        if number < self._next or number in self._held:
            self.doubles += 1
            return True
        self._held[number] = (index, payload[_CHUNK.size :])
        self._gap = self._gap or number != self._next
        while (found := self._held.pop(self._next, None)) is not None:
            self._next += 1
            self._join(*found)
        return True

    def acknowledgement(self, now: float, *, force: bool = False) -> bytes | None:
        """Return the payload of an ACK when one is due."""
        due = self._unsaid >= _ACK_EVERY or self._gap or (self._unsaid > 0 and now - self._since >= _ACK_AFTER_S)
        if not (due or force):
            return None
        self._unsaid, self._gap = 0, False
        bits = sum(1 << (number - self._next - 1) for number in self._held)
        return _ACK.pack(self._next, self.limit, self._latest or 0) + bits.to_bytes((bits.bit_length() + 7) // 8, "little")

    def due_at(self) -> float:
        """Return when the next ACK is due, infinity without one."""
        return self._since + _ACK_AFTER_S if self._unsaid else float("inf")

    def _join(self, index: int, data: bytes) -> None:
        """Add the next chunk in order to its frame."""
        if index == 0:
            self.wrong += self._parts is not None
            self._parts, self._have, self._size = [], 0, 0
        if self._parts is None:
            return
        self._parts.append(data)
        self._have += len(data)
        if self._size == 0 and self._have >= _HEADER.size:
            self._size = self._whole(b"".join(self._parts))
        if self._size and self._have >= self._size:
            frame = _read(b"".join(self._parts)) if self._have == self._size else None
            self._parts = None
            if frame is None:
                self.wrong += 1
            else:
                self.frames.append(frame)

    def _whole(self, start: bytes) -> int:
        """Return the size of the frame that begins so; an impossible one is as long as what has come, and so ends as a wrong frame."""
        kind, _, layout, _, width, height = _HEADER.unpack_from(start)[:6]
        if layout not in _FORMATS.get(kind, ()) or min(width, height) < MIN_SIDE or max(width, height) > MAX_SIDE:
            return len(start)
        dtype, values = _LAYOUTS[layout]
        return _HEADER.size + int(width) * int(height) * values * np.dtype(dtype).itemsize


def _read(raw: bytes) -> HeadFrame | None:
    """Read a whole frame; None when its header is impossible or its pixels are not those that were sent."""
    kind, exposure, layout, flags, width, height, number, strobe, time_us, position, _, crc = _HEADER.unpack_from(raw)
    if layout not in _FORMATS.get(kind, ()) or exposure > 1 or time_us >= 2**53:
        return None
    dtype, values = _LAYOUTS[layout]
    if len(raw) != _HEADER.size + width * height * values * np.dtype(dtype).itemsize or crc32c(memoryview(raw)[_HEADER.size :]) != crc:
        return None
    shape = (height, width, 3) if values == 3 else (height, width)
    # A header of 32 bytes keeps the pixels aligned; bytes cannot be written to.
    data = np.frombuffer(raw, dtype, offset=_HEADER.size).reshape(shape)
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    return HeadFrame(kind, exposure, bool(flags & 2), number, strobe, position, time_us, data)
