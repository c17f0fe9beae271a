"""Trains a normaliser through the frozen recogniser, in one process or under torchrun, resumable after a kill."""

from __future__ import annotations

import atexit
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch
from models.training.normaliser.checkpoint import Checkpoint
from models.training.normaliser.config import Run
from models.training.normaliser.data import WATCH, Batch, Material, batch, colour_tensor, grey_inputs, kept_colours, looks, sample
from models.training.normaliser.losses import Bank, Learner, alike, preserved, shared_loss
from models.training.normaliser.metrics import Metrics
from models.training.normaliser.recogniser import Recogniser, embed
from models.training.normaliser.variants import VARIANTS, Normaliser, parameters
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_gather
from torch.nn import functional

_WATCHED: Final = 96
"""Simulated crops of the people kept aside; the same at every look."""
_STEEPEST: Final = 5.0
"""Norm above which a step's gradient is shortened."""


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
            # One that leaves while another is still in its last exchange takes the connection away under it.
            atexit.register(distributed.destroy_process_group)
        return cls(int(os.environ.get("RANK", "0")), world)

    def finish(self) -> None:
        """Wait until every process has come this far: the first one writes the results after the last step."""
        if self.world > 1:
            distributed.barrier()

    def gathered(self, values: Tensor) -> Tensor:
        """Return all processes' rows; gradients flow back to their own."""
        return torch.cat(list(all_gather(values))) if self.world > 1 else values

    def mean(self, value: Tensor) -> float:
        """Return the mean of the processes' values."""
        total = value.detach().clone()
        if self.world > 1:
            distributed.all_reduce(total)
        return float(total) / self.world


@dataclass(frozen=True, slots=True, eq=False)
class Colour:
    """Colour as the frozen recogniser sees it. vectors: (n, 128) of `Material.colour`. anchors: (p, 128), one a person. rows: by person.

    moments: (v, 128) of the pool's views in soft light, mean with the mirror image; None where no loss asks for them.
    """

    vectors: Tensor
    anchors: Tensor
    rows: dict[int, int]
    moments: Tensor | None = None

    @classmethod
    def seen(cls, recogniser: Recogniser, found: Material, people: np.ndarray, *, moments: bool = False) -> Colour:
        """Embed the colour crops, and with `moments` the views; a person's anchor is the mean of the frontal ones, mirrored ones too."""
        vectors, mirrored = _kept(recogniser, found, "colour", _embedded)
        both = vectors.copy()
        both[found.canonical] += mirrored
        means = []
        for person in people.tolist():
            own = found.colour_people == person
            means.append(both[own & found.canonical if (own & found.canonical).any() else own].mean(0))
        anchors = functional.normalize(torch.from_numpy(np.stack(means)), dim=1)
        seen = torch.from_numpy(_kept(recogniser, found, "moments", _moments)[0]) if moments else None
        return cls(torch.from_numpy(vectors), anchors, {p: i for i, p in enumerate(people.tolist())}, seen)


def _embedded(recogniser: Recogniser, found: Material) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings of all colour crops and those of the frontal ones mirrored."""
    crops = colour_tensor(found.colour)
    return embed(recogniser, crops), embed(recogniser, np.ascontiguousarray(crops[found.canonical][..., ::-1]))


def _moments(recogniser: Recogniser, found: Material) -> tuple[np.ndarray]:
    """Return the unit-length embedding of every view in soft light, the mean of its own and its mirror image's."""
    means = [embed(recogniser, looks(found.pool, at)).sum(0) for at in range(len(found.pool.people))]
    return (np.stack([mean / np.linalg.norm(mean) for mean in means]),)


