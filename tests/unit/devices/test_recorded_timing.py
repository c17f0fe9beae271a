"""How a frame set was put together is recorded with it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.devices import Lane, Recorder, Synchroniser, open_device
from vultus.devices.recordings import wire
from vultus.devices.recordings.recording import Recording
from vultus.devices.recordings.trimming import trim
from vultus.frames import DeviceIdentity, FrameSet, Stream, StreamTiming, Timing

counts = st.integers(0, 2**63 - 1)
offsets = st.integers(-(2**63), 2**63 - 1)
stream_timings = st.builds(StreamTiming, counts, counts, counts, counts, offsets)
timings = st.builds(Timing, st.dictionaries(st.sampled_from(Stream), stream_timings), counts, counts, counts, counts, counts)


def recorded(path: Path, sets: list[FrameSet]) -> list[Timing | None]:
    """Record frame sets and return the timings that come back."""
    with Recorder(path, sets[0].device) as recorder:
        for frame_set in sets:
            recorder.write(frame_set)
    with closing(Recording(path)) as recording:
        return [s.timing for s in recording]


@given(st.lists(st.none() | timings, min_size=1, max_size=3))
def test_every_timing_comes_back(make_set: Callable[..., FrameSet], drawn: list[Timing | None]) -> None:
    """Whatever the counts, the skews and the streams of a timing, it comes back with its frame set, and none stays none."""
    with TemporaryDirectory() as folder:
        assert recorded(Path(folder) / "a.mcap", [make_set(n).timed(t) for n, t in enumerate(drawn)]) == drawn


def test_a_synchronised_device_is_replayed_and_trimmed_with_its_timing(
    tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet]
) -> None:
    """The counts that a synchroniser makes, a lost frame among them, reach the reader of a replay and of a piece of it."""
    synchroniser = Synchroniser(camera, [Lane(Stream.RGB, 30.0), Lane(Stream.NIR, 30.0)])
    sets = []
    for number in (0, 1, 3, 4):
        at = 10**9 + number * 33_333_333
        for frame in make_set(number, at, streams=("rgb", "nir")).frames():
            synchroniser.add(frame, at + 1000)
        made = synchroniser.take(at + 2000)
        assert made is not None
        sets.append(made)
    timings_made = [s.timing for s in sets]
    assert timings_made[-1] is not None
    assert timings_made[-1].streams[Stream.NIR].lost == 1
    assert recorded(tmp_path / "a.mcap", sets) == timings_made
    with open_device(f"replay:{tmp_path / 'a.mcap'}") as device:
        assert [s.timing for s in device.frames()] == timings_made
    trim(tmp_path / "a.mcap", tmp_path / "b.mcap", start_s=0.02)
    with closing(Recording(tmp_path / "b.mcap")) as recording:
        assert [s.timing for s in recording] == timings_made[1:]


def test_a_timing_that_does_not_fit_is_refused_and_the_recording_stays_good(
    tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet]
) -> None:
    """A count beyond 64 bits is a ValueError before anything is written."""
    huge = Timing({}, 2**63, 0, 0, 0, 0)
    with Recorder(tmp_path / "a.mcap", camera) as recorder:
        with pytest.raises(ValueError, match="does not fit in 64 bits"):
            recorder.write(make_set(0).timed(huge))
        recorder.write(make_set(1).timed(replace(huge, sets=2)))
    with closing(Recording(tmp_path / "a.mcap")) as recording:
        assert [(s.sequence, s.timing and s.timing.sets) for s in recording] == [(1, 2)]


GOOD = (3, 0, 1, 5, 9)
STREAM = (1, 7, 3, 1, 0, -4)


@pytest.mark.parametrize(
    "numbers",
    [(), GOOD[:4], GOOD + STREAM[:3], (*GOOD, 9, *STREAM[1:]), (*GOOD, 1, -1, *STREAM[2:]), (-1, *GOOD[1:]), GOOD + STREAM + STREAM],
    ids=["empty", "short", "half a stream", "unknown stream", "negative", "negative sets", "stream twice"],
)
def test_a_timing_that_makes_no_sense_is_refused(make_set: Callable[..., FrameSet], numbers: tuple[int, ...]) -> None:
    """A message with a malformed timing is refused; the same message with a right one is read."""
    rgb = make_set(1).rgb
    assert rgb is not None
    right = struct.pack("<11q", *GOOD, *STREAM)
    message = wire.encode(rgb, 1, 0, 1, Timing({Stream.NIR: StreamTiming(*STREAM[1:])}, *GOOD))
    field = bytes([0xDA, 0x06, len(right)]) + right
    assert message.count(field) == 1
    assert wire.decode(message, Stream.RGB).timing == Timing({Stream.NIR: StreamTiming(*STREAM[1:])}, *GOOD)
    wrong = struct.pack(f"<{len(numbers)}q", *numbers)
    length = bytes([len(wrong)]) if len(wrong) < 128 else bytes([len(wrong) & 127 | 128, len(wrong) >> 7])
    with pytest.raises(ValueError, match="timing"):
        wire.decode(message.replace(field, bytes([0xDA, 0x06]) + length + wrong), Stream.RGB)
