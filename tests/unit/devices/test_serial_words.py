"""Coded words of the serial head: the C core against a definition of its own, and lines that change, lose and add bytes."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus._native import read_word, write_word
from vultus.devices.heads.packets import LONGEST_PAYLOAD, crc32c, decode, encode
from vultus.devices.heads.words import LINE, PIECE, WordReader, words

# The second definition: everything below is written from the text of PROTOCOL.md, without tables or shift registers.


def times(a: int, b: int) -> int:
    """Multiply in GF(256) bit by bit."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a, b = a << 1, b >> 1
        a ^= 0x11D * (a >> 8)
    return product


def power(exponent: int) -> int:
    """Return a^exponent."""
    value = 1
    for _ in range(exponent):
        value = times(value, 2)
    return value


ROOTS = [power(i) for i in range(1, 25)]
LADDERS = [[power(i * (254 - j) % 255) for j in range(255)] for i in range(1, 25)]


def syndromes(word: bytes) -> list[int]:
    """Return the word's value, as a polynomial, at each root of the code."""
    out = []
    for ladder in LADDERS:
        total = 0
        for byte, factor in zip(word, ladder, strict=True):
            if byte:
                total ^= times(byte, factor)
        out.append(total)
    return out


def parity(data: bytes) -> bytes:
    """Divide by the generator, written out from its roots."""
    generator = [1]
    for root in ROOTS:
        generator = [a ^ times(b, root) for a, b in zip([*generator, 0], [0, *generator], strict=True)]
    rest = [*data, *bytes(24)]
    for at in range(len(data)):
        lead = rest[at]
        for j, coefficient in enumerate(generator):
            rest[at + j] ^= times(lead, coefficient)
    return bytes(rest[-24:])


def scrambler() -> bytes:
    """Return the fixed sequence of 255 bytes."""
    x, out = 1, bytearray()
    for _ in range(255):
        x = (25173 * x + 13849) % 65536
        out.append(x >> 8)
    return bytes(out)


def unmask(line: bytes) -> bytes:
    """Undo scrambling and the exclusive-or that keeps zero bytes away, on a line without errors."""
    word = bytes(a ^ b for a, b in zip(line, scrambler(), strict=True))
    return bytes(b ^ word[0] for b in word)


PIECES = st.one_of(
    st.binary(min_size=1, max_size=PIECE), st.integers(1, PIECE).map(lambda n: b"\0" * n), st.binary(min_size=PIECE, max_size=PIECE)
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bytes(range(231)), "9d2f74dc8696d8d91adbc0237182b6607dbb60bd64af389a"),
        (bytes(230) + b"\1", "f4c52114c3c508dafcae96c6a72c7dfb852d4fadd0c76cc1"),
        (b"\xff" * 231, "ffffffffffffffffffffffffffffffffffffffffffffffff"),
        (bytes((i * i * 7 + 3 * i) & 255 for i in range(231)), "24e0d0a45de5a32deb57a398071a66eb512b13b85fa8e52e"),
    ],
)
def test_the_code_is_the_published_one(data: bytes, expected: str) -> None:
    """Parity is that of an independent implementation: reedsolo 1.7.0, RSCodec(24, nsize=255, fcr=1, prim=0x11d, generator=2)."""
    assert parity(data).hex() == expected


@given(PIECES, st.integers(0, 15), st.integers(1, 16))
def test_a_word_is_what_the_protocol_says(piece: bytes, number: int, pieces: int) -> None:
    """The line carries 255 bytes without a zero and then a zero; unscrambled and unmasked they are number, piece and parity."""
    number %= pieces
    line = write_word(piece, number, pieces)
    assert len(line) == LINE
    assert line.index(0) == 255
    word = unmask(line[:255])
    assert word[:2] == bytes([0, number + 16 * (pieces - 1)])
    assert word[2:231] == piece.ljust(PIECE, b"\0")
    assert word[231:] == parity(word[:231])
    assert not any(syndromes(word))


def test_a_word_is_as_it_was() -> None:
    """The example of the protocol's text: a word's bytes do not change from version to version."""
    line = write_word(bytes(range(PIECE)), 0, 1)
    assert line[:8].hex() == "9fe949a90a57fd49"
    assert crc32c(line) == 0x02864C3E


@given(PIECES, st.lists(st.tuples(st.integers(0, 254), st.integers(1, 255)), max_size=12, unique_by=lambda e: e[0]))
def test_any_twelve_wrong_bytes_are_put_right(piece: bytes, errors: list[tuple[int, int]]) -> None:
    """Up to twelve wrong bytes, anywhere, parity too, leave the piece as it was, and are counted."""
    line = bytearray(write_word(piece, 3, 9))
    right = read_word(bytes(line))
    for at, by in errors:
        line[at] ^= by
    found = read_word(line)
    assert right is not None
    assert found == (right[0], len(errors))
    assert found[0][2:231].rstrip(b"\0") == piece.rstrip(b"\0")


