"""Measures bfloat16 arithmetic against float32: time a step and the loss, step by step on the same crops."""

from __future__ import annotations

import csv
import dataclasses
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from models.training.normaliser.config import Run
from models.training.normaliser.data import Material
from models.training.normaliser.recogniser import Recogniser
from models.training.normaliser.train import train

_STEPS: Final = 12
_STRETCH: Final = 4


def precision(run: Run, recogniser: Recogniser, found: Material, folder: Path, steps: int = _STEPS) -> Iterator[str]:
    """Yield Markdown rows of a short run in both; the two take turns, a few steps each, so that a busy machine slows both."""
    curves: dict[str, list[dict[str, str]]] = {}
    for stop in range(_STRETCH, steps + 1, _STRETCH):
        for name, half in (("float32", False), ("bfloat16", True)):
            short = dataclasses.replace(run, steps=steps, half=half, watch_every=10**6, keep_every=_STRETCH)
            train(short, recogniser, found, folder / name, stop_after=stop)
            with (folder / name / "metrics.csv").open(newline="", encoding="utf-8") as file:
                curves[name] = list(csv.DictReader(file))
    yield "| step | loss in float32 | loss in bfloat16 |"
    yield "|---|---|---|"
    for a, b in zip(curves["float32"], curves["bfloat16"], strict=True):
        yield f"| {a['step']} | {a['loss']} | {b['loss']} |"
    # A look at the people kept aside falls on the first and the last step of each stretch: the others are pure steps.
    pure = {n: statistics.median(float(r["seconds"]) for r in rows if not r["watch_own"]) for n, rows in curves.items()}
    yield f"time a step, bfloat16 to float32: {pure['bfloat16'] / pure['float32']:.2f}"
