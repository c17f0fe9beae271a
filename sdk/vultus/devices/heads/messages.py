"""Name the messages of the serial head protocol and what a head may complain about (native/serial/PROTOCOL.md, section 4)."""

from __future__ import annotations

import enum
from typing import Final


class Kind(enum.IntEnum):
    """Message types."""

    HELLO = 0x01
    WELCOME = 0x02
    REFUSE = 0x03
    PROVE = 0x04
    READY = 0x05
    DESCRIBE = 0x10
    DESCRIPTION = 0x11
    LINE = 0x12
    LINE_SET = 0x13
    START = 0x14
    STARTED = 0x15
    STOP = 0x16
    STOPPED = 0x17
    STROBE = 0x18
    STROBE_SET = 0x19
    UNPAIR = 0x1A
    UNPAIRED = 0x1B
    CHUNK = 0x20
    ACK = 0x21
    PING = 0x22
    PONG = 0x23
    FAULT = 0x24
    BYE = 0x25


OPEN: Final = frozenset({Kind.HELLO, Kind.WELCOME, Kind.REFUSE})
"""Belong to no session, and are never sealed."""
LEAST_ANSWER: Final = {Kind.DESCRIPTION: 10, Kind.LINE_SET: 4, Kind.STARTED: 6, Kind.STOPPED: 1, Kind.STROBE_SET: 5, Kind.UNPAIRED: 1}
"""Bytes that an answer to a numbered request has at least."""
SENSOR_FAILED: Final = 6
"""The one reason that says nothing about who speaks with whom."""
REASONS: Final = {
    1: "it speaks another version of the protocol: update its firmware or vultus",
    2: "it speaks only to a paired host: vultus pair",
    3: "it does not know this host: vultus pair makes it known",
    4: "it is not ready to be paired: press its button and try again; if you just did, something else has used the press",
    5: "a proof of identity was wrong",
    6: "its sensor failed",
    7: "its firmware does not support pairing",
    8: "it could not make keys",
}


class Phase(enum.Enum):
    """Where a session stands."""

    GREETING = enum.auto()
    PROVING = enum.auto()
    ASKING = enum.auto()
    READY = enum.auto()
    STREAMING = enum.auto()
    FAILED = enum.auto()
