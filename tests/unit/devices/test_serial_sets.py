"""From a serial head's pictures to frame sets: what it says about itself, its strobe pattern, and sets with something wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.devices.heads.description import Description, read_description
from vultus.devices.heads.frames import DEPTH, NIR, RGB, HeadFrame
from vultus.devices.heads.sets import SetMaker
from vultus.devices.heads.strobe import LENGTH, Strobe
from vultus.errors import ProtocolError
from vultus.frames import DeviceIdentity, FrameSet, Source, Stream

SIDE = 16
STREAMS = [
    {"stream": name, "format": layout, "width": SIDE, "height": SIDE}
    for name, layout in (("rgb", "rgb8"), ("nir", "grey8"), ("nir_ambient", "grey8"), ("depth", "depth16"))
]
SAYS: dict[str, Any] = {"model": "head", "serial": "7", "firmware": "2", "rate_hz": 5, "strobe": True, "streams": STREAMS, "colour": "red"}
CALIBRATION: dict[str, Any] = {
    "rgb": {"intrinsics": {"fx": 30.0, "fy": 30, "cx": 7.5, "cy": 7.5}},
    "nir": {
        "intrinsics": {"fx": 20, "fy": 20, "cx": 7.5, "cy": 7.5},
        "extrinsics": {"rotation": [1, 0, 0, 0, 1, 0, 0, 0, 1], "translation_mm": [15, 0, 0]},
    },
    "laser": 3,
}
IDENTITY = DeviceIdentity("serial", "head", "7", Source.LIVE)
WHOLE = Description("head", "7", "2", *(getattr(read_description(SAYS, CALIBRATION), n) for n in ("strobe", "capabilities", "optics")))


def test_a_description_is_read() -> None:
    """Names, streams, rate and calibration are taken over, the ambient picture has the NIR camera's, what is not known is ignored."""
    found = read_description(SAYS, CALIBRATION)
    assert (found.model, found.serial, found.firmware, found.strobe) == ("head", "7", "2", True)
    assert found.capabilities.streams == set(Stream)
    assert found.capabilities.rate_hz == 5
    assert found.optics[Stream.RGB].intrinsics.fx == 30
    assert found.optics[Stream.NIR] == found.optics[Stream.NIR_AMBIENT]
    assert found.optics[Stream.NIR].extrinsics.translation_mm == (15, 0, 0)
    assert found.optics[Stream.DEPTH].intrinsics is None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda says, _: says.pop("streams"), "streams"),
        (lambda says, _: says.pop("strobe"), "strobe"),
        (lambda says, _: says.update(streams=[]), "no stream"),
        (lambda says, _: says.update(streams=5), "iterable"),
        (lambda says, _: says.update(streams=["rgb"]), "no sense"),
        (lambda says, _: says.update(model="a\nb"), "printable"),
        (lambda says, _: says.update(serial=7), "text"),
        (lambda says, _: says.update(model="x" * 65), "64"),
        (lambda says, _: says.update(rate_hz=0), "rate"),
        (lambda says, _: says.update(rate_hz="5"), "number"),
        (lambda says, _: says["streams"][0].update(width=15), "side"),
        (lambda says, _: says["streams"][0].update(width=True), "side"),
        (lambda says, _: says["streams"][0].update(height=99999), "side"),
        (lambda says, _: says["streams"][0].update(format="grey8"), "format"),
        (lambda says, _: says["streams"][2].update(format="grey16"), "differ"),
        (lambda says, _: says["streams"][2].update(width=32), "differ"),
        (lambda _, optics: optics["rgb"]["intrinsics"].pop("fx"), "fx"),
        (lambda _, optics: optics["rgb"]["intrinsics"].update(fx=-1), "focal"),
        (lambda _, optics: optics["rgb"]["intrinsics"].update(fx=True), "number"),
        (lambda _, optics: optics["nir"]["extrinsics"].update(rotation=[1, 2]), "no sense"),
        (lambda _, optics: optics["nir"]["extrinsics"].update(rotation=[1] * 9), "orthonormal"),
        (lambda _, optics: optics["nir"].update(extrinsics=4), "no sense"),
        (lambda _, optics: optics.update(nir="none"), "no sense"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(change: Callable[[Any, Any], Any], word: str) -> None:
    """What is missing or impossible in either object is a ProtocolError of one line that names it."""
    says, optics = copy.deepcopy(SAYS), copy.deepcopy(CALIBRATION)
    change(says, optics)
    with pytest.raises(ProtocolError, match=word) as caught:
        read_description(says, optics)
    assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*SAYS, *CALIBRATION, "stream", "fx", "width"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(SAYS)), JSON), st.dictionaries(st.sampled_from(sorted(CALIBRATION)), JSON))
