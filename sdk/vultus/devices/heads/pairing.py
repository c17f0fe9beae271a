"""Pair with a sensor head, open its sealed sessions, and unpair: the steps around a session, over any line of bytes."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from vultus.devices.heads.handshake import Handshake
from vultus.devices.heads.keys import check_digits
from vultus.devices.heads.known import KnownHead, KnownHeads
from vultus.devices.heads.messages import Phase
from vultus.devices.heads.session import HostSession
from vultus.errors import DeviceError, DeviceNotFound, PairingError

_RETRY_S: Final = 0.4
"""Also on slow lines (PROTOCOL.md, section 5); pairing is in no hurry."""
_SERIAL_PREFIX: Final = "ed25519:"


class Line(Protocol):
    """A line of bytes to one head."""

    def read(self) -> bytes:
        """Return what has come, after a short wait when there is nothing."""

    def write(self, data: bytes) -> int:
        """Send as much as the line takes at once and return how much that was."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A head that answered and proved its identity, but is not trusted for that yet."""

    identity: bytes

    @property
    def digits(self) -> str:
        """Return its check digits, to be compared with those on the head."""
        return check_digits(self.identity)


def unit_serial(identity: bytes) -> str:
    """Return the serial under which a paired head's frames, templates and calibrations are kept: nobody else can claim it."""
    return _SERIAL_PREFIX + identity.hex()


def unproven_serial(claimed: str) -> str:
    """Return what a head that was not asked to prove itself says its serial is, where it cannot be taken for a proven one."""
    return f"unproven:{claimed}" if claimed.casefold().startswith(_SERIAL_PREFIX) else claimed


def session_number() -> int:
    """Draw the number of a new session."""
    return 1 + secrets.randbelow(2**32 - 1)


def sealed_handshake(heads: KnownHeads, only: str = "") -> Handshake:
    """Return the handshake of a session with any head that is paired, or with `only` the one of these 30 check digits.

    Raises PairingError when none is paired, StoreError for damaged files.
    """
    if not heads.all():
        raise PairingError("this host is paired with no sensor head: make the head ready and run vultus pair URL")

    def trusted(head: bytes) -> bool:
        return heads.get(head) is not None and only in ("", check_digits(head).replace(" ", ""))

    return Handshake(heads.identity(), trusted)


def ask(line: Line, heads: KnownHeads) -> Asked:
    """Find out which head answers; it must be ready to be paired or know this host. Stores nothing but this host's new identity.

    Raises PairingError when the head refuses, DeviceNotFound when nobody answers.
    """
    handshake = Handshake(heads.identity(create=True), lambda _: False, pairing=True)
    session = HostSession(session_number(), secure=handshake, retry_s=_RETRY_S)
    _converse(line, session, lambda: bool(handshake.head))
    return Asked(handshake.head)


def pair(line: Line, heads: KnownHeads, asked: Asked, url: str) -> KnownHead:
    """Pair with the head that was asked, and with no other, and store it. Raises PairingError when it refuses or another answers."""
    handshake = Handshake(heads.identity(), lambda head: hmac.compare_digest(head, asked.identity), pairing=True)
    session = HostSession(session_number(), secure=handshake, retry_s=_RETRY_S)
    try:
        _converse(line, session, lambda: session.phase is Phase.READY)
    except DeviceError:
        # From READY on the head knows this host, also when it fails to describe itself.
        if not session.proven:
            raise
    model, serial = (str(session.capabilities.get(key, "")) for key in ("model", "serial"))
    known = heads.add(asked.identity, model, serial, url)
    _leave(line, session)
    return known


def unpair(line: Line, heads: KnownHeads) -> KnownHead:
    """Let the paired head on the line forget this host, and forget it; returns what was known of it."""
    handshake = sealed_handshake(heads)
    session = HostSession(session_number(), secure=handshake, retry_s=_RETRY_S)
    try:
        _converse(line, session, lambda: session.phase is Phase.READY)
    except PairingError as problem:
        raise PairingError(f"{problem}; to forget a head here alone: vultus unpair --head DIGITS") from problem
    known, done = heads.get(handshake.head), []
    if known is None:
        raise PairingError(f"the head {check_digits(handshake.head)} is not paired with this host any more")
    session.unpair(lambda: done.append(True))
    _converse(line, session, lambda: bool(done))
    heads.remove(handshake.head)
    _leave(line, session)
    return known


def _converse(line: Line, session: HostSession, done: Callable[[], bool]) -> None:
    """Serve the line until something holds; the session's own time-outs end the wait."""
    unsent = b""
    while not done():
        unsent += session.step(time.monotonic())
        if unsent:
            unsent = unsent[line.write(unsent) :]
        if session.phase is Phase.FAILED:
            if session.distrusted:
                raise PairingError(f"the head cannot be trusted or refuses: {session.failure}")
            if session.packets == 0:
                raise DeviceNotFound("no head answers: check cable, power, and baud=... in the URL")
            raise DeviceError(f"the head cannot be used: {session.failure}")
        data = line.read()
        if data:
            session.receive(data, time.monotonic())


def _leave(line: Line, session: HostSession) -> None:
    """Tell the head that the session is over; if the line does not take it the head finds out by itself."""
    line.write(session.bye())
