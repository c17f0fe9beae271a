"""Chooses, for every channel, the step and the zero point of its 8-bit values, from what the batch norms know; no picture is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from models.recipes.clean import F64
from models.recipes.layers import Layer

LEVELS: Final = 255
"""Largest value of an unsigned 8-bit number."""


@dataclass(frozen=True, slots=True)
class Grid:
    """How a layer's output is held: channel c's value v is stored as v * factor[c] + zero; `mean` is the expected v * factor."""

    factor: F64
    zero: int
    mean: F64


def choose_grid(layer: Layer, reach: float, *, materialised: bool) -> Grid:
    """Return the grid that covers `reach` standard deviations to both sides with the least relative step.

    `materialised` says that the value before PRelu is stored too and needs its room. A slope above 1 gets a negative factor:
    then, as everywhere else, PRelu is the larger of x and slope * x.
    """
    low, high = layer.centre - reach * layer.spread, layer.centre + reach * layer.spread
    sign = np.where(layer.slope > 1, -1.0, 1.0)
    ends = [np.zeros_like(low)] + [np.where(x > 0, x, layer.slope * x) for x in (low, high)] + ([low, high] if materialised else [])
    bottom, top = np.minimum.reduce(ends), np.maximum.reduce(ends)
    bottom, top = np.where(sign > 0, bottom, -top), np.where(sign > 0, top, -bottom)
    mean, deviation = _after_prelu(layer)

    def steps(zero: int) -> F64:
        return np.asarray(np.maximum(-bottom / zero, top / (LEVELS - zero)), np.float64)

    zero = min(range(1, LEVELS), key=lambda z: math.fsum((steps(z) / deviation) ** 2))
    factor = sign / steps(zero)
    return Grid(factor, zero, mean * factor)


def _after_prelu(layer: Layer) -> tuple[F64, F64]:
    """Return mean and standard deviation of each channel after PRelu, taking it as normal before."""
    c, s, a = layer.centre, layer.spread, layer.slope
    t = c / s
    below = np.array([0.5 * math.erfc(v / math.sqrt(2)) for v in t])
    density = np.array([math.exp(-v * v / 2) for v in t]) / math.sqrt(2 * math.pi)
    first = c * (1 - below) + s * density
    second = (c * c + s * s) * (1 - below) + c * s * density
    mean = a * c + (1 - a) * first
    square = a * a * (c * c + s * s) + (1 - a * a) * second
    return mean, np.sqrt(np.maximum(square - mean * mean, 1e-12))