def test_any_objects_are_read_or_refused(says: dict[str, Any], optics: dict[str, Any]) -> None:
    """Whatever JSON a head sends is read or is a ProtocolError."""
    for first, second in ((says, optics), (SAYS | says, CALIBRATION | optics)):
        with suppress(ProtocolError):
            read_description(first, second)


def test_ambient_without_a_strobe_is_left_out() -> None:
    """A head without a strobe cannot say which picture is lit, so that its second NIR stream is not offered."""
    found = read_description(SAYS | {"strobe": False}, {})
    assert found.capabilities.streams == {Stream.RGB, Stream.NIR, Stream.DEPTH}
    assert not found.strobe


class Head:
    """Makes the pictures of a head that has the strobe pattern."""

    def __init__(self, streams: frozenset[Stream] = frozenset(Stream), description: Description = WHOLE) -> None:
        self.strobe = Strobe()
        self.pattern = self.strobe.draw()
        self.strobe.taken()
        self.maker = SetMaker(IDENTITY, description, streams, self.strobe)
        self.at = 0

    def pictures(self, number: int, position: int | None = None) -> list[HeadFrame]:
        """Return one set, lit as the pattern says."""
        place = self.at % LENGTH if position is None else position
        self.at += 1
        lit = 0 if self.pattern.bits >> place & 1 else 1

        def picture(stream: int, exposure: int, data: np.ndarray, last: bool = False) -> HeadFrame:
            return HeadFrame(stream, exposure, last, number, self.pattern.number, place, 1000 * number + exposure, data)

        grey = [np.full((SIDE, SIDE), 100 if e == lit else 20, np.uint8) for e in (0, 1)]
        return [
            picture(RGB, 0, np.zeros((SIDE, SIDE, 3), np.uint8)),
            picture(NIR, 0, grey[0]),
            picture(NIR, 1, grey[1]),
            picture(DEPTH, 0, np.zeros((SIDE, SIDE), np.uint16), last=True),
        ]

    def give(self, pictures: list[HeadFrame]) -> list[FrameSet]:
        """Hand pictures over and return what they make."""
        return [made for p in pictures if (made := self.maker.take(p)) is not None]


def test_sets_are_made_and_the_pattern_says_which_picture_is_lit() -> None:
    """Each set of a whole pattern is handed over with the lit picture as NIR, and skew and gaps are counted."""
    head = Head()
    made = [s for n in range(LENGTH) for s in head.give(head.pictures(2 * n))]
    assert len(made) == LENGTH
    assert all(s.nir.data[0, 0] == 100 and s.nir_ambient.data[0, 0] == 20 for s in made)
    timing = head.maker.timed(made[-1], 5).timing
    assert (timing.sets, timing.unmatched, timing.worst_skew_ns, timing.mean_skew_ns) == (LENGTH, 0, 1000, 1000)
    assert timing.streams[Stream.DEPTH].lost == LENGTH - 1
    assert timing.streams[Stream.DEPTH].offset_ns == 5


def test_a_pattern_counts_once() -> None:
    """After its 64 sets a pattern is used up, and pictures under it again, or from an earlier place, are dropped: so is a recording of them."""
    head = Head()
    recorded = head.pictures(0)
    assert len(head.give(recorded)) == 1
    for n in range(1, LENGTH):
        head.give(head.pictures(n))
    assert head.strobe.due
    again = [replace(p, set=500, time_us=10**6 + i) for i, p in enumerate(recorded)]
    assert head.give(again) == []
    assert head.maker.dropped == {"its strobe pattern is no longer known": 1}


