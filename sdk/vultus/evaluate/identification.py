"""Closed-set identification: at which rank a probe's own person stands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vultus.evaluate.metrics.verification import match_characteristic
from vultus.evaluate.scoring import Scorer

_BLOCK = 1 << 22
DEPTH = 20
"""Ranks that are reported."""


def identify(scorer: Scorer, person: npt.NDArray[np.int32]) -> dict[str, object]:
    """Return the cumulative match characteristic with the first reference of each person as gallery.

    Probes are all other rows whose person is in the gallery; a probe without features is found at no rank, and a tie counts against it.
    """
    there = np.flatnonzero(scorer.reference_usable)
    people, first = np.unique(person[there], return_index=True)
    gallery = there[first]
    due = scorer.probe_due & np.isin(person, people)
    due[gallery] = False
    probes = np.flatnonzero(due & scorer.probe_usable)
    ranks = np.zeros(int(due.sum()), np.int64)
    place = np.searchsorted(people, person[probes])
    step = max(1, _BLOCK // max(len(gallery), 1))
    for start in range(0, len(probes), step):
        part = slice(start, start + step)
        block = scorer.block(gallery, probes[part])
        own = block[place[part], np.arange(block.shape[1])]
        # The own entry is among those that reach it, so that their number is the rank.
        ranks[start : start + block.shape[1]] = (block >= own).sum(axis=0)
    cmc = match_characteristic(ranks, min(DEPTH, max(len(gallery), 1)))
    return {"gallery": len(gallery), "probes": len(ranks), "cmc": [float(v) for v in cmc] if len(ranks) else []}
