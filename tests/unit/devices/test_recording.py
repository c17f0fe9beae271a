"""Recordings: bit for bit there and back, whole or refused."""

from __future__ import annotations

import os
import resource
import signal
import stat
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vultus.devices import Recorder, open_device, record
from vultus.devices.recordings import wire
from vultus.devices.recordings.recorder import METADATA, TOPIC, checksum
from vultus.devices.recordings.recording import Recording
from vultus.errors import DeviceNotFound, RecordingError
from vultus.frames import DeviceIdentity, Extrinsics, Frame, FrameSet, Intrinsics, Source, Stream, Timing

QUARTER_TURN = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def read_until(path: Path, *, partial: bool = False) -> tuple[list[FrameSet], RecordingError | None]:
    """Read a recording to its end or to the error that stops it."""
    found: list[FrameSet] = []
    try:
        with closing(Recording(path, partial=partial)) as recording:
            for frame_set in recording:
                found.append(frame_set)  # noqa: PERF402 - what came before an error counts
    except RecordingError as problem:
        return found, problem
    return found, None


def read_all(path: Path, *, partial: bool = False) -> list[FrameSet]:
    """Read every frame set of a recording; raise what stops it."""
    found, problem = read_until(path, partial=partial)
    if problem is not None:
        raise problem
    return found


def prefix(part: list[FrameSet], whole: list[FrameSet]) -> bool:
    """Say whether `part` is the beginning of `whole`, bit for bit."""
    pairs = zip(part, whole, strict=False)
    return len(part) <= len(whole) and all(
        a.sequence == b.sequence and len(list(a.frames())) == len(list(b.frames())) and all(map(same, a.frames(), b.frames()))
        for a, b in pairs
    )


def same(a: Frame, b: Frame) -> bool:
    """Say whether two frames agree in every bit and field."""
    fields = ("stream", "time_ns", "intrinsics", "extrinsics")
    return all(getattr(a, f) == getattr(b, f) for f in fields) and a.data.dtype == b.data.dtype and np.array_equal(a.data, b.data)


# --- there and back ------------------------------------------------------------------------------------------------------------

numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
focal = st.floats(min_value=1e-300, max_value=1e300)


@st.composite
def frames(draw: Any, stream: Stream, dtype: Any, time_ns: int, sides: tuple[int, int]) -> Frame:
    """Draw a frame of any legal kind."""
    shape = (*sides, 3) if stream is Stream.RGB else sides
    data = draw(hnp.arrays(dtype, shape, elements=hnp.from_dtype(np.dtype(dtype))))
    if draw(st.booleans()):
        data = data[::-1, ::-1]
    intrinsics = draw(st.none() | st.builds(Intrinsics, focal, focal, numbers, numbers, st.just(sides[1]), st.just(sides[0])))
    extrinsics = draw(st.none() | st.builds(Extrinsics, st.just(QUARTER_TURN), st.tuples(numbers, numbers, numbers)))
    return Frame(stream, data, time_ns, intrinsics, extrinsics)


@st.composite
def sequences(draw: Any) -> tuple[DeviceIdentity, list[FrameSet]]:
    """Draw a device and a few frame sets of it, in order."""
    text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
    device = DeviceIdentity(draw(text), draw(text), draw(text), draw(st.sampled_from(Source)))
    count = draw(st.integers(1, 3))
    starts = sorted(draw(st.lists(st.integers(0, 2**62), min_size=count, max_size=count, unique=True)))
    names = sorted(draw(st.lists(st.integers(0, 2**64 - 1), min_size=count, max_size=count, unique=True)))
    sets = []
    for number, start in zip(names, starts, strict=True):
        side = st.integers(16, 24)
        nir = (draw(side), draw(side))
        grey = draw(st.sampled_from([np.uint8, np.uint16]))
        kinds = {Stream.RGB: (np.uint8, (draw(side), draw(side))), Stream.NIR: (grey, nir), Stream.NIR_AMBIENT: (grey, nir)}
        kinds[Stream.DEPTH] = (np.uint16, (draw(side), draw(side)))
        present = set(draw(st.sets(st.sampled_from([Stream.RGB, Stream.NIR, Stream.DEPTH]), min_size=1)))
        if Stream.NIR in present and draw(st.booleans()):
            present.add(Stream.NIR_AMBIENT)
        sets.append(FrameSet(device, number, **{s.value: draw(frames(s, kinds[s][0], start, kinds[s][1])) for s in present}))
    return device, sets


