"""Change valid bytes a little, as a bad disk, a bad line or a bad person would."""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

EDGES = (0, 1, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
"""Numbers at which lengths, counts and signs go wrong."""
ODD = (None, True, -1, 0, 1e308, float("inf"), float("nan"), "", "x" * 300, [], {}, [[]], "\ud7ff", 2**70, [0] * 50, {"a": {}})
"""Values that stand for anything in a document."""


def flip(data: bytearray, rng: random.Random) -> None:
    """Turn one bit over."""
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def put(data: bytearray, rng: random.Random) -> None:
    """Write an edge number of one, two, four or eight bytes, in either order, somewhere."""
    size = rng.choice((1, 2, 4, 8))
    at = rng.randrange(len(data))
    number = rng.choice(EDGES) & (1 << 8 * size) - 1
    data[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))[: len(data) - at]


def cut(data: bytearray, rng: random.Random) -> None:
    """Cut the end off."""
    del data[rng.randrange(len(data)) :]


def drop(data: bytearray, rng: random.Random) -> None:
    """Leave some bytes out."""
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 2, 4, 9, 40))]


def repeat(data: bytearray, rng: random.Random) -> None:
    """Put a piece in twice."""
    at, size = rng.randrange(len(data)), rng.choice((1, 4, 9, 64, 300))
    data[at:at] = data[at : at + size]


def insert(data: bytearray, rng: random.Random) -> None:
    """Put random bytes in."""
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.choice((1, 2, 8, 33)))


def swap(data: bytearray, rng: random.Random) -> None:
    """Exchange two pieces of equal length."""
    size = rng.choice((1, 4, 16, 64))
    a, b = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
    if a + size <= b and b + size <= len(data):
        data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (flip, flip, put, put, cut, drop, repeat, insert, swap)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes after one to four changes."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        if out:
            rng.choice(CHANGES)(out, rng)
    return bytes(out)


def mutate_document(value: Any, rng: random.Random) -> Any:
    """Return a copy of a JSON value with one thing in it changed, removed or put twice."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(list(value))
        if rng.random() < 0.15:
            return {k: v for k, v in value.items() if k != name}
        return {k: mutate_document(v, rng) if k == name else v for k, v in value.items()}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        if rng.random() < 0.15:
            return value[:at] + value[at + rng.choice((-1, 1)) :]
        return [mutate_document(v, rng) if i == at else v for i, v in enumerate(value)]
    if isinstance(value, (int, float)) and rng.random() < 0.5:
        return value * rng.choice((-1, 0, 0.5, 2, 1e9))
    if isinstance(value, str) and rng.random() < 0.5:
        return mutate(value.encode(), rng).decode(errors="replace")
    return rng.choice(ODD)


def document(data: bytes, rng: random.Random) -> bytes:
    """Mutate JSON as a document, now and then as bytes."""
    if rng.random() < 0.1:
        return mutate(data, rng)
    return json.dumps(mutate_document(json.loads(data), rng)).encode()


def png(data: bytes, rng: random.Random) -> bytes:
    """Mutate a PNG file inside its chunks and put their checksums right, or as bytes; JPEG has no checksums."""
    if rng.random() < 0.3 or not data.startswith(b"\x89PNG"):
        return mutate(data, rng)
    chunks, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return mutate(data, rng)
    victim = rng.randrange(len(chunks))
    name, body = chunks[victim]
    chunks[victim] = (name, mutate(body, rng) if body else rng.randbytes(4))
    return data[:8] + b"".join(struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks)


def mcap(data: bytes, rng: random.Random) -> bytes:
    """Mutate a recording's records, or what is in its chunks, and put every checksum right; or as bytes."""
    if rng.random() < 0.3:
        return mutate(data, rng)
    records, at = [], 8
    while at + 9 <= len(data):
        kind, length = struct.unpack_from("<BQ", data, at)
        body = data[at + 9 : at + 9 + length]
        records.append((kind, body))
        at += 9 + length
    if not records:
        return mutate(data, rng)
    chunks = [i for i, (kind, _) in enumerate(records) if kind == 6]
    if chunks and rng.random() < 0.6:
        i = rng.choice(chunks)
        records[i] = (6, _chunk(records[i][1], rng))
    else:
        i = rng.randrange(len(records))
        kind, body = records[i]
        change = rng.randrange(4)
        if change == 0 and body:
            records[i] = (kind, mutate(body, rng))
        elif change == 1:
            records[i] = (rng.choice((2, 3, 4, 5, 6, 8, 0x0C, 0x0F, kind)), body)
        elif change == 2:
            records.insert(rng.randrange(len(records)), records[i])
        else:
            del records[i]
    # No checksum over the whole: 0 says that there is none.
    records = [(k, bytes(4)) if k == 0x0F and rng.random() < 0.9 else (k, b) for k, b in records]
    records = [(k, b[:16] + bytes(4)) if k == 0x02 and rng.random() < 0.9 else (k, b) for k, b in records]
    return data[:8] + b"".join(struct.pack("<BQ", k, len(b)) + b for k, b in records) + b"\x89MCAP0\r\n"


def _chunk(body: bytes, rng: random.Random) -> bytes:
    """Return a chunk whose content was changed, not packed, with the right checksum."""
    import zstandard

    if len(body) < 40:
        return mutate(body or b"\0", rng)
    (length,) = struct.unpack_from("<I", body, 28)
    packed = body[28 + 4 + length + 8 :]
    try:
        if length and zstandard.frame_content_size(packed) > 1 << 20:
            return mutate(body, rng)  # the library would ask for as much memory as the mutated size says
        content = zstandard.ZstdDecompressor().decompress(packed, max_output_size=1 << 20) if length else packed
    except zstandard.ZstdError:
        return mutate(body, rng)
    changed = mutate(content or b"\0", rng)
    if rng.random() < 0.2:
        size = rng.choice((*EDGES, len(changed)))
        changed = zstandard.ZstdCompressor().compress(changed)
        return body[:16] + struct.pack("<QII4sQ", size, zlib.crc32(content), 4, b"zstd", len(changed)) + changed
    return body[:16] + struct.pack("<QIIQ", len(changed), zlib.crc32(changed), 0, len(changed)) + changed
