"""What a run trains on: rendered views of permitted people, their colour crops, and batches by step number."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from models.recipes.crops import _TARGET as TARGET
from models.recipes.crops import similarity, toned
from models.training.normaliser import portraits
from models.training.normaliser.config import Run
from models.training.synthesis.crops import nir_crop, plain_crop
from models.training.synthesis.frames import HEADS, capture
from models.training.synthesis.pool import Pool, Recipe, open_pool

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
WATCH: Final = 5
"""Every fifth person is kept from training, to see when it stops helping."""
TONES: Final = (1.2, 3.0)
"""Display curves that a crop is given in training: contrast differs between sensors by more than between curves."""
_WITHOUT_DEPTH: Final = 0.2
"""Share of crops whose shape is withheld: a form must also do its work when the depth camera fails."""


@dataclass(frozen=True)
class Material:
    """Views to light and photograph anew at every step, and colour crops.

    pool: the views. colour: (n, 112, 112, 3) crops of photographs and of rendered colour frames. colour_people: number of the person in each.
    canonical: which of them are frontal; they make the prototypes. digest: hash of all of it. cache: folder where what is computed from it is
    kept; None keeps nothing.
    """

    pool: Pool
    colour: U8
    colour_people: npt.NDArray[np.int64]
    canonical: npt.NDArray[np.bool_]
    digest: str
    cache: Path | None = None

    @cached_property
    def people(self) -> npt.NDArray[np.int64]:
        """Numbers of the people trained on."""
        return np.unique(self.pool.people[self.pool.people % WATCH != 0])

    @cached_property
    def watched(self) -> npt.NDArray[np.int64]:
        """Numbers of the people kept aside."""
        return np.unique(self.pool.people[self.pool.people % WATCH == 0])


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One process's share of a step. inputs: (n, 5, 112, 112). views: (n,) numbers in the pool. people: (n,).

    goals: (n, 3, 112, 112), the same face in soft light. colour: (m,) numbers of the colour crops that must stay where they are.
    """

    inputs: F32
    views: npt.NDArray[np.int64]
    people: npt.NDArray[np.int64]
    goals: F32 | None
    colour: npt.NDArray[np.int64]


def material(data: Path, cache: Path, detector: Any, detector_sha256: str, run: Run) -> Material:
    """Return the views and colour crops of a run, out of the cache when it has them. Raises as `portraits.files` does."""
    portraits.files(data, run.sets)
    pool = open_pool(Recipe(run.sets, run.made, run.looks, run.seed), data, cache, detector, detector_sha256)
    numbers = {name: i for i, name in enumerate(pool.names)}
    found = [(numbers[name], crop) for name, crop in portraits.load(data, detector, run.sets) if name in numbers]
    return gather(pool, np.array([n for n, _ in found], np.int64), [crop for _, crop in found], cache)


def gather(pool: Pool, people: npt.NDArray[np.int64], photographs: list[U8], cache: Path | None = None) -> Material:
    """Put a pool and aligned photographs of its people together."""
    colour = np.concatenate([np.stack(photographs), pool.planes["colour"]] if photographs else [pool.planes["colour"]])
    canonical = np.concatenate([np.ones(len(photographs), bool), pool.frontal])
    digest = hashlib.sha256(pool.digest.encode() + colour.tobytes()).hexdigest()[:16]
    return Material(pool, colour, np.concatenate([people, pool.people]), canonical, digest, cache)


def colour_tensor(crops: U8) -> F32:
    """Return RGB crops (n, 112, 112, 3) as the recogniser's input (n, 3, 112, 112)."""
    return np.ascontiguousarray((crops.astype(np.float32).transpose(0, 3, 1, 2) - 127.5) / 128)


def grey_inputs(crops: U8) -> F32:
    """Return RGB crops as a normaliser's input: their luma in place of NIR, no depth."""
    out = np.zeros((len(crops), 5, 112, 112), np.float32)
    out[:, 0] = (crops.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) - 127.5) / 128
    return out


def looks(pool: Pool, at: int) -> F32:
    """Return one view as the recogniser's input in colour, in soft light from the front and without a camera, and its mirror image."""
    view = pool.view(at)
    crop = colour_tensor(plain_crop(view, similarity(view.points, TARGET), 1.0, np.random.default_rng(at))[None])
    return np.concatenate([crop, np.ascontiguousarray(crop[..., ::-1])])


def sample(pool: Pool, at: int, rng: np.random.Generator, *, goal: bool = False) -> tuple[F32, F32 | None]:
    """Return a normaliser's input (5, 112, 112) of one view under new light and cameras, and what it should look like (3, 112, 112)."""
    view = pool.view(at)
    # Half of the heads are narrower than 82 pixels: what is far from a camera is what a sign-in loses.
    head = HEADS[0] * (HEADS[1] / HEADS[0]) ** (float(rng.random()) ** 1.5)
    crop, shape, to, scale = nir_crop(view, capture(view, rng, head), rng)
    if rng.random() < _WITHOUT_DEPTH:
        shape = np.zeros_like(shape)
    out = np.concatenate([(toned(crop, float(rng.uniform(*TONES)))[None] - 127.5) / 128, shape])
    wanted = colour_tensor(plain_crop(view, to, scale, rng)[None])[0] if goal else None
    if rng.random() < 0.5:
        out = np.ascontiguousarray(out[..., ::-1])
        out[2] = -out[2]
        wanted = None if wanted is None else np.ascontiguousarray(wanted[..., ::-1])
    return out, wanted


def kept_colours(run: Run) -> int:
    """Return how many colour crops a step shows in grey: about a sixth of the batch, an even number."""
    return max(2 * round(run.batch / 12), 2)


def batch(found: Material, run: Run, step: int, rank: int = 0, world: int = 1) -> Batch:
    """Return one process's share of a step.

    Sample i of step s is the same whatever the number of processes, so that one and several train alike.
    """
    inputs, views, people, goals = [], [], [], []
    for i in range(rank, run.batch, world):
        # Two samples of a step show the same person.
        person = int(np.random.default_rng((run.seed, step, i // 2, 1)).choice(found.people))
        rng = np.random.default_rng((run.seed, step, i))
        views.append(int(rng.choice(np.flatnonzero(found.pool.people == person))))
        one, goal = sample(found.pool, views[-1], rng, goal=run.picture > 0)
        inputs.append(one)
        goals.append(goal)
        people.append(person)
    trained = np.flatnonzero(found.colour_people % WATCH != 0)
    kept = np.random.default_rng((run.seed, step, 1 << 20)).choice(trained, kept_colours(run))[rank::world]
    seen = [g for g in goals if g is not None]
    return Batch(np.stack(inputs), np.array(views, np.int64), np.array(people, np.int64), np.stack(seen) if seen else None, kept)
