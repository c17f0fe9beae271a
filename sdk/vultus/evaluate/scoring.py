"""Score blocks of rows against each other: cosines of one modality pair, or several pairs fused as the matcher does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vultus.types import Modality

F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
ModalityPair = tuple[Modality, Modality]
"""Probe modality, reference modality."""

FUSED = "fused"
SIDES = (Modality.RGB.value, Modality.NIR.value, FUSED)
"""What a side of a comparison may be made of."""


class Fusion(Protocol):
    """Combine the scores of several modality pairs; `span` holds every value that it can give."""

    @property
    def span(self) -> tuple[float, float]:
        """Return the lowest and the highest score."""
        ...

    def __call__(self, parts: Mapping[ModalityPair, F32]) -> F32:
        """Return one score for each comparison; a part is NaN where that pair was not compared."""
        ...


class MeanFusion:
    """Mean of the cosines at hand: what remains to be done while no calibration says how much each pair is worth."""

    span = (-1.0, 1.0)

    def __call__(self, parts: Mapping[ModalityPair, F32]) -> F32:
        """Return the mean over the parts that are not NaN."""
        total = np.zeros(next(iter(parts.values())).shape, np.float32)
        count = np.zeros(total.shape, np.float32)
        for scores in parts.values():
            there = np.isfinite(scores)
            total[there] += scores[there]
            count += there
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """References or probes: `due` marks the rows that should take part, `modalities` what may be compared of each."""

    due: Mask
    modalities: tuple[Modality, ...]


class Scorer:
    """Compares rows of unit-length features; rows of zeros are absent.

    features: for each modality float32 (rows, d). A probe modality meets the reference's own or, where the reference has none,
    the other one, as in `vultus.stages.match`.
    """

    def __init__(self, features: Mapping[Modality, F32], reference: Side, probe: Side, fusion: Fusion | None = None) -> None:
        self._features = features
        self._there = {m: np.abs(v).max(axis=1, initial=0.0) > 0 for m, v in features.items()}
        self._reference, self._probe = reference, probe
        self._given = fusion
        self._fusion: Fusion = fusion or MeanFusion()
        self.single = len(reference.modalities) == len(probe.modalities) == 1
        self.span = (-1.0, 1.0) if self.single and fusion is None else self._fusion.span
        self.reference_due, self.probe_due = reference.due, probe.due
        self.reference_usable = reference.due & self._any(reference)
        self.probe_usable = probe.due & self._any(probe)
        self.symmetric = reference.modalities == probe.modalities and bool((reference.due == probe.due).all())
        self._raw = self.single and fusion is None

    def over(self, features: Mapping[Modality, F32], reference: Side, probe: Side) -> Scorer:
        """Return a scorer of other rows that scores in the same way."""
        return Scorer(features, reference, probe, self._given)

    def _any(self, side: Side) -> Mask:
        """Mark the rows that have at least one of the side's modalities."""
        found = np.zeros(len(side.due), bool)
        for modality in side.modalities:
            if modality in self._there:
                found |= self._there[modality]
        return found

    def block(self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> F32:
        """Return the scores of reference `rows` (down) against probe `columns` (across)."""
        if self._raw:
            reference, probe = self._reference.modalities[0], self._probe.modalities[0]
            return self._features[reference][rows] @ self._features[probe][columns].T
        return self._fusion(self._parts(rows, columns, paired=False))

    def pairs(self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> F32:
        """Return the score of each reference row with the probe row at the same place."""
        parts = self._parts(rows, columns, paired=True)
        return next(iter(parts.values())) if self._raw else self._fusion(parts)

    def parts(self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> dict[ModalityPair, F32]:
        """Return the cosines of each reference row with the probe row at the same place, by modality pair; NaN where one is absent."""
        return self._parts(rows, columns, paired=True)

    def _parts(self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], *, paired: bool) -> dict[ModalityPair, F32]:
        """Return the cosines of every modality pair that the matcher would compare, NaN elsewhere."""
        out: dict[ModalityPair, F32] = {}
        for probe in self._probe.modalities:
            if probe not in self._features:
                continue
            own = self._there[probe][rows] if probe in self._reference.modalities else np.zeros(len(rows), bool)
            for reference in self._reference.modalities:
                if reference not in self._features:
                    continue
                use = self._there[reference][rows] & (own if reference is probe else ~own)
                if not use.any():
                    continue
                left, right = self._features[reference][rows], self._features[probe][columns]
                scores = np.einsum("ij,ij->i", left, right) if paired else left @ right.T
                seen = self._there[probe][columns]
                valid = use & seen if paired else use[:, None] & seen[None, :]
                if not valid.all():
                    scores[~valid] = np.nan
                out[probe, reference] = scores
        shape = (len(rows),) if paired else (len(rows), len(columns))
        return out or {(self._probe.modalities[0], self._reference.modalities[0]): np.full(shape, np.nan, np.float32)}


def modalities_of(side: str) -> tuple[Modality, ...]:
    """Return what a side named rgb, nir or fused is made of; raises ValueError for another name."""
    if side not in SIDES:
        raise ValueError(f"a side is one of {', '.join(SIDES)}; got {side!r}")
    return (Modality.RGB, Modality.NIR) if side == FUSED else (Modality(side),)
