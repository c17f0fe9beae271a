"""What one run is: a TOML file whose every key is checked, and the hash that names its results."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Run:
    """One training run.

    variant: a name of `variants.VARIANTS`. sets: photographs trained on. batch: crops a step, over all processes.
    temperature: of the softmax over the people's prototypes. closeness: weight of 1 - cosine to the own prototype beside it.
    watch_every, keep_every: steps between looks at the people kept aside, and between checkpoints. threads: of each process.
    half: bfloat16 arithmetic of the forward pass. tensorboard: write an event file too.
    """

    variant: str
    sets: tuple[str, ...] = ("london", "canada")
    seed: int = 0
    steps: int = 300
    batch: int = 32
    learning_rate: float = 2e-3
    temperature: float = 0.07
    closeness: float = 1.0
    watch_every: int = 50
    keep_every: int = 25
    threads: int = 1
    half: bool = False
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
    if "variant" not in raw:
        raise ValueError(f"{name}: variant is missing")
    given = dict(raw)
    if isinstance(given.get("sets"), list):
        given["sets"] = tuple(given["sets"])
    plain = Run("")
    for key, value in given.items():
        wanted = type(getattr(plain, key))
        if wanted is float and type(value) is int:
            given[key] = float(value)
        elif type(value) is not wanted:
            raise ValueError(f"{name}: {key} is {value!r}, not a {wanted.__name__}")
        if wanted in (int, float) and key != "seed" and not 0 < value < 1e9:
            raise ValueError(f"{name}: {key} is {value!r}, not above 0")
    return Run(**given)
