"""The forms of a normaliser that are compared: each maps an NIR crop to what the recogniser expects of a colour crop."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVEL: Final = (-0.046, 0.205)
"""Mean and standard deviation of the green plane of the permitted portraits' aligned crops, in the recogniser's units."""


class Direct(nn.Module):
    """Shows the NIR crop in all three planes, as it is."""

    def forward(self, nir: Tensor) -> Tensor:
        """Map (n, 1, 112, 112) to (n, 3, 112, 112), both (pixel - 127.5) / 128."""
        return nir.expand(-1, 3, -1, -1)


class Levels(nn.Module):
    """Gives every crop the mean and the contrast that colour crops have about the face's middle; has nothing to train."""

    def forward(self, nir: Tensor) -> Tensor:
        """Map (n, 1, 112, 112) to (n, 3, 112, 112)."""
        return levelled(nir).expand(-1, 3, -1, -1)


class Affine(nn.Module):
    """One gain and one offset a plane: what can be folded into the recogniser's first convolution, at no cost."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(3))
        self.offset = nn.Parameter(torch.zeros(3))

    def forward(self, nir: Tensor) -> Tensor:
        """Map (n, 1, 112, 112) to (n, 3, 112, 112)."""
        return nir * self.gain[:, None, None] + self.offset[:, None, None]


class Prepended(nn.Module):
    """Two small convolutions added to the crop: about 1.4 thousand parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 24, 5, padding=2)
        self.slope = nn.PReLU(24)
        self.last = nn.Conv2d(24, 3, 3, padding=1)
        _start_at_nothing(self.last)

    def forward(self, nir: Tensor) -> Tensor:
        """Map (n, 1, 112, 112) to (n, 3, 112, 112)."""
        out: Tensor = nir + self.last(self.slope(self.first(nir)))
        return out


class Encoder(nn.Module):
    """An encoder and decoder with shortcuts, under 100 thousand parameters, added to the crop."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 16, 32, 48, 64)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in itertools.pairwise(widths))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 3, 1, 1) for a, b in itertools.pairwise(widths[1:]))
        self.last = nn.Conv2d(widths[1] + 1, 3, 3, 1, 1)
        _start_at_nothing(self.last)

    def forward(self, nir: Tensor) -> Tensor:
        """Map (n, 1, 112, 112) to (n, 3, 112, 112)."""
        seen = [nir]
        for layer in self.down:
            seen.append(functional.leaky_relu(layer(seen[-1]), 0.1))
        x = seen.pop()
        for layer in reversed(self.up):
            x = functional.leaky_relu(layer(functional.interpolate(x, scale_factor=2.0)), 0.1) + seen.pop()
        x = functional.interpolate(x, scale_factor=2.0)
        out: Tensor = nir + self.last(torch.cat([x, nir], 1))
        return out


VARIANTS: Final[dict[str, Callable[[], nn.Module]]] = {
    "direct": Direct,
    "levels": Levels,
    "affine": Affine,
    "prepended": Prepended,
    "encoder": Encoder,
}
"""Every form by the name that a configuration gives."""


def levelled(nir: Tensor) -> Tensor:
    """Return crops whose middle, where the face is, has the mean and standard deviation of LEVEL."""
    face = nir[:, :, 28:100, 24:88]
    mean, spread = face.mean((2, 3), keepdim=True), face.std((2, 3), keepdim=True)
    return (nir - mean) / (spread + 0.02) * LEVEL[1] + LEVEL[0]


def parameters(model: nn.Module) -> int:
    """Return how many numbers of a module are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _start_at_nothing(layer: nn.Conv2d) -> None:
    """Make a layer add nothing at first, so that training starts from the crop as it is."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
