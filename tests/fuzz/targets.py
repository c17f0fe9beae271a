"""The parsers that are fuzzed: valid seeds, how to change them, what to run, and what it may raise."""

from __future__ import annotations

import io
import json
import random
import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import mutations
import numpy as np

from vultus import pictures, templates
from vultus.devices import Recorder, index
from vultus.devices.recordings import chunk_index, envelope, records, wire
from vultus.devices.recordings.recording import Recording
from vultus.errors import VultusError
from vultus.frames import DeviceIdentity, Extrinsics, Frame, FrameSet, Intrinsics, Source, Stream, StreamTiming, Timing
from vultus.types import Embedding, Modality

CAMERA = DeviceIdentity("camera", "fuzzed", "1", Source.LIVE)
GRAPH = "ab" * 32
FORMS = dict.fromkeys(Modality, GRAPH)
PARSER = (ValueError, struct.error)
"""What the inner parsers say that they raise; what reads a file raises the SDK's errors alone."""
Run = Callable[[bytes], None]
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Target:
    """One parser: how its seeds are changed, and what it may raise."""

    seeds: tuple[bytes, ...]
    run: Run
    allowed: tuple[type[Exception], ...] = (VultusError,)
    mutate: Callable[[bytes, random.Random], bytes] = mutations.mutate


def frame_set(number: int, *, timed: bool = True) -> FrameSet:
    """Return a small frame set with everything that a message can carry."""
    rng = np.random.default_rng(number)
    lens, beside = Intrinsics(20.0, 21.0, 8.0, 8.0, 16, 16), Extrinsics((1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), (-25.0, 0.0, 0.0))
    shapes = {Stream.RGB: ((16, 16, 3), np.uint8), Stream.NIR: ((16, 16), np.uint16), Stream.DEPTH: ((16, 16), np.uint16)}
    frames = {
        s.value: Frame(s, rng.integers(0, 99, shape, dtype), number * 1000 + 5, lens, None if s is Stream.RGB else beside)
        for s, (shape, dtype) in shapes.items()
    }
    streams = {s: StreamTiming(9, 8, 1, 0, -5) for s in shapes}
    return FrameSet(CAMERA, number, **frames).timed(Timing(streams, 8, 1, 0, 5, 9) if timed else None)


def recorded(path: Path, key: envelope.Key | None = None) -> bytes:
    """Return the bytes of a recording of three frame sets."""
    with Recorder(path, CAMERA, overwrite=True, key=key, consent=envelope.Consent("a note", "2030-01-01")) as recorder:
        for number in range(3):
            recorder.write(frame_set(number))
    return path.read_bytes()


def make(name: str, folder: Path) -> Target:
    """Return the target of a name; `folder` is for what it needs on disk."""
    return TARGETS[name](folder)


def _file(path: Path, read: Callable[[Path], object]) -> Run:
    def run(data: bytes) -> None:
        path.write_bytes(data)
        read(path)

    return run


def _read_recording(key: envelope.Key | None = None) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        way = zlib.crc32(path.read_bytes()) % 3
        with closing(Recording(path, partial=way > 0, key=key)) as recording:
            if way == 2:
                recording.seek(recording.span_ns[0] + 1)
            for _ in recording:
                pass

    return read


def every(parse: Callable[..., object], ways: Iterable[object]) -> Run:
    """Return a run that parses in every way; rejected when none of them accepts."""

    def run(data: bytes) -> None:
        rejected = 0
        for way in ways:
            try:
                parse(data, way)
            except PARSER:
                rejected += 1
        if rejected == len(tuple(ways)):
            raise ValueError("rejected in every way")

    return run


def recordings(folder: Path) -> Target:
    """Read a recording from its start and from the middle."""
    data = recorded(folder / "seed.mcap")
    return Target((data,), _file(folder / "a.mcap", _read_recording()), mutate=mutations.mcap)


def encrypted(folder: Path) -> Target:
    """Read an encrypted recording with its key."""
    key = envelope.key_file(str(folder / "own.key"))
    data = recorded(folder / "seed.mcap", _made(key))
    return Target((data,), _file(folder / "a.mcap", _read_recording(key)), mutate=mutations.mcap)


def _made(key: envelope.Key) -> envelope.Key:
    if not isinstance(key, envelope.Passphrase):
        key.obtain()
    return key


