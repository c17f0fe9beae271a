"""Carry packets of the serial head in coded words, and find them in what comes (native/serial/PROTOCOL.md, section 3.2)."""

from __future__ import annotations

from typing import Final

from vultus._native import read_word, write_word
from vultus.devices.heads.packets import HEADER, LONGEST_PACKET

PIECE: Final = 229
"""Bytes of a packet in one word."""
LINE: Final = 256
"""Bytes on the line of one word, the zero byte at its end included."""
_REPAIRS: Final = 12


def words(packet: bytes) -> bytes:
    """Return what carries a packet over the line."""
    count = -(-len(packet) // PIECE)
    return b"".join(write_word(packet[PIECE * i : PIECE * (i + 1)], i, count) for i in range(count))


class WordReader:
    """Finds words in what comes over the line and joins them; gives candidates for packets and counts what can be none."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._parts: list[bytes] = []
        self._pieces = 0
        self.bad = 0
        self.repaired = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take in the next bytes of the line and return the packets that they complete."""
        self._held += data
        held, at, out = bytes(self._held), 0, list[bytes]()
        while len(held) - at >= LINE:
            found = read_word(held[at : at + LINE])
            if found is None:
                self.bad += 1
                zero = held.find(b"\0", at, at + LINE)
                at = zero + 1 if zero >= 0 else at + LINE
                continue
            # The zero byte is not at its place when bytes were lost: then the next word begins earlier.
            zero = held.rfind(b"\0", at + LINE - _REPAIRS - 1, at + LINE)
            at = zero + 1 if zero >= 0 else at + LINE
            self.repaired += found[1]
            if (packet := self._join(found[0])) is not None:
                out.append(packet)
        del self._held[:at]
        return out

    def _join(self, word: bytes) -> bytes | None:
        """Add a piece to what was collected; return the packet that it ends."""
        number, pieces = word[1] & 15, (word[1] >> 4) + 1
        parts = self._parts
        if 0 < number == len(parts) - 1 and pieces == self._pieces:
            return None  # a word that came twice
        if number == 0:
            parts.clear()
            self._pieces = pieces
        if number >= pieces or pieces * PIECE >= LONGEST_PACKET + PIECE or number != len(parts) or pieces != self._pieces:
            parts.clear()
            self.bad += 1
            return None
        parts.append(word[2 : 2 + PIECE])
        if len(parts) < pieces:
            return None
        whole = b"".join(parts)
        parts.clear()
        size = HEADER.size + HEADER.unpack_from(whole)[3] + 4
        if not len(whole) - PIECE < size <= len(whole):
            self.bad += 1
            return None
        return whole[:size]
