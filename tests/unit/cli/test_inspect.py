"""`vultus inspect` on recordings whose content is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vultus.cli import main
from vultus.devices import Recorder
from vultus.frames import DeviceIdentity, Frame, FrameSet, Source, Stream, StreamTiming, Timing

CAMERA = DeviceIdentity("camera", "test head", "0001", Source.LIVE)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Write nine of ten frame sets, 40 ms apart, the depth 5 ms late and its last picture shown twice."""
    rng = np.random.default_rng(0)
    path = tmp_path / "nine.mcap"
    pictures = [rng.integers(1, 999, (16, 16), np.uint16) for _ in range(9)]
    with Recorder(path, CAMERA) as recorder:
        for number in (0, 1, 2, 3, 5, 6, 7, 8, 9):
            at = 10**9 + number * 40_000_000
            rgb = Frame(Stream.RGB, rng.integers(0, 255, (16, 16, 3), np.uint8), at)
            depth = pictures[min(number, 8)]
            timing = Timing({Stream.DEPTH: StreamTiming(number + 2, number, 1, 1, 0)}, number, 2, 0, 5_000_000, 5_000_000)
            recorder.write(FrameSet(CAMERA, number, rgb=rgb, depth=Frame(Stream.DEPTH, depth, at + 5_000_000)).timed(timing))
    return path


def test_a_whole_recording_is_described(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Device, rate, missing and repeated frames and skew are those that were recorded."""
    assert main(["inspect", str(recording), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["device"]["serial"] == "0001"
    assert (said["frame_sets"], said["duration_s"], said["whole"]) == (9, 0.36, True)
    assert said["skew_ms"] == {"mean": 5.0, "worst": 5.0}
    assert (said["streams"]["rgb"]["rate_hz"], said["streams"]["rgb"]["missing"], said["streams"]["rgb"]["repeated"]) == (25.0, 1, 0)
    assert said["streams"]["depth"]["repeated"] == 1
    assert said["timing"] == {
        "sets": 9,
        "unmatched": 2,
        "stale": 0,
        "streams": {"depth": {"received": 11, "used": 9, "lost": 1, "refused": 1}},
    }
    assert main(["inspect", str(recording)]) == 0
    assert "9 sets made, 2 unmatched, 0 stale; frames lost: depth 1" in capsys.readouterr().out


def test_a_cut_recording_is_described_as_far_as_it_goes(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that ends in the middle gives the answer no, with what could be read."""
    recording.write_bytes(recording.read_bytes()[:-3000])
    assert main(["inspect", str(recording)]) == 1
    said = capsys.readouterr().out
    assert "cut short" in said
    assert "test head" in said


def test_a_missing_recording_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there is an error, not an empty description."""
    assert main(["inspect", str(tmp_path / "none.mcap")]) == 2
    assert "no such recording" in capsys.readouterr().err
