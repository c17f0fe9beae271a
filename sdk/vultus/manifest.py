"""The list of graphs that ship: what each is for, its hash, its tensors, where it came from and what it was measured at."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from vultus.errors import ModelAltered, ModelMismatch, ModelMissing
from vultus.geometry import CUT, SHOWN
from vultus.types import Modality

SCHEMA: Final = 1
ROLES: Final = ("detector", "detector_near", "landmarks", "normaliser", "recogniser")
OPTIONAL: Final = ("recapture",)
"""Graphs that do not ship and may be fetched by name; the manifest lists them, and they count once their file is there."""
MAX_BYTES: Final = 64 * 2**20
"""Largest graph file read; six times the recogniser's. A larger file is refused before it is read."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a graph: fixed shape, numpy name of the dtype."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GraphEntry:
    """One graph of the manifest.

    The value that a stage writes into the input is (pixel - mean) * scale, planes in the order of `channels` ("RGB" or "BGR").
    `source` and each of `gates` hold the manifest's text as it stands, for people and reports.
    """

    role: str
    path: Path
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    mean: float
    scale: float
    channels: str
    licence: str
    recipe: str
    source: Mapping[str, Any] = field(repr=False)
    gates: tuple[Mapping[str, Any], ...] = field(repr=False)

    def read(self) -> bytes:
        """Return the graph's bytes after checking them; raises ModelMissing or ModelAltered."""
        try:
            size = self.path.stat().st_size
            data = self.path.read_bytes() if size <= MAX_BYTES else None
        except OSError as error:
            what = f"graph {self.role}: cannot read {self.path} ({error.strerror})"
            raise ModelMissing(f"{what}; run `vultus models build` or reinstall") from error
        if not data:
            what = "is empty" if size == 0 else f"has {size} bytes, more than any graph of this SDK"
            raise ModelAltered(f"graph {self.role}: {self.path} {what}; run `vultus models build` or reinstall")
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise ModelAltered(
                f"graph {self.role}: {self.path} has sha256 {found[:12]}..., the manifest states {self.sha256[:12]}...; "
                "the file was changed, run `vultus models build` or reinstall"
            )
        return data


@dataclass(frozen=True, slots=True)
class GraphStatus:
    """Whether the file of one role has the stated hash; `problem` is "" when it has."""

    role: str
    path: Path
    problem: str

    @property
    def ok(self) -> bool:
        """True when nothing is wrong."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class Manifest:
    """The graphs of one models folder."""

    root: Path
    entries: tuple[GraphEntry, ...]

    def entry(self, role: str) -> GraphEntry:
        """Return the graph of `role`; raises ModelMissing when the manifest has none."""
        for entry in self.entries:
            if entry.role == role:
                return entry
        known = ", ".join(e.role for e in self.entries)
        raise ModelMissing(f"{self.root / 'manifest.toml'} has no graph for the role {role!r}; it has {known}")

    def forms(self) -> Mapping[Modality, str]:
        """Return the hash that embeddings of each modality carry: the graphs that made them and how faces are cut out for them.

        That of NIR covers every graph between a crop and an embedding, so calibrations carry it. Raises ModelMissing.
        """
        recogniser, normaliser = (self.entry(role).sha256 for role in ("recogniser", "normaliser"))
        made = {Modality.RGB: recogniser, Modality.NIR: f"{recogniser} after {normaliser} shown {SHOWN}"}
        return MappingProxyType({m: hashlib.sha256(f"{graphs} cut {CUT}".encode()).hexdigest() for m, graphs in made.items()})

    @property
    def graph(self) -> str:
        """The hash that calibrations carry. Raises ModelMissing."""
        return self.forms()[Modality.NIR]

    def verify(self) -> tuple[GraphStatus, ...]:
        """Check the hash of every graph and return one status each; raises nothing."""
        return tuple(GraphStatus(e.role, e.path, _problem(e)) for e in self.entries)


def load_manifest(root: Path | None = None) -> Manifest:
    """Read the manifest in `root`, or the installed one, or the source checkout's, in that order.

    Raises ModelMissing when there is none and ModelMismatch when it is not a manifest of this version.
    """
    here = Path(__file__).resolve()
    places = (root,) if root is not None else (here.parent / "models", here.parents[2] / "models")
    for place in places:
        path = place / "manifest.toml"
        if path.is_file():
            return _parse(place, path)
    raise ModelMissing(f"no manifest.toml in {' or '.join(str(p) for p in places)}; reinstall vultus or run `vultus models build`")


def _parse(root: Path, path: Path) -> Manifest:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        schema = document["schema"]
        if schema != SCHEMA:
            raise ModelMismatch(f"{path} has schema {schema}, this version reads {SCHEMA}; install the version that wrote it")
        listed = (_entry(root, table) for table in document["graph"])
        entries = tuple(e for e in listed if e.role not in OPTIONAL or e.path.is_file())
    except OSError as error:
        raise ModelMissing(f"cannot read {path} ({error.strerror})") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelMismatch(f"{path} is not a manifest of graphs ({type(error).__name__}: {error}); reinstall vultus") from error
    roles = [e.role for e in entries]
    if len(set(roles)) != len(roles):
        raise ModelMismatch(f"{path} names a role twice: {', '.join(roles)}")
    return Manifest(root, entries)


def _entry(root: Path, table: Mapping[str, Any]) -> GraphEntry:
    file, sha256, pre = table["file"], table["sha256"], table["preprocessing"]
    path = (root / file).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ValueError(f"{file} lies outside the models folder")
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError(f"{file}: the sha256 is not 64 lower-case hex digits")
    return GraphEntry(
        role=str(table["role"]),
        path=path,
        sha256=sha256,
        inputs=tuple(_spec(t) for t in table["inputs"]),
        outputs=tuple(_spec(t) for t in table["outputs"]),
        mean=float(pre["mean"]),
        scale=float(pre["scale"]),
        channels=str(pre["channels"]),
        licence=str(table["licence"]),
        recipe=str(table["recipe"]),
        source=MappingProxyType(dict(table["source"])),
        gates=tuple(MappingProxyType(dict(g)) for g in table.get("gate", ())),
    )


def _spec(table: Mapping[str, Any]) -> TensorSpec:
    shape = tuple(int(n) for n in table["shape"])
    if not shape or min(shape) < 1:
        raise ValueError(f"tensor {table['name']} needs a fixed shape, got {list(shape)}")
    return TensorSpec(str(table["name"]), str(table["dtype"]), shape)


def _problem(entry: GraphEntry) -> str:
    try:
        entry.read()
    except (ModelMissing, ModelAltered) as error:
        return str(error)
    return ""
