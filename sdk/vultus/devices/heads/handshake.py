"""Begin paired sessions as the host (PROTOCOL.md, section 8): agree on keys, find out which head answers, prove who asks.

What it blocks: reading and changing packets, playing them back, a head or a host that is not the one that was paired, and talking either
side out of sealing. What it does not block: cutting the line, and whoever opens the head or reads this host's key.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Final

from vultus.devices.heads.keys import KEY_BYTES, SIGNATURE_BYTES, Ephemeral, Identity, check_digits, derive, verified
from vultus.devices.heads.sealing import Receiving, Sending

PAIRED: Final = 1
PAIRING: Final = 2
SEALED: Final = 1
"""Flag of WELCOME."""
_OPEN_WELCOME: Final = 16
_LEAST_WELCOME: Final = _OPEN_WELCOME + 2 * KEY_BYTES + SIGNATURE_BYTES


class Handshake:
    """One session's keys, for a single use. `trusted` is asked whether the head with this identity (32 bytes) may be spoken to.

    pairing: ask the head to store this host; it does only while its owner has made it ready.
    After `welcomed` gave "", `sending` and `receiving` seal and open the session's packets.
    """

    def __init__(self, identity: Identity, trusted: Callable[[bytes], bool], *, pairing: bool = False) -> None:
        self.pairing = pairing
        self.head = b""
        """The identity of the head that answered, once its signature was right; empty before."""
        self.sending: Sending | None = None
        self.receiving: Receiving | None = None
        self._identity = identity
        self._trusted = trusted
        self._ephemeral = Ephemeral.fresh()
        self._hello = b""
        self._transcript = b""

    def hello(self, session: int) -> bytes:
        """Return the payload of HELLO."""
        flags = PAIRED | (PAIRING if self.pairing else 0)
        self._hello = struct.pack("<IBBB", session, 1, 1, flags) + self._ephemeral.public + self._identity.public
        return self._hello

    def welcomed(self, payload: bytes) -> str:
        """Take in WELCOME, checked against what was asked; returns what is wrong with it, "" when the session may go on."""
        if not payload[5] & SEALED:
            return "it offers only a session that is not sealed: somebody may be in between, or this is another head"
        if len(payload) < _LEAST_WELCOME:
            return "its welcome is cut off"
        said, signature = payload[:-SIGNATURE_BYTES], payload[-SIGNATURE_BYTES:]
        ephemeral, head = said[_OPEN_WELCOME:][:KEY_BYTES], said[_OPEN_WELCOME + KEY_BYTES :][:KEY_BYTES]
        whole = b"".join(len(part).to_bytes(2, "little") + part for part in (self._hello, said))
        transcript = hashlib.sha256(b"vultus serial 1 paired" + whole).digest()
        if head == self._identity.public or not verified(head, b"vultus serial 1 head" + transcript, signature):
            return "its proof of identity is wrong: somebody may be in between"
        self.head = head
        if not self._trusted(head):
            return f"it is not the head that is to be trusted here: its check digits are {check_digits(head)}"
        shared = self._ephemeral.agree(ephemeral)
        del self._ephemeral
        if shared is None:
            return "its key is one that keeps no secret: somebody may be in between"
        keys = derive(shared, transcript, b"vultus serial 1 keys", 2 * KEY_BYTES)
        self.sending, self.receiving = Sending(keys[:KEY_BYTES]), Receiving(keys[KEY_BYTES:])
        self._transcript = transcript
        return ""

    def proof(self) -> bytes:
        """Return the payload of PROVE."""
        return self._identity.sign(b"vultus serial 1 host" + self._transcript)
