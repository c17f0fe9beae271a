"""Batches by step number: live and attack in equal parts, every species alike, changed a little so that no single trait decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.liveness.camera import jpeg
from models.training.liveness.config import COLOUR, Run
from models.training.liveness.crops import COLOUR_SIDE
from models.training.liveness.samples import LIVE, Samples

F32 = npt.NDArray[np.float32]
_GREY: Final = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What the network sees (n, planes, side, side), whether it is live (n,), and the live share of each cell (n, 8, 8)."""

    seen: F32
    live: F32
    maps: F32


class Batches:
    """Draws the batches of a run; sample i of step s is the same whatever the number of processes."""

    def __init__(self, samples: Samples, run: Run) -> None:
        names = [s for s in sorted(set(samples.species.tolist())) if s != LIVE and s not in run.without]
        unknown = sorted(set(run.without) - set(samples.species.tolist()))
        if unknown or not names:
            raise ValueError(f"without names {', '.join(unknown) or 'every species'}; there are {', '.join(sorted(set(samples.species)))}")
        self._samples, self._run = samples, run
        self._live = np.flatnonzero(samples.species == LIVE)
        self._attacks = [np.flatnonzero(samples.species == name) for name in names]

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Batch:
        """Return one process's share of a step."""
        seen, live, maps = [], [], []
        for i in range(rank, self._run.batch, world):
            rng = np.random.default_rng((self._run.seed, step, i))
            pool = self._live if i % 2 == 0 else self._attacks[int(rng.integers(len(self._attacks)))]
            at = int(pool[rng.integers(len(pool))])
            shown, cells = varied(self._run.kind, self._samples.seen[at], self._samples.maps[at], rng)
            seen.append(shown)
            live.append(self._samples.species[at] == LIVE)
            maps.append(cells)
        return Batch(np.stack(seen), np.array(live, np.float32), np.stack(maps))


def varied(kind: str, seen: npt.NDArray[Any], cells: npt.NDArray[np.uint8], rng: np.random.Generator) -> tuple[F32, F32]:
    """Return a sample as planes, changed at random, mirrored half the time, and its map."""
    planes = _varied_colour(seen, rng) if kind == COLOUR else _varied_triplet(seen, rng)
    share = cells.astype(np.float32) / 255
    if rng.random() < 0.5:
        return np.ascontiguousarray(planes[..., ::-1]), np.ascontiguousarray(share[:, ::-1])
    return planes, share


def plain(kind: str, seen: npt.NDArray[Any]) -> F32:
    """Return samples (n, ...) as the network's planes, unchanged."""
    if kind == COLOUR:
        return np.ascontiguousarray((seen.astype(np.float32).transpose(0, 3, 1, 2) - 127.5) / 128)
    return seen.astype(np.float32)


def _varied_colour(seen: npt.NDArray[np.uint8], rng: np.random.Generator) -> F32:
    """Change light, colour and sharpness of what a camera gave, alike for live and attack."""
    v = seen.astype(np.float32)
    if rng.random() < 0.25:
        v = np.repeat((v @ _GREY)[..., None], 3, axis=2)
    if rng.random() < 0.25:
        half = cv2.resize(v, (COLOUR_SIDE // 2, COLOUR_SIDE // 2), interpolation=cv2.INTER_AREA)
        v = cv2.resize(half, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.6:
        v = v * np.float32(np.exp(rng.uniform(np.log(0.5), np.log(2.0))))
    if rng.random() < 0.3:
        v = v * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    v = np.clip(_worn(v, rng), 0, 255)
    if rng.random() < 0.2:
        # The detector's box alone: nothing beside it.
        left, right, top, bottom = (rng.uniform(0, 0.18, 4) * COLOUR_SIDE).astype(int)
        kept = np.zeros_like(v)
        kept[top : COLOUR_SIDE - bottom, left : COLOUR_SIDE - right] = v[top : COLOUR_SIDE - bottom, left : COLOUR_SIDE - right]
        v = kept
    return np.asarray((v.transpose(2, 0, 1) - 127.5) / 128, np.float32)


def _worn(v: F32, rng: np.random.Generator) -> F32:
    """Change contrast, blur, roughen and compress, each now and then: none of them alone tells live from attack."""
    if rng.random() < 0.4:
        mean = v.mean((0, 1))
        v = mean + np.float32(np.exp(rng.uniform(-0.45, 0.45))) * (v - mean)
    if rng.random() < 0.25:
        v = cv2.GaussianBlur(v, (0, 0), float(rng.uniform(0.3, 1.1)))
    if rng.random() < 0.25:
        v = v + np.float32(rng.uniform(1, 6)) * rng.standard_normal(v.shape, np.float32)
    if rng.random() < 0.25:
        v = jpeg(np.clip(v, 0, 255).astype(np.uint8), int(rng.integers(40, 96))).astype(np.float32)
    return np.asarray(v, np.float32)


def _varied_triplet(seen: npt.NDArray[np.float16], rng: np.random.Generator) -> F32:
    """Change what sensors differ in: contrast of the light, errors of registration, holes; take the colour picture away at times."""
    planes = seen.astype(np.float32)
    known = planes[1] > 0
    for plane, low in ((2, 0.45), (3, 0.6)):
        planes[plane] = np.clip(planes[plane] * np.float32(rng.uniform(low, 1.15)) + np.float32(rng.normal(0, 0.1)), -3, 3)
    if rng.random() < 0.3:
        planes[2:] += np.float32(rng.uniform(0, 0.15)) * rng.standard_normal(planes[2:].shape, np.float32)
    dy, dx = rng.integers(-1, 2, 2)
    planes[2] = np.roll(planes[2], (dy, dx), (0, 1))
    lost = rng.random(known.shape) < rng.choice((0.0, 0.0, 0.02, 0.1))
    for _ in range(int(rng.integers(0, 3))):
        y, x = rng.integers(0, planes.shape[1], 2)
        size = int(rng.integers(1, 6))
        lost[max(0, y - size) : y + size, max(0, x - size) : x + size] = True
    planes[:2, lost] = 0
    planes[0] = np.where(planes[1] > 0, np.clip(planes[0] + np.float32(rng.normal(0, 0.06)), -3, 3), 0)
    if rng.random() < 0.3:
        planes[3] = 0
    return planes