@given(sequences())
@settings(max_examples=60)
def test_what_is_recorded_comes_back_bit_for_bit(drawn: tuple[DeviceIdentity, list[FrameSet]]) -> None:
    """Pixels, times, sequence, intrinsics, extrinsics, absent streams and the device's identity survive a recording."""
    device, sets = drawn
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.mcap"
        with Recorder(path, device) as recorder:
            for frame_set in sets:
                recorder.write(frame_set)
        recording = Recording(path)
        back = list(recording)
        recording.close()
    assert recording.recorded == device
    assert [b.sequence for b in back] == [s.sequence for s in sets]
    for before, after in zip(sets, back, strict=True):
        assert [f.stream for f in after.frames()] == [f.stream for f in before.frames()]
        assert all(same(a, b) for a, b in zip(before.frames(), after.frames(), strict=True))
        assert all(not f.data.flags.writeable for f in after.frames())


def test_a_replay_is_never_taken_for_the_device_that_was_recorded(recording: Path, camera: DeviceIdentity) -> None:
    """The frame sets of a live device's recording come back under the source RECORDING, with model and serial kept."""
    device = read_all(recording)[0].device
    assert (device.kind, device.model, device.serial, device.source) == ("replay", camera.model, camera.serial, Source.RECORDING)


def test_a_recording_of_a_replay_is_still_a_recording(recording: Path, tmp_path: Path) -> None:
    """Recording a replay keeps the frames and the source RECORDING."""
    with open_device(f"replay:{recording}") as device:
        assert record(device, tmp_path / "again.mcap") == 3
    for a, b in zip(read_all(recording), read_all(tmp_path / "again.mcap"), strict=True):
        assert b.device.source is Source.RECORDING
        assert all(same(x, y) for x, y in zip(a.frames(), b.frames(), strict=True))


def test_the_file_is_for_its_owner_alone(recording: Path) -> None:
    """A recording holds faces, so that others may not read the file."""
    assert stat.S_IMODE(recording.stat().st_mode) & 0o077 == 0


# --- for other readers ---------------------------------------------------------------------------------------------------------


def test_the_mcap_library_reads_the_file_and_its_checksums(recording: Path) -> None:
    """The reference reader finds four channels, twelve messages and no checksum that differs."""
    from mcap.reader import make_reader

    with recording.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        messages = list(reader.iter_messages())
    assert {c.topic for c in summary.channels.values()} == {TOPIC + s.value for s in Stream}
    assert summary.statistics.message_count == len(messages) == 12
    assert {schema.name for schema, _, _ in messages} == {"foxglove.RawImage"}


def test_the_schema_describes_the_messages(make_set: Callable[..., FrameSet]) -> None:
    """A protocol-buffer library that knows the file's schema alone reads size, encoding, pixels and time."""
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2", reason="protobuf is not installed")
    from google.protobuf import descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(wire.schema()).file:
        pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(wire.SCHEMA_NAME))
    depth = make_set(7, 3_000_000_005).depth
    assert depth is not None
    camera = Frame(Stream.DEPTH, depth.data, depth.time_ns, Intrinsics(1.5, 2.5, 3.5, 4.5, 16, 16))
    message = kind.FromString(wire.encode(camera, 7, 2, 4, Timing({}, 9, 1, 0, -2, 6)))
    assert (message.width, message.height, message.encoding, message.step) == (16, 16, "16UC1", 32)
    assert message.data == depth.data.astype("<u2").tobytes()
    assert (message.timestamp.seconds, message.timestamp.nanos) == (3, 5)
    assert (message.vultus_sequence, message.vultus_part, message.vultus_parts) == (7, 2, 4)
    assert list(message.vultus_intrinsics) == [1.5, 2.5, 3.5, 4.5]
    assert list(message.vultus_timing) == [9, 1, 0, -2, 6]


# --- damage --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def short(tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet]) -> Path:
    """Write a recording of two frame sets, small enough to damage it everywhere."""
    path = tmp_path / "short.mcap"
    with Recorder(path, camera) as recorder:
        for number in range(2):
            recorder.write(make_set(number, streams=("nir", "depth")))
    return path


