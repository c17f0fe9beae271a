"""Host session and firmware core against each other over lines that lose, change, double and shuffle, in simulated time."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import numpy as np
import pytest

from vultus.devices.heads.session import Phase

# The import mode of the suite makes no package of this folder.
_spec = importlib.util.spec_from_file_location("serial_lines", Path(__file__).with_name("conftest.py"))
lines = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lines)
Line, Shuffler, changing, losing, expected = lines.Line, lines.Shuffler, lines.changing, lines.losing, lines.expected


def both(first, second):
    """Return a line with two faults."""
    return lambda data: second(first(data))


def right(frame) -> bool:
    """Say whether a frame is what the head drew; without a pattern the first exposure is the lit one."""
    return np.array_equal(frame.data, expected(frame, lit=frame.exposure == 0))


def collect(line, count: int, seconds: float = 120) -> list:
    """Return the next frames."""
    frames = []

    def enough() -> bool:
        while line.host.joiner.frames:
            frames.append(line.host.joiner.frames.popleft())
        return len(frames) >= count

    assert line.until(enough, seconds), f"{len(frames)} of {count} frames in {seconds} s; {line.host.failure}"
    return frames


def test_frames_come_over_a_good_line(head) -> None:
    """Over a faultless line all four pictures of each set arrive, pixel for pixel, in order."""
    line = Line(head(), 1e5)
    line.stream()
    frames = collect(line, 40)
    assert all(right(f) for f in frames)
    assert [f.set for f in frames] == [n // 4 for n in range(len(frames))]
    assert [f.last for f in frames[:4]] == [False, False, False, True]
    assert line.host.bad == 0
    assert line.host.capabilities["model"] == "Vultus synthetic head"
    assert line.host.calibration["rgb"]["intrinsics"]["fx"] == 32


@pytest.mark.parametrize("coded", [False, True], ids=["cobs", "words"])
@pytest.mark.parametrize(
    ("down", "up", "chunk"),
    [
        (lambda: losing(0.002), lambda: losing(0.002), 200),
        (lambda: changing(0.01), lambda: changing(0.01), 40),
        (lambda: Shuffler(0.2, 0.0), lambda: Shuffler(0.2, 0.0), 200),
        (lambda: Shuffler(0.0, 0.2), lambda: Shuffler(0.0, 0.2), 200),
        (lambda: both(losing(0.001, 5), changing(0.002, 6)), lambda: Shuffler(0.1, 0.1), 100),
    ],
    ids=["loss", "corruption", "duplication", "reordering", "all"],
)
def test_frames_survive_a_bad_line(head, down, up, chunk: int, *, coded: bool) -> None:
    """Every frame that comes over a bad line, in either framing, is whole and right, and none is missing."""
    line = Line(head(), 1e5, down(), up(), chunk=chunk, coded=coded)
    line.stream()
    frames = collect(line, 20)
    assert all(right(f) for f in frames)
    assert [f.set for f in frames] == [n // 4 for n in range(len(frames))]
    assert line.host.joiner.wrong == 0


def test_a_silent_head_is_lost(head) -> None:
    """When nothing comes any more, in the middle of a frame, the session fails within its time-out and says why."""
    line = Line(head(), 1e5)
    line.stream()
    collect(line, 3)
    line.down = lambda _: b""
    assert line.until(lambda: line.host.phase is Phase.FAILED, 4)
    assert "silent" in line.host.failure


def test_nobody_there_gives_up(head) -> None:
    """Without any answer to HELLO the session gives up after its time-out."""
    line = Line(head(), 1e5, up=lambda _: b"")
    assert line.until(lambda: line.host.phase is Phase.FAILED, 4)
    assert "does not answer" in line.host.failure


def test_a_new_host_takes_over(head) -> None:
    """A head in the middle of a frame of one session starts the next one at once, and old packets mean nothing in it."""
    one = head()
    first = Line(one, 1e5)
    first.stream()
    old = []
    first.down = lambda data: old.append(data) or data
    collect(first, 2)
    second = Line(one, 1e5, number=8)
    second.now = first.now
    second.host.receive(b"".join(old), second.now)
    second.stream()
    second.host.receive(b"".join(old), second.now)
    frames = collect(second, 8)
    assert all(right(f) for f in frames)
    assert frames[0].set == 0


def test_a_head_that_hears_nothing_stops(head) -> None:
    """A head whose host is gone sends nothing more after its time-out."""
    line = Line(head(), 1e5)
    line.stream()
    line.up = lambda _: b""
    for _ in range(4000):
        line.step()
    before = line.carried
    for _ in range(1000):
        line.step()
    assert line.carried == before


def test_the_strobe_pattern_is_the_hosts(head) -> None:
    """Each set's lit exposure is the one that the host's bits say, at the position that the frame states."""
    line = Line(head(), 1e6)
    assert line.until(lambda: line.host.phase is Phase.READY, 5)
    taken = []
    bits = 0b1100101
    line.host.strobe(99, 7, bits, taken.append)
    assert line.until(lambda: bool(taken), 2)
    assert taken == [True]
    line.host.start(0b0110, 0)
    frames = collect(line, 28)
    assert {f.strobe for f in frames} == {99}
    assert all(np.array_equal(f.data, expected(f, lit=(f.exposure == 0) == bool(bits >> f.position & 1))) for f in frames)
    assert {f.position for f in frames} == set(range(7))


def test_a_host_that_stops_acknowledging_stops_the_head(head) -> None:
    """Without new credit the head sends at most its window, and probes."""
    line = Line(head(64, 64), 1e6, chunk=16)
    line.stream()
    line.host.joiner.acknowledgement = lambda now, force=False: None
    line.host.joiner.take = lambda *_: True
    before = line.carried
    for _ in range(2000):
        line.step()
    assert line.carried - before < 270 * 40


def test_coded_words_carry_four_fifths_of_a_line_that_changes_one_byte_in_a_hundred(head) -> None:
    """At 1 % changed bytes in both directions coded words carry at least 80 % of the line as pixels; the code's own bound is 87.9 %."""
    line = Line(head(96, 96), 1e5, changing(0.01), changing(0.01, 9), coded=True)
    line.stream()
    began, pixels = line.now, 0
    while line.now < began + 10:
        line.step()
        while line.host.joiner.frames:
            frame = line.host.joiner.frames.popleft()
            assert right(frame)
            pixels += frame.data.nbytes
    assert 0.80 <= pixels / (10 * line.byte_rate) <= 900 / 1024
    assert line.host.joiner.wrong == 0


