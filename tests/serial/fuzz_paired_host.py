"""Give the host's side of a sealed session packets that no honest head would send: `python tests/serial/fuzz_paired_host.py [iterations] [seed]`.

As fuzz_host.py, but what it makes up is sealed under the session's own keys, most of the time, so that it gets past the tag: the head that
is paired is the one that has gone bad. Part of it is spoilt, sent twice, under a wrong counter, or not sealed at all.
"""

from __future__ import annotations

import hashlib
import importlib.util
import struct
import sys
from collections import Counter
from pathlib import Path

from vultus.devices.heads.handshake import Handshake
from vultus.devices.heads.keys import Ephemeral, Identity, derive
from vultus.devices.heads.messages import OPEN, Kind
from vultus.devices.heads.packets import encode, stuff
from vultus.devices.heads.sealing import Sending
from vultus.devices.heads.session import HostSession
from vultus.devices.heads.words import words

_spec = importlib.util.spec_from_file_location("fuzz_host", Path(__file__).with_name("fuzz_host.py"))
fuzz_host = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fuzz_host)
SESSION = fuzz_host.SESSION
HOST, HEAD = Identity(b"h" * 32), Identity(b"d" * 32)


class PairedFuzzer(fuzz_host.Fuzzer):
    """A sealed session and its head."""

    def begin(self) -> None:
        """Start a session."""
        super().begin()
        trusts = self.rng.random() < 0.95
        self.session = HostSession(SESSION, secure=Handshake(HOST, lambda _: trusts), coded=self.rng.random() < 0.5)
        self.sequence = self.rng.choice([0, 0, 0, 60_000])
        self.key = b""

    def welcome(self, hello: bytes) -> bytes:
        """Return the WELCOME to a HELLO and make the keys."""
        own = Ephemeral.fresh()
        said = struct.pack("<IBBHQ", SESSION, 1, 3, 256, int(self.now * 1e6)) + own.public + HEAD.public
        whole = struct.pack("<H", len(hello)) + hello + struct.pack("<H", len(said)) + said
        transcript = hashlib.sha256(b"vultus serial 1 paired" + whole).digest()
        self.key = derive(own.agree(hello[7:39]), transcript, b"vultus serial 1 keys", 64)[32:]
        return said + HEAD.sign(b"vultus serial 1 head" + transcript)

    def answer(self) -> tuple[int, bytes]:
        """Return what a head would say next."""
        asked = self.session._asked
        if asked is not None and asked[0] is Kind.HELLO:
            return Kind.WELCOME, self.welcome(asked[1])
        if asked is not None and asked[0] is Kind.PROVE:
            return Kind.READY, b""
        return super().answer()

    def packet(self) -> bytes:
        """Return one packet as the line carries it."""
        rng = self.rng
        if rng.random() < 0.7:
            kind, payload = self.answer()
        else:
            kind = int(rng.choice(list(Kind))) if rng.random() < 0.95 else rng.randrange(256)
            payload = rng.randbytes(rng.choice([0, 1, 5, 12, 16, 40, 144, 300]))
            if rng.random() < 0.5:
                payload = bytes([self.session._request]) + payload
        receiving = self.session._secure.receiving
        if self.sequence and receiving is not None and receiving._highest == 0 and self.sequence > 0x8000:
            # Begun just below a rotation, so that it is passed.
            receiving._highest = self.sequence - 1
        counter = self.sequence if rng.random() < 0.9 else max(0, self.sequence + rng.randrange(-100, 3000))
        self.sequence = max(self.sequence, counter) + 1
        if self.key and kind not in OPEN and rng.random() < 0.95:
            payload = Sending(self.key).seal(kind, counter, bytes(payload))
        raw = encode(kind, counter, bytes(payload), 0 if kind in OPEN else SESSION)
        line = words(raw) if rng.random() < 0.4 else stuff(raw) + b"\0"
        return self.spoil(line) if rng.random() < 0.2 else line

    def step(self) -> None:
        """Give one packet and count how far it got."""
        session = self.session
        super().step()
        self.seen["proven"] += session.proven
        receiving = session._secure.receiving
        self.seen["rotated"] += receiving is not None and receiving._highest > 0xFFFF


def run(iterations: int, seed: int) -> Counter[str]:
    """Fuzz and return how often what was reached; any exception of the host's side goes through."""
    fuzzer = PairedFuzzer(seed)
    for _ in range(iterations):
        fuzzer.step()
    return fuzzer.seen


if __name__ == "__main__":
    count, start = (int(v) for v in [*sys.argv[1:], "20000", "1"][:2]) if len(sys.argv) != 2 else (int(sys.argv[1]), 1)
    print("ok", count, dict(run(count, start)))
