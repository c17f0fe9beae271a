"""Give the host's side of the serial protocol bytes that no head would send: `python tests/serial/fuzz_host.py [iterations] [seed]`.

An iteration is one packet: half the time the answer that the session waits for, or a chunk of a frame, so that it gets on; else a
packet of random type and content; in either framing; then a third of them changed, cut, doubled or put after noise. What comes out is
taken as far as the device takes it: descriptions are read, frames made to sets.
"""

from __future__ import annotations

import json
import random
import struct
import sys
from collections import Counter
from contextlib import suppress

import numpy as np

from vultus.devices.heads.description import read_description
from vultus.devices.heads.frames import HeadFrame
from vultus.devices.heads.messages import Kind, Phase
from vultus.devices.heads.packets import crc32c, encode, stuff
from vultus.devices.heads.session import HostSession
from vultus.devices.heads.sets import SetMaker
from vultus.devices.heads.strobe import Strobe
from vultus.devices.heads.words import words
from vultus.errors import ProtocolError
from vultus.frames import DeviceIdentity, FrameSet, Source, Stream

SESSION = 77
SIDE = 16
STREAMS = [
    {"stream": name, "format": layout, "width": SIDE, "height": SIDE}
    for name, layout in (("rgb", "rgb8"), ("nir", "grey8"), ("nir_ambient", "grey8"), ("depth", "depth16"))
]
SAYS = json.dumps({"model": "head", "serial": "", "strobe": True, "rate_hz": 5, "streams": STREAMS}).encode()
TEXTS = (SAYS, b'{"rgb": {"intrinsics": {"fx": 9, "fy": 9, "cx": 8, "cy": 8}}}')
PICTURES = ((0, 0, 0, 3), (1, 0, 1, 1), (1, 1, 1, 1), (3, 0, 3, 2))
"""Stream, exposure, format, bytes a pixel."""
IDENTITY = DeviceIdentity("serial", "head", "", Source.LIVE)