@given(st.binary(min_size=255, max_size=255))
def test_what_reads_as_a_word_is_near_one(line: bytes) -> None:
    """Any 255 bytes are refused or are at most twelve bytes from a word of the code."""
    found = read_word(line)
    if found is not None:
        assert not any(syndromes(found[0]))
        assert found[1] <= 12


def test_thirteen_wrong_bytes_are_refused() -> None:
    """Of 2000 words with 13 to 60 wrong bytes none is read; by the code's bound one in 12! would be."""
    rng = random.Random(5)
    for _ in range(2000):
        line = bytearray(write_word(rng.randbytes(PIECE), 0, 1))
        for at in rng.sample(range(255), rng.randint(13, 60)):
            line[at] ^= rng.randint(1, 255)
        assert read_word(line) is None


def test_a_word_beside_its_place_is_none() -> None:
    """Words are not found one or more bytes too early or too late, although the code is cyclic."""
    rng = random.Random(6)
    for piece in (bytes(PIECE), b"\x55" * PIECE, rng.randbytes(PIECE)):
        line = write_word(piece, 0, 2) + write_word(piece, 1, 2)
        assert [at for at in range(257) if read_word(line[at : at + 255]) is not None] == [0, 256]
    for byte in range(256):
        assert read_word(bytes([byte]) * 255) is None


@pytest.mark.parametrize(("piece", "number", "pieces"), [(b"", 0, 1), (bytes(PIECE + 1), 0, 1), (b"x", 1, 1), (b"x", 0, 17), (b"x", -1, 2)])
def test_impossible_words_are_not_written(piece: bytes, number: int, pieces: int) -> None:
    """A piece that does not fit, or a number that is not among the pieces, is a ValueError."""
    with pytest.raises(ValueError, match="word"):
        write_word(piece, number, pieces)
    with pytest.raises(ValueError, match="255 bytes"):
        read_word(bytes(254))


PACKETS = st.lists(st.one_of(st.binary(max_size=60), st.binary(max_size=LONGEST_PAYLOAD)), min_size=1, max_size=5)


@given(PACKETS, st.lists(st.integers(1, 700), min_size=1, max_size=20), st.binary(max_size=300))
def test_packets_are_found_however_the_line_cuts_them(payloads: list[bytes], cuts: list[int], noise: bytes) -> None:
    """After a zero byte, packets come out whole and in order, whatever lay on the line before and whatever pieces it arrives in."""
    packets = [encode(1, i, p, 5) for i, p in enumerate(payloads)]
    stream = noise + b"\0" + b"".join(map(words, packets))
    reader, found, at, turn = WordReader(), [], 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        found += reader.feed(stream[at : at + step])
        at, turn = at + step, turn + 1
    assert [f for f in found if decode(f, 5)] == packets


@pytest.mark.parametrize("where", [*range(0, 256, 17), *range(243, 256)])
@pytest.mark.parametrize("lost", [True, False], ids=["lost", "added"])
def test_one_byte_lost_or_added_costs_at_most_two_packets(where: int, lost: bool) -> None:
    """A byte that is missing or too many spoils the word that it is in and at most the next one; all later packets come."""
    packets = [encode(1, i, bytes([i]) * 200, 5) for i in range(6)]
    stream = bytearray(b"".join(map(words, packets)))
    if lost:
        del stream[256 + where]
    else:
        stream.insert(256 + where, 77)
    found = [f for f in WordReader().feed(bytes(stream)) if decode(f, 5)]
    assert found[0] == packets[0]
    assert found[-3:] == packets[3:]


def test_doubled_and_swapped_words() -> None:
    """A word that comes twice does no harm; words out of order cost their packet and nothing else."""
    first, second, third = (encode(1, i, random.Random(i).randbytes(900), 5) for i in range(3))
    pieces = [words(second)[i : i + 256] for i in range(0, 1024, 256)]
    doubled = b"".join(p + p for p in pieces)
    assert WordReader().feed(words(first) + doubled + words(third)) == [first, second, third]
    swapped = pieces[1] + pieces[0] + pieces[2] + pieces[3]
    assert WordReader().feed(words(first) + swapped + words(third)) == [first, third]


@given(st.lists(st.binary(max_size=1500), max_size=6))
def test_hostile_bytes_only_count(pieces: list[bytes]) -> None:
    """Any bytes at all give candidates or a count, never an exception, and little memory is held."""
    reader = WordReader()
    for piece in pieces:
        reader.feed(piece)
        assert len(reader._held) < LINE
    assert all(a <= b for a, b in pairwise([0, reader.bad]))


@given(PIECES, st.integers(0, 15), st.integers(1, 16), st.integers(0, 2**16 - 1))
def test_hostile_pieces_only_count(piece: bytes, number: int, pieces: int, length: int) -> None:
    """Well-coded words with any number, count and length field give candidates that are as long as they say, or a count."""
    body = (piece[:4].ljust(4, b"\1") + length.to_bytes(2, "little") + piece[6:]).ljust(PIECE, b"\0")
    reader = WordReader()
    for packet in reader.feed(write_word(body, number % pieces, pieces) * 2 + write_word(body, 0, 1)):
        assert len(packet) == length + 10 <= PIECE
