"""The published recogniser as a frozen PyTorch module, so that what stands before it can be trained through it."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from models.recipes.clean import F64
from models.recipes.layers import Network
from torch import Tensor, nn
from torch.nn import functional


class Recogniser(nn.Module):
    """SFace in float: (n, 3, 112, 112) planes R, G, B of (pixel - 127.5) / 128 to unit vectors (n, 128).

    No parameter of it is trained; the first convolution is handed out because a modality map is folded into it.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._forms = [(layer.stride, layer.pad, layer.groups) for layer in network.layers]
        for i, layer in enumerate(network.layers):
            self.register_buffer(f"weight{i}", _tensor(layer.weight))
            self.register_buffer(f"bias{i}", _tensor(layer.bias))
            self.register_buffer(f"slope{i}", _tensor(layer.slope))
        self.register_buffer("head", _tensor(network.head_weight.reshape(len(network.head_bias), -1)))
        self.register_buffer("head_bias", _tensor(network.head_bias))

    def forward(self, crops: Tensor) -> Tensor:
        """Return the unit-length embeddings of aligned crops."""
        x = crops
        for i, (stride, pad, groups) in enumerate(self._forms):
            x = functional.conv2d(x, self._held("weight", i), self._held("bias", i), stride, pad, 1, groups)
            x = functional.prelu(x, self._held("slope", i))
        x = functional.linear(x.flatten(1), cast(Tensor, self.head), cast(Tensor, self.head_bias))
        return functional.normalize(x, dim=1)

    def _held(self, name: str, i: int) -> Tensor:
        return cast(Tensor, getattr(self, f"{name}{i}"))


def embed(model: Any, crops: np.ndarray[Any, np.dtype[np.float32]], batch: int = 32) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the embeddings (n, 128) of a module for crops (n, 3, 112, 112), without gradients."""
    with torch.inference_mode():
        parts = [model(torch.from_numpy(crops[i : i + batch])).numpy() for i in range(0, len(crops), batch)]
    return np.concatenate(parts)


def _tensor(values: F64) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
