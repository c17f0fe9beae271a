"""Writes a trained network as ONNX and holds it against PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from models.recipes.gate import open_session
from models.recipes.landmarks import build_landmarks
from models.training.landmarks.network import Landmarks
from torch import Tensor

_EQUAL: Final = 1e-3
"""Largest difference of a landmark in pixels of the crop from PyTorch's: rounding in another order."""


def trained(folder: Path) -> Landmarks:
    """Read the network of a finished run; raises FileNotFoundError when there is none."""
    if not (folder / "landmarks.pt").is_file():
        raise FileNotFoundError(f"{folder} holds no finished run; train it first")
    model = Landmarks()
    model.load_state_dict(torch.load(folder / "landmarks.pt", weights_only=True)["model"])
    return model.eval()


def export(model: Landmarks, crops: Tensor) -> tuple[bytes, float]:
    """Return the graph and its largest difference from PyTorch on these crops, in pixels. Raises ValueError when that is no mere rounding."""
    graph = build_landmarks(model.weights())
    session = open_session(graph)
    found = np.concatenate([session.run(None, {"input": one[None].numpy()})[0] for one in crops])
    with torch.inference_mode():
        difference = float(np.abs(found - model(crops).numpy()).max())
    if not difference <= _EQUAL:
        raise ValueError(f"the graph differs from PyTorch by {difference:.2g} pixels, more than {_EQUAL}; it was not exported right")
    return graph, difference