def test_a_flipped_bit_anywhere_is_noticed(short: Path, tmp_path: Path) -> None:
    """Whichever byte has a bit flipped, the recording is refused with one line that names the file, and no wrong frame set is given."""
    good, original = short.read_bytes(), read_all(short)
    path = tmp_path / "flipped.mcap"
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ (1 << at % 8)]) + good[at + 1 :])
        found, problem = read_until(path)
        assert problem is not None, f"byte {at}"
        assert str(path) in str(problem)
        assert "\n" not in str(problem)
        assert prefix(found, original), f"byte {at}"


def test_a_file_cut_anywhere_gives_its_whole_frame_sets(short: Path, tmp_path: Path) -> None:
    """Cut at any length, a recording is refused by default, and gives every whole frame set and nothing else when partial is asked for."""
    good, original = short.read_bytes(), read_all(short)
    path = tmp_path / "cut.mcap"
    counts = []
    for length in range(8, len(good), 3):
        path.write_bytes(good[:length])
        found, problem = read_until(path)
        assert problem is not None
        assert "cut short" in str(problem)
        kept, problem = read_until(path, partial=True)
        assert problem is None or "damaged after 0 readable frame sets: it is cut short" in str(problem)
        assert prefix(kept, original)
        assert len(found) == len(kept)
        counts.append(len(kept))
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2}


