"""Lit and ambient frames are told apart by statement or by a proven rhythm, and by nothing else."""

from __future__ import annotations

import struct
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.devices.v4l2.illumination import GAP, LOOK, Alternation, Strobe, brightness
from vultus.devices.v4l2.metadata import illuminated

PTS_AND_SCR = 0x8C


def block(own: bytes, flags: int = PTS_AND_SCR, standard: int = 10, length: int | None = None) -> bytes:
    """Write one uvc_meta_buf."""
    return struct.pack("<QHBB", 1, 2, 2 + standard + len(own) if length is None else length, flags) + bytes(standard) + own


def item(lit: bool, kind: int = 6) -> bytes:
    """Write a KSCAMERA_METADATA_FRAMEILLUMINATION."""
    return struct.pack("<IIII", kind, 16, int(lit), 0)


def test_metadata_states_the_illumination() -> None:
    """The item is found behind the time stamps, without them, after other items, and in pieces over several headers."""
    for lit in (True, False):
        whole = item(lit)
        assert illuminated(block(whole)) is lit
        assert illuminated(block(whole, flags=0x80, standard=0)) is lit
        assert illuminated(block(struct.pack("<II", 3, 24) + bytes(16) + whole)) is lit
        assert illuminated(block(b"") + block(whole[:5]) + block(whole[5:]) + block(b"")) is lit


@pytest.mark.parametrize(
    "data",
    [
        b"",
        block(b""),
        block(item(lit=True, kind=7)),
        block(item(lit=True) + item(lit=False)),
        block(item(lit=True))[:-1],
        block(item(lit=True), length=255),
        block(item(lit=True), length=1),
        block(b"", standard=4),
        block(struct.pack("<IIII", 6, 8, 1, 0)),
        block(struct.pack("<IIII", 6, 200, 1, 0)),
        block(struct.pack("<II", 6, 3)),
        b"\x00" * 5,
    ],
)
def test_metadata_that_does_not_state_it_says_nothing(data: bytes) -> None:
    """Missing, contradicting, truncated and malformed metadata is None, never a guess."""
    assert illuminated(data) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    """Whatever the camera sends, the answer is True, False or None."""
    assert illuminated(data) in (True, False, None)


def feed(levels, first: int = 0) -> Alternation:
    """Show a rhythm a row of brightnesses."""
    rhythm = Alternation()
    for number, level in enumerate(levels, first):
        rhythm.lit(number, level)
    return rhythm


