"""What one run is: a TOML file whose every key is checked, and the hash that names its results."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
        told = {k: v for k, v in dataclasses.asdict(self).items() if k not in {"threads", "tensorboard", "keep_every"}}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def read_run(path: Path) -> Run:
    """Read a run's file. Raises ValueError that names the key which is unknown, of another type or out of range."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not TOML: {error}") from error
    return make_run(raw, path.name)


def make_run(raw: dict[str, Any], name: str = "the run") -> Run:
    """Check a table of keys and return the run."""
    fields = {f.name: f for f in dataclasses.fields(Run)}
    unknown = sorted(set(raw) - set(fields))
    if unknown:
        raise ValueError(f"{name}: unknown key {unknown[0]}; known are {', '.join(fields)}")
    if raw.get("kind") not in KINDS:
        raise ValueError(f"{name}: kind must be one of {', '.join(KINDS)}")
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    plain = Run(COLOUR)
    for key, value in given.items():
        wanted = type(getattr(plain, key))
        if wanted is float and type(value) is int:
            given[key] = float(value)
        elif type(value) is not wanted:
            raise ValueError(f"{name}: {key} is {value!r}, not a {wanted.__name__}")
        if wanted in (int, float) and key not in {"seed", "pixels"} and not 0 < value < 1e9:
            raise ValueError(f"{name}: {key} is {value!r}, not above 0")
        if wanted is tuple and not all(isinstance(v, str) for v in value):
            raise ValueError(f"{name}: {key} lists names")
    return Run(**given)