def test_a_cut_recording_says_how_much_is_there_and_what_to_do(recording: Path) -> None:
    """The error names the number of readable frame sets and the option that plays them."""
    recording.write_bytes(recording.read_bytes()[:-200])
    with pytest.raises(RecordingError, match=r"three\.mcap: cut short after 3 readable frame sets; add \?partial=yes"):
        read_all(recording)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"RIFF....", "not an MCAP recording"),
        (b"\x89MC", "not an MCAP recording"),
        (b"\x89MCAP0\r\n", "cut short"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """An empty file, another format and a bare magic number are each refused in one line."""
    path = tmp_path / "bad.mcap"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        Recording(path)


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    """A missing file is not found; a folder cannot be read."""
    with pytest.raises(DeviceNotFound, match="no such recording"):
        Recording(tmp_path / "gone.mcap")
    with pytest.raises(RecordingError, match="cannot be read"):
        Recording(tmp_path)


# --- hostile files: everything is self-consistent, checksums too ---------------------------------------------------------------


def _build(path: Path, messages: list[tuple[str, bytes]], about: dict[str, str] | None = None, **options: Any) -> Path:
    """Write an MCAP file with the reference library as an attacker would, checksums right."""
    from mcap.writer import Writer

    facts = {"format": "1", "kind": "camera", "model": "m", "serial": "s", "source": "live", **(about or {})}
    with path.open("wb") as file:
        writer = Writer(file, **{"chunk_size": 0, "enable_data_crcs": True, **options})
        writer.start()
        if "none" not in facts:
            writer.add_metadata(METADATA, facts | {"crc32": checksum(facts)})
        channels = {t: writer.register_channel(t, "protobuf", 0) for t in dict.fromkeys(topic for topic, _ in messages)}
        for topic, data in messages:
            writer.add_message(channels[topic], 0, data, 0)
        writer.finish()
    return path


def _message(frame_set: FrameSet, *streams: Stream, **changed: int) -> list[tuple[str, bytes]]:
    """Serialise some frames of a set, with another sequence, part or number of parts if asked."""
    out = []
    for part, stream in enumerate(streams):
        where = {"sequence": frame_set.sequence, "part": part, "parts": len(streams)} | changed
        out.append((TOPIC + stream.value, wire.encode(getattr(frame_set, stream.value), **where)))
    return out


def test_other_chunkings_of_the_same_messages_are_read(tmp_path: Path, make_set: Callable[..., FrameSet]) -> None:
    """A file with all messages in one chunk, uncompressed, reads as well as the recorder's own."""
    from mcap.writer import CompressionType

    messages = [m for n in range(3) for m in _message(make_set(n), Stream.RGB, Stream.DEPTH)]
    path = _build(tmp_path / "one.mcap", messages, chunk_size=1 << 20, compression=CompressionType.NONE)
    assert [s.sequence for s in read_all(path)] == [0, 1, 2]


def test_a_frame_set_that_is_too_large_for_a_chunk_goes_into_several(
    tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame set beyond the size of a chunk is divided between frames and comes back whole."""
    monkeypatch.setattr("vultus.devices.recordings.recorder.CHUNK_BYTES", 1000)
    with Recorder(tmp_path / "big.mcap", camera) as recorder:
        for number in range(3):
            recorder.write(make_set(number))
    assert (tmp_path / "big.mcap").read_bytes().count(b"\x04\0\0\0zstd") > 3
    assert prefix(read_all(tmp_path / "big.mcap"), [make_set(number) for number in range(3)])


def test_time_that_runs_backwards_is_refused(tmp_path: Path, make_set: Callable[..., FrameSet]) -> None:
    """A recording whose times run backwards gives what came before and is then refused by name."""
    messages = _message(make_set(0, 500), Stream.RGB) + _message(make_set(1, 400), Stream.RGB)
    path = _build(tmp_path / "back.mcap", messages)
    found, problem = read_until(path)
    assert [s.sequence for s in found] == [0]
    assert "damaged after 1 readable frame sets: time runs backwards in rgb" in str(problem)


def _bad_messages(make_set: Callable[..., FrameSet]) -> dict[str, tuple[list[tuple[str, bytes]], str]]:
    one = make_set(1)
    rgb = dict(_message(one, Stream.RGB))[TOPIC + "rgb"]
    huge = rgb.replace(struct.pack("<BI", 2 << 3 | 5, 16), struct.pack("<BI", 2 << 3 | 5, 2**31))
    return {
        "huge-size": ([(TOPIC + "rgb", huge)], "do not make a picture of"),
        "not-protobuf": ([(TOPIC + "rgb", b"\xff" * 40)], "damaged after 0"),
        "empty-message": ([(TOPIC + "rgb", b"")], "has no field"),
        "block-too-long": ([(TOPIC + "rgb", b"\x32\xff\xff\xff\xff\x7f")], "beyond the end of its message"),
        "number-for-text": ([(TOPIC + "rgb", rgb.replace(b"\x22\x04rgb8", b"\x20\xff\xff\xff\xff\x7f"))], "has the wrong form"),
        "number-as-block": ([(TOPIC + "rgb", b"\x08\x01" + rgb[2:])], "damaged after 0"),
        "other-stream": ([(TOPIC + "depth", rgb)], "is no encoding of depth"),
        "foreign-topic": ([("/tf", rgb)], "not one of a Vultus recording"),
        "unknown-stream": ([(TOPIC + "sound", rgb)], "damaged after 0"),
        "stream-twice": (_message(one, Stream.RGB, parts=2) + _message(one, Stream.RGB, part=1, parts=2), "twice in one frame set"),
        "part-missing": (_message(one, Stream.RGB, parts=2), "not complete"),
        "parts-out-of-order": (_message(one, Stream.RGB, part=1), "out of order or missing"),
        "many-parts": (_message(one, Stream.RGB, parts=1 << 30), "out of order or missing"),
        "ambient-alone": (_message(one, Stream.NIR_AMBIENT), "at least one of"),
        "sequence-repeats": (_message(one, Stream.RGB) * 2, "comes after"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "huge-size",
        "not-protobuf",
        "empty-message",
        "block-too-long",
        "number-as-block",
        "other-stream",
        "foreign-topic",
        "unknown-stream",
        "stream-twice",
        "part-missing",
        "parts-out-of-order",
        "many-parts",
        "ambient-alone",
        "sequence-repeats",
    ],
)
def test_a_hostile_message_is_refused(tmp_path: Path, make_set: Callable[..., FrameSet], name: str) -> None:
    """A well-formed file with a message that makes no sense is refused in one line, without a crash or a large allocation."""
    messages, reason = _bad_messages(make_set)[name]
    with pytest.raises(RecordingError, match=reason) as caught:
        read_all(_build(tmp_path / "bad.mcap", messages))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"none": ""}, "not one that Vultus recorded"),
        ({"format": "3"}, "format '3'; this version of Vultus reads 1 and 2"),
        ({"source": "dream"}, "damaged after 0"),
    ],
)
def test_a_foreign_or_newer_file_is_refused(tmp_path: Path, make_set: Callable[..., FrameSet], about: dict[str, str], reason: str) -> None:
    """An MCAP file of another program, and a later format, are refused by name."""
    with pytest.raises(RecordingError, match=reason):
        read_all(_build(tmp_path / "a.mcap", _message(make_set(1), Stream.RGB), about))


def _chunk(size: int, data: bytes, compression: bytes = b"zstd", crc: int | None = None) -> bytes:
    """Return a chunk record with any claims about its content."""
    body = struct.pack("<QQQI", 0, 0, size, zlib.crc32(data) if crc is None else crc)
    body += struct.pack("<I", len(compression)) + compression + struct.pack("<Q", len(data)) + data
    return struct.pack("<BQ", 6, len(body)) + body


def _bomb() -> bytes:
    import zstandard

    # 4 GiB of zeros claimed in the frame header of a few bytes.
    packed = zstandard.ZstdCompressor().compress(bytes(1 << 20))
    at = packed.index(struct.pack("<I", 1 << 20))
    return packed[:at] + struct.pack("<I", 0xFFFFFFF0) + packed[at + 4 :]


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (struct.pack("<BQ", 6, 2**62), "a record claims 4611686018427387904 bytes"),
        (struct.pack("<BQ", 12, 1 << 30), "a record claims"),
        (_chunk(2**40, b"x"), "a chunk claims 1099511627776 bytes"),
        (_chunk(1 << 20, _bomb()), "a chunk states two sizes"),
        (_chunk(10, b"not zstd"), "cannot be unpacked"),
        (_chunk(8, b"not lz4.", b"lz4"), "packed by 'lz4'; only zstd and none"),
        (_chunk(9, struct.pack("<BQ", 5, 2**60), b""), "reaches beyond its chunk"),
        (_chunk(4, b"abcd", b"", crc=1), "the checksum of a chunk differs"),
        (_chunk(4, b"abcd", b""), "damaged after 0"),
        (struct.pack("<BQ", 6, 3) + b"abc", "damaged after 0"),
        (struct.pack("<BQ", 5, 22) + bytes(22), "outside a chunk"),
        (struct.pack("<BQ", 15, 4) + bytes(4) + struct.pack("<BQ", 2, 3) + b"abc", "footer is malformed"),
    ],
)
def test_a_hostile_record_is_refused_before_memory_is_asked_for(tmp_path: Path, tail: bytes, reason: str) -> None:
    """Sizes that are absurd, contradict each other or reach beyond the file are refused with little memory."""
    whole = _build(tmp_path / "a.mcap", []).read_bytes()
    # The data section of an empty recording ends where its DataEnd record starts.
    head = whole[: whole.index(struct.pack("<BQ", 15, 4))]
    path = tmp_path / "hostile.mcap"
    path.write_bytes(head + tail)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RecordingError, match=reason):
        read_all(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@given(st.binary(max_size=300), st.integers(0, 2000))
def test_bytes_written_over_a_recording_never_crash_the_reader(noise: bytes, at: int) -> None:
    """Whatever is written over a part of a recording, the reader gives frame sets or a RecordingError."""
    device = DeviceIdentity("camera", "m", "s", Source.LIVE)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.mcap"
        with Recorder(path, device) as recorder:
            recorder.write(FrameSet(device, 0, rgb=Frame(Stream.RGB, np.zeros((16, 16, 3), np.uint8), 0)))
        good = path.read_bytes()
        path.write_bytes(good[:at] + noise + good[at + len(noise) :])
        for partial in (False, True):
            try:
                assert len(read_all(path, partial=partial)) <= 1
            except RecordingError:
                continue


# --- writing -------------------------------------------------------------------------------------------------------------------


def test_an_existing_file_is_kept_unless_overwriting_is_asked_for(recording: Path, camera: DeviceIdentity) -> None:
    """A recorder refuses to write over a file and says what to do; overwrite=True writes over it."""
    before = recording.read_bytes()
    with pytest.raises(RecordingError, match="exists; choose another name"):
        Recorder(recording, camera)
    assert recording.read_bytes() == before
    Recorder(recording, camera, overwrite=True).close()
    assert recording.read_bytes() != before


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path, camera: DeviceIdentity) -> None:
    """A folder that is missing is a RecordingError with the path."""
    with pytest.raises(RecordingError, match=r"nowhere.*cannot be made: No such file"):
        Recorder(tmp_path / "nowhere" / "a.mcap", camera)


def test_what_could_not_be_replayed_is_not_recorded(tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet]) -> None:
    """Times that run backwards and frame sets of another device are refused, and the recording stays good."""
    path = tmp_path / "a.mcap"
    with Recorder(path, camera) as recorder:
        recorder.write(make_set(1))
        with pytest.raises(RecordingError, match="not recorded, time runs backwards"):
            recorder.write(make_set(2, 5))
        other = DeviceIdentity("camera", "another", "", Source.LIVE)
        with pytest.raises(ValueError, match="of another"):
            recorder.write(FrameSet(other, 3, rgb=make_set(3).rgb))
        recorder.write(make_set(4))
        assert recorder.written == 2
    assert [s.sequence for s in read_all(path)] == [1, 4]


@contextmanager
def full_disk_at(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_what_was_written(tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet]) -> None:
    """When the disk is full the recorder says so once, keeps the whole frame sets and leaves nothing half-written."""
    path = tmp_path / "full.mcap"
    with full_disk_at(12_000):
        recorder = Recorder(path, camera)
        with pytest.raises(RecordingError, match=r"full\.mcap: File too large; the \d+ frame sets written before are kept"):  # noqa: PT012 - as above
            for number in range(100):
                recorder.write(make_set(number))
        kept = recorder.written
        with pytest.raises(RecordingError, match="writing failed before"):
            recorder.write(make_set(200))
        recorder.close()
    assert kept > 1
    assert [s.sequence for s in read_all(path, partial=True)] == list(range(kept))


def test_a_disk_that_is_full_at_the_end_keeps_every_frame_set(
    tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet]
) -> None:
    """When only the index no longer fits, closing says so and every frame set is there."""
    path = tmp_path / "end.mcap"
    recorder = Recorder(path, camera)
    for number in range(3):
        recorder.write(make_set(number))
    with full_disk_at(path.stat().st_size + 100), pytest.raises(RecordingError, match="3 frame sets written before are kept"):
        recorder.close()
    recorder.close()
    assert len(read_all(path, partial=True)) == 3


KILLED = """
import sys
import numpy as np
from vultus.devices import Recorder
from vultus.frames import DeviceIdentity, Frame, FrameSet, Source, Stream
device = DeviceIdentity("camera", "m", "s", Source.LIVE)
pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
recorder = Recorder(sys.argv[1], device)
for number in range(10**6):
    recorder.write(FrameSet(device, number, rgb=Frame(Stream.RGB, pixels, number)))
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 7, 20])
def test_a_killed_recorder_leaves_every_frame_set_that_it_reported(tmp_path: Path, after: int) -> None:
    """After SIGKILL the file gives every frame set whose write had returned, and at most one more."""
    path = tmp_path / "killed.mcap"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    reported = [int(line) for line in islice(process.stdout, after)]
    os.kill(process.pid, signal.SIGKILL)
    reported += [int(line) for line in process.stdout if line.endswith("\n")]
    process.stdout.close()
    process.wait(10)
    kept = [s.sequence for s in read_all(path, partial=True)]
    assert kept[: len(reported)] == reported
    assert len(kept) <= len(reported) + 1
    with pytest.raises(RecordingError, match="cut short"):
        read_all(path)