def headers(folder: Path) -> Target:
    """Open the header of an encrypted recording, and one of its messages."""
    key = _made(envelope.key_file(str(folder / "own.key")))
    box, about = envelope.Envelope.make({"format": "2", "kind": "camera"}, key)
    message = box.seal(b"frame" * 50, Stream.RGB, 5, 1)

    def run(data: bytes) -> None:
        said = json.loads(data)
        if not isinstance(said, dict) or not isinstance(said.get("message"), str):
            raise ValueError("no document")  # noqa: TRY004 - a rejected input is a ValueError
        about = {k: v for k, v in said.items() if isinstance(v, str) and k != "message"}
        opened = envelope.Envelope.unwrap(about, key)
        opened.open(bytes.fromhex(said["message"]), Stream.RGB, 5, 1)

    seed = json.dumps(about | {"message": message.hex()}).encode()
    return Target((seed,), run, PARSER, mutations.document)


def messages(folder: Path) -> Target:
    """Decode one frame's message."""
    frames = list(frame_set(1).frames())
    seeds = tuple(wire.encode(f, 7, part, 3, frame_set(1).timing) for part, f in enumerate(frames))

    return Target(seeds, every(wire.decode, (Stream.RGB, Stream.NIR, Stream.DEPTH)), PARSER)


def indices(folder: Path) -> Target:
    """Find the chunks of a recording, with and without its own index."""
    data = recorded(folder / "seed.mcap")

    def run(changed: bytes) -> None:
        found = chunk_index.read_index(io.BytesIO(changed), len(changed))
        if found.places:
            found.before(found.oldest + 1)

    return Target((data, data[:-40]), run, PARSER, mutations.mcap)


def record_parts(folder: Path) -> Target:
    """Read texts, maps of texts and channels of an MCAP file."""

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value)) + value.encode()

    entries = text("format") + text("1") + text("kind") + text("camera")
    seeds = (struct.pack("<I", len(entries)) + entries, struct.pack("<HH", 1, 1) + text("/vultus/rgb") + text("protobuf"))

    parsers = (records.channel, lambda d: records.pairs(d, 0), lambda d: records.text(d, 0))
    return Target(seeds, every(lambda d, parse: parse(d), parsers), PARSER)


def csv_indices(folder: Path) -> Target:
    """Read an index of pictures, and look at the pictures' headers."""
    (folder / "a.png").write_bytes(pictures.encode_png(np.zeros((20, 20, 3), np.uint8)))
    text = (
        'person,sample,rgb,nir,depth,label,group\nada,1,a.png,,,bona_fide,x\nada,2,a.png,a.png,,print,\n"b,c",1,,a.png,a.png,bona_fide,\n'
    )
    seeds = (text.encode(), b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    return Target(seeds, _file(folder / "index.csv", index.read_index))


def picture_files(folder: Path) -> Target:
    """Decode a picture for every stream."""
    import cv2

    rng = np.random.default_rng(0)
    grey = rng.integers(0, 255, (20, 24), np.uint8)
    rgb = np.dstack([grey, grey[::-1], grey])
    jpegs = [bytes(cv2.imencode(".jpg", p, flags)[1]) for p, flags in ((rgb, []), (grey, []), (rgb, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]))]
    seeds = (*(pictures.encode_png(p) for p in (rgb, grey, grey.astype(np.uint16) * 200)), *jpegs)

    return Target(seeds, every(pictures.decode, (Stream.RGB, Stream.NIR, Stream.DEPTH)), (ValueError,), mutations.png)


def manifests(folder: Path) -> Target:
    """Read a manifest of graphs and check the files that it names."""
    from vultus.manifest import load_manifest

    seed = (ROOT / "models" / "manifest.toml").read_bytes()

    def run(data: bytes) -> None:
        (folder / "manifest.toml").write_bytes(data)
        load_manifest(folder).verify()

    return Target((seed,), run)


