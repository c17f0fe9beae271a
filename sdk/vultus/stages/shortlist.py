"""Shortlist: of many users, the few who can be the best match, found on 8-bit copies of their references without missing one.

The score of a user is the mean cosine over the references, which is the product with the mean reference, so one row a user and modality is
enough. A match grows with every one of its scores. So whoever scores higher than one fixed user nowhere cannot be better than that user, and
with a bound on what rounding to 8 bits does to a product, that can be told from the 8-bit products alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.types import F32, Embedding, Modality

I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]

_SLACK: Final = 1e-5
"""Room for float32 rounding of products of unit vectors: 128 terms of 6e-8 each, rounded up."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Mean references of one modality in 8 bits: value = `scale` * `codes` within `error` (Euclidean); `norm` is the coded row's length."""

    codes: I8
    scale: F32
    error: F32
    norm: F32
    out: I32


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Users who enrolled the same modalities in the same order; `members` are their places in the whole list."""

    order: tuple[Modality, ...]
    members: npt.NDArray[np.int64]
    rows: Mapping[Modality, _Rows]


class Index:
    """8-bit references of many users, by what they enrolled. Not thread-safe: products are written to memory allocated once."""

    def __init__(self, references: Sequence[Mapping[Modality, F32]]) -> None:
        groups: dict[tuple[Modality, ...], list[int]] = {}
        for place, enrolled in enumerate(references):
            groups.setdefault(tuple(enrolled), []).append(place)
        self._groups = tuple(
            _Group(order, np.array(places, np.int64), {m: _coded([references[i][m] for i in places]) for m in order})
            for order, places in groups.items()
            if order
        )

    def shortlist(self, probes: Sequence[Embedding]) -> list[int]:
        """Return the places of all users who can be the best match of these probes, rising; never empty when somebody is enrolled."""
        found = [group.members[_possible(group, probes)] for group in self._groups]
        return sorted(int(i) for part in found for i in part) if probes else []


def _coded(references: Sequence[F32]) -> _Rows:
    means: F32 = np.stack([rows.mean(axis=0, dtype=np.float32) for rows in references])
    codes, scale = _codes(means)
    back = codes * scale[:, None]
    error, norm = np.linalg.norm(means - back, axis=1), np.linalg.norm(back, axis=1)
    return _Rows(codes, scale, error.astype(np.float32), norm.astype(np.float32), np.empty(len(means), np.int32))


def _codes(rows: F32) -> tuple[I8, F32]:
    """Round rows to -127..127 with one scale each."""
    scale = np.maximum(np.abs(rows).max(axis=1) / np.float32(127), np.float32(1e-12)).astype(np.float32)
    return np.ascontiguousarray(np.rint(rows / scale[:, None]).astype(np.int8)), scale


def _possible(group: _Group, probes: Sequence[Embedding]) -> npt.NDArray[np.intp]:
    """Return which members score above the group's best guess in at least one product, as far as 8 bits can tell."""
    scores, bounds = [], []
    for probe in probes:
        rows = group.rows[probe.modality if probe.modality in group.rows else group.order[0]]
        codes, scale = _codes(probe.vector[None, :])
        _native.dot_i8(codes[0], rows.codes, rows.out)
        scores.append(rows.out * (rows.scale * scale[0]))
        lost = np.float32(np.linalg.norm(probe.vector - codes[0] * scale[0]))
        bounds.append(rows.error + lost * rows.norm + np.float32(_SLACK))
    guess = int(np.argmax(scores[0] if len(scores) == 1 else np.sum(scores, axis=0)))
    keep = np.zeros(len(group.members), bool)
    keep[guess] = True
    for score, bound in zip(scores, bounds, strict=True):
        keep |= score + bound >= score[guess] - bound[guess]
    return np.flatnonzero(keep)
