"""Space: where the embeddings of one sensor are compared, with what is common to its pictures and what varies within a person taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vultus.types import F32, Embedding, Modality


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """A sensor's own linear map of embeddings: the mean of each modality (d,) is taken away, the rest turned by `turn` (d, d), made unit length.

    A modality without a mean has no place in it and is no evidence.
    """

    means: Mapping[Modality, F32]
    turn: F32

    def __post_init__(self) -> None:
        d = len(self.turn)
        if self.turn.shape != (d, d) or not self.means or any(m.shape != (d,) for m in self.means.values()):
            raise ValueError("a space needs a square turn and a mean of its length for each modality")
        if not (np.isfinite(self.turn).all() and all(np.isfinite(m).all() for m in self.means.values())):
            raise ValueError("a space needs finite numbers")

    def rows(self, modality: Modality, vectors: F32) -> F32:
        """Return the rows (n, d) of a modality placed; a row that lies on the mean has no direction and becomes zero, like nobody."""
        if vectors.shape[1] != len(self.turn):
            raise ValueError("embedding and space have different lengths; they come from different graphs")
        placed = (vectors - self.means[modality]) @ self.turn
        length = np.linalg.norm(placed, axis=1, keepdims=True)
        return np.ascontiguousarray(np.divide(placed, length, out=np.zeros_like(placed), where=length > 1e-6), np.float32)

    def probes(self, embeddings: Sequence[Embedding]) -> list[Embedding]:
        """Return the embeddings placed; those of a modality without a mean, and those without a direction, are left out."""
        there = [(e, self.rows(e.modality, e.vector[None])[0]) for e in embeddings if e.modality in self.means]
        return [replace(e, vector=vector) for e, vector in there if vector.any()]

    def references(self, held: Mapping[Modality, F32]) -> dict[Modality, F32]:
        """Return reference rows placed; those of a modality without a mean are left out."""
        return {m: self.rows(m, rows) for m, rows in held.items() if m in self.means}