def test_a_head_answers_line_in_the_old_framing_and_then_changes(head) -> None:
    """The framing changes after LINE_SET, also when that answer is lost and asked for again, and a new session begins in COBS."""
    one = head()
    line = Line(one, 1e5, coded=True)
    lost = []

    def lose_the_first_line_set(data: bytes) -> bytes:
        if data and line.host._asked is not None and line.host._asked[0].name == "LINE" and not lost:
            lost.append(data)
            return b""
        return data

    line.down = lose_the_first_line_set
    line.stream()
    assert lost
    assert all(right(f) for f in collect(line, 8))
    assert line.host._readers[1].bad <= 3
    again = Line(one, 1e5, number=9)
    again.now = line.now
    again.stream()
    assert all(right(f) for f in collect(again, 8))
    assert again.host._coded is False


@pytest.mark.slow
def test_coded_words_let_no_wrong_frame_through_in_a_hundred_thousand_packets(head) -> None:
    """In 100,000 packets of coded words, on a line that changes and loses bytes, not one frame is wrong."""
    line = Line(head(16, 16), 2e6, both(changing(0.01), losing(0.00005)), changing(0.01, 9), chunk=180, coded=True)
    line.stream()
    packets = 0
    while packets < 100_000:
        assert all(right(f) for f in collect(line, 50))
        packets = line.carried // 256
    assert line.host.joiner.wrong == 0


@pytest.mark.slow
def test_no_wrong_frame_in_a_hundred_thousand_packets(head) -> None:
    """In 100,000 packets over a line that changes one byte in a hundred, not one frame is wrong."""
    line = Line(head(), 2e6, changing(0.01), changing(0.005), chunk=40)
    line.stream()
    seen = packets = 0
    while packets < 100_000:
        seen += len(frames := collect(line, 50))
        assert all(right(f) for f in frames)
        packets = line.carried // 57
    assert line.host.joiner.wrong == 0
    assert seen > 500


def test_no_bytes_break_the_host() -> None:
    """Random, changed and cut packets in either framing neither break the host's side nor make it hold memory, and frames still come."""
    spec = importlib.util.spec_from_file_location("fuzz_host", Path(__file__).with_name("fuzz_host.py"))
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    seen = fuzz.run(6000, 1)
    assert seen["frames"] > 200
    assert seen["sets"] > 20


def test_the_core_fits_a_small_processor(repository: Path) -> None:
    """Cross-compiled for Cortex-M, the core keeps within its limits of code, memory and stack; skipped without the compiler."""
    done = subprocess.run([str(repository / "native" / "serial" / "cortex_m.sh")], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_bytes_break_the_core(repository: Path, compiler: str, tmp_path: Path) -> None:
    """Random, changed and cut packets neither crash the core nor touch memory that is not its own, under sanitizers."""
    built = tmp_path / "fuzz"
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    main = repository / "native" / "serial" / "host" / "fuzz.c"
    subprocess.run([compiler, *flags, *lines.sources(repository), str(main), "-o", str(built)], check=True)
    done = subprocess.run([str(built), "20000", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
