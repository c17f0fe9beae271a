"""The two networks: plain convolutions with a map of live and attack at their end, and a decision over the whole face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from models.training.liveness.config import COLOUR, TRIPLET
from models.training.liveness.crops import COLOUR_SIDE, PLANES, SIDE
from torch import Tensor, nn

MAP: Final = 8
"""Cells on each side of the map that is supervised."""


@dataclass(frozen=True, slots=True)
class Form:
    """Planes and side of the input, and each layer's channels and stride; every kernel is 3 x 3."""

    planes: int
    side: int
    layers: tuple[tuple[int, int], ...]


FORMS: Final = {
    TRIPLET: Form(PLANES, SIDE, ((16, 2), (24, 1), (32, 2), (48, 1), (64, 2), (64, 1))),
    COLOUR: Form(3, COLOUR_SIDE, ((16, 2), (24, 2), (40, 2), (56, 1), (80, 2), (80, 1))),
}


class Tower(nn.Module):
    """Convolutions with batch normalisation and ReLU, a map (n, 8, 8) and a decision (n,), both in nats and positive for live."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        form = FORMS[kind]
        layers: list[nn.Module] = []
        before = form.planes
        for channels, stride in form.layers:
            layers += [nn.Conv2d(before, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
            before = channels
        self.body = nn.Sequential(*layers)
        self.map = nn.Conv2d(before, 1, 1)
        self.decide = nn.Linear(before, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the decision (n,) and the map (n, 8, 8) for planes (n, planes, side, side)."""
        seen = self.body(x)
        return self.decide(seen.mean((2, 3)))[:, 0], self.map(seen)[:, 0]

    def score(self, x: Tensor) -> Tensor:
        """Return what the shipped graph gives: the mean of the decision and of the map's mean (n,)."""
        decision, cells = self(x)
        return torch.add(decision, cells.mean((1, 2))) / 2


def parameters(model: nn.Module) -> int:
    """Return how many numbers of a module are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def products(kind: str) -> int:
    """Return the multiplications of one face."""
    form = FORMS[kind]
    total, before, side = 0, form.planes, form.side
    for channels, stride in form.layers:
        side //= stride
        total += side * side * channels * before * 9
        before = channels
    return total
