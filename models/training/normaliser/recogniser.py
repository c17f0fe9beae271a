"""The published recogniser as a frozen PyTorch module, so that what stands before it can be trained through it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from models.recipes.clean import F64
from models.recipes.layers import Network
from torch import Tensor, nn
from torch.nn import functional


class Recogniser(nn.Module):
    """SFace in float: (n, 3, 112, 112) planes R, G, B of (pixel - 127.5) / 128 to unit vectors (n, 128).

    No parameter of it is trained. forms: stride, padding and groups of each convolution. network: what it was made of.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.forms = [(layer.stride, layer.pad, layer.groups) for layer in network.layers]
        for i, layer in enumerate(network.layers):
            self.register_buffer(f"weight{i}", _tensor(layer.weight))
            self.register_buffer(f"bias{i}", _tensor(layer.bias))
            self.register_buffer(f"slope{i}", _tensor(layer.slope))
        self.register_buffer("head", _tensor(network.head_weight.reshape(len(network.head_bias), -1)))
        self.register_buffer("head_bias", _tensor(network.head_bias))

    def forward(self, x: Tensor, enters: int = 0) -> Tensor:
        """Return the unit-length embeddings of aligned crops, or of the input of layer `enters`."""
        for i, (stride, pad, groups) in enumerate(self.forms[enters:], enters):
            weight, bias, slope = self.layer(i)
            x = functional.prelu(functional.conv2d(x, weight, bias, stride, pad, 1, groups), slope)
        x = functional.linear(x.flatten(1), self.get_buffer("head"), self.get_buffer("head_bias"))
        return functional.normalize(x.float(), dim=1)

    def layer(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return weight, bias and slope of a layer."""
        return self.get_buffer(f"weight{i}"), self.get_buffer(f"bias{i}"), self.get_buffer(f"slope{i}")

    def digest(self) -> str:
        """Return the hash of all its numbers."""
        digest = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode() + value.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]


def embed(
    model: Callable[[Tensor], Tensor], crops: np.ndarray[Any, np.dtype[np.float32]], batch: int = 32
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the embeddings (n, 128) of a module for crops (n, c, 112, 112), without gradients."""
    with torch.inference_mode():
        parts = [model(torch.from_numpy(crops[i : i + batch])).numpy() for i in range(0, len(crops), batch)]
    return cast("np.ndarray[Any, np.dtype[np.float32]]", np.concatenate(parts))


def _tensor(values: F64) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
