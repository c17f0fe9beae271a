"""Coded words of a serial head (native/serial/PROTOCOL.md, section 3.2): bytes that survive twelve wrong ones in 255."""

from __future__ import annotations

from vultus._native.arrays import done, ffi, lib

WORD_BYTES = 255


def write_word(piece: bytes, number: int, pieces: int) -> bytes:
    """Return the 256 bytes that carry a piece of 1 to 229 bytes, `number` of `pieces` (at most 16), the zero byte at the end included."""
    line = bytearray(WORD_BYTES + 1)
    done(lib.vultus_word_write(ffi.from_buffer("uint8_t[]", piece), len(piece), number, pieces, ffi.from_buffer("uint8_t[]", line)), "word")
    return bytes(line)


def read_word(line: bytes | bytearray | memoryview) -> tuple[bytes, int] | None:
    """Return the word in the first 255 bytes of `line` and how many were put right; None when they are no word.

    The word is a zero byte, piece and pieces, 229 bytes, parity. Raises ValueError for fewer than 255 bytes.
    """
    if len(line) < WORD_BYTES:
        raise ValueError(f"a word has {WORD_BYTES} bytes; got {len(line)}")
    word, repaired = bytearray(WORD_BYTES), ffi.new("int *")
    done(lib.vultus_word_read(ffi.from_buffer("uint8_t[]", line), ffi.from_buffer("uint8_t[]", word), repaired), "word")
    return None if repaired[0] < 0 else (bytes(word), int(repaired[0]))
