"""Recorders that are killed at random moments: what they leave is read up to its last complete chunk, bit for bit.

Run as a program, this file is the nursery: it forks recorders, which start in a millisecond, and kills each after the time it is told.
"""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from vultus.devices import Recorder
from vultus.devices.recordings.recording import Recording
from vultus.errors import RecordingError
from vultus.frames import DeviceIdentity, Frame, FrameSet, Intrinsics, Source, Stream

CAMERA = DeviceIdentity("camera", "killed", "0002", Source.LIVE)
KINDS = ((16, 150), (96, 60), (320, 15))
"""Side in pixels and number of frame sets of a run: many small writes, and few that take long."""
NOISE = np.random.default_rng(5).integers(0, 256, 320 * 320 * 3 + 4096, np.uint8)


def make_set(side: int, number: int) -> FrameSet:
    """Make the frame set that a run of this side records at this place; each is another piece of the noise."""

    def piece(shape: tuple[int, ...], skip: int) -> np.ndarray:
        return NOISE[number * 7 + skip :][: int(np.prod(shape))].reshape(shape)

    at = 10**9 + number * 33_000_000
    lens = Intrinsics(300.0, 301.0, 8.0, 9.0 + number, side, side)
    depth = piece((side, side), 11).astype(np.uint16) * 16
    frames = {
        "rgb": Frame(Stream.RGB, piece((side, side, 3), 0), at, lens),
        "nir": Frame(Stream.NIR, piece((side, side), 3), at + 5),
        "depth": Frame(Stream.DEPTH, depth, at + 9, lens),
    }
    return FrameSet(CAMERA, number, **frames)


def run(path: Path, side: int, sets: int) -> None:
    """Record a whole run, and keep beside the recording how many frame sets were reported as written."""
    progress = os.open(path.with_suffix(".told"), os.O_WRONLY | os.O_CREAT, 0o600)
    with Recorder(path, CAMERA) as recorder:
        for number in range(sets):
            recorder.write(make_set(side, number))
            os.pwrite(progress, struct.pack("<I", number + 1), 0)


def nursery() -> None:
    """For each line `path side sets delay`, fork a recorder, kill it after the delay in seconds, and print its status and its age."""
    with TemporaryDirectory() as folder:
        run(Path(folder) / "first.mcap", *KINDS[0])  # imports what a recorder needs, so that kills hit the recording and not the import
    for line in sys.stdin:
        path, side, sets, delay = line.split("\t")
        start = time.perf_counter()
        child = os.fork()
        if child == 0:
            run(Path(path), int(side), int(sets))
            os._exit(0)
        if float(delay) >= 0:
            time.sleep(float(delay))
            os.kill(child, signal.SIGKILL)  # not reaped yet, so that the number is still its own
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), time.perf_counter() - start, flush=True)


@contextmanager
def nursery_process() -> Iterator[subprocess.Popen[str]]:
    """Start the nursery; it ends with its input."""
    # A thread pool of the linear algebra library would not survive the fork.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process


def ask(process: subprocess.Popen[str], path: Path, kind: tuple[int, int], delay: float) -> tuple[int, float]:
    """Have one recorder run, killed after `delay` seconds or never for a negative one; return its exit status and its age in seconds."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{path}\t{kind[0]}\t{kind[1]}\t{delay}\n")
    process.stdin.flush()
    status, age = process.stdout.readline().split()
    return int(status), float(age)


def complete_chunks(path: Path) -> tuple[int, bool]:
    """Count the chunks that lie in the file with all their bytes, by the lengths of the records alone; say whether the last record is torn."""
    data, at, found = path.read_bytes(), 8, 0
    while at + 9 <= len(data):
        kind, length = struct.unpack_from("<BQ", data, at)
        at += 9 + length
        found += kind == 6 and at <= len(data)
        if kind == 2:
            return found, False
    return found, at != len(data)


def examine(path: Path, side: int, told: int) -> str:
    """Check what a killed recorder left; return where it was: before the first frame set, among them, in a record, in the index, or done."""
    chunks, torn = complete_chunks(path) if path.exists() else (0, False)
    assert told <= chunks <= told + 1
    if chunks == 0:
        assert told == 0
        return "start"
    with closing(Recording(path, partial=True)) as recording:
        kept = list(recording)
        assert recording.recorded == CAMERA
    assert [s.sequence for s in kept] == list(range(chunks))
    for found in kept:
        wanted = make_set(side, found.sequence)
        pairs = list(zip(found.frames(), wanted.frames(), strict=True))
        assert all((a.stream, a.time_ns, a.intrinsics) == (b.stream, b.time_ns, b.intrinsics) for a, b in pairs)
        assert all(a.data.dtype == b.data.dtype and np.array_equal(a.data, b.data) for a, b in pairs)
    with closing(Recording(path)) as recording:
        trouble = ""
        try:
            list(recording)
        except RecordingError as problem:
            trouble = str(problem)
    if not trouble:
        return "done"
    assert f"cut short after {chunks} readable frame sets" in trouble
    if told == dict(KINDS)[side]:
        return "index"
    return "record" if torn else "frames"


@pytest.mark.parametrize("kills", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_a_recorder_killed_at_any_moment_leaves_every_complete_chunk_readable(tmp_path: Path, kills: int) -> None:
    """Killed at random moments from start to end, a recorder leaves every frame set that it reported, bit for bit, and nothing else."""
    moments = random.Random(kills)
    where: Counter[str] = Counter()
    with nursery_process() as process:
        ages = {kind: min(ask(process, tmp_path / f"whole{kind[0]}-{i}.mcap", kind, -1)[1] for i in range(2)) for kind in KINDS}
        while where.total() < kills:
            number = where.total()
            kind = KINDS[number % len(KINDS)]
            path = tmp_path / f"{number}.mcap"
            status, _ = ask(process, path, kind, moments.uniform(0, ages[kind]))
            assert status in (0, -signal.SIGKILL)
            beside = path.with_suffix(".told")
            told = struct.unpack("<I", beside.read_bytes())[0] if beside.exists() and beside.stat().st_size == 4 else 0
            where[examine(path, kind[0], told)] += status != 0
            path.unlink(missing_ok=True)
            beside.unlink(missing_ok=True)
    assert where["frames"] + where["record"] >= kills // 6  # two thirds here; fewer on a machine that stalls


if __name__ == "__main__":
    nursery()
