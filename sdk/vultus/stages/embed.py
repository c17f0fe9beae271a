"""Embed: run the recogniser on an aligned crop."""

from __future__ import annotations

import numpy as np

from vultus.graphs import Graph
from vultus.types import Crop, Embedding


def embed(graph: Graph, crop: Crop) -> Embedding | None:
    """Return the unit-length embedding of the crop that lies in `graph.input`; None when the graph's output has no direction.

    Raises ValueError when the crop was written somewhere else.
    """
    if crop.tensor is not graph.input and not np.shares_memory(crop.tensor, graph.input):
        raise ValueError("the crop does not lie in the recogniser's input")
    vector = graph.run()[0].reshape(-1)
    norm = float(np.sqrt(np.dot(vector, vector)))
    if not np.isfinite(norm) or norm < 1e-6:
        return None
    return Embedding(crop.modality, (vector / np.float32(norm)).astype(np.float32, copy=False), graph.entry.form)