def test_pictures_under_another_pattern_are_dropped() -> None:
    """Pictures that name a pattern which the host did not draw make no set."""
    head = Head()
    assert head.give([replace(p, strobe=head.pattern.number ^ 1) for p in head.pictures(0)]) == []
    assert head.give(head.pictures(1)) != []


def test_two_patterns_are_known_at_a_time() -> None:
    """Sets of the last pattern still count after the next one was taken, those of the one before do not."""
    head = Head()
    late = [head.pictures(n) for n in range(4)]
    assert head.give(late[0])
    head.strobe.draw()
    head.strobe.taken()
    assert head.give(late[1])
    head.strobe.draw()
    head.strobe.taken()
    assert not head.give(late[2])


def bad_sets() -> dict[str, tuple[Callable[[list[HeadFrame]], list[HeadFrame]], str]]:
    """Return ways to spoil a set, and the reason that is counted."""
    dim = lambda p: replace(p, data=np.full_like(p.data, 50)) if p.stream == NIR else p
    return {
        "one missing": (lambda s: s[1:], "missing"),
        "one twice": (lambda s: [s[0], s[1], s[1], s[3]], "missing or twice"),
        "too many": (lambda s: [s[0]] * 9 + s[1:], "missing or twice"),
        "another size": (lambda s: [replace(s[0], data=np.zeros((32, 16, 3), np.uint8)), *s[1:]], "size or format"),
        "another format": (lambda s: [s[0], *(replace(p, data=p.data.astype(np.uint16)) for p in s[1:3]), s[3]], "size or format"),
        "lit not brighter": (lambda s: [dim(p) for p in s], "brighter"),
        "exposures exchanged": (lambda s: [s[0], replace(s[1], exposure=1), replace(s[2], exposure=0), s[3]], "brighter"),
        "two places": (lambda s: [s[0], s[1], replace(s[2], position=s[2].position + 1), s[3]], "pattern"),
        "time backwards": (lambda s: [replace(p, time_us=1) for p in s], "time runs backwards"),
        "number backwards": (lambda s: [replace(p, set=0) for p in s], "number runs backwards"),
    }


@pytest.mark.parametrize("name", list(bad_sets()))
def test_a_set_with_something_wrong_is_dropped_whole_and_counted(name: str) -> None:
    """A set with anything wrong is not handed over, its reason is counted, and the next good set comes."""
    spoil, reason = bad_sets()[name]
    head = Head()
    assert len(head.give(head.pictures(3))) == 1
    assert head.give(spoil(head.pictures(4))) == []
    assert [reason in text for text in head.maker.dropped] == [True]
    assert len(head.give(head.pictures(5))) == 1


def test_a_set_whose_last_picture_is_lost_ends_with_the_next_one() -> None:
    """Without its last picture a set is dropped when the next one begins."""
    head = Head()
    assert head.give(head.pictures(0)[:-1]) == []
    assert len(head.give(head.pictures(1))) == 1
    assert head.maker.dropped.total() == 1


def test_a_lit_picture_alone_is_told_by_the_pair() -> None:
    """For a caller who wants no ambient picture both are still compared, and the lit one is handed over."""
    head = Head(frozenset({Stream.NIR}))
    made = [s for n in range(10) for s in head.give(head.pictures(n))]
    assert len(made) == 10
    assert all(s.nir.data[0, 0] == 100 and s.nir_ambient is None and s.rgb is None for s in made)


def test_patterns_are_not_guessed() -> None:
    """Numbers and bits of patterns differ from draw to draw, and the number is never 0, which means none."""
    drawn = [Strobe().draw() for _ in range(200)]
    assert len({p.number for p in drawn}) == len({p.bits for p in drawn}) == 200
    assert all(0 < p.number < 2**32 and 0 <= p.bits < 2**64 for p in drawn)
