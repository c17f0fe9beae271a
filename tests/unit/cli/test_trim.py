"""`vultus trim`: the piece asked for, bit for bit, or no file at all."""

from __future__ import annotations

import errno
import json
import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vultus.cli import main
from vultus.devices import Recorder
from vultus.devices.recordings.recording import Recording
from vultus.devices.recordings.trimming import trim
from vultus.errors import RecordingError
from vultus.frames import DeviceIdentity, Extrinsics, Frame, FrameSet, Intrinsics, Source, Stream

CAMERA = DeviceIdentity("camera", "test head", "0001", Source.LIVE)
LENS = Intrinsics(200.0, 201.0, 9.5, 8.5, 20, 18)
BESIDE = Extrinsics((1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), (-25.0, 0.5, 0.0))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Write twenty frame sets, 0.1 s apart, with calibration, the depth 1 ms late and missing now and then."""
    rng = np.random.default_rng(0)
    path = tmp_path / "twenty.mcap"
    with Recorder(path, CAMERA) as recorder:
        for number in range(20):
            at = 5 * 10**9 + number * 100_000_000
            rgb = Frame(Stream.RGB, rng.integers(0, 255, (18, 20, 3), np.uint8), at, LENS)
            depth = Frame(Stream.DEPTH, rng.integers(0, 9999, (18, 20), np.uint16), at + 1_000_000, LENS, BESIDE)
            recorder.write(FrameSet(CAMERA, number * 3, rgb=rgb, depth=depth if number % 4 else None))
    return path


def read(path: Path, *, partial: bool = False) -> tuple[DeviceIdentity, list[tuple[object, ...]]]:
    """Return who was recorded, and every bit and field of the frame sets."""
    with closing(Recording(path, partial=partial)) as opened:
        frames = [(s.sequence, s.device, [replace_data(f) for f in s.frames()]) for s in opened]
        return opened.recorded, frames


def replace_data(frame: Frame) -> tuple[object, ...]:
    """Return what can be compared of a frame."""
    return frame.stream, frame.time_ns, frame.intrinsics, frame.extrinsics, str(frame.data.dtype), frame.data.shape, frame.data.tobytes()


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ([], slice(None)),
        (["--from", "0.5"], slice(5, None)),
        (["--to", "0.5"], slice(5)),
        (["--from", "0.55", "--to", "1.0"], slice(6, 10)),
        (["--from", "1.9", "--to", "900"], slice(19, None)),
    ],
)
def test_the_piece_is_the_original_bit_for_bit(
    recording: Path, tmp_path: Path, arguments: list[str], kept: slice, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pixels, times, numbers, calibration and the device's identity of the frame sets in between are those of the original, which stays."""
    before = recording.read_bytes()
    out = tmp_path / "piece.mcap"
    assert main(["trim", str(recording), str(out), *arguments, "--json"]) == 0
    who, frames = read(recording)
    assert read(out) == (who, frames[kept])
    assert who == CAMERA
    assert json.loads(capsys.readouterr().out) == {"file": str(out), "frame_sets": len(frames[kept]), "bytes": out.stat().st_size}
    assert recording.read_bytes() == before


def test_a_piece_of_a_live_recording_is_still_not_live(recording: Path, tmp_path: Path) -> None:
    """Frame sets of the piece come under the source RECORDING, however the device was called."""
    trim(recording, tmp_path / "piece.mcap", end_s=0.3)
    with closing(Recording(tmp_path / "piece.mcap")) as opened:
        assert {s.device for s in opened} == {replace(CAMERA, kind="replay", source=Source.RECORDING)}


def test_a_cut_recording_becomes_whole(recording: Path, tmp_path: Path) -> None:
    """With --partial, what can be read of a recording that was cut off becomes a whole one; without, nothing is written."""
    recording.write_bytes(recording.read_bytes()[:-9000])
    out = tmp_path / "piece.mcap"
    assert main(["trim", str(recording), str(out)]) == 2
    assert not out.exists()
    assert main(["trim", str(recording), str(out), "--partial"]) == 0
    assert read(out) == read(recording, partial=True)
    assert len(read(out)[1]) > 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "99"], "no frame set there; the recording is 1.901 s long"),
        (["--from", "0.11", "--to", "0.15"], "no frame set there"),
        (["--from", "2", "--to", "1"], "ends after it begins"),
        (["--from", "nan"], "greater than or equal to 0"),
    ],
)
def test_a_piece_that_is_not_there_leaves_no_file(
    recording: Path, tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seconds that make no sense or hold nothing are an error that says why, and no file is made."""
    out = tmp_path / "piece.mcap"
    assert main(["trim", str(recording), str(out), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_an_existing_file_is_kept(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trimming onto a file that is there, the recording itself too, is refused and changes nothing."""
    before = recording.read_bytes()
    assert main(["trim", str(recording), str(recording), "--to", "1"]) == 2
    assert "exists" in capsys.readouterr().err
    assert recording.read_bytes() == before


def test_damage_inside_the_piece_leaves_no_file(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When a chunk of the piece is altered, trimming says where and leaves nothing that could be taken for the piece."""
    data = bytearray(recording.read_bytes())
    data[len(data) // 2] ^= 1
    recording.write_bytes(data)
    out = tmp_path / "piece.mcap"
    assert main(["trim", str(recording), str(out)]) == 2
    assert "damaged after" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("room", [0, 40, 3000, 9000])
def test_a_full_disk_leaves_no_file(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """Wherever the disk becomes full, trim says so and leaves neither the piece nor a stub of it, also where the first byte fails."""
    written, write = 0, os.write

    def full(handle: int, data: bytes) -> int:
        nonlocal written
        if written + len(data) > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += len(data)
        return write(handle, data)

    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr("vultus.devices.recordings.recorder.os.write", full)
    with pytest.raises(RecordingError, match="No space left on device; nothing was kept"):
        trim(recording, folder / "piece.mcap")
    assert not list(folder.iterdir())
    with pytest.raises(RecordingError, match="No space left"), Recorder(folder / "new.mcap", CAMERA) as recorder:
        recorder.write(FrameSet(CAMERA, 0, rgb=Frame(Stream.RGB, np.zeros((18, 20, 3), np.uint8), 1)))
    monkeypatch.undo()
    assert room > 500 or not list(folder.iterdir())
