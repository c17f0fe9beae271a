"""A device that takes its frame sets from the pictures of an index: `images:INDEX.csv?person=...&sample=...&label=...&group=...`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from vultus import pictures
from vultus.devices.base import Capabilities, Device, StreamFormat
from vultus.devices.index import IndexRow, read_index
from vultus.devices.registry import Options
from vultus.errors import RecordingError
from vultus.types import DeviceIdentity, Frame, FrameSet, Source, Stream

PERIOD_NS: Final = 33_333_333
"""Distance between the made-up time stamps of two rows: pictures have no clock, 30 a second is a camera's."""


def load_row(row: IndexRow, device: DeviceIdentity, sequence: int = 0, index: Path | None = None) -> FrameSet:
    """Load the pictures of one row as a frame set; raises RecordingError, which names the file and line, when one cannot be used."""
    frames: dict[str, Frame] = {}
    where = f"{index}, line {row.line}: " if index else ""
    for stream, path in row.paths.items():
        try:
            frames[stream.value] = Frame(stream, pictures.read(path, stream), sequence * PERIOD_NS)
        except OSError as problem:
            raise RecordingError(f"{where}{path.name}: cannot be read: {problem.strerror}") from problem
        except (ValueError, TypeError) as problem:
            raise RecordingError(f"{where}{path.name}: {problem}") from problem
    try:
        return FrameSet(device, sequence, **frames)
    except ValueError as problem:
        raise RecordingError(f"{where}{problem}") from problem


class ImagesDevice(Device):
    """Gives a frame set for each row that the filters leave, in the index's order; a row that cannot be read raises once and is passed."""

    def __init__(self, path: Path, *, person: str = "", sample: str = "", label: str = "", group: str = "") -> None:
        super().__init__(DeviceIdentity("images", path.name, "", Source.IMAGES))
        self._path = path
        self._wanted = {"person": person, "sample": sample, "label": label, "group": group}
        self._rows: tuple[IndexRow, ...] = ()
        self._at = 0

    @property
    def row(self) -> IndexRow | None:
        """Return the row of the frame set that was read last; None before the first."""
        return self._rows[self._at - 1] if self._at else None

    def _open(self) -> Capabilities:
        index = read_index(self._path, check_pictures=False, strict=True)
        wanted = [(name, value) for name, value in self._wanted.items() if value]
        self._rows = tuple(row for row in index.rows if all(getattr(row, name) == value for name, value in wanted))
        self._at = 0
        if not self._rows:
            asked = ", ".join(f"{name} {value!r}" for name, value in wanted) or "any person"
            raise RecordingError(f"{self._path}: no row for {asked}")
        streams = {stream for row in self._rows for stream in row.paths}
        formats = tuple(StreamFormat(stream) for stream in Stream if stream in streams)
        return Capabilities(formats, rate_hz=None, finite=True, hardware_time=False)

    def _next(self, deadline: float) -> FrameSet | None:
        del deadline
        if self._at == len(self._rows):
            return None
        sequence = self._at
        self._at += 1
        return load_row(self._rows[sequence], self.identity, sequence, self._path)

    def _close(self) -> None:
        self._rows = ()
        self._at = 0


def from_url(path: str, options: Options) -> Device:
    """Make the device of an `images:` URL."""
    wanted = {name: options.text(name, "") for name in ("person", "sample", "label", "group")}
    options.done()
    return ImagesDevice(Path(path), **wanted)
