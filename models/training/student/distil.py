"""Takes the slopes of the recogniser's PRelu away little by little while it is held to its teacher, until it is a ReLU network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, cast

import numpy as np
import torch
from models.recipes.layers import Network
from models.training.student.views import Views
from torch import Tensor, nn
from torch.nn import functional

_TAPS: Final = (5, 11, 17, 23, 26)
"""Layers whose outputs are compared too: the last of each picture size, and one between."""
_FADED: Final = 0.6
"""Share of the steps after which no slope is left; what remains heals."""


class Student(nn.Module):
    """The recogniser's own layers, trainable, with every slope times `keep`; at 0 its activations are ReLU."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.keep = 1.0
        self._forms = [(layer.stride, layer.pad, layer.groups) for layer in network.layers]
        self.weights = nn.ParameterList([_parameter(layer.weight) for layer in network.layers])
        self.biases = nn.ParameterList([_parameter(layer.bias) for layer in network.layers])
        self.head = _parameter(network.head_weight.reshape(len(network.head_bias), -1))
        self.head_bias = _parameter(network.head_bias)
        for i, layer in enumerate(network.layers):
            self.register_buffer(f"slope{i}", torch.from_numpy(layer.slope.astype(np.float32)))

    def features(self, crops: Tensor) -> Iterator[Tensor]:
        """Yield the outputs of the compared layers and then the embedding, of unit length."""
        x = crops
        for i, (stride, pad, groups) in enumerate(self._forms):
            x = functional.conv2d(x, self.weights[i], self.biases[i], stride, pad, 1, groups)
            x = functional.prelu(x, self.keep * cast(Tensor, getattr(self, f"slope{i}")))
            if i in _TAPS:
                yield x
        yield functional.normalize(functional.linear(x.flatten(1), self.head, self.head_bias), dim=1)

    def forward(self, crops: Tensor) -> Tensor:
        """Return the unit-length embeddings of aligned crops."""
        return list(self.features(crops))[-1]


def distil(network: Network, views: Views, steps: int, size: int, rate: float, tell: Callable[[int, float, float], None]) -> Student:
    """Train for `steps` batches of `size` and return the ReLU student; `tell` gets the step, the mean cosine with the teacher and `keep`."""
    teacher, student = Student(network).requires_grad_(False), Student(network)
    optimiser = torch.optim.Adam(student.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        student.keep = max(0.0, 1.0 - step / (_FADED * steps))
        crops = torch.from_numpy(views.batch(size))
        with torch.no_grad():
            *wanted, target = teacher.features(crops)
        *found, vectors = student.features(crops)
        cosine = (vectors * target).sum(1)
        apart = sum((functional.mse_loss(a, b) / b.var() for a, b in zip(found, wanted, strict=True)), torch.zeros(()))
        loss = (1 - cosine).mean() + 0.1 * apart
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        tell(step + 1, float(cosine.detach().mean()), student.keep)
    student.keep = 0.0
    return student.eval()


def without_training(network: Network) -> Student:
    """Return the recogniser with its slopes taken away and nothing else done."""
    student = Student(network).eval()
    student.keep = 0.0
    return student


def _parameter(values: np.ndarray) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.ascontiguousarray(values, np.float32)))
