"""Write frame sets to a recording: an MCAP file, one channel a stream, one chunk a frame set, a checksum over each chunk and over the whole.

With a key the messages are sealed (see `envelope`): the file stays one that any reader of MCAP opens, its contents opaque.

A recorder that is killed leaves a file that can be read up to the last whole frame set. A recording holds faces: it is made readable
for its owner alone.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from vultus._version import __version__
from vultus.devices.base import READ_TIMEOUT_S, Device, Order
from vultus.devices.recordings import wire
from vultus.devices.recordings.chunks import CHUNK_BYTES
from vultus.devices.recordings.envelope import ENCODING, END, Consent, Envelope, Key
from vultus.devices.recordings.records import TOPIC
from vultus.errors import RecordingError, StoreError
from vultus.types import DeviceIdentity, FrameSet, Stream

FORMAT: Final = "1"
"""Version of the layout: the metadata record `vultus.recording`, channels `/vultus/<stream>`, messages as in `wire`."""
SEALED_FORMAT: Final = "2"
"""The same with messages as in `envelope`; versions that do not know it say so."""
METADATA: Final = "vultus.recording"


def checksum(metadata: dict[str, str]) -> str:
    """Return the CRC-32 of the metadata's other entries, which MCAP itself does not guard before the file's end."""
    rest = {name: value for name, value in metadata.items() if name != "crc32"}
    return f"{zlib.crc32(json.dumps(rest, sort_keys=True).encode()):08x}"


class _Sink:
    """An unbuffered file: nothing is pending that a full disk or a kill could lose later."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | (os.O_TRUNC if overwrite else os.O_EXCL)
        self._handle: int | None = os.open(path, flags, 0o600)
        self._at = 0

    @property
    def handle(self) -> int:
        """Return the open file's descriptor; raises ValueError when closed."""
        if self._handle is None:
            raise ValueError("the file is closed")
        return self._handle

    def write(self, data: bytes) -> int:
        """Write everything; raises OSError."""
        view = memoryview(data)
        done = 0
        while done < len(view):
            done += os.write(self.handle, view[done:])
        self._at += done
        return done

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._at

    def flush(self) -> None:
        """Do nothing: every write goes to the system at once."""

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class Recorder:
    """Writes the frame sets of one device; use it in a `with` statement.

    consent: a note that the file carries, readable by everybody. key: encrypt, by a key source or a passphrase. about: further entries of the
    header. Raises RecordingError when the file exists (unless overwrite), cannot be made, or the disk is full: what was written by
    then is kept, and an empty file is not.
    """

    def __init__(
        self,
        path: Path | str,
        device: DeviceIdentity,
        *,
        overwrite: bool = False,
        consent: Consent | None = None,
        key: Key | None = None,
        about: Mapping[str, str] | None = None,
    ) -> None:
        self._path = Path(path)
        self._device = device
        self._order = Order()
        self._written = 0
        self._failed = False
        self._about = dict(about or {})
        if consent is not None:
            self._about |= {"consent": consent.text, "consent_until": consent.until}
        self._envelope = self._sealed_by(key)
        try:
            self._sink = _Sink(self._path, overwrite=overwrite)
        except FileExistsError as problem:
            raise RecordingError(f"{self._path} exists; choose another name or remove it") from problem
        except OSError as problem:
            raise RecordingError(f"{self._path}: the recording cannot be made: {problem.strerror}") from problem
        from mcap.writer import CompressionType, Writer

        sink: Any = self._sink
        packing = CompressionType.ZSTD if self._envelope is None else CompressionType.NONE  # what is sealed cannot be packed again
        self._writer: Any = Writer(sink, chunk_size=CHUNK_BYTES, compression=packing, enable_data_crcs=True)
        self._whole = 0
        try:
            self._guarded(self._begin)
        except RecordingError:
            self._path.unlink(missing_ok=True)  # it holds nothing, and would be in the way of the next try
            raise

    @property
    def written(self) -> int:
        """Return how many frame sets the file holds."""
        return self._written

    def _sealed_by(self, key: Key | None) -> Envelope | None:
        """Complete the header, and return what seals the messages; None when they stay readable."""
        d, form = self._device, FORMAT if key is None else SEALED_FORMAT
        self._about |= {
            "format": form,
            "kind": d.kind,
            "model": d.model,
            "serial": d.serial,
            "source": d.source.value,
            "sdk": __version__,
        }
        if key is None:
            return None
        try:
            envelope, self._about = Envelope.make(self._about, key)
        except StoreError as problem:
            raise RecordingError(f"{self._path}: not encrypted, and so not recorded: {problem}") from problem
        return envelope

    def _begin(self) -> None:
        about = self._about
        self._writer.start(profile="", library=f"vultus {about['sdk']}")
        self._writer.add_metadata(METADATA, about | {"crc32": checksum(about)})
        schema, encoding = 0, ENCODING
        if self._envelope is None:
            schema, encoding = self._writer.register_schema(wire.SCHEMA_NAME, "protobuf", wire.schema()), "protobuf"
        self._channels = {s: self._writer.register_channel(TOPIC + s.value, encoding, schema) for s in Stream}

    def write(self, frame_set: FrameSet) -> None:
        """Append a frame set; raises RecordingError when it is out of order or cannot be stored, ValueError for another device's."""
        if self._failed:
            raise RecordingError(f"{self._path}: writing failed before; {self._kept()}")
        if frame_set.device != self._device:
            raise ValueError("a recording holds the frame sets of one device; this one is of another")
        problem = self._order.problem(frame_set)
        if problem is not None:
            raise RecordingError(f"{self._path}: not recorded, {problem}")
        frames = list(frame_set.frames())
        timing = frame_set.timing
        messages = [
            (f, wire.encode(f, frame_set.sequence, part, len(frames), timing if part == 0 else None)) for part, f in enumerate(frames)
        ]

        def add() -> None:
            short = frame_set.sequence & 0xFFFFFFFF
            for frame, plain in messages:
                data = plain if self._envelope is None else self._envelope.seal(plain, frame.stream, frame.time_ns, short)
                self._writer.add_message(self._channels[frame.stream], frame.time_ns, data, frame.time_ns, short)
            self._writer.flush()  # ends the chunk: a kill costs at most the frame set being written

        self._guarded(add)
        self._written += 1

    def _guarded(self, step: Any) -> None:
        """Run a step that writes; when the system refuses, cut the file back to the last whole frame set and say so."""
        try:
            step()
            self._whole = self._sink.tell()
        except OSError as problem:
            self._failed = True
            os.ftruncate(self._sink.handle, self._whole)
            self._sink.close()
            raise RecordingError(f"{self._path}: {problem.strerror}; {self._kept()}") from problem

    def _kept(self) -> str:
        return f"the {self._written} frame sets written before are kept (replay with ?partial=yes)"

    def close(self) -> None:
        """Write the index and close the file; closing twice is harmless. Raises RecordingError when the disk is full."""
        if self._failed:
            return
        self._failed = True

        def finish() -> None:
            if self._envelope is not None:
                self._writer.add_metadata(END, self._envelope.end())
            self._writer.finish()
            os.fsync(self._sink.handle)

        self._guarded(finish)
        self._sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def record(
    device: Device,
    path: Path | str,
    *,
    count: int | None = None,
    seconds: float | None = None,
    timeout_s: float | None = READ_TIMEOUT_S,
    overwrite: bool = False,
    consent: Consent | None = None,
    key: Key | None = None,
    on_frame_set: Callable[[FrameSet], None] | None = None,
) -> int:
    """Record an open device until it ends, `count` frame sets are written or `seconds` of its own clock have passed; return how many.

    Whatever stops it, what was written by then is a whole recording.
    """
    if count is not None and count < 1:
        raise ValueError("count must be 1 or more, or None")
    if seconds is not None and not seconds > 0:
        raise ValueError("seconds must be more than 0, or None")
    with Recorder(path, device.identity, overwrite=overwrite, consent=consent, key=key) as recorder:
        start: int | None = None
        while count is None or recorder.written < count:
            frame_set = device.read(timeout_s)
            if frame_set is None:
                break
            start = frame_set.time_ns if start is None else start
            if seconds is not None and frame_set.time_ns - start >= seconds * 1e9:
                break
            recorder.write(frame_set)
            if on_frame_set is not None:
                on_frame_set(frame_set)
        return recorder.written
