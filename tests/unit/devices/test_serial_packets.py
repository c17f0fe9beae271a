"""Packets of the serial head: framing, checksum, and bytes that nobody meant to send."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.devices.heads.packets import LONGEST_PAYLOAD, LONGEST_STUFFED, Packet, Unframer, crc32c, decode, encode, stuff, unstuff

PAYLOADS = st.one_of(st.binary(max_size=40), st.binary(max_size=LONGEST_PAYLOAD), st.integers(0, LONGEST_PAYLOAD).map(lambda n: b"\1" * n))


def slow_crc(data: bytes) -> int:
    """Compute CRC-32C bit by bit, as its definition says."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"123456789", 0xE3069283), (b"", 0), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)],
)
def test_the_checksum_is_the_published_one(data: bytes, expected: int) -> None:
    """CRC-32C gives the check value of its catalogue entry and the vectors of RFC 3720."""
    assert crc32c(data) == expected


@given(st.binary(max_size=2600))
def test_the_checksum_is_that_of_its_definition(data: bytes) -> None:
    """At every length, over the step of the tables too, the checksum is that of the bit-by-bit definition."""
    assert crc32c(data) == slow_crc(data)


@pytest.mark.parametrize(
    ("packet", "stuffed"),
    [
        ("11 22 00 33", "03 11 22 02 33"),
        ("", "01"),
        ("00", "01 01"),
        ("00 00", "01 01 01"),
        ("11 00", "02 11 01"),
        ("01" * 253, "fe" + "01" * 253),
        ("01" * 254, "ff" + "01" * 254),
        ("01" * 255, "ff" + "01" * 254 + "0201"),
        ("01" * 254 + "00", "ff" + "01" * 254 + "0101"),
    ],
)
def test_stuffing_is_as_written(packet: str, stuffed: str) -> None:
    """Known packets are stuffed byte for byte as the protocol says, full runs included."""
    assert stuff(bytes.fromhex(packet)) == bytes.fromhex(stuffed)


@given(PAYLOADS)
def test_stuffing_leaves_no_zero_and_comes_back(data: bytes) -> None:
    """Stuffed bytes hold no zero, grow by at most one in 254, and give the packet back."""
    stuffed = stuff(data)
    assert 0 not in stuffed
    assert len(stuffed) <= len(data) + 1 + len(data) // 254
    assert unstuff(stuffed) == data


@given(st.binary(max_size=600))
def test_whatever_unstuffs_is_what_stuffing_gives(data: bytes) -> None:
    """Bytes either unstuff to a packet that stuffs to them, but for a needless last piece, or are refused."""
    packet = unstuff(data)
    if packet is not None:
        assert stuff(packet) in (data, data[:-1])


@given(PAYLOADS, st.integers(0, 255), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1))
def test_packets_come_back(payload: bytes, kind: int, sequence: int, session: int) -> None:
    """A packet decodes to what was encoded, in its own session alone."""
    packet = encode(kind, sequence, payload, session)
    assert decode(packet, session) == Packet(kind, sequence, payload)
    assert decode(packet, session ^ 1) is None
    assert decode(encode(kind, sequence, payload, 0), session, frozenset({kind})) == Packet(kind, sequence, payload)


@given(st.binary(max_size=200), st.integers(0, 10**6), st.integers(1, 255))
def test_one_changed_byte_is_noticed(payload: bytes, at: int, by: int) -> None:
    """Any one changed byte makes a packet invalid."""
    packet = bytearray(encode(0x20, 7, payload, 99))
    packet[at % len(packet)] ^= by
    assert decode(bytes(packet), 99) is None


def test_what_is_too_long_is_refused() -> None:
    """A payload above the limit is neither encoded nor, with everything else right, decoded."""
    with pytest.raises(ValueError, match="at most 1024"):
        encode(1, 0, bytes(LONGEST_PAYLOAD + 1), 0)
    body = struct.pack("<BBHH", 1, 1, 0, LONGEST_PAYLOAD + 1) + bytes(LONGEST_PAYLOAD + 1)
    assert decode(body + crc32c(bytes(4) + body).to_bytes(4, "little"), 0) is None


@given(st.lists(PAYLOADS, max_size=5), st.lists(st.integers(1, 400), min_size=1, max_size=20), st.binary(max_size=30))
def test_packets_are_found_however_the_line_cuts_them(payloads: list[bytes], cuts: list[int], noise: bytes) -> None:
    """Packets come out of the stream whole and in order, whatever pieces it arrives in and whatever lay on the line before."""
    packets = [encode(1, i, p, 5) for i, p in enumerate(payloads)]
    stream = noise + b"\0" + b"".join(stuff(p) + b"\0" for p in packets)
    unframer, found, at, turn = Unframer(), [], 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        found += unframer.feed(stream[at : at + step])
        at, turn = at + step, turn + 1
    assert [f for f in found if decode(f, 5)] == packets


@given(st.lists(st.binary(max_size=1500), max_size=6))
def test_hostile_bytes_only_count(pieces: list[bytes]) -> None:
    """Any bytes at all give candidates or a count, never an exception, and little memory is held."""
    unframer = Unframer()
    for piece in pieces:
        for candidate in unframer.feed(piece):
            decode(candidate, 1)
        assert len(unframer._held) <= LONGEST_STUFFED
    assert unframer.bad >= 0


def test_a_flood_without_an_end_counts_once() -> None:
    """A long run without a zero byte is one bad packet, and the next packet is found."""
    unframer = Unframer()
    for _ in range(100):
        assert unframer.feed(b"\x55" * 1000) == []
    packet = encode(1, 0, b"here", 0)
    assert unframer.feed(b"\0" + stuff(packet) + b"\0") == [packet]
    assert unframer.bad == 1
