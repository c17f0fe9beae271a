"""One table of a report as text, and how numbers are written in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; `note` explains it in one or two sentences."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def percent(value: float) -> str:
    """Write a share with as many decimals as it needs to be told from 0 and from 100 %."""
    if value in (0.0, 1.0):
        return f"{100 * value:.0f} %"
    gap = 100 * min(value, 1 - value)
    decimals = 2 if gap >= 0.1 else 3 if gap >= 0.01 else 4
    return f"{100 * value:.{decimals}f} %"


def rate(value: float) -> str:
    """Write a small rate as a power of ten."""
    return "0" if value == 0 else f"{value:.1e}".replace("e-0", "e-").replace("e+00", "")


def interval(entry: Mapping[str, Any], write: Any = percent) -> str:
    """Write the 95 % interval of an entry with low and high."""
    return f"{write(entry['low'])} to {write(entry['high'])}"
