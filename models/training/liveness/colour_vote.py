"""Makes the shipped vote over colour alone from simulated faces and recaptures of people kept from training; no evaluation set goes in."""

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
from vultus.manifest import Manifest
from vultus.stages.colour import Colours
from vultus.types import Face, Stream

COUNT: Final = 300
"""Faces, each seen by two cameras, and as many sheets."""
SEED: Final = (11, 1)


def simulated(maker: Maker, manifest: Manifest, count: int = COUNT) -> Iterator[tuple[str, dict[str, float | None]]]:
    """Yield the label and the values of the cues of each simulated picture."""
    colours = Colours(manifest)
    for picture, points, label in maker.pictures(SEED, count):
        low, high = points.min(0), points.max(0)
        face = Face(Stream.RGB, (*low.tolist(), *(high - low).tolist()), points, 1.0)
        luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        yield label, colours.measure(picture, np.asarray(luma, np.uint8), face)


def document(found: list[tuple[str, dict[str, float | None]]], manifest: Manifest) -> dict[str, Any]:
    """Return the calibration's document."""
    live, attacks = ([v for label, v in found if (label == LIVE) == wanted] for wanted in (True, False))
    vote = first_vote(live, attacks)
    return seal_document(
        {
            "id": f"colour-{manifest.entry('colour').sha256[:8]}",
            "colour": vote.to_dict() | {"live": []},
            "origin": {"live": len(live), "attacks": len(attacks), "what": "simulated, of people kept from training; python -m models.training.liveness vote"},
        }
    )  # fmt: skip


def write(path: Path, made: dict[str, Any]) -> None:
    """Write the document, the same bytes for the same content."""
    path.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", "utf-8")
