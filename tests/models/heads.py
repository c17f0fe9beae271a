"""Made-up people to train on in a test, rendered from the stand-in of the head model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from models.training.normaliser.data import Material, gather
from models.training.synthesis.pool import Recipe, open_pool
from tests.models.egg import write_egg


def material(folder: Path) -> Material:
    """Return six made-up people in three looks each, two of the people kept aside; rendered where `folder` has not got them yet."""
    data = folder / "data"
    if not data.is_dir():
        write_egg(data)
    return gather(open_pool(Recipe((), 6, 3), data, folder / "cache", None, "none"), np.zeros(0, np.int64), [])
