"""The network: YuNet's body on one upright face, and a vote of all its cells over where each landmark is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from models.recipes.clean import FloatGraph, attributes, dequantise
from models.recipes.landmarks import BLOCKS, BODY, F32, POINTS, POOLED, SEEN, STRIDES, cells
from onnx import NodeProto
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """A convolution across channels, then one of each channel alone, as YuNet has them."""

    def __init__(self, wide: int, out: int) -> None:
        super().__init__()
        self.across = nn.Conv2d(wide, out, 1)
        self.alone = nn.Conv2d(out, out, 3, padding=1, groups=out)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, not yet rectified."""
        y: Tensor = self.alone(self.across(x))
        return y


class Landmarks(nn.Module):
    """From (n, 3, SIDE, SIDE) B, G, R 0..255 to landmarks (n, 5, 2) in pixels of the crop.

    Every cell of three grids says where each point is and how sure it is; the answer is the mean weighted by the softmax of that. YuNet itself
    takes the one cell of the best score: its weights are where the training begins.
    """

    def __init__(self, weights: bytes | None = None) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(Block(a, b) for a, b in BLOCKS)
        self.heads = nn.ModuleList(Block(64, 3 * POINTS) for _ in STRIDES)
        self.sharp = nn.Parameter(torch.full((len(STRIDES),), 2.0))
        corner, step = (torch.from_numpy(values) for values in cells())
        self.register_buffer("corner", corner, persistent=False)
        self.register_buffer("step", step, persistent=False)
        if weights is not None:
            self._take(dequantise(weights))

    def forward(self, x: Tensor) -> Tensor:
        """Return the landmarks."""
        y = functional.relu(self.first(x))
        kept = {}
        for i in range(BODY):
            y = functional.relu(self.blocks[i](y))
            kept[i] = y
            if i in POOLED:
                y = functional.max_pool2d(y, 2)
        low = functional.relu(self.blocks[BODY](y))
        middle = functional.relu(self.blocks[BODY + 1](kept[SEEN[1]] + functional.interpolate(low, scale_factor=2.0, mode="nearest")))
        high = functional.relu(self.blocks[BODY + 2](kept[SEEN[0]] + functional.interpolate(middle, scale_factor=2.0, mode="nearest")))
        maps = [head(level).flatten(2) for head, level in zip(self.heads, (high, middle, low), strict=True)]
        sure = torch.cat([m[:, :POINTS] * sharp for m, sharp in zip(maps, self.sharp, strict=True)], 2).softmax(2)
        offset = torch.cat([m[:, POINTS:] for m in maps], 2).unflatten(1, (POINTS, 2))
        return torch.sum(sure.unsqueeze(2) * (offset * self.step + self.corner), 3)

    def weights(self) -> dict[str, F32]:
        """Return the weights by the names of the recipe, the sharpness of each grid folded into its head."""
        out = {f"{name}_{what}": _array(getattr(layer, what)) for name, layer in self._named().items() for what in ("weight", "bias")}
        for i, sharp in enumerate(_array(self.sharp)):
            for what in ("weight", "bias"):
                out[f"head_{i}_alone_{what}"][:POINTS] *= sharp
        return out

    @classmethod
    def of(cls, weights: Mapping[str, F32]) -> Landmarks:
        """Return the network that has these weights, by the names of the recipe."""
        model = cls()
        with torch.no_grad():
            model.sharp.fill_(1.0)
            for name, layer in model._named().items():
                layer.weight.copy_(torch.from_numpy(weights[f"{name}_weight"].copy()))
                layer.bias.copy_(torch.from_numpy(weights[f"{name}_bias"].copy()))
        return model

    def _named(self) -> dict[str, Any]:
        """Return every convolution by the recipe's name."""
        named: dict[str, Any] = {"first": self.first}
        for kind, modules in (("block", self.blocks), ("head", self.heads)):
            named |= {f"{kind}_{i}_{part}": getattr(module, part) for i, module in enumerate(modules) for part in ("across", "alone")}
        return named

    def _take(self, source: FloatGraph) -> None:
        """Begin with YuNet's weights: its body and neck, its points, and its "face or not" as how sure each cell is of every point."""
        producers = {node.output[0]: node for node in source.nodes}
        names = {f"{head}_{stride}" for stride in STRIDES for head in ("cls", "obj", "bbox", "kps")}
        in_heads = {name: _convolutions(producers, name) for name in names}
        used = {id(node) for pair in in_heads.values() for node in pair}
        body = [node for node in source.nodes if node.op_type == "Conv" and id(node) not in used]
        own = [self.first, *(layer for block in self.blocks for layer in (block.across, block.alone))]
        for layer, node in zip(own, body, strict=True):
            _fill(layer, *(source.constants[name] for name in node.input[1:3]))
        for head, stride in zip(self.heads, STRIDES, strict=True):
            for layer, sure, points in zip((head.across, head.alone), in_heads[f"cls_{stride}"], in_heads[f"kps_{stride}"], strict=True):
                weight, bias = (
                    np.concatenate([np.repeat(source.constants[sure.input[i]], POINTS, 0), source.constants[points.input[i]]])
                    for i in (1, 2)
                )
                _fill(layer, weight, bias)


def _convolutions(producers: dict[str, NodeProto], name: str) -> tuple[NodeProto, NodeProto]:
    """Return the two convolutions that make one of YuNet's outputs."""
    node = producers[name]
    while node.op_type != "Conv":
        node = producers[node.input[0]]
    if attributes(node)["kernel_shape"] != [3, 3]:
        raise ValueError("the heads of this YuNet are not those that the recipe knows")
    return producers[node.input[0]], node


def _array(values: Tensor) -> F32:
    return np.array(values.detach().cpu().numpy(), np.float32, order="C")


def _fill(layer: nn.Conv2d, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> None:
    if tuple(layer.weight.shape) != weight.shape:
        raise ValueError(f"YuNet has a layer of {weight.shape} where {tuple(layer.weight.shape)} belongs")
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight.copy()))
        if layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(bias.copy()))
