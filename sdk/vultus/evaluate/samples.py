"""Samples of an evaluation: who is in which files, and which rows were not fit to use."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus.devices.index import BONA_FIDE, read_index
from vultus.errors import DeviceNotFound, RecordingError
from vultus.frames import DeviceIdentity, Frame, FrameSet, Source, Stream

IDENTITY: Final = DeviceIdentity("images", "files", "", Source.IMAGES)
_APART_NS: Final = 10_000_000_000
"""Time between two samples: far more than any tracking window, so that no sample is looked at where the last one's face was."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row: a person's files at one moment. `line` is the row's line in the index; `columns` are the index's own further columns."""

    line: int
    person: str
    name: str
    files: Mapping[Stream, Path]
    label: str = BONA_FIDE
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def bona_fide(self) -> bool:
        """True unless the row is an attack."""
        return self.label == BONA_FIDE

    def column(self, name: str) -> str:
        """Return a column by its name, the standard ones included; "" where the row has none."""
        return {"person": self.person, "sample": self.name, "label": self.label}.get(name, self.columns.get(name, ""))


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that could not be used as it stands. `line` is 0 for a problem of the whole data set."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class DataSet:
    """Samples in the order of the index, and every problem found in it.

    `bad_rows` counts rows that name a sample which could not be taken in at all: a failure to acquire each.
    """

    name: str
    root: Path
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = ()
    bad_rows: int = 0
    index: bytes = b""

    def digest(self, hashes: Mapping[Path, str]) -> str:
        """Return one sha256 over the index and every file that it names; a file that cannot be read counts by its absence."""
        total = hashlib.sha256(hashlib.sha256(self.index).digest())
        for path in sorted({p for s in self.samples for p in s.files.values()}):
            total.update(f"{path.relative_to(self.root).as_posix()}\0{hashes.get(path, 'absent')}\n".encode())
        return total.hexdigest()


def people_of(samples: Sequence[Sample]) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """Return the people by name and each sample's place among them."""
    names, place = np.unique([s.person for s in samples], return_inverse=True)
    return tuple(str(n) for n in names), place.astype(np.int32)


def index_samples(path: Path) -> DataSet:
    """Read an evaluation index; a row whose pictures turn out unreadable stays, and fails to acquire later.

    Raises DeviceNotFound, RecordingError.
    """
    index = read_index(path, check_pictures=False)
    rows = [
        Sample(r.line, r.person, r.sample, r.paths, r.label, {**({"group": r.group} if r.group else {}), **r.extra}) for r in index.rows
    ]
    problems = tuple(Problem(p.line, p.text) for p in index.problems)
    return DataSet(path.parent.resolve().name, path.parent.resolve(), tuple(rows), problems, len(problems), path.read_bytes())


def lfw_samples(root: Path) -> DataSet:
    """Return the pictures that LFW's `pairs.txt` names, each once, sorted by name. Raises DeviceNotFound, RecordingError."""
    root = root.resolve()
    path = root / "pairs.txt"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DeviceNotFound(f"no pairs.txt in {root} ({error.strerror}); give the folder of LFW with its pairs.txt") from error
    names = sorted({name for pair in lfw_pairs(data) for name in pair[:2]})
    samples = [Sample(0, person, str(number), {Stream.RGB: root / person / f"{person}_{number:04d}.jpg"}) for person, number in names]
    return DataSet("lfw", root, tuple(samples), index=data)


def lfw_pairs(data: bytes) -> list[tuple[tuple[str, int], tuple[str, int], bool, int]]:
    """Read LFW's pairs: both pictures as (person, number), whether they show one person, and the fold. Raises RecordingError."""
    lines = data.decode("utf-8", "replace").splitlines()
    try:
        folds, each = (int(v) for v in lines[0].split())
        body = [line.split() for line in lines[1:] if line.strip()]
        if len(body) != folds * each * 2:
            raise ValueError(f"it promises {folds * each * 2} pairs and has {len(body)}")
        out = []
        for i, words in enumerate(body):
            fold, same = i // (2 * each), i % (2 * each) < each
            if len(words) != (3 if same else 4):
                raise ValueError(f"line {i + 2} has {len(words)} words")
            first, second = ((words[0], int(words[1])), (words[0], int(words[2])) if same else (words[2], int(words[3])))
            out.append((first, second, same, fold))
    except (ValueError, IndexError) as error:
        raise RecordingError(f"pairs.txt is not LFW's ({error}); fetch it again") from error
    return out


def frame_set(frames: Mapping[Stream, Frame], sequence: int) -> FrameSet:
    """Put a sample's frames together."""
    return FrameSet(IDENTITY, sequence, **{s.value: f for s, f in frames.items()})


def time_of(sequence: int) -> int:
    """Return the time stamp of a sample's frames in nanoseconds."""
    return (sequence + 1) * _APART_NS


def where(samples: Sequence[Sample], condition: str | None) -> npt.NDArray[np.bool_]:
    """Mark the samples that fulfil COLUMN=VALUE; all without a condition. Raises ValueError when it is none or nothing fulfils it."""
    if condition is None:
        return np.ones(len(samples), bool)
    column, equals, value = condition.partition("=")
    if not equals or not column:
        raise ValueError(f"a condition has the form COLUMN=VALUE; got {condition!r}")
    found = np.array([s.column(column) == value for s in samples], bool)
    if not found.any():
        seen = sorted({s.column(column) for s in samples} - {""})
        raise ValueError(f"no row has {condition}; the column {column} holds {', '.join(seen[:10]) or 'nothing'}")
    return found
