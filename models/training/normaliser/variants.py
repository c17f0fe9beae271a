"""The forms of a normaliser that are compared: each maps an NIR crop, and the shape of the face, to what the recogniser expects.

Every form takes (n, 5, 112, 112): the NIR crop as (pixel - 127.5) / 128, then the four planes of `synthesis.crops.shape_of`, and says through
`enters` which layer of the recogniser its output goes into: 0 is the crop (n, 3, 112, 112).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

import torch
from models.training.normaliser.recogniser import Recogniser
from torch import Tensor, nn
from torch.nn import functional

PLANES: Final = 5
STEM_LAYERS: Final = 5
"""Layers that the stem has of its own: to the first halving of the picture and the widening to 128 channels after it, all of them float in the
shipped recogniser."""


class Normaliser(nn.Module):
    """What all forms have. enters: layer of the recogniser that the output goes into. depth: whether the shape is looked at."""

    enters = 0
    depth = False


class Direct(Normaliser):
    """Shows the NIR crop in all three planes, as it is."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 5, 112, 112) to (n, 3, 112, 112)."""
        return x[:, :1].expand(-1, 3, -1, -1)


class Affine(Normaliser):
    """One gain and one offset a plane, folded into the recogniser's first convolution, at no cost.

    They act on the crop with its border of zeros, so that folded and unfolded are the same everywhere.
    """

    enters = 1

    def __init__(self, recogniser: Recogniser) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(3))
        self.offset = nn.Parameter(torch.zeros(3))
        for name, value in zip(("weight", "bias", "slope"), recogniser.layer(0), strict=True):
            self.register_buffer(name, value.clone())
        self.form = recogniser.forms[0]

    def folded(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return weight (32, 1, 3, 3), bias and slope of the layer that takes the NIR crop itself."""
        weight, bias, slope = (self.get_buffer(n) for n in ("weight", "bias", "slope"))
        return (weight * self.gain[None, :, None, None]).sum(1, keepdim=True), bias + (weight.sum((2, 3)) * self.offset).sum(1), slope

    def picture(self, x: Tensor) -> Tensor:
        """Return the unfolded map's output with its border, (n, 3, 114, 114)."""
        return functional.pad(x[:, :1], (1, 1, 1, 1)) * self.gain[:, None, None] + self.offset[:, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 5, 112, 112) to the first layer's output (n, 32, 112, 112)."""
        weight, bias, slope = self.folded()
        return functional.prelu(functional.conv2d(x[:, :1], weight, bias, *self.form[:2]), slope)


class Stem(Normaliser):
    """The recogniser's first layers once more, for NIR alone: the colour path keeps its own and cannot change."""

    enters = STEM_LAYERS

    def __init__(self, recogniser: Recogniser) -> None:
        super().__init__()
        self.forms = recogniser.forms[:STEM_LAYERS]
        for i in range(STEM_LAYERS):
            weight, bias, slope = recogniser.layer(i)
            # The three planes of an NIR crop are one: their filters add up.
            weight = weight.sum(1, keepdim=True) if i == 0 else weight
            for name, value in (("weight", weight), ("bias", bias), ("slope", slope)):
                self.register_parameter(f"{name}{i}", nn.Parameter(value.clone()))

    def layer(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return weight, bias and slope of a layer."""
        return self.get_parameter(f"weight{i}"), self.get_parameter(f"bias{i}"), self.get_parameter(f"slope{i}")

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 5, 112, 112) to the output of the recogniser's layer before `enters`."""
        x = x[:, :1]
        for i, (stride, pad, groups) in enumerate(self.forms):
            weight, bias, slope = self.layer(i)
            x = functional.prelu(functional.conv2d(x, weight, bias, stride, pad, 1, groups), slope)
        return x


class Prepended(Normaliser):
    """Two small convolutions added to the crop: about 1.4 thousand parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 24, 5, padding=2)
        self.slope = nn.PReLU(24)
        self.last = nn.Conv2d(24, 3, 3, padding=1)
        _start_at_nothing(self.last)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 5, 112, 112) to (n, 3, 112, 112)."""
        out: Tensor = x[:, :1] + self.last(self.slope(self.first(x[:, :1])))
        return out


class Encoder(Normaliser):
    """An encoder and decoder with shortcuts, under 100 thousand parameters, that sees the shape too and is added to the crop."""

    depth = True
    widths = (PLANES, 16, 32, 48, 64)

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in itertools.pairwise(self.widths))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 3, 1, 1) for a, b in itertools.pairwise(self.widths[1:]))
        self.last = nn.Conv2d(self.widths[1] + 1, 3, 3, 1, 1)
        _start_at_nothing(self.last)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 5, 112, 112) to (n, 3, 112, 112)."""
        nir = x[:, :1]
        seen = []
        for layer in self.down:
            x = functional.leaky_relu(layer(x), 0.1)
            seen.append(x)
        seen.pop()
        for layer in reversed(self.up):
            x = functional.leaky_relu(layer(functional.interpolate(x, scale_factor=2.0)), 0.1) + seen.pop()
        x = functional.interpolate(x, scale_factor=2.0)
        out: Tensor = nir + self.last(torch.cat([x, nir], 1))
        return out


VARIANTS: Final[dict[str, Callable[[Recogniser], Normaliser]]] = {
    "direct": lambda _: Direct(),
    "affine": Affine,
    "prepended": lambda _: Prepended(),
    "encoder": lambda _: Encoder(),
    "stem": Stem,
}
"""Every form by the name that a configuration gives."""


def parameters(model: nn.Module) -> int:
    """Return how many numbers of a module are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _start_at_nothing(layer: nn.Conv2d) -> None:
    """Make a layer add nothing at first, so that training starts from the crop as it is."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
