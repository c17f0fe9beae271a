"""Read an evaluation index: a CSV file that says which pictures belong to which person.

    person,sample,rgb,nir,nir_ambient,depth,label,group,...

Paths are relative to the index and stay inside its folder; empty = absent. `label` is bona_fide or an attack species. `group` and
every further column are the set's own. UTF-8, comma, one header line.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vultus import pictures
from vultus.errors import DeviceNotFound, RecordingError
from vultus.types import Stream

BONA_FIDE: Final = "bona_fide"
_REQUIRED: Final = ("person", "sample", "label")
_OWN: Final = frozenset((*_REQUIRED, "group", *(s.value for s in Stream)))
_HEAD_BYTES: Final = 1 << 18
"""How much of a picture is read to find its size: enough for EXIF blocks of 64 KiB before a JPEG's frame header."""


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One sample: its pictures by stream (absent ones are not in `paths`), label, group ("" = none) and the set's own columns."""

    line: int
    person: str
    sample: str
    label: str
    group: str
    paths: Mapping[Stream, Path] = field(repr=False)
    extra: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the row that ends on `line` cannot be used."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Index:
    """The rows that can be used, in the file's order, and the problems of those that cannot."""

    path: Path
    rows: tuple[IndexRow, ...]
    problems: tuple[Problem, ...]


def read_index(path: Path | str, *, strict: bool = False, check_pictures: bool = True) -> Index:
    """Read an index; `check_pictures` looks at each picture's header too (exists, size, bits, channels), not at its pixels.

    Raises DeviceNotFound for a missing file, RecordingError for one that is no index at all or, when strict, has any problem.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            index = _parse(path, csv.reader(file, strict=True), check_pictures=check_pictures)
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise DeviceNotFound(f"{path}: no such index; give a CSV file with the columns {', '.join(_REQUIRED)} and pictures") from problem
    except OSError as problem:
        raise RecordingError(f"{path}: the index cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise RecordingError(f"{path}: the index is not UTF-8 text") from problem
    if strict and index.problems:
        first = index.problems[0]
        raise RecordingError(f"{path}: {len(index.problems)} bad rows; the first, line {first.line}: {first.text}")
    return index


def _parse(path: Path, lines: Any, *, check_pictures: bool) -> Index:
    rows: list[IndexRow] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, str, str], int] = {}
    try:
        header: list[str] = next(lines, [])
        _check_header(path, header)
        folder = path.parent.resolve()
        for cells in lines:
            number: int = lines.line_num
            if not cells:
                continue
            try:
                row = _row(folder, number, header, cells)
                first = seen.setdefault((row.person, row.sample, row.label), number)
                if first != number:
                    raise ValueError(f"person {row.person!r}, sample {row.sample!r}, label {row.label!r} stands on line {first} already")
                if check_pictures:
                    _check_pictures(row)
            except ValueError as problem:
                problems.append(Problem(number, str(problem)))
            else:
                rows.append(row)
    except csv.Error as problem:
        raise RecordingError(f"{path}: not a CSV file at line {lines.line_num}: {problem}") from problem
    return Index(path, tuple(rows), tuple(problems))


def _check_header(path: Path, header: list[str]) -> None:
    if not header:
        raise RecordingError(f"{path}: the index is empty; its first line names the columns")
    missing = [name for name in _REQUIRED if name not in header]
    if missing or not {Stream.RGB.value, Stream.NIR.value, Stream.DEPTH.value} & set(header):
        raise RecordingError(f"{path}: the first line must name {', '.join(_REQUIRED)} and at least one of rgb, nir, depth")
    if len(set(header)) != len(header):
        raise RecordingError(f"{path}: a column is named twice")


def _row(folder: Path, line: int, header: list[str], cells: list[str]) -> IndexRow:
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} cells where the first line names {len(header)} columns")
    values = dict(zip(header, cells, strict=True))
    for name in _REQUIRED:
        if not values[name].strip():
            raise ValueError(f"{name} is empty")
    paths = {stream: _inside(folder, values[stream.value]) for stream in Stream if values.get(stream.value)}
    if not paths.keys() - {Stream.NIR_AMBIENT}:
        raise ValueError("no picture: rgb, nir and depth are empty")
    if Stream.NIR_AMBIENT in paths and Stream.NIR not in paths:
        raise ValueError("nir_ambient without nir")
    extra = {name: value for name, value in values.items() if name not in _OWN}
    return IndexRow(line, values["person"], values["sample"], values["label"], values.get("group", ""), paths, extra)


def _inside(folder: Path, written: str) -> Path:
    """Resolve a path of the index; raises ValueError when it leaves the index's folder, by a link too."""
    if "\0" in written:
        raise ValueError("a path has a NUL character")
    path = (folder / written).resolve()
    if not path.is_relative_to(folder):
        raise ValueError(f"{written!r} lies outside the index's folder")
    return path


def _check_pictures(row: IndexRow) -> None:
    for stream, path in row.paths.items():
        try:
            with path.open("rb") as file:
                info = pictures.probe(file.read(_HEAD_BYTES))
            pictures.check_size(info)
            pictures.check_layout(info, stream)
        except FileNotFoundError as problem:
            raise ValueError(f"{stream}: {path.name}: no such file") from problem
        except OSError as problem:
            raise ValueError(f"{stream}: {path.name}: cannot be read: {problem.strerror}") from problem
        except ValueError as problem:
            raise ValueError(f"{stream}: {path.name}: {problem}") from problem