def calibrations(folder: Path) -> Target:
    """Read a sensor's calibration whose checksum is right, whatever it says."""
    from vultus import calibration
    from vultus.fitting import seal_document
    from vultus.stages.vote import CUES

    base = calibration.load(ROOT / "models" / "calibration")
    pair = {
        "pair": ["rgb", "nir"],
        "shift": 0.1,
        "scale": 1.1,
        "margin": 0.02,
        "people": 30,
        "llr": [20.0, -8.0],
        "genuine_scores": [0.1, 0.4, 0.9],
    }
    device = {"kind": "v4l2", "model": "m", "serial": "", "source": "live"}
    space = {"means": {"rgb": [0.1] * 8, "nir": [0.0] * 8}, "turn": np.eye(8).tolist()}
    n = len(CUES)
    vote = {"cues": list(CUES), "course": np.zeros((4, n)).tolist(), "deviation": [1.0] * n, "means": np.zeros((2, n)).tolist()}
    vote |= {"spreads": [np.eye(n).tolist()] * 2, "shares": [1.0], "pass_llr": 1.0, "fail_llr": -1.0, "slope": 1.0, "offset": 0.0}
    vote |= {"noisy": 0.05, "tables": {"live": [0.5, 2.0], "attacks": {"flat_print": [-3.0, -1.0]}}}
    parts = [{"pair": ["rgb", "rgb"], "weight": 0.5}, {"pair": ["nir", "nir"], "weight": 0.5}]
    body = {"id": "x", "base_graph": base.graph, "base": base.id, "device": device, "pairs": [pair], "space": space, "vote": vote}
    body["joint"] = {**pair, "parts": parts}

    def run(data: bytes) -> None:
        try:
            found = json.loads(data)
            if isinstance(found, dict):
                data = json.dumps(seal_document({k: v for k, v in found.items() if k not in ("format", "sha256")})).encode()
        except (ValueError, TypeError):
            pass  # not a document that could be sealed: as it is
        (folder / "c.json").write_bytes(data)
        calibration.carry(base, folder / "c.json").holds_for(CAMERA)

    return Target((json.dumps(body).encode(),), run, mutate=mutations.document)


def cameras(folder: Path) -> Target:
    """Read a camera calibration whose checksum is right, whatever it says, and bring small frames to it."""
    from vultus import camera_calibration
    from vultus.documents import digest

    lens = Intrinsics(20.0, 21.0, 8.0, 8.0, 16, 16)
    place = Extrinsics((1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), (-25.0, 0.0, 0.0))
    made = {s: camera_calibration.Camera(lens, (-0.2, 0.1, 0.0, 0.0), place) for s in (Stream.NIR, Stream.DEPTH)}
    seed = camera_calibration.document(CAMERA, made | {Stream.RGB: camera_calibration.Camera(lens)}, {})

    def run(data: bytes) -> None:
        try:
            found = json.loads(data)
            if isinstance(found, dict):
                data = json.dumps(found | {"sha256": digest(found)}).encode()
        except (ValueError, TypeError):
            pass  # not a document that could be sealed: as it is
        (folder / "c.json").write_bytes(data)
        camera_calibration.load(folder / "c.json").apply(frame_set(1))

    return Target((json.dumps(seed).encode(),), run, mutate=mutations.document)


def template_rows(folder: Path) -> Target:
    """Decode what a record of the store holds once it is unsealed."""
    vector = np.zeros(16, np.float32)
    vector[3] = 1
    made = templates.Template("ada", tuple(Embedding(m, vector, GRAPH) for m in Modality), 5, CAMERA, "c")
    return Target((templates.encode(made),), lambda d: void(templates.decode(d, GRAPH)), PARSER)


def void(value: object) -> None:
    """Throw a value away."""
    del value


def stores(folder: Path) -> Target:
    """Open a template store of which some bytes, or some columns of its rows, were changed, and read everybody."""
    from vultus.store import TemplateStore

    vector = np.zeros(16, np.float32)
    vector[3] = 1
    path = folder / "t.db"
    with TemplateStore.open(path) as store:
        for user in ("ada", "grace"):
            store.add(templates.Template(user, (Embedding(Modality.RGB, vector, GRAPH),), 5, CAMERA))
            store.record_failure(user, 7)
    seed = path.read_bytes()

    def run(data: bytes) -> None:
        path.with_name("t.db-journal").unlink(missing_ok=True)
        path.write_bytes(data)
        with TemplateStore.open(path, create=False) as store:
            for entry in store.entries():
                entry.readable()
            store.get("ada", FORMS)
            store.failures("grace")

    return Target((seed,), run, mutate=_changed_rows(folder / "edit.db"))


COLUMNS = {
    "meta": ("store", "key", "key_check"),
    "ledger": ("nonce", "mac", "body"),
    "record": ("tag", "format", "graph", "nonce", "mac", "body"),
}


