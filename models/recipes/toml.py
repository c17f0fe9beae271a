"""Writes the few shapes of TOML that the manifest needs; tomllib only reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def dump(document: Mapping[str, Any]) -> str:
    """Return a document of plain values first, then lists of tables with plain values, inline tables and lists of inline tables."""
    lines = [f"{key} = {_value(value)}" for key, value in document.items() if not _tables(value)]
    for key, value in document.items():
        if _tables(value):
            for table in value:
                lines += ["", f"[[{key}]]", *_body(table, key)]
    return "\n".join(lines) + "\n"


def _body(table: Mapping[str, Any], path: str) -> list[str]:
    lines = []
    nested: list[str] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            nested += [f"[{path}.{key}]", *[f"{k} = {_value(v)}" for k, v in value.items()]]
        elif _tables(value):
            for row in value:
                nested += [f"[[{path}.{key}]]", *[f"{k} = {_value(v)}" for k, v in row.items()]]
        else:
            lines.append(f"{key} = {_value(value)}")
    return lines + nested


def _tables(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0 and all(isinstance(v, Mapping) for v in value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's string escapes are a subset of TOML's.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    raise TypeError(f"cannot write {type(value).__name__} as TOML")
