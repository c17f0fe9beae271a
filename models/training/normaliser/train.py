"""Trains a normaliser through the frozen recogniser, in one process or under torchrun, resumable after a kill."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from models.training.normaliser.checkpoint import Checkpoint
from models.training.normaliser.config import Run
from models.training.normaliser.data import Material, batch, nir_tensor, rgb_tensor
from models.training.normaliser.metrics import Metrics
from models.training.normaliser.nir import simulate
from models.training.normaliser.portraits import Portraits
from models.training.normaliser.recogniser import Recogniser, embed
from models.training.normaliser.variants import VARIANTS, parameters
from torch import Tensor, distributed, nn
from torch.nn import functional

_WATCHED = 96
"""Simulated crops of the people kept aside; the same at every look."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a run. torchrun tells each of them its number through the environment."""

    rank: int = 0
    world: int = 1

    @classmethod
    def joined(cls) -> Processes:
        """Join the others when torchrun started this; gloo on a CPU, nccl on a GPU."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(int(os.environ.get("RANK", "0")), world)


def prototypes(recogniser: Recogniser, found: Portraits) -> tuple[Tensor, dict[int, int]]:
    """Return one unit vector a person, the mean of that person's colour embeddings, mirrored ones too, and its row by person."""
    crops = rgb_tensor(found.crops)
    both = embed(recogniser, crops) + embed(recogniser, np.ascontiguousarray(crops[..., ::-1]))
    names = sorted(set(found.people.tolist()))
    rows = np.stack([both[found.people == name].mean(0) for name in names])
    return functional.normalize(torch.from_numpy(rows), dim=1), {name: i for i, name in enumerate(names)}


def loss_of(vectors: Tensor, own: Tensor, centres: Tensor, run: Run) -> Tensor:
    """Return the loss of each crop: softmax over all people's prototypes, and the distance to its own."""
    cosine = vectors @ centres.T
    apart = functional.cross_entropy(cosine / run.temperature, own, reduction="none")
    return apart + run.closeness * (1 - cosine.gather(1, own[:, None])[:, 0])


def train(run: Run, recogniser: Recogniser, found: Material, folder: Path, *, stop_after: int | None = None) -> nn.Module:
    """Train to the run's last step and return the normaliser; goes on from `folder` where an earlier process stopped.

    stop_after: end early, as a kill would, with the checkpoint of that moment. Raises ValueError when `folder` holds another run.
    """
    processes = Processes.joined()
    torch.set_num_threads(run.threads)
    torch.manual_seed(run.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recogniser = recogniser.eval().requires_grad_(False).to(device)
    model = VARIANTS[run.variant]().to(device)
    if not parameters(model):
        return model
    optimiser = torch.optim.Adam(model.parameters(), lr=run.learning_rate)
    folder.mkdir(parents=True, exist_ok=True)
    kept = Checkpoint(folder / "checkpoint.pt", run.digest(), found.digest)
    done = kept.load(model, optimiser)
    centres, rows = prototypes(recogniser, found.train)
    centres = centres.to(device)
    shared: nn.Module = nn.parallel.DistributedDataParallel(model) if processes.world > 1 else model
    last = min(run.steps, stop_after or run.steps)
    with Metrics(folder, done, run.tensorboard) if processes.rank == 0 else _Silent() as metrics:
        for step in range(done, last):
            started = time.perf_counter()
            crops, people = batch(found.train, found.shape, run.seed, step, run.batch, processes.rank, processes.world)
            own = torch.tensor([rows[p] for p in people.tolist()], device=device)
            with torch.autocast(device.type, torch.bfloat16, enabled=run.half):
                vectors = recogniser(shared(torch.from_numpy(crops).to(device)))
            loss = loss_of(vectors.float(), own, centres, run).mean()
            for group in optimiser.param_groups:
                group["lr"] = run.learning_rate * 0.5 * (1 + math.cos(math.pi * step / run.steps))
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            values = {"loss": _over_all(loss, processes), "own": float((vectors.detach().float() * centres[own]).sum(1).mean())}
            if (step + 1) % run.watch_every == 0 or step + 1 == last:
                values |= watch(model, recogniser, found, run.seed)
            metrics.write(step + 1, **values, seconds=time.perf_counter() - started)
            if processes.rank == 0 and ((step + 1) % run.keep_every == 0 or step + 1 == last):
                kept.save(step + 1, model, optimiser)
    return model


def watch(model: nn.Module, recogniser: Recogniser, found: Material, seed: int) -> dict[str, float]:
    """Return how near simulated crops of people kept aside come to their own prototype, and how often it is the nearest."""
    centres, rows = prototypes(recogniser, found.watch)
    rng = np.random.default_rng((seed, 1 << 31))
    at = rng.integers(len(found.watch.people), size=_WATCHED)
    crops = nir_tensor(np.stack([simulate(found.watch.crops[i], found.shape, rng) for i in at]))
    own = np.array([rows[p] for p in found.watch.people[at].tolist()])
    cosine = embed(lambda x: recogniser(model(x)), crops) @ centres.numpy().T
    return {"watch_own": float(cosine[np.arange(len(at)), own].mean()), "watch_first": float((cosine.argmax(1) == own).mean())}


def _over_all(loss: Tensor, processes: Processes) -> float:
    """Return the mean of the processes' losses; their shares of a step are of one size."""
    value = loss.detach().clone()
    if processes.world > 1:
        distributed.all_reduce(value)
    return float(value) / processes.world


class _Silent:
    """Takes the figures of the processes that do not write them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Have nothing to close."""

    def write(self, step: int, **values: float) -> None:
        """Forget them."""
