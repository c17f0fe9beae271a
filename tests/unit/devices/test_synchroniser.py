"""The synchroniser on streams whose true exposure times are known."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.devices.base import Order
from vultus.devices.clocks import RESTART_NS, SETTLE, ClockOffset
from vultus.devices.synchroniser import Lane, Synchroniser
from vultus.frames import DeviceIdentity, Frame, FrameSet, Source, Stream

DEVICE = DeviceIdentity("test", "made up", "", Source.SIMULATED)
MS = 1_000_000
PICTURES = {
    Stream.RGB: np.zeros((16, 16, 3), np.uint8),
    Stream.NIR: np.zeros((16, 16), np.uint8),
    Stream.NIR_AMBIENT: np.zeros((16, 16), np.uint8),
    Stream.DEPTH: np.zeros((16, 16), np.uint16),
}
BOUNDS = st.sampled_from([5 * MS, 20 * MS, 40 * MS])


def frame(stream: Stream, time_ns: int) -> Frame:
    """Make a frame with nothing on it."""
    return Frame(stream, PICTURES[stream], time_ns)


@dataclass(frozen=True)
class Sensor:
    """A stream's truth: its rhythm, its clock against the host's, how late its frames arrive and how many never do."""

    lane: Lane
    offset_ns: int
    drift: float
    phase_ns: int
    jitter_ns: int
    delay_ns: int
    delay_jitter_ns: int
    drops: float


def shoot(sensors: list[Sensor], seconds: float, seed: int) -> list[tuple[int, int, Frame]]:
    """Return (arrival, true exposure time, frame) of every frame that arrives, in order of arrival."""
    out = []
    for number, s in enumerate(sensors):
        rng = np.random.default_rng([seed, number])
        at = 10**9 + s.phase_ns
        arrived = 0
        for _ in range(int(seconds * s.lane.rate_hz)):
            at += int(1e9 / s.lane.rate_hz) + int(rng.integers(-s.jitter_ns, s.jitter_ns + 1))
            arrived = max(arrived + 1, at + s.delay_ns + int(rng.integers(0, s.delay_jitter_ns + 1)))
            if rng.random() >= s.drops:
                out.append((arrived, at, frame(s.lane.stream, int(at * (1 + s.drift)) + s.offset_ns)))
    return sorted(out, key=lambda found: found[0])


@st.composite
def rigs(draw: st.DrawFn) -> list[Sensor]:
    """Draw an RGB, an infrared and a depth sensor, each with a clock of its own."""
    rates = st.sampled_from([10.0, 15.0, 25.0, 30.0, 60.0])
    return [
        Sensor(
            Lane(stream, draw(rates), clock=stream.value, needed=stream is Stream.RGB or draw(st.booleans())),
            draw(st.integers(0, 10**12)),
            draw(st.sampled_from([-1e-4, 0.0, 1e-4])),
            draw(st.integers(0, 50 * MS)),
            draw(st.integers(0, 4 * MS)),
            draw(st.integers(0, 40 * MS)),
            draw(st.integers(0, 30 * MS)),
            draw(st.sampled_from([0.0, 0.1, 0.5])),
        )
        for stream in (Stream.RGB, Stream.NIR, Stream.DEPTH)
    ]


def run(sync: Synchroniser, arrivals: list[tuple[int, int, Frame]]) -> list[FrameSet]:
    """Feed the arrivals and take after each, as a quick reader does."""
    out = []
    for arrived, _, found in arrivals:
        sync.add(found, arrived)
        while (frame_set := sync.take(arrived)) is not None:
            out.append(frame_set)
    return out


@given(rig=rigs(), bound=BOUNDS, seed=st.integers(0, 1000))
def test_sets_keep_the_bound_and_the_order_and_use_no_frame_twice(rig: list[Sensor], bound: int, seed: int) -> None:
    """Whatever the clocks, the jitter and the drops, a set is within the bound, in order, not stale, and made of frames of its own."""
    sync = Synchroniser(DEVICE, [s.lane for s in rig], max_skew_ns=bound, max_age_ns=250 * MS)
    order = Order()
    sets = run(sync, shoot(rig, 3, seed))
    for frame_set in sets:
        assert frame_set.skew_ns <= bound
        assert order.problem(frame_set) is None
    times = [(f.stream, f.time_ns) for s in sets for f in s.frames()]
    assert len(times) == len(set(times))
    timing = sync.timing()
    for sensor in rig:
        counts = timing.streams[sensor.lane.stream]
        assert counts.received >= counts.used + counts.refused
        present = [s for s in sets if getattr(s, sensor.lane.stream.value) is not None]
        assert counts.used == len(present) + (counts.used - len(present)) * (timing.stale > 0)
        assert not sensor.lane.needed or len(present) == len(sets)
    assert timing.worst_skew_ns <= bound
    assert timing.mean_skew_ns <= timing.worst_skew_ns


@given(rig=rigs(), seed=st.integers(0, 1000))
def test_the_true_skew_is_the_bound_and_the_error_of_the_clocks_at_most(rig: list[Sensor], seed: int) -> None:
    """Frames of one set were really taken within the bound, plus the delays and the drift that nobody can see."""
    bound = 20 * MS
    sync = Synchroniser(DEVICE, [s.lane for s in rig], max_skew_ns=bound)
    arrivals = shoot(rig, 3, seed)
    truth = {(f.stream, f.time_ns): at for _, at, f in arrivals}
    drifted = 3_000_000_000 * 2e-4
    worst = max(s.delay_ns + s.delay_jitter_ns for s in rig) - min(s.delay_ns for s in rig)
    offsets: dict[Stream, int] = {}
    for arrived, _, found in arrivals:
        sync.add(found, arrived)
        frame_set = sync.take(arrived)
        if frame_set is None or frame_set.timing is None:
            continue
        offsets = {s: t.offset_ns for s, t in frame_set.timing.streams.items()}
        found_times = [truth[f.stream, f.time_ns - offsets[f.stream]] for f in frame_set.frames()
                       if (f.stream, f.time_ns - offsets[f.stream]) in truth]  # fmt: skip
        if found_times:
            assert max(found_times) - min(found_times) <= bound + worst + drifted


@given(rate=st.sampled_from([30.0, 60.0, 90.0]), phase=st.integers(0, 33 * MS), seed=st.integers(0, 1000))
def test_the_nearest_frame_is_taken(rate: float, phase: int, seed: int) -> None:
    """With one clock and a jitter below a quarter of a period no other frame of a stream was nearer to the slow stream's moment."""
    jitter = int(0.1e9 / rate)
    rig = [
        Sensor(Lane(Stream.RGB, 15.0), 0, 0.0, 0, 2 * MS, 5 * MS, 5 * MS, 0.0),
        Sensor(Lane(Stream.NIR, rate), 0, 0.0, phase, jitter, 5 * MS, 5 * MS, 0.0),
    ]
    arrivals = shoot(rig, 2, seed)
    infrared = [f.time_ns for _, _, f in arrivals if f.stream is Stream.NIR]
    sets = run(Synchroniser(DEVICE, [s.lane for s in rig]), arrivals)
    assert len(sets) >= 25
    for frame_set in sets:
        assert frame_set.rgb is not None
        assert frame_set.nir is not None
        moment = frame_set.rgb.time_ns
        assert abs(frame_set.nir.time_ns - moment) == min(abs(t - moment) for t in infrared)


