"""Reads SFace as a list of layers: convolution with its batch norm folded, slopes, and what the batch norm knows about the data."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from models.recipes.clean import F64, FloatGraph, attributes, dequantise
from onnx import NodeProto

MEAN, SCALE = 127.5, 1 / 128
"""What the published graph subtracts and multiplies; here the caller does it while warping the crop."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution followed by PRelu with one slope a channel.

    `centre` and `spread` are the mean and the standard deviation that each output had, before PRelu, over the training data:
    the shift and the absolute gain of the batch norm.
    """

    name: str
    weight: F64
    bias: F64
    slope: F64
    centre: F64
    spread: F64
    groups: int
    stride: int
    pad: int

    @property
    def depthwise(self) -> bool:
        """True when every channel is filtered alone."""
        return self.groups > 1

    def scaled(self, factor: F64) -> Layer:
        """Return the layer whose output channels before PRelu are multiplied by `factor`."""
        column = factor[:, None, None, None]
        return replace(
            self,
            weight=self.weight * column,
            bias=self.bias * factor,
            centre=self.centre * factor,
            spread=self.spread * np.abs(factor),
        )

    def undone(self, factor: F64) -> Layer:
        """Return the layer that gives the same output when its input channels come multiplied by `factor`."""
        return replace(self, weight=self.weight / (factor[:, None, None, None] if self.depthwise else factor[None, :, None, None]))


@dataclass(frozen=True, slots=True)
class Network:
    """SFace: convolutions, then one linear map of the last (channels, 7, 7) picture to 128 numbers."""

    layers: tuple[Layer, ...]
    head_weight: F64
    head_bias: F64

    def head_undone(self, factor: F64) -> F64:
        """Return the head's weight for an input whose channels come multiplied by `factor`."""
        return np.asarray(self.head_weight / factor[None, :, None, None], np.float64)


def read_network(weights: bytes) -> Network:
    """Read the published file; raises ValueError when it is not built as expected."""
    graph = dequantise(weights)
    layers: list[Layer] = []
    nodes = iter(graph.nodes)
    for node in nodes:
        if node.op_type in ("Sub", "Mul"):
            value = float(graph.constant(node.input[1]).item())
            if value != (MEAN if node.op_type == "Sub" else SCALE):
                raise ValueError(f"the published graph normalises with {value}, not with {MEAN} and {SCALE}")
        elif node.op_type == "Conv":
            layers.append(_layer(graph, node, next(nodes), next(nodes)))
        elif node.op_type == "BatchNormalization":
            break
    gain, shift = _norm(graph, node)
    flatten, gemm, last = list(nodes)
    if (flatten.op_type, gemm.op_type, last.op_type) != ("Flatten", "Gemm", "BatchNormalization"):
        raise ValueError("the published graph does not end as SFace does")
    side = 7
    weight = graph.constant(gemm.input[1]).reshape(-1, len(gain), side, side)
    bias = graph.constant(gemm.input[2])
    # fsum is exact, so the sum is the same on every processor.
    bias = bias + np.array([math.fsum(row) for row in (weight * shift[None, :, None, None]).reshape(len(bias), -1)])
    out_gain, out_shift = _norm(graph, last)
    weight = weight * gain[None, :, None, None] * out_gain[:, None, None, None]
    return Network(tuple(layers), weight, bias * out_gain + out_shift)


def rewire(network: Network, factors: Iterable[F64]) -> Network:
    """Return the same function with each layer's channels multiplied by a factor, undone in the next layer.

    PRelu lets positive factors through; a caller that uses a negative one changes the slope itself.
    """
    layers = list(network.layers)
    head = network.head_weight
    for i, factor in enumerate(factors):
        layers[i] = layers[i].scaled(factor)
        if i + 1 < len(layers):
            layers[i + 1] = layers[i + 1].undone(factor)
        else:
            head = network.head_undone(factor)
    return Network(tuple(layers), head, network.head_bias)


def _layer(graph: FloatGraph, conv: NodeProto, norm: NodeProto, prelu: NodeProto) -> Layer:
    if (conv.op_type, norm.op_type, prelu.op_type) != ("Conv", "BatchNormalization", "PRelu") or len(conv.input) != 2:
        raise ValueError("the published graph is not made of Conv, BatchNormalization, PRelu as SFace is")
    given = attributes(conv)
    gain, shift = _norm(graph, norm)
    variance = graph.constant(norm.input[4])
    return Layer(
        name=conv.output[0].removesuffix("_conv2d"),
        weight=graph.constant(conv.input[1]) * gain[:, None, None, None],
        bias=shift,
        slope=graph.constant(prelu.input[1]).reshape(-1),
        centre=graph.constant(norm.input[2]),
        spread=np.abs(gain) * np.sqrt(variance),
        groups=int(given["group"]),
        stride=int(given["strides"][0]),
        pad=int(given["pads"][0]),
    )


def _norm(graph: FloatGraph, norm: NodeProto) -> tuple[F64, F64]:
    """Return the gain and the shift that a batch norm amounts to."""
    gamma, beta, mean, variance = (graph.constant(name) for name in norm.input[1:5])
    gain = gamma / np.sqrt(variance + float(attributes(norm)["epsilon"]))
    return gain, beta - mean * gain
