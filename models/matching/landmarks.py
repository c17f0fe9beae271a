"""How far landmarks lie from where they belong, by the way of looking: London and Canada, shrunk to a sensor's size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from models.matching.faces import F32, open_detector, open_landmarks
from models.training.landmarks.teacher import Teacher

from vultus import pictures
from vultus.graphs import open_graph
from vultus.manifest import load_manifest
from vultus.stages.detect import Detector
from vultus.stages.landmarks import Landmarks
from vultus.types import Stream

SIDES: Final = (2.5, 3.0, 3.25, 3.5, 4.0, 5.0)
EYES: Final = (20.0, 30.0, 60.0)
"""Pixels between the eyes: heads 45, 70 and 140 pixels wide."""
_NOISE: Final = 3.0
_EACH: Final = 2


def errors(root: Path) -> Iterator[str]:
    """Yield a Markdown table: root of the mean squared distance in eye distances, mean over pictures and 95th percentile.

    What they belong to is the mean of twelve looks at the picture in full size; every second photograph, twice, turned, moved, blurred and with noise.
    Nothing that ships has learnt from these people.
    """
    detector, network = open_detector(), open_landmarks()
    teacher = Teacher.of(open_graph(load_manifest().entry("detector")))
    files = [*sorted((root / "london" / "neutral_front").glob("*.jpg"))[::2], *sorted((root / "canada").rglob("*.jpg"))[::2]]
    found: dict[tuple[float, str], list[float]] = {}
    rng = np.random.default_rng(0)
    for path in files:
        picture = pictures.read(path)
        seen = detector.find(picture, Stream.RGB)
        if seen:
            truth = np.mean([teacher.two_looks(picture, seen[0], side) for side in SIDES], axis=0)
            for eyes in EYES * _EACH:
                _measure((detector, network, teacher), picture, truth, eyes, rng, found)
    yield "| eyes, pixels | look | error | 95 % below | pictures |"
    yield "|---|---|---|---|---|"
    for (eyes, name), values in sorted(found.items()):
        yield f"| {eyes:g} | {name} | {np.mean(values):.4f} | {np.percentile(values, 95):.4f} | {len(values)} |"


def _measure(
    ways: tuple[Detector, Landmarks, Teacher],
    picture: npt.NDArray[np.uint8],
    truth: F32,
    eyes: float,
    rng: np.random.Generator,
    found: dict[tuple[float, str], list[float]],
) -> None:
    import cv2

    detector, network, teacher = ways
    scale = eyes / float(np.hypot(*(truth[1] - truth[0]))) * rng.uniform(0.85, 1.15)
    angle = np.radians(rng.uniform(-12, 12))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    size = (round(4.3 * eyes), round(5.1 * eyes))
    centre = np.array(size) / 2 + rng.uniform(-6, 6, 2)
    matrix = np.column_stack([turn, centre - turn @ truth.mean(0)])
    small = cv2.warpAffine(pictures.blur(picture, 0.35 / scale), matrix, size, flags=cv2.INTER_LINEAR)
    small = np.clip(small + rng.normal(0, _NOISE, small.shape), 0, 255).astype(np.uint8)
    seen = detector.find(small, Stream.RGB)
    if not seen:
        return
    there = truth @ turn.T + matrix[:, 2]
    once = network.closer(small, seen[0])
    looks = {
        "first": seen[0].landmarks,
        "network (ships)": once.landmarks,
        "network, twice": network.closer(small, once).landmarks,
        **{f"detector and mirror image, {side:g}": teacher.two_looks(small, seen[0], side) for side in SIDES},
    }
    for name, marks in looks.items():
        error = float(np.sqrt(((marks - there) ** 2).sum(1).mean()) / (scale * np.hypot(*(truth[1] - truth[0]))))
        found.setdefault((eyes, name), []).append(error)
