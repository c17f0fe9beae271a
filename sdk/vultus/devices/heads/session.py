"""Speak the host's side of the serial head protocol: bytes and the time in, bytes and frames out; no port, no thread, no clock."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any, Final

from vultus.devices.clocks import ClockOffset
from vultus.devices.heads.frames import Joiner
from vultus.devices.heads.handshake import SEALED, Handshake
from vultus.devices.heads.keys import TAG_BYTES
from vultus.devices.heads.messages import LEAST_ANSWER, OPEN, REASONS, SENSOR_FAILED, Kind, Phase
from vultus.devices.heads.packets import Packet, Unframer, crc32c, decode, encode, stuff
from vultus.devices.heads.words import WordReader, words

SILENCE_S: Final = 3.0
"""After so long without a valid packet the head is lost."""
_PING_S: Final = 1.0
CODED: Final = 2
"""Flag of WELCOME: coded words are understood."""
_LEAST_CHUNK: Final = 16
_GIVE_UP_S: Final = 3.0
LONGEST_TEXT: Final = 65535


class HostSession:
    """One session; call `receive` with what came and `step` for what to send. `failure` says why it ended.

    secure: the handshake of a paired session; None only where somebody asked for a session that is not sealed.
    """

    def __init__(self, number: int, *, secure: Handshake | None, chunk: int = 900, retry_s: float = 0.2, coded: bool = False) -> None:
        self.phase = Phase.GREETING
        self.failure = ""
        self.distrusted = False
        """True when the session failed over who speaks with whom, not over the line or the sensor."""
        self.proven = False
        """True once head and host have proved to each other who they are."""
        self.joiner = Joiner()
        self.capabilities: dict[str, Any] = {}
        self.calibration: dict[str, Any] = {}
        self.clock = ClockOffset()
        self.bad = 0
        self.packets = 0
        self._secure = secure
        self.streams = 0
        self._coded = False
        self._wanted_coded = coded
        self._number = number
        # The tag takes its bytes from the chunk, so that a packet fills as many words as without it.
        self._chunk = chunk if secure is None else max(chunk - TAG_BYTES, _LEAST_CHUNK)
        self._retry_s = retry_s
        self._readers: tuple[Unframer, WordReader] = (Unframer(), WordReader())
        self._sequence = 0
        self._out = bytearray(b"\0")
        self._texts = (bytearray(), bytearray())
        self._request = 0
        self._asked: tuple[Kind, bytes] | None = None
        self._answered: Callable[[bytes], None] = lambda _: None
        self._asked_at = self._tried_at = self._heard_at = self._pinged_at = float("-inf")

    def receive(self, data: bytes, now: float) -> None:
        """Take in bytes of the line."""
        cobs, coded = self._readers
        for candidates, in_use in ((cobs.feed(data), not self._coded), (coded.feed(data), self._coded)):
            for raw in candidates:
                packet = self._open(decode(raw, self._number, OPEN))
                if packet is not None and self._act(packet, now):
                    self.packets += 1
                    if self._secure is None or packet.type not in OPEN:
                        self._heard_at = now
                elif packet is not None or in_use:
                    self.bad += 1

    def step(self, now: float) -> bytes:
        """Return what is to be sent now."""
        if self._heard_at == float("-inf"):
            self._heard_at = now
        if self.phase is Phase.GREETING and self._asked is None:
            hello = struct.pack("<IBBB", self._number, 1, 1, 0) if self._secure is None else self._secure.hello(self._number)
            self._ask(Kind.HELLO, hello, self._welcome)
        self._repeat(now)
        if self.phase is Phase.STREAMING and (ack := self.joiner.acknowledgement(now)) is not None:
            self._say(Kind.ACK, ack)
        if self.phase in (Phase.READY, Phase.STREAMING):
            if now - self._pinged_at >= _PING_S:
                self._pinged_at = now
                self._say(Kind.PING, (self._sequence & 0xFFFFFFFF).to_bytes(4, "little"))
            if now - self._heard_at > SILENCE_S:
                self._fail("it fell silent")
        out = bytes(self._out)
        self._out.clear()
        return out

    def start(self, streams: int, period_us: int) -> None:
        """Ask a ready head for frames; the phase is STREAMING when it agreed."""
        self.joiner = Joiner()
        self._ask(Kind.START, struct.pack("<BII", streams, period_us, self.joiner.limit), self._started)

    def strobe(self, number: int, length: int, bits: int, then: Callable[[bool], None]) -> None:
        """Give the head a strobe pattern; `then` is told whether it took it."""
        self._ask(Kind.STROBE, struct.pack("<IBQ", number, length, bits), lambda p: then(int.from_bytes(p[:4], "little") == number))

    def unpair(self, then: Callable[[], None]) -> None:
        """Ask the head of a sealed session to forget this host; `then` is called when it has."""
        self._ask(Kind.UNPAIR, b"", lambda _: then())

    def stop(self) -> None:
        """Ask the head to send no more frames; the phase is READY when it agreed."""
        self._ask(Kind.STOP, b"", self._stopped)

    def bye(self) -> bytes:
        """End the session and return what tells the head so; said twice, for lines that lose bytes."""
        for _ in range(2):
            self._say(Kind.BYE, b"")
        out = bytes(self._out)
        self._out.clear()
        return out

    @property
    def spoilt(self) -> int:
        """Count what came in the framing in use and was no valid packet."""
        return self.bad + self._readers[self._coded].bad

    @property
    def head(self) -> bytes:
        """Return the identity that the head of a sealed session proved, 32 bytes; empty when it proved none."""
        return self._secure.head if self._secure is not None and self.proven else b""

    @property
    def busy(self) -> bool:
        """True while a request waits for its answer."""
        return self._asked is not None

    def _fail(self, why: str, *, distrusted: bool = False) -> None:
        self.phase, self.failure, self._asked, self.distrusted = Phase.FAILED, why, None, distrusted

    def _refused(self, reason: int, otherwise: str) -> None:
        self._fail(REASONS.get(reason, otherwise), distrusted=reason != SENSOR_FAILED)

    def _open(self, packet: Packet | None) -> Packet | None:
        """Unseal a packet where the session is sealed; None when it is not one to be taken."""
        if packet is None or self._secure is None or packet.type in OPEN:
            return packet
        receiving = self._secure.receiving
        payload = receiving.open(packet.type, packet.sequence, packet.payload) if receiving is not None else None
        return None if payload is None else Packet(packet.type, packet.sequence, payload)

    def _say(self, kind: Kind, payload: bytes) -> None:
        if self._secure is not None and self._secure.sending is not None and kind not in OPEN:
            payload = self._secure.sending.seal(kind, self._sequence, payload)
        packet = encode(kind, self._sequence, payload, 0 if kind in OPEN else self._number)
        self._out += words(packet) if self._coded and kind not in OPEN else stuff(packet) + b"\0"
        self._sequence += 1

    def _ask(self, kind: Kind, payload: bytes, answered: Callable[[bytes], None]) -> None:
        """Send a request, again and again, until its answer comes."""
        if kind >= Kind.DESCRIBE:
            self._request = (self._request + 1) & 0xFF
            payload = bytes([self._request]) + payload
        self._asked, self._answered = (kind, payload), answered
        self._asked_at = self._tried_at = float("-inf")

    def _repeat(self, now: float) -> None:
        if self._asked is None:
            return
        if self._asked_at == float("-inf"):
            self._asked_at = now
        if now - self._asked_at > _GIVE_UP_S:
            self._fail("it does not answer" if self.phase is Phase.GREETING else f"it does not answer {self._asked[0].name}")
        elif now - self._tried_at >= self._retry_s:
            self._tried_at = now
            self._say(*self._asked)

    def _act(self, packet: Packet, now: float) -> bool:
        """Act on a valid packet; False when its content makes no sense."""
        kind, payload = packet.type, packet.payload
        if kind in (Kind.WELCOME, Kind.REFUSE):
            return self._greeted(Kind(kind), payload)
        if kind == Kind.CHUNK:
            return self.phase is not Phase.STREAMING or self.joiner.take(payload, packet.sequence, now)
        if kind == Kind.PONG:
            return len(payload) >= 12 and self._timed(int.from_bytes(payload[4:12], "little"), now)
        if kind == Kind.FAULT:
            if not payload:
                return False
            self._refused(payload[0], "it stopped")
            return True
        if self._asked is None or kind != self._asked[0] + 1 or kind not in (Kind.READY, *LEAST_ANSWER):
            return True
        if kind == Kind.READY:
            self._asked, self.proven = None, True
            self._agree_on_framing()
            return True
        if len(payload) < LEAST_ANSWER[Kind(kind)]:
            return False
        if payload[0] == self._asked[1][0]:
            self._asked = None
            self._answered(payload[1:])
        return True

    def _greeted(self, kind: Kind, payload: bytes) -> bool:
        if len(payload) < (5 if kind is Kind.REFUSE else 16) or int.from_bytes(payload[:4], "little") != self._number:
            return False
        if self.phase is Phase.GREETING and kind is Kind.REFUSE:
            self._refused(payload[4], f"it refused, reason {payload[4]}")
        elif self.phase is Phase.GREETING:
            self._asked = None
            self._welcome(payload)
        return True

    def _welcome(self, payload: bytes) -> None:
        if payload[4] != 1:
            self._refused(1, "")
        elif self._wanted_coded and not payload[5] & CODED:
            self._fail("its firmware does not support coded words: leave out framing=words")
        elif self._secure is not None:
            problem = self._secure.welcomed(payload)
            if problem:
                self._fail(problem, distrusted=True)
                return
            self.phase = Phase.PROVING
            self._ask(Kind.PROVE, self._secure.proof(), lambda _: None)
        elif payload[5] & SEALED:
            self._fail("it seals a session that was not to be sealed", distrusted=True)
        else:
            self._agree_on_framing()

    def _agree_on_framing(self) -> None:
        """Before all else: on a line that changes bytes, long answers come through in coded words alone."""
        self.phase = Phase.ASKING
        self._ask(Kind.LINE, struct.pack("<BH", self._wanted_coded, self._chunk), self._line_set)

    def _timed(self, time_us: int, now: float) -> bool:
        """Compare the head's clock with the host's; False for a time that no clock shows."""
        if time_us >= 2**53:
            return False
        self.clock.see(1000 * time_us, round(1e9 * now))
        return True

    def _describe(self, which: int) -> None:
        at = len(self._texts[which])
        self._ask(Kind.DESCRIBE, struct.pack("<BH", which, at), lambda p: self._described(which, p))

    def _described(self, which: int, payload: bytes) -> None:
        kind, at, total, crc = struct.unpack_from("<BHHI", payload)
        text, part = self._texts[which], payload[9:]
        if kind != which or at != len(text) or len(text) + len(part) > total or (not part and at < total):
            self._fail("it describes itself in a way that does not fit together")
            return
        text += part
        if len(text) < total:
            self._describe(which)
            return
        try:
            found = json.loads(text) if crc32c(text) == crc else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self._fail(f"its {'calibration' if which else 'capabilities'} cannot be read")
        elif which == 0:
            self.capabilities = found
            self._describe(1)
        else:
            self.calibration = found
            self.phase = Phase.READY

    def _line_set(self, payload: bytes) -> None:
        if payload[0] != self._wanted_coded:
            self._fail("it speaks in a framing that nobody asked for")
            return
        self._coded = self._wanted_coded
        self._describe(0)

    def _started(self, payload: bytes) -> None:
        if payload[0] == 0:
            self._fail("it did not start")
        else:
            self.streams = payload[0]
            self.phase = Phase.STREAMING

    def _stopped(self, _: bytes) -> None:
        self.phase = Phase.READY
