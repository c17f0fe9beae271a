"""What one run is: a TOML file whose every key is checked, and the hash that names its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.training import run_file

COLOUR, TRIPLET = "colour", "triplet"
KINDS: Final = (COLOUR, TRIPLET)
PAINTED: Final = "painted"
"""Heads of the ICT model with a painted skin: no photograph of anybody."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training run.

    kind: "colour" or "triplet", what the network sees. sets: photographs trained on, and "painted" heads. without: species left out.
    sources: photographs or heads that samples are made from, each used several times. samples: made and kept. batch: samples a step,
    half of them live, over all processes. pixels: weight of the map's loss beside the decision's. watch_every, keep_every: steps between
    looks at the people kept aside, and between checkpoints. threads: of each process. tensorboard: write an event file too.
    """

    kind: str
    sets: tuple[str, ...] = ("london", "canada", "public")
    without: tuple[str, ...] = ()
    seed: int = 0
    samples: int = 8000
    steps: int = 1500
    batch: int = 64
    learning_rate: float = 2e-3
    pixels: float = 0.5
    watch_every: int = 250
    keep_every: int = 100
    threads: int = 1
    tensorboard: bool = False

    def digest(self) -> str:
        """Return what tells this run from others: all that decides the result, so not the number of threads."""
        return run_file.digest(self, {"threads", "tensorboard", "keep_every"})


def read_run(path: Path) -> Run:
    """Read a run's file. Raises ValueError that names the key which is unknown, of another type or out of range."""
    return make_run(run_file.read(path), path.name)


def make_run(raw: dict[str, Any], name: str = "the run") -> Run:
    """Check a table of keys and return the run."""
    given = run_file.checked(raw, Run(COLOUR), name, {"seed", "pixels"})
    if given.get("kind") not in KINDS:
        raise ValueError(f"{name}: kind must be one of {', '.join(KINDS)}")
    return Run(**given)
