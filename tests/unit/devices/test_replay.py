"""Playing recordings: speed, time-outs, partial and damaged files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vultus.devices import Recorder, open_device
from vultus.devices.recordings.replay import ReplayDevice
from vultus.errors import RecordingError
from vultus.frames import DeviceIdentity, FrameSet, Stream

TENTH_NS = 100_000_000


@pytest.fixture
def slow(tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet]) -> Path:
    """Write three frame sets that are a tenth of a second apart."""
    path = tmp_path / "slow.mcap"
    with Recorder(path, camera) as recorder:
        for number in range(3):
            recorder.write(make_set(number, 5 * TENTH_NS + number * TENTH_NS))
    return path


def test_full_speed_does_not_wait(slow: Path) -> None:
    """By default every frame set comes to a read that has no time to wait."""
    with open_device(f"replay:{slow}") as device:
        assert len(list(device.frames(timeout_s=0.0))) == 3


def test_recorded_speed_keeps_the_distances(slow: Path) -> None:
    """At recorded speed the first frame set comes at once and no other before it is due."""
    times: list[float] = []
    with open_device(f"replay:{slow}?speed=recorded") as device:
        assert device.read(timeout_s=0.0) is not None
        start = time.monotonic()
        times.extend(time.monotonic() - start for _ in device.frames())
    # The clock started just before the first frame set was given.
    assert len(times) == 2
    assert times[0] >= 0.08
    assert times[1] >= 0.18


def test_a_frame_set_that_is_not_due_is_not_lost(slow: Path) -> None:
    """A read that times out before the next frame set is due raises TimeoutError, and the next read gives that frame set."""
    with open_device(f"replay:{slow}?speed=recorded") as device:
        first = device.read()
        with pytest.raises(TimeoutError, match="not due"):
            device.read(timeout_s=0.01)
        second = device.read()
    assert first is not None
    assert second is not None
    assert (first.sequence, second.sequence) == (0, 1)


def test_a_gap_of_centuries_can_be_cancelled(tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet]) -> None:
    """A wait for a time stamp far in the future ends with a cancel, without an error."""
    path = tmp_path / "gap.mcap"
    with Recorder(path, camera) as recorder:
        recorder.write(make_set(0, 0))
        recorder.write(make_set(1, 2**63 - 1))
    with open_device(f"replay:{path}?speed=recorded") as device:
        assert device.read() is not None
        threading.Timer(0.05, device.cancel).start()
        assert device.read(timeout_s=None) is None
        assert device.cancelled


def test_the_clock_is_the_callers(tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet]) -> None:
    """By a clock on which an hour passes between two looks, frame sets of half an hour's distance come without waiting."""
    path = tmp_path / "long.mcap"
    with Recorder(path, camera) as recorder:
        for number in range(3):
            recorder.write(make_set(number, number * 18_000 * TENTH_NS))
    hours = iter(range(0, 10**6, 3600))
    with ReplayDevice(path, as_recorded=True, clock=lambda: float(next(hours))) as device:
        assert len(list(device.frames(timeout_s=None))) == 3


def test_capabilities_tell_what_the_first_frame_set_holds(recording: Path, camera: DeviceIdentity) -> None:
    """Streams, sizes and types are known before anything is read, and which device was recorded."""
    with ReplayDevice(recording) as device:
        formats = {f.stream: (f.width, f.height, f.dtype) for f in device.capabilities.formats}
        assert formats[Stream.DEPTH] == (16, 16, "uint16")
        assert device.capabilities.finite
        assert device.capabilities.lit_ambient
        assert device.recorded == camera
    assert device.recorded is None


def test_the_frame_sets_before_a_cut_come_first_and_the_error_stays(recording: Path) -> None:
    """From a recording that is cut short the whole frame sets come first; then every read says what is wrong."""
    recording.write_bytes(recording.read_bytes()[:-100])
    with open_device(f"replay:{recording}") as device:
        assert [device.read().sequence for _ in range(3)] == [0, 1, 2]
        for _ in range(2):
            with pytest.raises(RecordingError, match="cut short after 3 readable frame sets"):
                device.read()


def test_partial_plays_what_is_there_and_ends(recording: Path) -> None:
    """With partial=yes the whole frame sets of a recording that is cut short come, and then its end."""
    recording.write_bytes(recording.read_bytes()[:-100])
    with open_device(f"replay:{recording}?partial=yes") as device:
        assert [s.sequence for s in device.frames()] == [0, 1, 2]


@pytest.mark.parametrize("partial", ["yes", "no"])
def test_a_recording_without_frame_sets_cannot_be_opened(tmp_path: Path, camera: DeviceIdentity, partial: str) -> None:
    """An empty but whole recording is refused when it is opened."""
    Recorder(tmp_path / "none.mcap", camera).close()
    with pytest.raises(RecordingError, match="holds no frame set"):
        open_device(f"replay:{tmp_path / 'none.mcap'}?partial={partial}")


def test_a_replay_starts_over_when_it_is_opened_again(recording: Path) -> None:
    """Opening again plays from the beginning, also after the end."""
    device = ReplayDevice(recording)
    for _ in range(2):
        with device:
            assert [s.sequence for s in device.frames()] == [0, 1, 2]
            assert device.read() is None
