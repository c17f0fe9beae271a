"""What one run is: a TOML file whose every key is checked, and the hash that names its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.training import run_file

_MAY_BE_NONE: Final = ("seed", "made", "prototype", "contrast", "preserve", "picture", "moment", "alike", "queue")
_BESIDE: Final = ("threads", "tensorboard", "keep_every")


@dataclass(frozen=True, slots=True)
class Run:
    """One training run.

    variant: a name of `variants.VARIANTS`. sets: photographs whose people are rendered. made: how many made-up people are rendered beside them.
    looks: views of each person. batch: NIR crops a step, over all processes, two of each person. temperature: of every softmax.
    Weights of the losses: prototype, nearness to the person's own prototype among all; contrast, colour against NIR and NIR against NIR; preserve,
    colour pictures shown in grey stay where the recogniser puts them in colour; picture, likeness to the same face in soft light; moment, nearness
    to where the recogniser puts a colour picture of the same look in soft light; alike, NIR against NIR of the last `queue` crops, every pair
    of one person on its own, so that the farthest pull most.
    watch_every, keep_every: steps between looks at the people kept aside, and between checkpoints. threads: of each process.
    way: share of the way from the weights that training began with to those it ended with that is taken; below 1 for variants that begin with the
    recogniser's own alone. half: bfloat16 arithmetic of the forward pass. tensorboard: write an event file too.
    """

    variant: str
    sets: tuple[str, ...] = ("london", "canada")
    made: int = 0
    looks: int = 10
    seed: int = 0
    steps: int = 300
    batch: int = 24
    learning_rate: float = 1e-3
    temperature: float = 0.1
    prototype: float = 1.0
    contrast: float = 1.0
    preserve: float = 1.0
    picture: float = 0.0
    moment: float = 0.0
    alike: float = 0.0
    queue: int = 0
    way: float = 1.0
    watch_every: int = 50
    keep_every: int = 20
    threads: int = 1
    half: bool = False
    tensorboard: bool = False

    def digest(self) -> str:
        """Return what tells this run from others: all that decides the result, so not the number of threads."""
        return run_file.digest(self, _BESIDE)


def read_run(path: Path) -> Run:
    """Read a run's file. Raises ValueError that names the key which is unknown, of another type or out of range."""
    return make_run(run_file.read(path), path.name)


def make_run(raw: dict[str, Any], name: str = "the run") -> Run:
    """Check a table of keys and return the run."""
    if "variant" not in raw:
        raise ValueError(f"{name}: variant is missing")
    given = run_file.checked(raw, Run(""), name, _MAY_BE_NONE)
    run = Run(**given)
    if run.batch % 2:
        raise ValueError(f"{name}: batch is {run.batch}; it holds two crops of each person, so it is even")
    if not 0 < run.way <= 1:
        raise ValueError(f"{name}: way is {run.way}; it is a share above 0, and 1 takes what training ended with")
    if run.alike and not run.queue:
        raise ValueError(f"{name}: alike compares with the crops of earlier steps; give queue, how many of them, such as 512")
    if not run.sets and not run.made:
        raise ValueError(f"{name}: nobody to train on; name sets, or a number of made-up people")
    return run
