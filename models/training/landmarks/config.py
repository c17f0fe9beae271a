"""What one run is: a TOML file whose every key is checked, and the hash that names its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.training import run_file

_MAY_BE_NONE: Final = ("seed", "photographs")
_BESIDE: Final = ("threads", "tensorboard", "keep_every", "watch_every")


@dataclass(frozen=True, slots=True)
class Run:
    """One training run.

    made: made-up people rendered, five views of each. lights: drawn for each view, each of them seen in colour and in NIR. photographs: how often
    each photograph of London and Canada counts beside their rendered heads; 0 is a run without any of them. portraits: the same for the
    public-domain portraits that installed libraries carry. crops: how many are drawn; batch: of them a step. watch_every, keep_every: steps
    between looks at people kept aside, and between checkpoints.
    """

    made: int = 160
    lights: int = 2
    photographs: int = 0
    portraits: int = 20
    seed: int = 0
    crops: int = 16000
    steps: int = 1500
    batch: int = 64
    learning_rate: float = 1e-3
    watch_every: int = 250
    keep_every: int = 50
    threads: int = 1
    tensorboard: bool = False

    def digest(self) -> str:
        """Return what tells this run from others: all that decides the result."""
        return run_file.digest(self, _BESIDE)


def read_run(path: Path) -> Run:
    """Read a run's file. Raises ValueError that names the key which is unknown, of another type or out of range."""
    return make_run(run_file.read(path), path.name)


def make_run(raw: dict[str, Any], name: str = "the run") -> Run:
    """Check a table of keys and return the run."""
    return Run(**run_file.checked(raw, Run(), name, _MAY_BE_NONE))