@pytest.mark.parametrize("first", [0, 1])
def test_the_brighter_half_of_an_alternating_stream_is_lit(first: int) -> None:
    """After enough frames the frames of the brighter parity are lit, those of the other ambient."""
    rhythm = feed([50, 90] * (LOOK // 2), first)
    assert rhythm.found is True
    bright = first + LOOK + 1
    assert rhythm.lit(bright - 1, 50) is False
    assert rhythm.lit(bright, 90) is True


@pytest.mark.parametrize(
    "levels",
    [
        [90.0] * 32,
        [90 + GAP * 0.9 * (i % 2) for i in range(32)],
        [50, 50, 90, 90] * 8,
        list(range(50, 82)),
        [50, 90] * 4 + [90, 50] * 8 + [50, 90] * 4,
    ],
    ids=["steady", "too little", "half the rate", "drift", "breaks"],
)
def test_another_rhythm_is_not_taken_for_a_strobe(levels) -> None:
    """Steady, slowly changing, half as fast and broken rhythms give no ambient stream."""
    assert feed(levels).found is False


def test_chance_alone_passes_as_rarely_as_stated() -> None:
    """Of noisy steady streams, at most the stated share is taken for an alternating one: 2 in C(16, 8), looked at twice."""
    rng = np.random.default_rng(5)
    # Noise far above the least gap, so that the order alone decides: 40 000 looks, 6.2 false alarms expected at the bound.
    streams, wrong = 20_000, 0
    for levels in rng.normal(100, 60, (streams, 2 * LOOK)):
        halves = levels.reshape(2, LOOK // 2, 2)
        separated = (halves.min(1) > halves.max(1)[:, ::-1]).any()
        if separated:
            wrong += feed(levels.tolist()).found is True
    assert wrong <= 6.2 + 4 * 6.2**0.5
    assert comb(LOOK, LOOK // 2) == 12870


def test_a_drifting_exposure_does_not_hide_the_strobe() -> None:
    """Auto-exposure that moves both halves by less than their gap leaves them apart."""
    assert feed([50 + i + 40 * (i % 2) for i in range(LOOK)]).found is True


def test_a_lost_rhythm_tells_nothing_until_it_is_proven_again() -> None:
    """When lit frames are no longer brighter than ambient ones, no frame is told apart before a new proof."""
    rhythm = feed([50, 90] * (LOOK // 2))
    assert rhythm.lit(LOOK, 50) is False
    assert rhythm.lit(LOOK + 1, 51) is None
    assert rhythm.losses == 1
    answers = [rhythm.lit(LOOK + 2 + i, 90 if i % 2 else 50) for i in range(LOOK + 2)]
    assert answers[: LOOK - 1] == [None] * (LOOK - 1)
    assert answers[-2:] == [False, True]


def test_dropped_frames_keep_the_parity_and_a_restart_forgets_it() -> None:
    """A gap in the sequence is bridged by number; numbers that start again are looked at afresh."""
    rhythm = feed([50, 90] * (LOOK // 2))
    assert rhythm.lit(LOOK + 3, 90) is True
    assert rhythm.lit(LOOK + 6, 50) is False
    assert rhythm.lit(0, 90) is None


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 255)), max_size=60))
def test_no_order_of_frames_breaks_the_rhythm(frames) -> None:
    """Any sequence numbers and brightnesses are taken; a frame is lit, ambient or unknown."""
    rhythm = Alternation()
    assert all(rhythm.lit(s, level) in (True, False, None) for s, level in frames)


def test_statements_win_over_brightness_and_join_by_number() -> None:
    """With metadata a frame is what is stated about it, whichever of the two comes first, and is dropped when nothing is."""
    strobe: Strobe[str] = Strobe(metadata=True)
    for n in range(8):
        assert strobe.frame(n, f"f{n}", 100.0) == []
        strobe.statement(n, lit=n % 2 == 0)
    assert (strobe.settled, strobe.how, strobe.pairs) == (True, "metadata", True)
    assert strobe.statement(8, lit=True) == []
    assert strobe.frame(8, "f8", 1.0) == [("f8", True)]
    assert strobe.frame(9, "f9", 1.0) == []
    assert strobe.statement(9, lit=False) == [("f9", False)]
    assert strobe.frame(10, "f10", 1.0) + strobe.statement(10, lit=None) == []


def test_a_stream_that_is_always_lit_has_no_pairs() -> None:
    """Metadata that only ever says lit gives infrared without an ambient half, and a single dark frame is left out."""
    strobe: Strobe[int] = Strobe(metadata=True)
    for n in range(LOOK):
        strobe.frame(n, n, 100.0)
        strobe.statement(n, lit=True)
    assert (strobe.how, strobe.pairs) == ("metadata", False)
    strobe.frame(40, 40, 100.0)
    assert strobe.statement(40, lit=False) == []
    strobe.frame(41, 41, 100.0)
    assert strobe.statement(41, lit=True) == [(41, True)]


def test_an_illuminator_that_starts_late_is_waited_for() -> None:
    """A stream whose first frames are dark, while the illuminator starts, gives pairs all the same."""
    strobe: Strobe[int] = Strobe(metadata=True)
    for n in range(LOOK + 4):
        strobe.frame(n, n, 50.0)
        strobe.statement(n, lit=n > LOOK and n % 2 == 0)
    assert (strobe.how, strobe.pairs) == ("metadata", True)


def test_a_stream_that_is_never_lit_has_no_ambient_half() -> None:
    """Metadata that only ever says dark gives plain infrared pictures, not ambient halves of pairs."""
    strobe: Strobe[int] = Strobe(metadata=True)
    for n in range(2 * LOOK):
        strobe.frame(n, n, 100.0)
        strobe.statement(n, lit=False)
    assert (strobe.how, strobe.pairs) == ("none", False)
    assert strobe.frame(90, 90, 100.0) == [(90, True)]


@pytest.mark.parametrize("says", [None, "nothing at all"])
def test_mute_metadata_leaves_the_brightness(says) -> None:
    """A metadata node that states no illumination, or gives no buffers, leaves the decision to the brightness."""
    strobe: Strobe[int] = Strobe(metadata=True)
    for n in range(2 * LOOK):
        strobe.frame(n, n, 90.0 if n % 2 else 50.0)
        if says is None:
            strobe.statement(n, lit=None)
    assert (strobe.how, strobe.pairs) == ("brightness", True)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_a_strobe_shows_however_many_bits_are_filled(bits: int) -> None:
    """A 16-bit picture that fills its lowest bits only shows the same strobe as one that fills all, and a steady one shows none."""
    lit, ambient = (np.full((20, 20), level << (bits - 8), np.uint16) for level in (120, 100))
    assert feed([brightness(lit), brightness(ambient)] * LOOK).found is True
    faint = (np.full((20, 20), (100 << (bits - 8)) + i, np.uint16) for i in (0, 1))
    assert feed([brightness(f) for f in faint] * LOOK).found is False


def test_a_tiny_share_of_much_light_is_no_strobe() -> None:
    """Beside bright daylight, a difference below the least share of it does not count."""
    assert feed([200.0, 204.0] * LOOK).found is False
    assert feed([200.0, 206.0] * LOOK).found is True
