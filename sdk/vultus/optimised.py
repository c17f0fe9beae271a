"""Graphs as ONNX Runtime leaves them after optimising, kept so that opening one need not do it again.

They lie in `optimised/` beside the manifest and are made only when somebody with the right to write there asks (`vultus models optimise`),
so whoever can alter them could alter the manifest too. Each holds for one graph, one runtime and one kind of processor; one that does not
fit, or whose bytes are not those that were recorded, is passed over and the graph itself is opened.
"""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from pathlib import Path
from typing import Any, Final

from vultus.manifest import GraphEntry

_RECORD: Final = "record.json"


def folder_of(entry: GraphEntry) -> Path:
    """Return the folder for what is made from a graph."""
    return entry.path.parent.parent / "optimised"


def find(entry: GraphEntry, runtime: str) -> bytes | None:
    """Return the optimised bytes of a graph, or None when there are none that may be used here."""
    folder = folder_of(entry)
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="ascii"))
        stated = record["graphs"][entry.sha256]
        if record["runtime"] != runtime or record["processor"] != processor():
            return None
        data = (folder / _name(entry)).read_bytes()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return data if hashlib.sha256(data).hexdigest() == stated else None


def keep(entries: dict[str, tuple[GraphEntry, bytes]], runtime: str) -> Path:
    """Write optimised graphs and their record, by role; raises OSError when the folder beside the manifest cannot be written."""
    folder = folder_of(next(iter(entries.values()))[0])
    folder.mkdir(exist_ok=True)
    # Without a record nothing is used, so a half-written set is never read.
    (folder / _RECORD).unlink(missing_ok=True)
    for entry, data in entries.values():
        (folder / _name(entry)).write_bytes(data)
    graphs = {entry.sha256: hashlib.sha256(data).hexdigest() for entry, data in entries.values()}
    record: dict[str, Any] = {"runtime": runtime, "processor": processor(), "graphs": graphs}
    draft = folder / f"{_RECORD}.part"
    draft.write_text(json.dumps(record, indent=1), encoding="ascii")
    draft.replace(folder / _RECORD)
    return folder


@cache
def processor_flags() -> frozenset[str]:
    """Return what the processor says it can do; empty when it says nothing."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    line = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    return frozenset(line.partition(":")[2].split())


def processor() -> str:
    """Return a name for the kind of processor: another one may want other optimisations."""
    return hashlib.sha256(" ".join((platform.machine(), *sorted(processor_flags()))).encode()).hexdigest()[:16]


def _name(entry: GraphEntry) -> str:
    return f"{entry.sha256[:16]}.ort"
