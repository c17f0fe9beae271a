"""Seal the packets of one session: counters, the window of those taken, keys that follow one another (PROTOCOL.md, section 8)."""

from __future__ import annotations

from typing import Final

from vultus.devices.heads.keys import TAG_BYTES, derive, opened, seal
from vultus.devices.heads.packets import HEADER, LONGEST_PAYLOAD, VERSION

WINDOW: Final = 64
"""Packets below the highest that may still come; lines put packets out of order by a few."""
ROTATION_BITS: Final = 16
"""A key seals 2**16 packets at most."""
LONGEST_PLAIN: Final = LONGEST_PAYLOAD - TAG_BYTES
_NEXT: Final = b"vultus serial 1 next"


def _nonce(counter: int) -> bytes:
    return counter.to_bytes(12, "big")


class Sending:
    """One direction's key on the sender's side."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._turn = 0

    def seal(self, kind: int, counter: int, payload: bytes) -> bytes:
        """Return the payload to send in packet number `counter` of this direction, each number once, rising."""
        while counter >> ROTATION_BITS > self._turn:
            self._key = derive(self._key, None, _NEXT)
            self._turn += 1
        header = HEADER.pack(VERSION, kind, counter & 0xFFFF, len(payload) + TAG_BYTES)
        return seal(self._key, _nonce(counter), header, payload)


class Receiving:
    """The other direction's key: opens each packet once, and none that is too old."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._before: bytes | None = None
        self._highest = 0
        self._taken = 0

    def open(self, kind: int, sequence: int, sealed: bytes) -> bytes | None:
        """Return the payload of a packet; None when it is not genuine, was taken before, or is too old."""
        ahead = (sequence - self._highest) & 0xFFFF
        counter = self._highest + (ahead if ahead < 0x8000 else ahead - 0x10000)
        behind = self._highest - counter
        if counter < 0 or behind >= WINDOW or (behind >= 0 and self._taken >> behind & 1):
            return None
        turns = (counter >> ROTATION_BITS) - (self._highest >> ROTATION_BITS)
        key = self._before if turns < 0 else derive(self._key, None, _NEXT) if turns else self._key
        header = HEADER.pack(VERSION, kind, sequence, len(sealed))
        payload = opened(key, _nonce(counter), header, sealed) if key is not None else None
        if payload is not None and key is not None:
            self._note(counter, key, turned=turns > 0)
        return payload

    def _note(self, counter: int, key: bytes, *, turned: bool) -> None:
        """Remember a genuine packet, and follow the sender's key."""
        if counter <= self._highest:
            self._taken |= 1 << (self._highest - counter)
            return
        if turned:
            self._before, self._key = self._key, key
        # From here on the window reaches no packet under the key before.
        if counter & 0xFFFF >= WINDOW - 1:
            self._before = None
        self._taken = (self._taken << (counter - self._highest) | 1) & ((1 << WINDOW) - 1)
        self._highest = counter