class Fuzzer:
    """A session, what a well-behaved head would say to it, and how that is spoilt."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.now = 0.0
        self.begin()

    def begin(self) -> None:
        """Start a session."""
        self.session = HostSession(SESSION, secure=None, coded=self.rng.random() < 0.5)
        self.strobe, self.maker = Strobe(), None
        self.sequence = self.chunk = 0
        self.pending: list[bytes] = []
        self.sent: dict[int, bytes] = {}
        self.set = self.picture = 0

    def answer(self) -> tuple[int, bytes]:
        """Return what a head would say next."""
        asked = self.session._asked
        if asked is None:
            return (Kind.CHUNK, self.next_chunk()) if self.session.phase is Phase.STREAMING else (Kind.PONG, bytes(12))
        kind, payload = asked
        number = payload[:1]
        if kind is Kind.HELLO:
            return Kind.WELCOME, struct.pack("<IBBHQ", SESSION, 1, 2, 256, int(self.now * 1e6))
        if kind is Kind.LINE:
            return Kind.LINE_SET, number + payload[1:4]
        if kind is Kind.DESCRIBE:
            which, at = struct.unpack_from("<BH", payload, 1)
            text = TEXTS[which & 1]
            return Kind.DESCRIPTION, number + struct.pack("<BHHI", which, at, len(text), crc32c(text)) + text[at : at + 200]
        if kind is Kind.STROBE:
            return Kind.STROBE_SET, number + payload[1:5]
        return (Kind.STARTED, number + payload[1:6]) if kind is Kind.START else (Kind.STOPPED, number)

    def next_chunk(self) -> bytes:
        """Return the chunk that the host misses, or the next one; frames are small, so that many come whole."""
        missing = self.session.joiner._next
        if missing in self.sent and (missing + 200 < self.chunk or self.rng.random() < 0.5):
            return self.sent[missing]
        if not self.pending:
            kind, exposure, layout, values = PICTURES[self.picture % 4]
            self.picture += 1
            self.set += kind == 0
            pattern = self.strobe._known[-1] if self.strobe._known else self.strobe.draw()
            # A dark picture, but for the exposure that the pattern lights.
            lit = kind == 1 and (pattern.bits >> self.set % 64 & 1) == (exposure == 0)
            pixels = bytes(b | 0x80 if lit else b & 0x7F for b in self.rng.randbytes(SIDE * SIDE * values))
            head = struct.pack("<BBBBHHIIQHHI", kind, exposure, layout, 2 * (kind == 3), SIDE, SIDE, self.set, pattern.number,
                               int(self.now * 1e6), self.set % 64, 0, crc32c(pixels))  # fmt: skip
            whole = bytearray(head + pixels)
            if self.rng.random() < 0.05:
                whole[self.rng.randrange(40)] = self.rng.randrange(256)
            self.pending = [struct.pack("<H", i) + whole[at : at + 400] for i, at in enumerate(range(0, len(whole), 400))]
        number = self.chunk
        self.chunk += 1
        self.sent[number] = struct.pack("<I", number) + self.pending.pop(0)
        return self.sent[number]

    def packet(self) -> bytes:
        """Return one packet as the line carries it."""
        rng = self.rng
        if rng.random() < 0.6:
            kind, payload = self.answer()
        else:
            kind = int(rng.choice(list(Kind))) if rng.random() < 0.95 else rng.randrange(256)
            payload = bytearray(rng.randbytes(rng.choice([0, 1, 5, 12, 16, 40, 300])))
            for i in range(min(len(payload), 8)):
                payload[i] = payload[i] if rng.random() < 0.5 else rng.choice([0, 1, 7, SESSION if i == 0 else 0])
        raw = encode(kind, self.sequence, bytes(payload), 0 if kind in (1, 2, 3) else SESSION)
        self.sequence += 1
        line = words(raw) if rng.random() < 0.4 else stuff(raw) + b"\0"
        return self.spoil(line) if rng.random() < 0.3 else line

    def spoil(self, line: bytes) -> bytes:
        """Change, cut, double or precede by noise."""
        rng, out = self.rng, bytearray(line)
        for _ in range(rng.choice([0, 1, 2, 12, 20])):
            out[rng.randrange(len(out))] = rng.randrange(256)
        if rng.random() < 0.3:
            del out[rng.randrange(len(out)) :]
        if rng.random() < 0.2:
            out = bytearray(rng.randbytes(rng.randrange(600))) + out
        return bytes(out) * rng.choice([1, 1, 2])

    def step(self) -> None:
        """Give one packet and take what comes of it."""
        session = self.session
        self.now += self.rng.choice([0.0005, 0.005, 0.05]) if self.rng.random() < 0.999 else 4.0
        session.receive(self.packet(), self.now)
        session.step(self.now)
        self.seen[session.phase.name] += 1
        if session.phase is Phase.READY and not session.busy:
            self.ready()
        while session.joiner.frames:
            self.take(session.joiner.frames.popleft())
        held = len(session._readers[0]._held) + len(session._readers[1]._held) + sum(len(d) for _, d in session.joiner._held.values())
        assert held < 300_000, "a hostile head makes the host hold memory"
        if session.phase is Phase.FAILED or self.rng.random() < 0.001:
            self.begin()

    def ready(self) -> None:
        """Read the description and ask for frames, as the device does."""
        with suppress(ProtocolError):
            self.maker = SetMaker(
                IDENTITY, read_description(self.session.capabilities, self.session.calibration), frozenset(Stream), self.strobe
            )
            self.strobe.draw()
            self.strobe.taken()
        self.session.start(15, 0)
        self.chunk = self.set = self.picture = 0
        self.pending, self.sent = [], {}

    def take(self, frame: HeadFrame) -> None:
        """Hand a frame on and see that it is what the joiner promises."""
        self.seen["frames"] += 1
        assert isinstance(frame.data, np.ndarray)
        assert not frame.data.flags.writeable
        made = self.maker.take(frame) if self.maker is not None else None
        if made is not None:
            assert isinstance(made, FrameSet)
            self.seen["sets"] += 1


def run(iterations: int, seed: int) -> Counter[str]:
    """Fuzz and return how often what was reached; any exception of the host's side goes through."""
    fuzzer = Fuzzer(seed)
    for _ in range(iterations):
        fuzzer.step()
    return fuzzer.seen


if __name__ == "__main__":
    count, start = (int(v) for v in [*sys.argv[1:], "20000", "1"][:2]) if len(sys.argv) != 2 else (int(sys.argv[1]), 1)
    print("ok", count, dict(run(count, start)))
