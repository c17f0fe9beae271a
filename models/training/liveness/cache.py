"""Keeps samples in a cache that a change of picture, set or code makes anew; what lies there is not made again, nor its sources read."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from models.training.liveness import camera, crops, heads, recapture, samples, sources, triplets, worn
from models.training.liveness.config import COLOUR, PAINTED, Run
from models.training.liveness.samples import MESH, Maker, Samples, with_painted
from models.training.normaliser import portraits
from models.training.normaliser.face_shape import mean_face
from models.training.synthesis import optics

from vultus.simulation import attacks


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What is trained on, what is watched, and the hash of all of it."""

    train: Samples
    watch: Samples
    digest: str


def material(data: Path, cache: Path, detector: Any, detector_sha256: str, run: Run) -> Material:
    """Return the samples of a run, out of the cache as far as it has them. Raises as `sources.load` does, OSError without the mesh."""
    digest = _digest(data, detector_sha256, run)

    @lru_cache(maxsize=1)
    def made() -> tuple[Maker, Maker]:
        return makers(data, detector, run)

    count = -(-run.samples // samples.piece_size(run.kind))
    pieces = [_piece(cache, digest, f"train-{i}", lambda: made()[0], (run.seed, 0, i), f"{i + 1} of {count}") for i in range(count)]
    watched = _piece(cache, digest, "watch", lambda: made()[1], (run.seed, 1), "to watch")
    return Material(Samples.joined(pieces), watched, digest)


def makers(data: Path, detector: Any, run: Run) -> tuple[Maker, Maker]:
    """Return what makes samples of the people trained on, and of those watched. Raises as `material` does."""
    photographed = tuple(s for s in run.sets if s != PAINTED)
    mesh = heads.Model.load(data / MESH)
    found = sources.load(data, detector, photographed) if photographed else None
    if PAINTED in run.sets and run.kind == COLOUR:
        found = with_painted(found, mesh)
    normals, _ = mean_face(data / MESH)
    train, watch = (None, None) if found is None else found.split()
    painted = PAINTED in run.sets
    return Maker(run.kind, train, painted, mesh, normals), Maker(run.kind, watch, painted, mesh, normals)


def _digest(data: Path, detector_sha256: str, run: Run) -> str:
    """Return the hash of everything that the samples follow from: pictures, mesh, code, sets and seed; not what is left out of training."""
    digest = hashlib.sha256(f"{detector_sha256} {run.kind} {run.sets} {run.seed}".encode())
    code = [m.__file__ for m in (samples, camera, crops, heads, recapture, sources, triplets, worn, optics, portraits, attacks)]
    named = tuple(s for s in run.sets if s in portraits.PERMITTED)
    pictures = [p for ps in (portraits.files(data, named) if named else {}).values() for p in ps]
    for path in (*map(Path, code), data / MESH, *pictures):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _piece(cache: Path, digest: str, name: str, maker: Callable[[], Maker], seed: tuple[int, ...], which: str) -> Samples:
    kept = cache / f"liveness-{digest}" / f"{name}.npz"
    if kept.is_file():
        with np.load(kept) as file:
            return Samples(file["seen"], file["species"], file["maps"])
    made = maker().piece(seed)
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Two processes may get here at once: each writes its own file and the last rename wins, with the same bytes.
    part = kept.with_name(f".{name}.{os.getpid()}.npz")
    np.savez(part, seen=made.seen, species=made.species, maps=made.maps)
    part.replace(kept)
    print(f"made samples, piece {which}", file=sys.stderr, flush=True)
    return made
