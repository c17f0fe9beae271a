"""The faces to learn from: rendered heads under drawn lights and, where a run names them, photographs; with their landmarks."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.landmarks.config import Run
from models.training.landmarks.teacher import Teacher
from models.training.normaliser.portraits import PERMITTED, files
from models.training.synthesis.light import light
from models.training.synthesis.pool import Pool, Recipe, open_pool
from models.training.synthesis.view import View

from vultus import pictures
from vultus.devices.simulator.portraits import carried_portrait
from vultus.geometry import TARGET
from vultus.graphs import Graph
from vultus.types import F32, U8, Face, Stream

EYES: Final = 80.0
"""Pixels between the eyes of a photograph as it is kept: more than any camera here shows."""
PORTRAITS: Final = ("grace_hopper", "astronaut")
_ROOM: Final = (4.6, 5.2)
"""Width and height of what is kept of a photograph, in eye distances."""
_APART: Final = 0.3
"""Eye distances, mean over the points, beyond which the teacher and the head model speak of different places: that view is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Pictures, uint8 (h, w, 3) B, G, R or (h, w) NIR, landmarks (n, 5, 2) in their pixels, and the person in each."""

    pictures: list[U8]
    marks: F32
    people: npt.NDArray[np.str_]

    def __add__(self, other: Faces) -> Faces:
        """Join two sets."""
        return Faces(self.pictures + other.pictures, np.concatenate([self.marks, other.marks]), np.concatenate([self.people, other.people]))

    def of(self, kept: npt.NDArray[np.bool_]) -> Faces:
        """Return those where `kept` is true."""
        return Faces([p for p, k in zip(self.pictures, kept, strict=True) if k], self.marks[kept], self.people[kept])


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What a run learns from, and the photographs and turned heads that it is watched by. digest: of what made the first."""

    train: Faces
    photographs: Faces
    turned: Faces
    digest: str


def unit_of(marks: F32) -> float:
    """Return the eye distance of a frontal head of the same size; a turned head's own eyes are nearer to each other."""
    spread = [float(np.sqrt(((m - m.mean(0)) ** 2).sum(1).mean())) for m in (np.asarray(marks, np.float64), TARGET)]
    return spread[0] / spread[1] * float(np.hypot(*(TARGET[1] - TARGET[0])))


def kept_aside(data: Path) -> frozenset[str]:
    """Return the people of London and Canada that no run learns from: every second one, those whom `models.matching landmarks` measures."""
    return frozenset(name for one in PERMITTED for name in sorted(files(data, (one,)))[::2])


def material(run: Run, data: Path, cache: Path, graph: Graph) -> Material:
    """Return the material of a run out of the cache, or make it. graph: the detector's large one.

    Where London and Canada are not there, a run without photographs is watched by what it learns from. Raises FileNotFoundError for one with them.
    """
    teacher = Teacher.of(graph)
    pool = open_pool(Recipe((), run.made, 5), data, cache, graph, graph.sha256)
    parts = {"made": (pool.digest, lambda: _views(pool, run, teacher)), "portraits": ("", lambda: _gathered(_portraits(teacher)))}
    taken = list(parts)
    if run.photographs or all((data / name).is_dir() for name in PERMITTED):
        seen = open_pool(Recipe(PERMITTED, 0, 10), data, cache, graph, graph.sha256)
        parts["photographed"] = (seen.digest, lambda: _views(seen, run, teacher))
        parts["photographs"] = (seen.digest, lambda: _photographs(data, teacher))
    keys = {name: _digest(name, origin, run) for name, (origin, _) in parts.items()}
    found = {name: _kept(cache / f"landmarks-{keys[name]}.npz", make) for name, (_, make) in parts.items()}
    train = found["made"] + _repeated(found["portraits"], run.portraits)
    watch = [found["portraits"], found["made"]]
    if "photographs" in parts:
        aside = sorted(kept_aside(data))
        held = [np.isin(found[name].people, aside) for name in ("photographs", "photographed")]
        watch = [found[name].of(kept) for name, kept in zip(("photographs", "photographed"), held, strict=True)]
        if run.photographs:
            taken = list(parts)
            train = train + found["photographed"].of(~held[1]) + _repeated(found["photographs"].of(~held[0]), run.photographs)
    digest = hashlib.sha256(" ".join(keys[name] for name in taken).encode()).hexdigest()[:16]
    return Material(train, *watch, digest)


