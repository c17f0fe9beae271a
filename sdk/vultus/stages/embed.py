"""Embed: run the recogniser on an aligned crop, an NIR one through the normaliser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vultus.errors import ModelMismatch
from vultus.graphs import open_graph, open_stem
from vultus.manifest import Manifest
from vultus.types import F32, Crop, Embedding, Modality


class Recogniser:
    """The recogniser with the normaliser before it, which takes the place of its first layers for NIR. Not thread-safe.

    forms: by modality the hash that embeddings carry. Raises ModelError.
    """

    def __init__(self, manifest: Manifest, threads: int = 1) -> None:
        self._graph = open_graph(manifest.entry("recogniser"), threads)
        self._normaliser = open_stem(manifest.entry("normaliser"))
        self.forms: Mapping[Modality, str] = manifest.forms()
        if not self._graph.takes(self._normaliser):
            raise ModelMismatch(
                "graph recogniser: it has no first layers that the normaliser can replace; run `vultus models build` or reinstall"
            )

    @property
    def input(self) -> npt.NDArray[Any]:
        """Where a crop has to lie, float32 (1, 3, 112, 112) of (pixel - mean) * scale; one of NIR in three equal planes."""
        return self._graph.input

    @property
    def mean(self) -> float:
        """What is subtracted from a pixel."""
        return self._graph.entry.mean

    @property
    def scale(self) -> float:
        """What the difference is multiplied by."""
        return self._graph.entry.scale

    def run(self, modality: Modality) -> F32:
        """Return the embedding (128,) of what lies in `input`, not of unit length, valid until the next call."""
        return self._graph.run(self._normaliser if modality is Modality.NIR else None)[0].reshape(-1)

    def embed(self, crop: Crop) -> Embedding | None:
        """Return the unit-length embedding of the crop that lies in `input`; None when the graph's output has no direction.

        Raises ValueError when the crop was written somewhere else.
        """
        if crop.tensor is not self.input and not np.shares_memory(crop.tensor, self.input):
            raise ValueError("the crop does not lie in the recogniser's input")
        vector = self.run(crop.modality)
        norm = float(np.sqrt(np.dot(vector, vector)))
        if not np.isfinite(norm) or norm < 1e-6:
            return None
        return Embedding(crop.modality, (vector / np.float32(norm)).astype(np.float32, copy=False), self.forms[crop.modality])