@pytest.mark.parametrize(("limit", "count"), [({"count": 2}, 2), ({"seconds": 1.5e-6}, 2), ({}, 3), ({"count": 9, "seconds": 1.0}, 3)])
def test_record_stops_at_the_first_limit(recording: Path, tmp_path: Path, limit: dict[str, Any], count: int) -> None:
    """record() stops at the count, at the seconds of the device's clock, or at the device's end, whichever is first."""
    told: list[int] = []
    with open_device(f"replay:{recording}") as device:
        assert record(device, tmp_path / "b.mcap", on_frame_set=lambda s: told.append(s.sequence), **limit) == count
    assert len(read_all(tmp_path / "b.mcap")) == len(told) == count


@pytest.mark.parametrize("limit", [{"count": 0}, {"seconds": 0}, {"seconds": float("nan")}])
def test_record_refuses_limits_that_make_no_sense(recording: Path, tmp_path: Path, limit: dict[str, Any]) -> None:
    """A count below one and seconds that are not positive are ValueErrors, and no file is made."""
    with open_device(f"replay:{recording}") as device, pytest.raises(ValueError, match="must be"):
        record(device, tmp_path / "b.mcap", **limit)
    assert not (tmp_path / "b.mcap").exists()


def test_ctrl_c_leaves_a_whole_recording(recording: Path, tmp_path: Path) -> None:
    """An interrupt while recording leaves a file that is whole up to there."""

    def interrupt(frame_set: FrameSet) -> None:
        if frame_set.sequence == 1:
            raise KeyboardInterrupt

    with open_device(f"replay:{recording}") as device, pytest.raises(KeyboardInterrupt):
        record(device, tmp_path / "b.mcap", on_frame_set=interrupt)
    assert [s.sequence for s in read_all(tmp_path / "b.mcap")] == [0, 1]
