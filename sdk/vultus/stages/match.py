"""Match: compare probe embeddings with a user's reference embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from vultus import _native
from vultus.types import F32, Embedding, Modality, PairScore


def stack(embeddings: Iterable[Embedding]) -> dict[Modality, F32]:
    """Lay reference embeddings out as one float32 (n, d) matrix a modality."""
    rows: dict[Modality, list[F32]] = {}
    for embedding in embeddings:
        rows.setdefault(embedding.modality, []).append(embedding.vector)
    return {modality: np.ascontiguousarray(np.stack(vectors)) for modality, vectors in rows.items()}


def compare(probes: Sequence[Embedding], references: Mapping[Modality, F32]) -> tuple[PairScore, ...]:
    """Score each probe against the references of its own modality, or of the other one when its own was not enrolled.

    A score is the mean cosine over the references, never the best of them: the mean of n scores exceeds a threshold less often
    than one of them does, so that the error rate calibrated on single comparisons stays an upper bound.
    """
    scores: list[PairScore] = []
    for probe in probes:
        modality = probe.modality if probe.modality in references else next(iter(references), None)
        if modality is None:
            continue
        rows = references[modality]
        if rows.shape[1] != probe.vector.shape[0]:
            raise ValueError("probe and references have different lengths; they come from different graphs")
        out = np.empty(rows.shape[0], np.float32)
        _native.dot_f32(probe.vector, rows, out)
        scores.append(PairScore(probe.modality, modality, float(np.clip(out.mean(), -1.0, 1.0)), rows.shape[0]))
    return tuple(scores)