def _digest(name: str, origin: str, run: Run) -> str:
    """Return what tells a part of the material from others, by what the code does: its layout and its comments make no new one."""
    trees = [ast.parse(p.read_bytes()) for p in (Path(__file__), Path(__file__).with_name("teacher.py"))]
    code = "".join(ast.dump(node) for tree in trees for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom))
    return hashlib.sha256(f"{name} {origin} {run.lights} {run.seed} {code}".encode()).hexdigest()[:16]


def _kept(path: Path, make: Any) -> Faces:
    if not path.is_file():
        faces: Faces = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.stem}.{os.getpid()}.npz")
        flat = {f"picture_{i}": p for i, p in enumerate(faces.pictures)}
        np.savez(part, marks=faces.marks, people=faces.people, **flat)
        part.replace(path)
    with np.load(path) as file:
        return Faces([file[f"picture_{i}"] for i in range(len(file["marks"]))], file["marks"], file["people"])


def _repeated(faces: Faces, times: int) -> Faces:
    return Faces(faces.pictures * times, np.tile(faces.marks, (times, 1, 1)), np.tile(faces.people, times))


def _gathered(found: Iterator[tuple[U8, F32, str]]) -> Faces:
    shown, marks, people = zip(*found, strict=True)
    return Faces(list(shown), np.stack(marks), np.array(people))


def _portraits(teacher: Teacher) -> Iterator[tuple[U8, F32, str]]:
    for name in PORTRAITS:
        yield from _photograph(carried_portrait(name).image, name, teacher)


def _photographs(data: Path, teacher: Teacher) -> Faces:
    return _gathered(
        one for name, paths in files(data).items() for path in paths for one in _photograph(pictures.read(path), name, teacher)
    )


def _photograph(picture: U8, name: str, teacher: Teacher) -> Iterator[tuple[U8, F32, str]]:
    seen = teacher.detector.find(picture, Stream.RGB)
    marks = teacher.truth(picture, seen[0]) if seen else None
    if marks is None:
        return
    scale = min(EYES / unit_of(marks), 1.0)
    size = (round(_ROOM[0] * EYES), round(_ROOM[1] * EYES))
    shift = np.array(size) / 2 - scale * marks.mean(0)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    small = cv2.warpAffine(pictures.blur(picture, 0.35 / scale), matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    yield np.ascontiguousarray(small[:, :, ::-1]), np.asarray(marks * scale + shift, np.float32), name


def _views(pool: Pool, run: Run, teacher: Teacher) -> Faces:
    return _gathered(one for at in range(len(pool.people)) for one in _lit(pool.view(at), at, pool.names[pool.people[at]], run, teacher))


def _lit(view: View, at: int, name: str, run: Run, teacher: Teacher) -> Iterator[tuple[U8, F32, str]]:
    """Yield a view in colour and NIR under lights drawn at random; its landmarks are those of the view in soft light."""
    rng = np.random.default_rng((run.seed, at, 11))
    soft = np.asarray(np.clip(light(view, rng, plain=True).colour, 0, 1) ** (1 / 2.2) * 255 + 0.5, np.uint8)
    low, high = view.points.min(0), view.points.max(0)
    rough = Face(Stream.RGB, (float(low[0]), float(low[1]), *(float(n) for n in high - low)), view.points, 1.0)
    marks = teacher.truth(soft, rough)
    if marks is None or float(np.linalg.norm(marks - view.points, axis=1).mean()) > _APART * unit_of(view.points):
        return
    for _ in range(run.lights):
        lit = light(view, rng)
        yield _shown(lit.colour[:, :, ::-1], view), marks, name
        yield _shown(lit.lamp + lit.room * float(rng.choice((0.0, 0.3)) * rng.uniform(0, 1)), view), marks, name


def _shown(lit: npt.NDArray[Any], view: View) -> U8:
    """Return light as a display picture in which all but the brightest twentieth of the head is below 200."""
    level = float(np.percentile(lit[view.labels > 0], 95))
    return np.asarray(np.clip((lit / max(level, 1e-6) * (200 / 255) ** 2.2), 0, 1) ** (1 / 2.2) * 255 + 0.5, np.uint8)