def _kept(
    recogniser: Recogniser, found: Material, name: str, made: Callable[[Recogniser, Material], tuple[np.ndarray, ...]]
) -> tuple[np.ndarray, ...]:
    """Return what `made` makes, out of the cache when it has it."""
    kept = None if found.cache is None else found.cache / f"{name}-{found.digest}-{recogniser.digest()}.npz"
    if kept is not None and kept.is_file():
        with np.load(kept) as file:
            return tuple(file[f"arr_{i}"] for i in range(len(file.files)))
    out = made(recogniser, found)
    if kept is not None:
        part = kept.with_name(f".{kept.name}.{os.getpid()}.npz")
        np.savez(part, *out)
        part.replace(kept)
    return out


def train(run: Run, recogniser: Recogniser, found: Material, folder: Path, *, stop_after: int | None = None) -> Normaliser:
    """Train to the run's last step, write normaliser.pt and return the normaliser; goes on from `folder` where an earlier process stopped.

    stop_after: end early, as a kill would, with the checkpoint of that moment. Raises ValueError when `folder` holds another run, or when
    the processes cannot share the batch evenly.
    """
    processes = Processes.joined()
    if run.batch % processes.world or kept_colours(run) % processes.world:
        raise ValueError(f"{processes.world} processes cannot share a batch of {run.batch} and {kept_colours(run)} colour crops evenly")
    torch.set_num_threads(run.threads)
    torch.manual_seed(run.seed)
    recogniser = recogniser.eval().requires_grad_(requires_grad=False)
    normaliser = VARIANTS[run.variant](recogniser)
    if not parameters(normaliser):
        return normaliser
    device = _device()
    everyone = np.concatenate([found.people, found.watched])
    colour = Colour.seen(recogniser.cpu(), found, everyone, moments=run.moment > 0)
    learner = Learner(normaliser, colour.anchors[: len(found.people)], run.queue).to(device)
    optimiser = torch.optim.Adam(learner.parameters(), lr=run.learning_rate)
    folder.mkdir(parents=True, exist_ok=True)
    kept = Checkpoint(folder / "checkpoint.pt", run.digest(), found.digest)
    done = kept.load(learner, optimiser)
    step_of = _Step(run, recogniser.to(device), found, colour, processes, device)
    last = min(run.steps, stop_after or run.steps)
    with Metrics(folder, done, run.tensorboard) if processes.rank == 0 else _Silent() as metrics:
        shared: nn.Module = nn.parallel.DistributedDataParallel(learner) if processes.world > 1 else learner
        for step in range(done, last):
            started = time.perf_counter()
            for group in optimiser.param_groups:
                group["lr"] = run.learning_rate * min(1, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * step / run.steps))
            optimiser.zero_grad()
            loss, values = step_of(shared, step)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(learner.parameters(), _STEEPEST)
            optimiser.step()
            if (step + 1) % run.watch_every == 0 or step + 1 == last or step == 0:
                values |= watch(learner.normaliser, recogniser, found, colour, run)
            metrics.write(step + 1, **values, seconds=time.perf_counter() - started)
            if processes.rank == 0 and ((step + 1) % run.keep_every == 0 or step + 1 == last):
                kept.save(step + 1, learner, optimiser)
    normaliser, recogniser = normaliser.cpu(), recogniser.cpu()
    if last == run.steps and run.way < 1:
        part_way(normaliser, VARIANTS[run.variant](recogniser), run.way)
    if processes.rank == 0 and last == run.steps:
        told = {"variant": run.variant, "run": run.digest(), "material": found.digest, "model": normaliser.state_dict()}
        torch.save(told, folder / "normaliser.pt")
    processes.finish()
    return normaliser


def part_way(trained: nn.Module, begun: nn.Module, way: float) -> None:
    """Put the weights of `trained` where `way` of the straight line from those of `begun` ends."""
    start = begun.state_dict()
    mixed = {k: torch.lerp(start[k], v, way) if v.is_floating_point() else v for k, v in trained.state_dict().items()}
    trained.load_state_dict(mixed)