def _changed_rows(path: Path) -> Callable[[bytes, random.Random], bytes]:
    def change(data: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.5:
            return mutations.mutate(data, rng)
        path.write_bytes(data)
        try:
            with closing(sqlite3.connect(path)) as sql, sql:
                table = rng.choice(list(COLUMNS))
                column = rng.choice(COLUMNS[table])
                old = sql.execute(f"SELECT {column} FROM {table}").fetchone()[0]  # noqa: S608 - names of our own
                raw = old.encode() if isinstance(old, str) else old if isinstance(old, bytes) and old else b"1"
                changed = mutations.mutate(raw, rng)
                new = rng.choice((changed, changed, changed.decode(errors="replace"), None, -1, 2**62, 1.5, "text", b""))
                sql.execute(f"UPDATE {table} SET {column} = ?", (new,))  # noqa: S608 - names of our own
        except sqlite3.Error:
            return mutations.mutate(data, rng)
        return path.read_bytes()

    return change


def _field(number: int, *parts: bytes | str | int) -> bytes:
    """Return a field of a protocol buffer: an integer, or bytes put together."""
    if len(parts) == 1 and isinstance(parts[0], int):
        return _varint(number << 3) + _varint(parts[0])
    body = b"".join(p.encode() if isinstance(p, str) else p for p in parts if not isinstance(p, int))
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)


def _constant(name: str, kind: int, value: np.ndarray) -> bytes:
    return _field(5, *(_field(1, n) for n in value.shape), _field(2, kind), _field(8, name), _field(9, value.tobytes()))


def _node(kind: str, inputs: str, output: str, **numbers: tuple[int, ...]) -> bytes:
    attributes = (_field(5, _field(1, name), *(_field(8, v) for v in values)) for name, values in numbers.items())
    return _field(1, *(_field(1, name) for name in inputs.split()), _field(2, output), _field(4, kind), *attributes)


def graphs(folder: Path) -> Target:
    """Read a recogniser of one layer and 64 channels, and make what the core would run."""
    from vultus import onnx_reader, trunk

    def constants(name: str, rows: int, taps: int, shape: tuple[int, ...]) -> bytes:
        weights = np.arange(rows * taps).astype(np.int8).reshape(shape)
        scale, zeros, bias = np.full(rows, 0.01, np.float32), np.zeros(rows, np.int8), np.zeros(rows, np.int32)
        arrays = (("w", 3, weights), ("s", 1, scale), ("z", 3, zeros), ("b", 6, bias))
        return b"".join(_constant(name + tag, kind, array) for tag, kind, array in arrays)

    point = {"kernel_shape": (1, 1), "pads": (0, 0, 0, 0), "strides": (1, 1), "group": (1,)}
    body = (
        _node("Transpose", "in", "a", perm=(0, 3, 1, 2)),
        _node("QLinearConv", "a one zero xw xs xz one zero xb", "x", **point),
        _node("QLinearConv", "x one zero pw ps pz one zero", "p", group=(64,), kernel_shape=(1, 1)),
        _node("Max", "x p", "m"),
        _node("Flatten", "m", "f"),
        _node("QGemm", "f one zero hw hs hz hb", "out"),
        _constant("one", 1, np.float32(1).reshape(())),
        _constant("zero", 2, np.uint8(100).reshape(())),
        constants("x", 64, 64, (64, 64, 1, 1)) + constants("p", 64, 1, (64, 1, 1, 1)) + constants("h", 128, 64, (64, 128)),
        _field(11, _field(1, "in")) + _field(12, _field(1, "out")),
    )
    seed = _field(7, *body) + _field(14, _field(1, "key"), _field(2, "value"))

    def run(data: bytes) -> None:
        made = trunk.build_trunk(onnx_reader.read_onnx(data), 1)
        made.run(np.full((1, 1, 1, 64), 9, np.uint8), np.zeros((1, 128), np.float32))

    return Target((seed,), run, PARSER)


def stems(folder: Path) -> Target:
    """Read a normaliser, which lies in the package, and run it; what cannot be read is a ValueError."""
    from vultus import _native, onnx_reader, stem
    from vultus.manifest import load_manifest

    crop, out = np.full(stem.CROP, 0.5, np.float32), np.zeros((1, *_native.STEM_OUT), np.uint8)

    def run(data: bytes) -> None:
        made = stem.read_stem(onnx_reader.read_onnx(data))
        made.run(crop, out)

    return Target((load_manifest().entry("normaliser").read(),), run, PARSER)


TARGETS: dict[str, Callable[[Path], Target]] = {
    "recording": recordings,
    "encrypted": encrypted,
    "envelope": headers,
    "wire": messages,
    "chunk_index": indices,
    "records": record_parts,
    "index_csv": csv_indices,
    "pictures": picture_files,
    "manifest": manifests,
    "calibration": calibrations,
    "cameras": cameras,
    "templates": template_rows,
    "store": stores,
    "onnx": graphs,
    "stem": stems,
}


def names() -> Iterator[str]:
    """Yield the names of all targets."""
    yield from TARGETS
