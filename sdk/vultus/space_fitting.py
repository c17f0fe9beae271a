"""Fits the space in which a sensor's embeddings are compared. Needs nothing but numpy, and people of that sensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.stages.space import Space
from vultus.types import F32, Modality

Samples = tuple[F32, npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Unit-length embeddings (n, d), the number of the person of each, the number of the frame set of each."""
HOLD: Final = 1.0
"""Added to the spread within people, in units of its own mean: few people must not fix 128 directions. Of 0.3, 1, 3 and 10 tried on halves
of rap3df-2017's 62 people all help; 1 was in the middle for all three kinds of comparison."""
FOLDS: Final = 3
"""Parts of the people; each is placed by a space that the others fitted, so that the tables see people as new as those to come."""


def fit_space(samples: Mapping[Modality, Samples]) -> Space:
    """Return the space of some people: means by modality, and a turn that makes all directions vary alike within a person."""
    means = {m: s[0].mean(0) for m, s in samples.items()}
    inner, free = [], 0
    for modality, (vectors, people, _) in samples.items():
        for person in np.unique(people):
            own = vectors[people == person] - means[modality]
            inner.append(own - own.mean(0))
            free += len(own) - 1
    rows = np.concatenate(inner).astype(np.float64)
    spread = rows.T @ rows / max(free, 1)
    level = float(np.trace(spread)) / len(spread)
    spread += max(HOLD * level, 1e-9) * np.eye(len(spread))
    turn = np.linalg.inv(np.linalg.cholesky(spread)).T
    # Cosines do not change with the scale; near 1 the numbers survive rounding in the file.
    return Space({m: v.astype(np.float32) for m, v in means.items()}, (turn * np.sqrt(level or 1.0)).astype(np.float32))


def placed(space: Space, samples: Mapping[Modality, Samples]) -> dict[Modality, Samples]:
    """Return samples in a space."""
    return {m: (space.rows(m, v), people, sets) for m, (v, people, sets) in samples.items()}


def cross_placed(samples: Mapping[Modality, Samples]) -> list[dict[Modality, Samples]]:
    """Return the samples in FOLDS parts of the people, each in a space that was fitted without them. Parts are not comparable."""
    everyone = np.unique(np.concatenate([s[1] for s in samples.values()]))
    part = np.random.default_rng(0).permutation(len(everyone)) % FOLDS
    out = []
    for fold in range(FOLDS):
        held = {m: np.isin(s[1], everyone[part == fold]) for m, s in samples.items()}
        space = fit_space({m: (s[0][~held[m]], s[1][~held[m]], s[2][~held[m]]) for m, s in samples.items()})
        out.append(placed(space, {m: (s[0][held[m]], s[1][held[m]], s[2][held[m]]) for m, s in samples.items()}))
    return out


def space_document(space: Space) -> dict[str, Any]:
    """Return a space as JSON-ready values."""
    return {
        "means": {m.value: [round(float(x), 6) for x in v] for m, v in space.means.items()},
        "turn": [[round(float(x), 5) for x in row] for row in space.turn],
    }
