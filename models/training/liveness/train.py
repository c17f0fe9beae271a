"""Trains a network on simulated samples, in one process or under torchrun, resumable after a kill."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from models.training.liveness.batches import Batch, Batches, plain
from models.training.liveness.cache import Material
from models.training.liveness.config import Run
from models.training.liveness.networks import Tower
from models.training.liveness.samples import LIVE, Samples
from models.training.normaliser.checkpoint import Checkpoint
from models.training.normaliser.metrics import Metrics
from models.training.normaliser.train import Processes
from torch import Tensor, distributed, nn
from torch.nn import functional

from vultus.evaluate.metrics.pad import equal_error

COLUMNS: Final = ("step", "loss", "watch_eer", "watch_worst", "seconds")
"""watch_eer: equal error rate on simulated samples of people kept aside; watch_worst: share of the worst species above the score that 2 %
of the live samples do not reach."""
_LIVE_LOST: Final = 0.02
_DECAY: Final = 5e-4
"""Weight decay: a few thousand samples of some hundred heads are learnt by heart otherwise."""


def loss_of(model: nn.Module, batch: Batch, pixels: float, device: torch.device) -> Tensor:
    """Return the loss of a batch: of the decision, and of each cell of the map."""
    decision, cells = model(torch.from_numpy(batch.seen).to(device))
    whole = functional.binary_cross_entropy_with_logits(decision, torch.from_numpy(batch.live).to(device))
    return torch.add(whole, functional.binary_cross_entropy_with_logits(cells, torch.from_numpy(batch.maps).to(device)), alpha=pixels)


def train(run: Run, found: Material, folder: Path, *, stop_after: int | None = None) -> Tower:
    """Train to the run's last step and return the network; goes on from `folder` where an earlier process stopped.

    Several processes share a batch and average gradients; each normalises by its own share's statistics, so the result differs a little
    from one process's. stop_after: end early, as a kill would. Raises ValueError when `folder` holds another run.
    """
    processes = Processes.joined()
    torch.set_num_threads(run.threads)
    torch.manual_seed(run.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = Tower(run.kind).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=run.learning_rate, weight_decay=_DECAY)
    folder.mkdir(parents=True, exist_ok=True)
    kept = Checkpoint(folder / "checkpoint.pt", run.digest(), found.digest)
    done = kept.load(model, optimiser)
    batches = Batches(found.train, run)
    shared: nn.Module = nn.parallel.DistributedDataParallel(model) if processes.world > 1 else model
    last = min(run.steps, stop_after or run.steps)
    first = processes.rank == 0
    with Metrics(folder, done, run.tensorboard, COLUMNS) if first else nullcontext() as metrics:
        for step in range(done, last):
            started = time.perf_counter()
            model.train()
            for group in optimiser.param_groups:
                group["lr"] = run.learning_rate * 0.5 * (1 + math.cos(math.pi * step / run.steps))
            loss = loss_of(shared, batches.batch(step, processes.rank, processes.world), run.pixels, device)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            values = {"loss": _over_all(loss, processes)}
            if first and ((step + 1) % run.watch_every == 0 or step + 1 == last):
                values |= watch(model, found.watch)
            if metrics is not None:
                metrics.write(step + 1, **values, seconds=time.perf_counter() - started)
            if first and ((step + 1) % run.keep_every == 0 or step + 1 == last):
                kept.save(step + 1, model, optimiser)
    processes.finish()
    return model.eval()


def watch(model: Tower, samples: Samples) -> dict[str, float]:
    """Return how well simulated samples of people kept aside are told apart."""
    scores = scores_of(model, samples.seen)
    live = samples.species == LIVE
    limit = float(np.quantile(scores[live], _LIVE_LOST))
    worst = max(float((scores[samples.species == name] >= limit).mean()) for name in set(samples.species.tolist()) - {LIVE})
    found = equal_error(scores[live].astype(np.float64), scores[~live].astype(np.float64))
    return {"watch_eer": float("nan") if found is None else found, "watch_worst": worst}


def scores_of(model: Tower, seen: npt.NDArray[Any], batch: int = 64) -> npt.NDArray[np.float32]:
    """Return the score of each sample (n,), unchanged by any augmentation."""
    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        parts = [
            model.score(torch.from_numpy(plain(model.kind, seen[i : i + batch])).to(device)).cpu().numpy()
            for i in range(0, len(seen), batch)
        ]
    return np.concatenate(parts)


def _over_all(loss: Tensor, processes: Processes) -> float:
    """Return the mean of the processes' losses; their shares of a step are of one size."""
    value = loss.detach().clone()
    if processes.world > 1:
        distributed.all_reduce(value)
    return float(value) / processes.world
