"""Draw where the time goes: one bar a subject, stacked by stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vultus.errors import VultusError


def draw(document: Mapping[str, Any], path: Path) -> None:
    """Write a PNG; raises VultusError when matplotlib is not installed."""
    try:
        from matplotlib import colormaps
        from matplotlib.figure import Figure
    except ImportError as error:
        raise VultusError("the picture needs matplotlib: run pip install 'vultus[bench]'") from error
    rows = document["warm"]
    names = [n for n in rows if n != "null"]
    stages = list(dict.fromkeys(stage for n in names for stage in rows[n].get("stages", {})))
    colours = colormaps["tab20"]
    figure = Figure(figsize=(10, 1.2 + 0.45 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    left = [0.0] * len(names)
    for i, stage in enumerate(stages):
        widths = [rows[n].get("stages", {}).get(stage, 0.0) for n in names]
        axes.barh(names, widths, left=left, color=colours(i % 20), label=stage)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    whole = [rows[n]["p50"] if not rows[n].get("stages") else 0.0 for n in names]
    axes.barh(names, whole, left=left, color="0.75", label="not taken apart")
    for i, name in enumerate(names):
        axes.plot([rows[name]["p99"]], [i], marker="|", color="black", markersize=12)
    axes.invert_yaxis()
    axes.set_xlabel(f"ms a frame set, medians; | is p99; {document['machine']['cpu']}, {document['machine']['threads']} thread(s)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    figure.savefig(path, dpi=120)
