"""Show the document of a run: tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_COLUMNS = ("p50", "p90", "p95", "p99", "max")


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the tables."""
    about = document["machine"]
    where = "any core" if about["pinned_to"] is None else f"core {about['pinned_to']}"
    yield f"{about['cpu']}, {about['threads']} thread(s) on {where}, {'/'.join(about['isa'])} kernels, ONNX Runtime {about['onnxruntime']}"
    if document["simulated"]:
        yield "Frames are simulated: times are real, outcomes say nothing about people."
    yield ""
    yield from _table("warm, ms", document["warm"])
    if document["cold"]:
        yield ""
        yield from _table("fresh process to first decision, ms", document["cold"], memory=True)
    for base in sorted({name.partition(" / ")[2] for name in document["ratios"]}):
        yield ""
        yield f"time over that of {base}, median of the rounds (middle half)"
        for name, found in document["ratios"].items():
            if name.endswith(f" / {base}"):
                told = f"{found['median']:.3f} ({found['low']:.3f} to {found['high']:.3f})" if found else "unstable: not compared"
                yield f"  {name.partition(' / ')[0]:34}{told}"
    yield ""
    yield "stages of verify, median ms"
    for name, result in document["warm"].items():
        if name.startswith(("verify", "reject", "cold")):
            parts = ", ".join(f"{stage} {ms:.2f}" for stage, ms in result["stages"].items())
            yield f"  {name:34}{parts}"


def _table(title: str, rows: Mapping[str, Mapping[str, Any]], *, memory: bool = False) -> Iterator[str]:
    yield f"{title:36}" + "".join(f"{c:>9}" for c in _COLUMNS) + f"{'runs':>8}" + (f"{'peak MiB':>10}" if memory else "")
    for name, row in rows.items():
        note = "" if row["stable"] or row["p50"] < 0.05 else "  unstable"
        extra = f"{row['peak_mib']:10.0f}" if memory else ""
        yield f"  {name:34}" + "".join(_number(row[c]) for c in _COLUMNS) + f"{row['count']:8d}{extra}{note}"


def _number(ms: float) -> str:
    return f"{ms:9.3f}" if ms < 1 else f"{ms:9.2f}" if ms < 100 else f"{ms:9.0f}"


def unstable(document: Mapping[str, Any]) -> Sequence[str]:
    """Return the warm subjects whose spread is too wide to compare; the null pipeline is too short to judge."""
    return [name for name, row in document["warm"].items() if name != "null" and not row["stable"]]
