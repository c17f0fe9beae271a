"""Seeking in a recording: any time is found, in any layout of the file, and a recording of ten minutes is as quick as a short one."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from vultus.devices import Recorder, open_device
from vultus.devices.recordings.recording import Recording
from vultus.devices.recordings.replay import ReplayDevice
from vultus.errors import DeviceState, RecordingError
from vultus.frames import DeviceIdentity, Frame, FrameSet, Source, Stream

CAMERA = DeviceIdentity("camera", "ten minutes", "0003", Source.LIVE)
PERIOD_NS = 33_333_333
START_NS = 7 * 10**12


def make_set(number: int) -> FrameSet:
    """Make the frame set of one place; its pixels tell the place."""
    at = START_NS + number * PERIOD_NS
    grey = np.full((16, 16), number % 251, np.uint8)
    frames = {"rgb": Frame(Stream.RGB, np.repeat(grey[..., None], 3, 2), at), "nir": Frame(Stream.NIR, grey, at + 2_000_000)}
    if number % 3:
        frames["depth"] = Frame(Stream.DEPTH, np.full((16, 16), number, np.uint16), at + 4_000_000)
    return FrameSet(CAMERA, number, **frames)


def write(path: Path, count: int) -> Path:
    """Record as many frame sets."""
    with Recorder(path, CAMERA) as recorder:
        for number in range(count):
            recorder.write(make_set(number))
    return path


@pytest.fixture(params=["a chunk a set", "a chunk a frame"])
def forty(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write forty frame sets in either layout that a recording may have."""
    if request.param == "a chunk a frame":
        monkeypatch.setattr("vultus.devices.recordings.recorder.CHUNK_BYTES", 0)
    return write(tmp_path / "forty.mcap", 40)


@pytest.mark.parametrize("cut", [False, True])
def test_every_time_finds_the_first_frame_set_from_then_on(forty: Path, *, cut: bool) -> None:
    """Whatever the time, in any order, what follows is what reading from the start gives from that time on; a cut file is no exception."""
    if cut:
        forty.write_bytes(forty.read_bytes()[:-6000])
    with closing(Recording(forty, partial=cut)) as recording:
        everything = [(s.sequence, s.time_ns, [f.data.tobytes() for f in s.frames()]) for s in recording]
    assert len(everything) == 40 or (cut and 20 < len(everything) < 40)
    moments = [t + d for _, t, _ in everything for d in (-1, 0, 1)] + [0, START_NS]
    random.Random(2).shuffle(moments)
    with closing(Recording(forty, partial=cut)) as recording:
        for moment in moments:
            recording.seek(moment)
            found = [(s.sequence, s.time_ns, [f.data.tobytes() for f in s.frames()]) for s in recording]
            assert found == [one for one in everything if one[1] >= moment]


def test_asking_for_the_span_leaves_the_place_as_it_was(forty: Path) -> None:
    """The first and last time stamp are told in the middle of reading, and the checksum over the whole is still verified."""
    with closing(Recording(forty)) as recording:
        first = next(recording)
        assert recording.span_ns == (START_NS, make_set(39).time_ns if 39 % 3 else START_NS + 39 * PERIOD_NS + 2_000_000)
        assert [first.sequence, *(s.sequence for s in recording)] == list(range(40))


def test_a_recording_without_an_index_is_sought_by_its_chunks(tmp_path: Path, forty: Path) -> None:
    """A file that another program wrote without a summary is gone through chunk by chunk."""
    from mcap.reader import make_reader
    from mcap.writer import IndexType, Writer

    bare = tmp_path / "bare.mcap"
    with forty.open("rb") as source, bare.open("wb") as target:
        reader = make_reader(source)
        switches = {"repeat_channels": False, "repeat_schemas": False, "use_statistics": False, "use_summary_offsets": False}
        writer = Writer(target, chunk_size=3000, index_types=IndexType.NONE, **switches)
        writer.start()
        for record in reader.iter_metadata():
            writer.add_metadata(record.name, record.metadata)
        numbers: dict[str, int] = {}
        for _, channel, message in reader.iter_messages(log_time_order=False):
            if channel.topic not in numbers:
                numbers[channel.topic] = writer.register_channel(channel.topic, "protobuf", 0)
            writer.add_message(numbers[channel.topic], message.log_time, message.data, message.publish_time)
        writer.finish()
    with closing(Recording(bare)) as recording:
        recording.seek(make_set(30).time_ns)
        assert [s.sequence for s in recording] == list(range(30, 40))


