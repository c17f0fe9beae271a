"""Trains the network in one process, resumable after a kill."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from models.recipes.landmarks import MIRRORED, POINTS, SIDE
from models.training.landmarks.config import Run
from models.training.landmarks.crops import draw
from models.training.landmarks.network import Landmarks
from models.training.landmarks.sources import Faces, Material
from models.training.normaliser.checkpoint import Checkpoint
from models.training.normaliser.metrics import Metrics
from torch import Tensor, nn

from vultus.stages.landmarks import EYES
from vultus.types import F32, U8

COLUMNS: Final = ("step", "loss", "watch_frontal", "watch_turned", "seconds")
"""watch_frontal, watch_turned: error on photographs and on turned rendered heads of people kept aside, in eye distances."""
_WATCHED: Final = 240
_WATCH_SEED: Final = 1000
_STEEPEST: Final = 5.0
"""Norm above which a step's gradient is shortened."""
_WARM: Final = 50
"""Steps over which the learning rate rises."""


class Crops:
    """Crops of a set of faces by number, drawn when they are first asked for and kept: drawing one costs as much as learning from it."""

    def __init__(self, faces: Faces, seed: int, count: int) -> None:
        self._faces, self._seed, self.count = faces, seed, count
        self._shown: U8 = np.zeros((count, 3, SIDE, SIDE), np.uint8)
        self._marks: F32 = np.full((count, POINTS, 2), np.nan, np.float32)

    def batch(self, numbers: npt.NDArray[np.int64], turned: npt.NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """Return the crops (n, 3, s, s) and landmarks (n, 5, 2) of these numbers, those that are `turned` in the mirror."""
        for i in numbers[np.isnan(self._marks[numbers, 0, 0])].tolist():
            rng = np.random.default_rng((self._seed, i, 17))
            at = int(rng.integers(len(self._faces.pictures)))
            crop, self._marks[i] = draw(self._faces.pictures[at], self._faces.marks[at], rng)
            self._shown[i] = np.clip(crop + 0.5, 0, 255)
        shown, there = self._shown[numbers].astype(np.float32), self._marks[numbers]
        shown[turned] = shown[turned][..., ::-1]
        there[turned] = (np.float32([SIDE - 1, 0]) - there[turned] * np.float32([1, -1]))[:, list(MIRRORED)]
        return torch.from_numpy(shown), torch.from_numpy(there)


def numbers_of(run: Run, step: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return which crops a step learns from and which of them in the mirror; every crop once before any comes again."""
    at = np.arange(step * run.batch, (step + 1) * run.batch)
    orders = {int(turn): np.random.default_rng((run.seed, int(turn), 23)).permutation(run.crops) for turn in np.unique(at // run.crops)}
    picked = np.array([orders[int(n // run.crops)][n % run.crops] for n in at])
    return picked, np.random.default_rng((run.seed, step, 29)).random(run.batch) < 0.5


def loss_of(found: Tensor, there: Tensor) -> Tensor:
    """Return the mean distance in eye distances, smooth within a fiftieth of one."""
    apart = (found - there).square().sum(2) / EYES**2
    return (apart + 0.02**2).sqrt().mean()


def train(run: Run, weights: bytes, found: Material, folder: Path, *, stop_after: int | None = None) -> Landmarks:
    """Train to the run's last step, write landmarks.pt and return the network; goes on from `folder` where an earlier process stopped.

    weights: YuNet's published file, where it begins. stop_after: end early, as a kill would. Raises ValueError when `folder` holds another run.
    """
    torch.set_num_threads(run.threads)
    torch.manual_seed(run.seed)
    model = Landmarks(weights).to(memory_format=torch.channels_last)  # type: ignore[call-overload] - torch's stubs lack this form
    optimiser = torch.optim.AdamW(model.parameters(), lr=run.learning_rate, weight_decay=1e-4)
    folder.mkdir(parents=True, exist_ok=True)
    kept = Checkpoint(folder / "checkpoint.pt", run.digest(), found.digest)
    done = kept.load(model, optimiser)
    crops = Crops(found.train, run.seed, run.crops)
    watched = [watch(faces) for faces in (found.photographs, found.turned)]
    last = min(run.steps, stop_after or run.steps)
    with Metrics(folder, done, run.tensorboard, COLUMNS) as metrics:
        for step in range(done, last):
            started = time.perf_counter()
            for group in optimiser.param_groups:
                group["lr"] = run.learning_rate * min(1, (step + 1) / _WARM) * 0.5 * (1 + math.cos(math.pi * step / run.steps))
            shown, there = crops.batch(*numbers_of(run, step))
            loss = loss_of(model(shown.contiguous(memory_format=torch.channels_last)), there)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), _STEEPEST)
            optimiser.step()
            values = {"loss": float(loss.detach())}
            if step == done or (step + 1) % run.watch_every == 0 or step + 1 == last:
                values |= {name: error(model, *seen) for name, seen in zip(COLUMNS[2:4], watched, strict=True)}
            metrics.write(step + 1, **values, seconds=time.perf_counter() - started)
            if (step + 1) % run.keep_every == 0 or step + 1 == last:
                kept.save(step + 1, model, optimiser)
    if last == run.steps:
        part = folder / "landmarks.part"
        torch.save({"run": run.digest(), "material": found.digest, "model": model.state_dict()}, part)
        part.replace(folder / "landmarks.pt")
    return model.eval()


def watch(faces: Faces) -> tuple[Tensor, Tensor]:
    """Return the crops and landmarks that every run is watched by."""
    return Crops(faces, _WATCH_SEED, _WATCHED).batch(np.arange(_WATCHED), np.zeros(_WATCHED, np.bool_))


def error(model: Landmarks, crops: Tensor, there: Tensor) -> float:
    """Return the root of the mean squared distance of a crop's points in eye distances, mean over the crops."""
    with torch.inference_mode():
        found = torch.cat([model(part) for part in crops.split(60)])
    return float((found - there).square().sum(2).mean(1).sqrt().mean()) / EYES


def mirrored(model: Landmarks, crops: Tensor) -> F32:
    """Return the mean of what the network finds in the crops and in their mirror images."""
    with torch.inference_mode():
        plain, other = model(crops), model(crops.flip(3))
    turned = (torch.tensor([crops.shape[3] - 1.0, 0.0]) - other * torch.tensor([1.0, -1.0]))[:, list(MIRRORED)]
    return np.asarray((plain + turned) / 2, np.float32)