def _device() -> torch.device:
    """Return this process's own GPU where there are GPUs, as torchrun numbers them, or the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    own = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(own)
    return own


class _Step:
    """Makes one step's loss."""

    def __init__(
        self, run: Run, recogniser: Recogniser, found: Material, colour: Colour, processes: Processes, device: torch.device
    ) -> None:
        self._run, self._recogniser, self._found, self._colour, self._processes, self._device = (
            run,
            recogniser,
            found,
            colour,
            processes,
            device,
        )
        self._enters = VARIANTS[run.variant](recogniser).enters
        trained = torch.from_numpy(found.colour_people % WATCH != 0)
        rows = torch.tensor([colour.rows[p] for p in found.colour_people[trained.numpy()].tolist()])
        self._bank = Bank(colour.vectors[trained].to(device), rows.to(device))
        self._anchors = colour.anchors[: len(found.people)].to(device)

    def __call__(self, learner: nn.Module, step: int) -> tuple[Tensor, dict[str, float]]:
        run, device = self._run, self._device
        got = batch(self._found, run, step, self._processes.rank, self._processes.world)
        inputs = got.inputs if not run.preserve else np.concatenate([got.inputs, grey_inputs(self._found.colour[got.colour])])
        with torch.autocast(device.type, torch.bfloat16, enabled=run.half):
            shown, prototypes = learner(torch.from_numpy(inputs).to(device))
            vectors = self._recogniser(shown, self._enters)
        count = len(got.inputs)
        own = torch.tensor([self._colour.rows[p] for p in got.people.tolist()], device=device)
        everyone = self._processes.gathered(own)
        loss = shared_loss(self._processes.gathered(vectors[:count]), everyone, prototypes.float(), self._anchors, self._bank, run)
        if run.alike:
            inner = learner.module if isinstance(learner, nn.parallel.DistributedDataParallel) else learner
            ours = self._processes.gathered(vectors[:count])
            loss = loss + run.alike * alike(ours, everyone, inner, run.temperature)
            inner.keep(ours, everyone)
        loss = loss + self._beside(got, shown, vectors)
        near = (vectors[:count].detach() * self._anchors[own]).sum(1).mean()
        return loss, {"loss": self._processes.mean(loss), "own": self._processes.mean(near)}

    def _beside(self, got: Batch, shown: Tensor, vectors: Tensor) -> Tensor:
        """Return the losses that each crop has on its own."""
        loss = shown.new_zeros((), dtype=torch.float32)
        count = len(got.inputs)
        if self._run.moment and self._colour.moments is not None:
            loss = loss + self._run.moment * preserved(vectors[:count], self._colour.moments[got.views].to(self._device))
        if self._run.preserve:
            loss = loss + self._run.preserve * preserved(vectors[count:], self._colour.vectors[got.colour].to(self._device))
        if self._run.picture and got.goals is not None and shown.shape[1] == 3:
            goals = torch.from_numpy(got.goals).to(self._device)
            loss = loss + self._run.picture * (shown[: len(goals)].float() - goals).abs().mean()
        return loss


def watch(model: Normaliser, recogniser: Recogniser, found: Material, colour: Colour, run: Run) -> dict[str, float]:
    """Return how near simulated crops of people kept aside come to their own prototype, and how often it is the nearest."""
    views = np.flatnonzero(np.isin(found.pool.people, found.watched))
    rng = np.random.default_rng((run.seed, 1 << 31))
    at = rng.choice(views, min(_WATCHED, 8 * len(found.watched)))
    inputs = np.stack([sample(found.pool, int(i), rng)[0] for i in at])
    device = next(model.parameters()).device
    vectors = embed(lambda x: recogniser(model(x.to(device)), model.enters).cpu(), inputs)
    cosine = vectors @ colour.anchors[len(found.people) :].numpy().T
    own = np.array([colour.rows[p] for p in found.pool.people[at].tolist()]) - len(found.people)
    return {"watch_own": float(cosine[np.arange(len(at)), own].mean()), "watch_first": float((cosine.argmax(1) == own).mean())}


class _Silent:
    """Takes the figures of the processes that do not write them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Have nothing to close."""

    def write(self, step: int, **values: float) -> None:
        """Forget them."""