@given(
    offset=st.integers(-(10**9), 10**12),
    drift=st.sampled_from([-1e-4, 0.0, 1e-4]),
    delay=st.integers(0, 50 * MS),
    jitter=st.integers(0, 50 * MS),
)
def test_the_offset_is_found_to_within_the_least_delay(offset: int, drift: float, delay: int, jitter: int) -> None:
    """The estimate is above the true offset by the least delay of the last seconds and by what the clock drifted in them."""
    clock = ClockOffset()
    rng = np.random.default_rng(1)
    least = 10**12
    for number in range(300):
        at = 2 * 10**9 + number * 33_333_333
        late = delay + int(rng.integers(0, jitter + 1))
        least = min(least, late) if number > 150 else 10**12
        clock.see(int(at * (1 + drift)) + offset, at + late)
    truth = at - (int(at * (1 + drift)) + offset)
    assert abs(clock.offset_ns - truth - least) <= jitter + 1e-4 * 5.1e9
    assert clock.offset_ns >= truth - 1e-4 * 5.1e9


def test_equal_clocks_and_no_delay_give_every_frame() -> None:
    """Three streams in step make a set of every moment, and the counts say so."""
    lanes = [Lane(s, 30.0) for s in (Stream.RGB, Stream.NIR, Stream.DEPTH)]
    sync = Synchroniser(DEVICE, lanes)
    for number in range(30):
        at = 10**9 + number * 33_333_333
        for lane in lanes:
            sync.add(frame(lane.stream, at), at)
        frame_set = sync.take(at)
        assert frame_set is not None
        assert frame_set.sequence == number
        assert frame_set.timing is not None
        assert frame_set.timing.streams[Stream.RGB].used == number + 1
    assert sync.timing().streams[Stream.DEPTH].lost == 0


def test_a_stale_set_is_refused_and_counted() -> None:
    """A set that waited longer than the age allowed never comes out."""
    sync = Synchroniser(DEVICE, [Lane(Stream.RGB, 30.0)], max_age_ns=100 * MS)
    sync.add(frame(Stream.RGB, 10**9), 10**9 + 5 * MS)
    assert sync.take(10**9 + 101 * MS) is None
    assert sync.timing().stale == 1
    sync.add(frame(Stream.RGB, 2 * 10**9), 2 * 10**9)
    assert sync.take(2 * 10**9 + 100 * MS) is not None


