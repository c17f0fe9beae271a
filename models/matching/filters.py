"""What a filter of the crop costs in likeness: photographs of London and Canada at the size of a sensor's head against themselves in full size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from models.matching.faces import F32, Array, embedding, open_detector, open_recogniser, sampled

from vultus import pictures
from vultus.geometry import similarity
from vultus.types import Stream

EYES: Final = (20.0, 30.0, 60.0, 120.0)
"""Pixels between the eyes; 35 of them fill the crop, so that the last two are shrunk by it."""
FILTERS: Final[dict[str, float | None]] = {"bilinear": None, "cubic, a = -0.5": -0.5, "cubic, a = -0.75": -0.75}
_NOISE: Final = 3.0
_BESIDE: Final = 0.02
"""Eye distances by which all landmarks of the smaller picture are beside those of the larger, as the closer look leaves them."""


def likeness(root: Path) -> Iterator[str]:
    """Yield a Markdown table: mean cosine of a shrunk picture's embedding with that of the full size, and the difference from bilinear.

    Every photograph, shrunk, moved by a part of a pixel, with noise; intervals are over photographs.
    """
    detector, recogniser = open_detector(), open_recogniser()
    found: dict[tuple[float, str], list[float]] = {}
    rng = np.random.default_rng(0)
    for path in [*sorted((root / "london").rglob("*.jpg")), *sorted((root / "canada").rglob("*.jpg"))]:
        picture = pictures.read(path)
        seen = detector.find(picture, Stream.RGB)
        if not seen:
            continue
        marks = detector.closer(picture, seen[0]).landmarks
        eye = float(np.hypot(*(marks[1] - marks[0])))
        whole = embedding(recogniser, _small(picture, marks, 35.0 / eye, np.zeros(2)))
        for eyes in EYES:
            scale, shift = eyes / eye, rng.uniform(-0.5, 0.5, 2)
            small = _shrunk(picture, scale, shift)
            small = np.clip(small + rng.normal(0, _NOISE, small.shape), 0, 255).astype(np.uint8)
            there = np.asarray(marks * scale + shift + rng.normal(0, _BESIDE * eyes, 2), np.float32)
            for name, a in FILTERS.items():
                crop = np.clip(sampled(small, similarity(there), a), 0, 255)
                found.setdefault((eyes, name), []).append(float(whole @ embedding(recogniser, np.asarray(crop, np.float32))))
    yield "| eyes, pixels | filter | mean cosine with the full size | beyond bilinear | pictures |"
    yield "|---|---|---|---|---|"
    for (eyes, name), values in found.items():
        more = np.array(values) - np.array(found[eyes, "bilinear"])
        spread = 1.96 * more.std() / np.sqrt(len(more))
        beyond = "" if name == "bilinear" else f"{more.mean():+.4f} ({more.mean() - spread:+.4f} to {more.mean() + spread:+.4f})"
        yield f"| {eyes:g} | {name} | {np.mean(values):.4f} | {beyond} | {len(values)} |"


def _shrunk(picture: Array, scale: float, shift: Array) -> Array:
    import cv2

    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return cv2.warpAffine(pictures.blur(picture, 0.35 / scale), matrix, size, flags=cv2.INTER_LINEAR)


def _small(picture: Array, marks: F32, scale: float, shift: Array) -> F32:
    """Return the crop of the picture in full size, smoothed first so that nothing is aliased."""
    small = _shrunk(picture, 2 * scale, shift)
    crop = sampled(np.asarray(pictures.blur(small, 0.5)), similarity(np.asarray(marks * 2 * scale, np.float32)), None)
    return np.asarray(np.clip(crop, 0, 255), np.float32)