def test_a_cut_recording_is_sought_only_when_partial_is_asked_for(forty: Path) -> None:
    """Seeking in a file without its end says so and what to do."""
    forty.write_bytes(forty.read_bytes()[:-6000])
    with closing(Recording(forty)) as recording, pytest.raises(RecordingError, match="cut short; add"):
        recording.seek(START_NS)


def test_a_flipped_bit_in_the_index_is_noticed(forty: Path) -> None:
    """Whichever byte of the summary is altered, seeking refuses or finds the right frame set; it never gives another."""
    good = forty.read_bytes()
    wanted = make_set(20)
    refused = 0
    for at in range(len(good) - 1, len(good) - 2000, -7):
        forty.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        with closing(Recording(forty)) as recording:
            try:
                recording.seek(wanted.time_ns)
                found = next(recording)
            except RecordingError:
                refused += 1
                continue
        assert (found.sequence, found.time_ns) == (20, wanted.time_ns)
    assert refused > 280


def test_a_replay_seeks_in_seconds(forty: Path) -> None:
    """A replay goes on at the second that it is told, forwards and backwards, and ends where the recording does."""
    with open_device(f"replay:{forty}") as device:
        assert isinstance(device, ReplayDevice)
        for second, number in ((1.0, 30), (0.5, 15), (0.0, 0)):
            device.seek(second)
            found = device.read()
            assert found is not None
            assert found.sequence == number
        device.seek(1e6)
        assert device.read() is None
        with pytest.raises(ValueError, match="begins at 0 seconds"):
            device.seek(-0.1)
    with pytest.raises(DeviceState, match="closed"):
        device.seek(1.0)


def test_a_replay_begins_where_its_url_says(forty: Path) -> None:
    """`from=SECONDS` skips what comes before, also when the device is opened again, and refuses a time after the end."""
    device = open_device(f"replay:{forty}?from=1.2")
    for _ in range(2):
        assert [s.sequence for s in device.frames()] == list(range(36, 40))
        device.close()
        device.open()
    device.close()
    with pytest.raises(RecordingError, match="no frame set after 99 s"):
        open_device(f"replay:{forty}?from=99")


def test_recorded_speed_starts_anew_where_it_was_sent(forty: Path) -> None:
    """After a seek the distances between frame sets are kept from there, and nothing is waited for that was skipped."""
    with open_device(f"replay:{forty}?speed=recorded") as device:
        assert isinstance(device, ReplayDevice)
        device.read()
        device.seek(1.0)
        start = time.monotonic()
        assert device.read() is not None
        assert time.monotonic() - start < 0.5


@pytest.mark.slow
def test_ten_minutes_open_and_seek_in_under_a_tenth_of_a_second(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """In ten minutes of 30 frame sets a second, opening and reading from any second takes below 100 ms, and a tenth of reading up to there."""
    path = write(tmp_path / "ten.mcap", 18_000)
    seconds = random.Random(1)
    first, later = [], []
    for _ in range(20):
        second = seconds.uniform(0, 599.9)
        start = time.perf_counter()
        with open_device(f"replay:{path}?from={second}") as device:
            found = device.read()
            first.append(time.perf_counter() - start)
            assert isinstance(device, ReplayDevice)
            start = time.perf_counter()
            device.seek(second / 2)
            device.read()
            later.append(time.perf_counter() - start)
        assert found is not None
        assert 0 <= found.time_ns - START_NS - second * 1e9 <= PERIOD_NS * 1.2
    start = time.perf_counter()
    with open_device(f"replay:{path}") as device:
        halfway = sum(1 for _, _ in zip(range(9000), device.frames(), strict=False))
    read_ms = (time.perf_counter() - start) * 1e3
    sought_ms = statistics.median(first) * 1e3
    figures = {"open_and_seek": sought_ms, "worst": max(first) * 1e3, "seek_again": statistics.median(later) * 1e3, "read_halfway": read_ms}
    for name, value in figures.items():
        record_property(f"{name}_ms", round(value, 2))
    print(figures)
    assert halfway == 9000
    assert sought_ms < 100
    assert sought_ms < read_ms / 10
