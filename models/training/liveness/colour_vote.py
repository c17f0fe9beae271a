"""Makes the shipped vote over colour alone from simulated live faces of people kept from training; no evaluation set goes in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from models.training.liveness.samples import LIVE, Maker

from vultus.colour_fitting import first_vote
from vultus.fitting import seal_document
from vultus.stages.colour import GRID, grid_of
from vultus.types import Face, Stream

COUNT: Final = 300
"""Faces, each seen by two cameras."""
SEED: Final = (11, 1)


def simulated(maker: Maker, count: int = COUNT) -> Iterator[dict[str, float | None]]:
    """Yield the values of the cues of each simulated live face."""
    for picture, points, label in maker.pictures(SEED, count):
        if label != LIVE:
            continue
        low, high = points.min(0), points.max(0)
        face = Face(Stream.RGB, (*low.tolist(), *(high - low).tolist()), points, 1.0)
        yield {GRID: grid_of(np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8), face)}


def document(live: list[dict[str, float | None]]) -> dict[str, Any]:
    """Return the calibration's document."""
    what = "simulated live faces of people kept from training; python -m models.training.liveness vote"
    vote = first_vote(live).to_dict()
    return seal_document({"id": "colour-1", "colour": vote, "origin": {"live": len(live), "what": what}})


def write(path: Path, made: dict[str, Any]) -> None:
    """Write the document, the same bytes for the same content."""
    path.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", "utf-8")
