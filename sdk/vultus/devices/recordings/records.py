"""The records of an MCAP file, version 0 of its specification, as far as recordings use them; nothing in them is trusted."""

from __future__ import annotations

import struct
from typing import Final

from vultus.types import Stream

TOPIC: Final = "/vultus/"
MAGIC: Final = b"\x89MCAP0\r\n"
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, CHUNK_INDEX, METADATA, DATA_END = 0x02, 0x03, 0x04, 0x05, 0x06, 0x08, 0x0C, 0x0F
HEAD: Final = struct.Struct("<BQ")
"""What every record begins with: its kind and the length of its content."""


def text(body: bytes, at: int) -> tuple[str, int]:
    """Return the text that begins at `at` and where it ends; raises ValueError when it reaches beyond the record."""
    (length,) = struct.unpack_from("<I", body, at)
    end = at + 4 + length
    if end > len(body):
        raise ValueError("a text reaches beyond its record")
    return body[at + 4 : end].decode(), end


def pairs(body: bytes, at: int) -> dict[str, str]:
    """Return the map of texts that fills the rest of a record; raises ValueError for another length."""
    (length,) = struct.unpack_from("<I", body, at)
    at += 4
    if at + length != len(body):
        raise ValueError("the metadata record is malformed")
    found = {}
    while at < len(body):
        name, at = text(body, at)
        found[name], at = text(body, at)
    return found


def channel(body: bytes) -> tuple[int, Stream]:
    """Return a channel's number and stream; raises ValueError for another program's channel."""
    (number,) = struct.unpack_from("<H", body)
    topic, _ = text(body, 4)
    if not topic.startswith(TOPIC):
        raise ValueError(f"the channel {topic!r} is not one of a Vultus recording")
    return number, Stream(topic.removeprefix(TOPIC))
