"""The crops that a run trains on, kept in a cache that a change of picture, detector or code makes anew; batches by step number."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from models.training.normaliser import portraits
from models.training.normaliser.face_shape import mean_face
from models.training.normaliser.nir import Shape, simulate
from models.training.normaliser.portraits import Portraits

F32 = npt.NDArray[np.float32]
_MESH: Final = "ict-face/ict_face_model.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What is trained on and what is watched, the mean face, and the hash of all of it."""

    train: Portraits
    watch: Portraits
    shape: Shape
    digest: str


def material(data: Path, cache: Path, detector: Any, detector_sha256: str, sets: tuple[str, ...]) -> Material:
    """Return the aligned portraits, out of the cache when it has them. Raises as `portraits.files` does."""
    digest = hashlib.sha256(detector_sha256.encode())
    for path in (Path(portraits.__file__), data / _MESH, *(p for ps in portraits.files(data, sets).values() for p in ps)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    name = digest.hexdigest()[:16]
    kept = cache / f"portraits-{name}.npz"
    if kept.is_file():
        with np.load(kept) as file:
            loaded = Portraits(file["crops"], file["people"])
    else:
        loaded = portraits.load(data, detector, sets)
        cache.mkdir(parents=True, exist_ok=True)
        # Two processes may get here at once: each writes its own file and the last rename wins, with the same bytes.
        part = cache / f".{name}.{os.getpid()}.npz"
        np.savez(part, crops=loaded.crops, people=loaded.people)
        part.replace(kept)
    train, watch = loaded.split()
    return Material(train, watch, Shape(*mean_face(data / _MESH)), name)


def rgb_tensor(crops: npt.NDArray[np.uint8]) -> F32:
    """Return RGB crops (n, 112, 112, 3) as the recogniser's input (n, 3, 112, 112)."""
    return np.ascontiguousarray((crops.astype(np.float32).transpose(0, 3, 1, 2) - 127.5) / 128)


def nir_tensor(crops: npt.NDArray[np.uint8]) -> F32:
    """Return NIR crops (n, 112, 112) as (n, 1, 112, 112) in the recogniser's units."""
    return np.asarray((crops[:, None].astype(np.float32) - 127.5) / 128, np.float32)


def batch(
    found: Portraits, shape: Shape, seed: int, step: int, count: int, rank: int = 0, world: int = 1
) -> tuple[F32, npt.NDArray[np.int64]]:
    """Return one process's share of a step: simulated NIR crops (n, 1, 112, 112) and their people.

    Sample i of step s is the same whatever the number of processes, so that one and several train alike.
    """
    mine = range(rank, count, world)
    crops, people = [], []
    for i in mine:
        rng = np.random.default_rng((seed, step, i))
        at = int(rng.integers(len(found.people)))
        crops.append(simulate(found.crops[at], shape, rng))
        people.append(int(found.people[at]))
    return nir_tensor(np.stack(crops)), np.array(people, np.int64)
