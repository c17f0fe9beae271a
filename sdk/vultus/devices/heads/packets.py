"""Turn messages of the serial head into bytes and back: COBS framing, header, CRC-32C (native/serial/PROTOCOL.md, sections 2 and 3.1).

Nothing here fails on what comes in: what is no valid packet is counted.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

VERSION: Final = 1
HEADER: Final = struct.Struct("<BBHH")
"""Version, type, sequence, length of the payload."""
LONGEST_PAYLOAD: Final = 1024
LONGEST_PACKET: Final = HEADER.size + LONGEST_PAYLOAD + 4
LONGEST_STUFFED: Final = 1042
"""What a receiver collects at most between two zero bytes (section 3.1)."""
_POLYNOMIAL: Final = 0x82F63B78
"""CRC-32C's 0x1EDC6F41 with its bits reversed."""
_STEP: Final = 1024
"""Bytes that are summed in one go; a packet fits in little more."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One valid packet."""

    type: int
    sequence: int
    payload: bytes


@cache
def _crc_tables() -> npt.NDArray[np.uint32]:
    """Return uint32 (_STEP, 256): what a byte adds to the CRC when as many zero bytes follow it."""
    tables = np.zeros((_STEP, 256), np.uint32)
    first = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        first = np.where(first & 1, (first >> 1) ^ np.uint32(_POLYNOMIAL), first >> 1).astype(np.uint32)
    tables[0] = first
    for row in range(1, _STEP):
        tables[row] = first[tables[row - 1] & 0xFF] ^ (tables[row - 1] >> 8)
    return tables


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """Return the CRC-32C (Castagnoli) of the bytes; of b"123456789" it is 0xE3069283."""
    tables = _crc_tables()
    state = 0xFFFFFFFF
    values = np.frombuffer(data, np.uint8)
    for start in range(0, len(values), _STEP):
        piece = values[start : start + _STEP]
        n = len(piece)
        total = int(np.bitwise_xor.reduce(tables[np.arange(n - 1, -1, -1), piece]))
        # The state counts as four more bytes, exclusive-ored into the first four of the piece.
        for i in range(4):
            byte = (state >> (8 * i)) & 0xFF
            total ^= int(tables[n - 1 - i, byte]) if i < n else state >> (8 * n) if i == n else 0
        state = total
    return state ^ 0xFFFFFFFF


def stuff(packet: bytes) -> bytes:
    """Return the packet with COBS stuffing, free of zero bytes, without the zero byte that ends it on the line."""
    out = bytearray()
    pieces = packet.split(b"\0")
    for number, piece in enumerate(pieces):
        at = 0
        while len(piece) - at >= 254:
            out.append(255)
            out += piece[at : at + 254]
            at += 254
        # A packet that ends with a full run needs nothing after it.
        if at < len(piece) or at == 0 or number < len(pieces) - 1:
            out.append(len(piece) - at + 1)
            out += piece[at:]
    return bytes(out)


def unstuff(stuffed: bytes) -> bytes | None:
    """Undo `stuff`; None when no packet gives these bytes."""
    out = bytearray()
    at, size = 0, len(stuffed)
    if size == 0:
        return None
    while True:
        code = stuffed[at]
        end = at + code
        if code == 0 or end > size:
            return None
        out += stuffed[at + 1 : end]
        at = end
        if at == size:
            return bytes(out) if 0 not in stuffed else None
        if code != 255:
            out.append(0)


def encode(kind: int, sequence: int, payload: bytes, session: int) -> bytes:
    """Return a packet, not framed. Raises ValueError for a payload that is too long."""
    if len(payload) > LONGEST_PAYLOAD:
        raise ValueError(f"a payload has at most {LONGEST_PAYLOAD} bytes; got {len(payload)}")
    body = HEADER.pack(VERSION, kind, sequence & 0xFFFF, len(payload)) + payload
    return body + crc32c(session.to_bytes(4, "little") + body).to_bytes(4, "little")


def decode(packet: bytes, session: int, open_types: frozenset[int] = frozenset()) -> Packet | None:
    """Return what a packet says, None when it is not valid; the types of `open_types` belong to no session."""
    if not HEADER.size + 4 <= len(packet) <= LONGEST_PACKET:
        return None
    version, kind, sequence, length = HEADER.unpack_from(packet)
    if version != VERSION or length != len(packet) - HEADER.size - 4:
        return None
    number = 0 if kind in open_types else session
    if crc32c(number.to_bytes(4, "little") + packet[:-4]) != int.from_bytes(packet[-4:], "little"):
        return None
    return Packet(kind, sequence, packet[HEADER.size : -4])


class Unframer:
    """Cuts what comes over the line at its zero bytes; gives candidates for packets and counts what can be none."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._flooded = False
        self.bad = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take in the next bytes of the line and return what they complete, unstuffed."""
        *ended, rest = data.split(b"\0")
        out: list[bytes] = []
        for piece in ended:
            whole = self._collect(piece)
            if whole:
                packet = unstuff(whole)
                if packet is None:
                    self.bad += 1
                else:
                    out.append(packet)
            self._held.clear()
            self._flooded = False
        self._collect(rest, last=True)
        return out

    def _collect(self, piece: bytes, *, last: bool = False) -> bytes:
        """Add to what is held and return it; empty when it grew too long, which counts once. `last`: no zero byte has come yet."""
        if self._flooded:
            return b""
        if len(self._held) + len(piece) > LONGEST_STUFFED:
            self._held.clear()
            self._flooded = True
            self.bad += 1
            return b""
        self._held += piece
        return b"" if last else bytes(self._held)
