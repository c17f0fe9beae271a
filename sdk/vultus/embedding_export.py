"""Write the embeddings of a recording's faces, with their quality, and no picture."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from vultus.errors import RecordingError
from vultus.frames import DeviceIdentity, FrameSet
from vultus.pipeline import Pipeline, Probe
from vultus.private_files import write_new

FORMAT: Final = "vultus.embeddings 2"
WARNING: Final = (
    "Embeddings are biometric data: they tell people apart, and pictures that look like the person can be made from them. "
    "Keep them as you would keep the pictures."
)


@dataclass(frozen=True, slots=True)
class Exported:
    """How many frame sets were read, how many gave an embedding, and how many embeddings there are."""

    frame_sets: int
    with_face: int
    embeddings: int


def export_embeddings(frame_sets: Iterable[FrameSet], device: DeviceIdentity, pipeline: Pipeline, target: Path) -> Exported:
    """Write a new .json or .npz file that only its owner may read; the device's serial is left out.

    Raises ValueError for another ending, RecordingError when `target` exists or cannot be written; nothing is left of it then.
    """
    if target.suffix not in (".json", ".npz"):
        raise ValueError(f"embeddings are written as .json or .npz; got {target.name}")
    rows, read = [], 0
    for frame_set in frame_sets:
        read += 1
        probe = pipeline.process(frame_set)
        if probe.embeddings:
            rows.append(_row(frame_set, probe))
    graphs = {modality.value: made for modality, made in pipeline.forms.items()}
    head = {"format": FORMAT, "warning": WARNING, "graphs": graphs, "device": {"kind": device.kind, "model": device.model}}
    data = json.dumps({**head, "frame_sets": rows}).encode() if target.suffix == ".json" else _npz(head, rows)
    try:
        written = write_new(target, data)
    except OSError as problem:
        raise RecordingError(f"{target}: the embeddings cannot be written: {problem.strerror}; nothing was kept") from problem
    if not written:
        raise RecordingError(f"{target} exists; choose another name or remove it")
    return Exported(read, len(rows), sum(len(r["embeddings"]) for r in rows))


def _row(frame_set: FrameSet, probe: Probe) -> dict[str, Any]:
    quality = None if probe.quality is None else {"components": dict(probe.quality.components), "usable": probe.quality.usable}
    vectors = {m.value: [float(x) for x in e.vector] for m, e in probe.embeddings.items()}
    return {"sequence": frame_set.sequence, "time_ns": frame_set.time_ns, "quality": quality, "embeddings": vectors}


def _npz(head: dict[str, Any], rows: list[dict[str, Any]]) -> bytes:
    """Return one line an embedding: sequence, time_ns, modality, quality (JSON), vector; `about` is the head as JSON."""
    flat = [(r["sequence"], r["time_ns"], m, json.dumps(r["quality"]), v) for r in rows for m, v in r["embeddings"].items()]
    sequence, time_ns, modality, quality, vectors = (list(c) for c in zip(*flat, strict=True)) if flat else ([], [], [], [], [])
    file = io.BytesIO()
    np.savez(
        file, about=json.dumps(head), sequence=np.array(sequence, np.uint64), time_ns=np.array(time_ns, np.int64),
        modality=np.array(modality, np.str_), quality=np.array(quality, np.str_), vector=np.array(vectors, np.float32),
    )  # fmt: skip
    return file.getvalue()
