"""Shows what the synthesis makes beside real frames: a picture to look at, never to keep in the repository."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.recipes.crops import displayed
from models.training.synthesis.crops import nir_crop, plain_crop
from models.training.synthesis.frames import Frames, capture
from models.training.synthesis.mesh import MODEL, read_mesh
from models.training.synthesis.pool import Recipe, everyone
from models.training.synthesis.view import View, look

U8 = npt.NDArray[np.uint8]
_CELL: Final = 160
_HEADINGS: Final = ("colour", "NIR, lamp on", "NIR, lamp off", "depth", "NIR crop", "relief", "goal")
_ROOT: Final = Path(__file__).resolve().parents[3]


def write_sheet(path: Path, recipe: Recipe, data: Path, rows: int, seed: int) -> int:
    """Write a PNG of simulated frame sets, `rows` of them, above real ones of rap3df-2017 where that is there; return how many rows it has.

    Raises ValueError for a place inside the repository: pictures of people stay outside.
    """
    if path.resolve().is_relative_to(_ROOT):
        raise ValueError(f"{path} lies in the repository; pictures of people stay outside it")
    mesh = read_mesh(data / MODEL)
    rng = np.random.default_rng(seed)
    lines = []
    for person in _spread(list(everyone(recipe, data, mesh)), rows):
        view = look(mesh, person, rng)
        frames = capture(view, rng)
        lines.append(_line(f"simulated, {person.source}, {frames.head:.0f} px", _cells(view, frames, rng)))
    lines += _real(data, max(rows // 2, 1))
    width = max(line.shape[1] for line in lines)
    head = np.zeros((24, width, 3), np.uint8)
    for i, heading in enumerate(_HEADINGS):
        cv2.putText(head, heading, (i * _CELL + 4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.vstack([head, *(np.pad(x, ((0, 0), (0, width - x.shape[1]), (0, 0))) for x in lines)])):
        raise OSError(f"{path} cannot be written")
    return len(lines)


def _spread(people: list[Any], count: int) -> list[Any]:
    """Return some of the people, from the first to the last."""
    return [people[i] for i in np.linspace(0, len(people) - 1, min(count, len(people))).astype(int)]


def _cells(view: View, frames: Frames, rng: np.random.Generator) -> list[U8]:
    crop, shape, to, scale = nir_crop(view, frames, rng)
    relief = np.asarray(np.clip(shape[0] * 100 + 128, 0, 255), np.uint8)
    return [
        frames.colour[:, :, ::-1],
        *_lamp_on_and_off(frames),
        _shown(frames.depth),
        np.asarray(crop, np.uint8),
        relief,
        plain_crop(view, to, scale, rng)[:, :, ::-1],
    ]


def _lamp_on_and_off(frames: Frames) -> list[U8]:
    """Return both NIR pictures with a display curve; four times the median of the one with the lamp on is white in both."""
    level = 4 * max(float(np.median(frames.nir)), 1.0)
    return [np.asarray(np.clip(one / level, 0, 1) ** (1 / 2.2) * 255, np.uint8) for one in (frames.nir, frames.nir_ambient)]


def _real(data: Path, count: int) -> list[U8]:
    """Return rows of real frame sets; none where the set is not there."""
    folder = data / "rap3df-2017"
    if not (folder / "index.csv").is_file():
        return []
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = _spread(list(csv.DictReader(file)), count)
    lines = []
    for row in rows:
        colour, nir, depth = (cv2.imread(str(folder / row[k]), cv2.IMREAD_UNCHANGED) for k in ("rgb", "nir", "depth"))
        lines.append(_line("real, rap3df-2017", [colour, displayed(nir), np.zeros_like(displayed(nir)), _shown(depth)]))
    return lines


def _shown(depth: npt.NDArray[np.uint16]) -> U8:
    """Return depth as grey: the nearest measured point white, 25 cm behind it black."""
    near = float(np.percentile(depth[depth > 0], 1)) if (depth > 0).any() else 0.0
    return np.asarray(np.where(depth > 0, np.clip(255 - (depth - near), 20, 255), 0), np.uint8)


def _line(said: str, cells: list[U8]) -> U8:
    out = []
    for cell in cells:
        picture = cell if cell.ndim == 3 else cv2.cvtColor(cell, cv2.COLOR_GRAY2BGR)
        factor = _CELL / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)[:_CELL, :_CELL]
        out.append(np.pad(small, ((0, _CELL - small.shape[0]), (0, _CELL - small.shape[1]), (0, 0))))
    line = np.hstack(out)
    cv2.putText(line, said, (4, _CELL - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(line, np.uint8)
