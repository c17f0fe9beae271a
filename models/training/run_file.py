"""Reads what one training run is from a TOML file whose every key is checked, and names runs by what decides their results."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    """Return a file's table; raises ValueError when it is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not TOML: {error}") from error


def checked(raw: dict[str, Any], plain: Any, name: str, may_be_zero: Collection[str]) -> dict[str, Any]:
    """Return the table with lists as tuples and whole numbers as floats where `plain`, a run of defaults, has such.

    Raises ValueError that names the key which is unknown, of another type or out of range.
    """
    fields = [f.name for f in dataclasses.fields(plain)]
    unknown = sorted(set(raw) - set(fields))
    if unknown:
        raise ValueError(f"{name}: unknown key {unknown[0]}; known are {', '.join(fields)}")
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    for key, value in given.items():
        wanted = type(getattr(plain, key))
        if wanted is float and type(value) is int:
            given[key] = float(value)
        elif type(value) is not wanted:
            raise ValueError(f"{name}: {key} is {value!r}, not a {wanted.__name__}")
        if wanted in (int, float) and not (0 <= value < 1e9 and (value > 0 or key in may_be_zero)):
            raise ValueError(f"{name}: {key} is {value!r}, not above 0")
        if wanted is tuple and not all(isinstance(v, str) for v in value):
            raise ValueError(f"{name}: {key} lists names")
    return given


def digest(run: Any, beside: Collection[str]) -> str:
    """Return what tells a run from others: all its values but those `beside` its result."""
    told = {key: value for key, value in dataclasses.asdict(run).items() if key not in beside}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