def test_a_stream_that_falls_silent_costs_its_frames_only_where_it_is_optional() -> None:
    """Without an optional stream sets go on after the patience; without a needed one there are none."""
    for needed in (False, True):
        sync = Synchroniser(DEVICE, [Lane(Stream.RGB, 30.0), Lane(Stream.NIR, 30.0, needed=needed)])
        sets = 0
        for number in range(60):
            at = 10**9 + number * 33_333_333
            sync.add(frame(Stream.RGB, at), at)
            if number < 10:
                sync.add(frame(Stream.NIR, at), at)
            sets += sync.take(at) is not None
        assert sets == 10 if needed else sets >= 50
        assert (sync.timing().unmatched > 40) is needed


def test_lost_and_refused_frames_are_counted() -> None:
    """A gap in the rhythm counts the frames that should have been there; an old or a future frame is refused."""
    sync = Synchroniser(DEVICE, [Lane(Stream.RGB, 10.0)])
    for at in (1000, 1100, 1400, 1300, 1400):
        sync.add(frame(Stream.RGB, at * MS), 1500 * MS)
    sync.add(frame(Stream.RGB, 1700 * MS), 1600 * MS)
    counts = sync.timing().streams[Stream.RGB]
    assert (counts.received, counts.lost, counts.refused) == (6, 2, 3)


def test_a_restarted_clock_is_noticed() -> None:
    """A sensor whose clock falls back to zero is learnt again and goes on giving sets, never with a time that runs backwards."""
    sync = Synchroniser(DEVICE, [Lane(Stream.RGB, 30.0, "a"), Lane(Stream.NIR, 30.0, "b")])
    order, after = Order(), 0
    for number in range(120):
        at = 10**10 + number * 33_333_333
        own = at if number < 60 else at - 61 * 33_333_333 - RESTART_NS
        sync.add(frame(Stream.RGB, at), at + MS)
        sync.add(frame(Stream.NIR, own), at + MS)
        frame_set = sync.take(at + MS)
        if frame_set is not None:
            assert order.problem(frame_set) is None
            after += number > 60
    assert after >= 59 - 2 * SETTLE


def test_a_slow_reader_gets_the_newest_sets() -> None:
    """Sets beyond those that may wait are dropped from the old end."""
    sync = Synchroniser(DEVICE, [Lane(Stream.RGB, 30.0)], waiting=1)
    for at in (1000, 1033, 1066):
        sync.add(frame(Stream.RGB, at * MS), at * MS)
    frame_set = sync.take(1070 * MS)
    assert frame_set is not None
    assert frame_set.time_ns == 1066 * MS
    assert frame_set.timing is not None
    assert frame_set.timing.stale == 2


@pytest.mark.parametrize(
    ("lanes", "what"),
    [
        ([], "at least one"),
        ([Lane(Stream.RGB, 30.0, needed=False)], "at least one"),
        ([Lane(Stream.RGB, 30.0), Lane(Stream.RGB, 30.0)], "twice"),
        ([Lane(Stream.RGB, 30.0), Lane(Stream.NIR_AMBIENT, 30.0)], "comes with nir"),
    ],
)
def test_lanes_that_cannot_make_sets_are_refused(lanes: list[Lane], what: str) -> None:
    """A synchroniser is not made of lanes that could never give a whole set."""
    with pytest.raises(ValueError, match=what):
        Synchroniser(DEVICE, lanes)


def test_a_stream_without_a_lane_is_refused() -> None:
    """A frame of a stream that was not announced is a mistake of the driver."""
    with pytest.raises(ValueError, match="depth"):
        Synchroniser(DEVICE, [Lane(Stream.RGB, 30.0)]).add(frame(Stream.DEPTH, 1), 1)


def test_thirty_a_second_costs_less_than_a_tenth_of_the_time() -> None:
    """Ten seconds of four streams at 30 a second with clocks of their own take less than one."""
    rig = [
        Sensor(Lane(s, 30.0, s.value, needed=s is not Stream.NIR_AMBIENT), 10**9, 1e-5, i * 7 * MS, MS, 5 * MS, 5 * MS, 0.02)
        for i, s in enumerate(Stream)
    ]
    arrivals = shoot(rig, 10, 0)
    start = time.process_time()
    sets = run(Synchroniser(DEVICE, [s.lane for s in rig]), arrivals)
    spent = time.process_time() - start
    assert len(sets) > 200
    assert spent < 1.0
    print(f"\nsynchroniser: {len(sets)} sets of 10 s in {spent:.3f} s, {10 / spent:.0f} x real time")
