"""A pool of views of many people, rendered once and kept by the hash of all that made it; light and cameras are drawn anew at every use."""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from models.recipes.crops import find
from models.training.synthesis import made, people
from models.training.synthesis.crops import colour_crop
from models.training.synthesis.frames import capture
from models.training.synthesis.light import light
from models.training.synthesis.mesh import MODEL, Mesh, read_mesh
from models.training.synthesis.people import Person
from models.training.synthesis.view import View, look

_PLANES: Final = ("albedo", "normals", "depth", "labels", "points", "pose", "focal", "people", "colour")
_FRONTAL: Final = 2
"""Looks of each person as at enrolment; the others turn."""
_TRIES: Final = 3
_BESIDE: Final = ("sheet", "__main__")
"""Modules that look at views and make none."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a pool is made of. sets: photographs. made: how many made-up people beside them. looks: of each person."""

    sets: tuple[str, ...] = ()
    made: int = 0
    looks: int = 10
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Views by number. planes: arrays by the names of `View`, and `colour`, one colour crop (112, 112, 3) of each view.

    people: (n,) number of the person in each view. names: by that number. digest: of all that made it.
    """

    planes: dict[str, npt.NDArray[Any]]
    people: npt.NDArray[np.int64]
    names: tuple[str, ...]
    digest: str

    def view(self, at: int) -> View:
        """Return one view."""
        p = self.planes
        return View(
            p["albedo"][at], p["normals"][at], p["depth"][at], p["labels"][at], p["points"][at], p["pose"][at], float(p["focal"][at])
        )

    @property
    def frontal(self) -> npt.NDArray[np.bool_]:
        """Which views are turned by less than 12 degrees."""
        return np.asarray((np.abs(self.planes["pose"]) < 12).all(1), np.bool_)


def open_pool(recipe: Recipe, data: Path, cache: Path, detector: Any, detector_sha256: str) -> Pool:
    """Return the pool out of the cache, or render it: a tenth of a second a view. Raises as `people.photographed` does.

    The five points of each view are where the shipped detector finds them, so that turned heads are cut as they will be; a look in which it finds
    no face is drawn again, three times at most. Without a detector they are the model's own.
    """
    digest = _digest(recipe, data, detector_sha256)
    folder = cache / f"views-{digest}"
    if not folder.is_dir():
        _write(recipe, data, folder, detector)
    planes = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _PLANES}
    names = tuple((folder / "names.txt").read_text(encoding="utf-8").split("\n"))
    return Pool(planes, np.asarray(planes["people"]), names, digest)


def everyone(recipe: Recipe, data: Path, mesh: Mesh) -> Iterator[Person]:
    """Yield the people of a recipe, photographed ones first."""
    yield from people.photographed(data, mesh, recipe.sets)
    for number in range(recipe.made):
        yield made.make_person(mesh, number, recipe.seed)


def looks(mesh: Mesh, who: Iterable[Person], recipe: Recipe, detector: Any) -> Iterator[tuple[int, str, View, Any]]:
    """Yield number and name of the person, a view with the detector's points, and a colour crop of it."""
    for number, person in enumerate(who):
        for k in range(recipe.looks):
            for attempt in range(_TRIES):
                rng = np.random.default_rng((recipe.seed, number, k, attempt))
                view = look(mesh, person, rng, frontal=k < _FRONTAL)
                plain = np.clip(light(view, rng, plain=True).colour, 0, 1) ** (1 / 2.2) * 255
                found = view.points if detector is None else find(detector, np.asarray(plain[:, :, ::-1], np.uint8))
                # Another thing than the head that is there is no face of this person.
                if found is not None and np.linalg.norm(found - view.points, axis=1).mean() < 15:
                    seen = View(view.albedo, view.normals, view.depth, view.labels, found.astype(np.float32), view.pose, view.focal)
                    yield number, person.name, seen, colour_crop(capture(seen, rng), rng)
                    break


def _digest(recipe: Recipe, data: Path, detector_sha256: str) -> str:
    digest = hashlib.sha256(f"{recipe} {detector_sha256}".encode())
    for code in sorted(Path(__file__).parent.glob("*.py")):
        # By what the code does: its layout and its comments make no new pool.
        digest.update(ast.dump(ast.parse(code.read_bytes())).encode() if code.stem not in _BESIDE else b"")
    pictures = [p for name in recipe.sets for p in sorted((data / name).rglob("*")) if p.suffix in (".jpg", ".csv")]
    for path in (data / MODEL, *pictures):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _write(recipe: Recipe, data: Path, folder: Path, detector: Any) -> None:
    mesh = read_mesh(data / MODEL)
    rows: dict[str, list[Any]] = {name: [] for name in _PLANES}
    names: dict[int, str] = {}
    for number, name, view, colour in looks(mesh, everyone(recipe, data, mesh), recipe, detector):
        if number not in names and number % 20 == 0:
            print(f"rendering person {number + 1}", file=sys.stderr)
        names[number] = name
        for plane in _PLANES[:7]:
            rows[plane].append(getattr(view, plane))
        rows["people"].append(number)
        rows["colour"].append(colour)
    if not names:
        raise ValueError("nobody to render: give photograph sets or a number of made-up people")
    # Two processes may get here at once: each writes its own folder, and the one that comes second throws its own away.
    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    part.mkdir(parents=True, exist_ok=True)
    for plane, values in rows.items():
        np.save(part / f"{plane}.npy", np.stack(values))
    (part / "names.txt").write_text("\n".join(names.get(i, "") for i in range(max(names) + 1)), encoding="utf-8")
    try:
        part.replace(folder)
    except OSError:
        shutil.rmtree(part)
        if not folder.is_dir():
            raise
