"""Makes the face recogniser: SFace with its first layers in float, run by the core, and the others in 8-bit integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from models.recipes.clean import F64
from models.recipes.grids import Grid, choose_grid
from models.recipes.layers import Layer, Network, read_network, rewire
from models.recipes.writer import GraphWriter

from vultus.stem import INPUT as AFTER_STEM
from vultus.stem import KEY, pack
from vultus.types import F32


@dataclass(frozen=True, slots=True)
class Form:
    """How the graph is quantised; models/README.md has the figures of other choices.

    `float_layers` first layers stay in float: they cause most of the rounding error, and 8 bits would not make them faster.
    `depthwise` and `pointwise` are the standard deviations kept on each side of a channel's mean: a depthwise layer's tails are
    longer, and the grid of the other layers must also hold the value before PRelu.
    """

    float_layers: int = 6
    depthwise: float = 11.0
    pointwise: float = 8.0


SHIPPED: Final = Form()
INPUT: Final[dict[str, tuple[int, ...]]] = {"input": (1, 3, 112, 112)}
OUTPUT: Final[dict[str, tuple[int, ...]]] = {"embedding": (1, 128)}
_INPUT_STEP, _INPUT_ZERO = 1 / 128, 128
"""One step of the input is one level of the pixel, because the caller writes (pixel - 127.5) / 128."""
_TOP: Final = 127
"""Largest weight; -128 is left out so that the range is symmetric."""


def build_recogniser(weights: bytes, form: Form = SHIPPED) -> bytes:
    """Return the 8-bit graph from `input` (1, 3, 112, 112), R G B planes of (pixel - 127.5) / 128, to `embedding` (1, 128).

    The embedding is not of unit length.
    """
    return integer_graph(read_network(weights), form)


def integer_graph(network: Network, form: Form = SHIPPED) -> bytes:
    """Return the 8-bit graph of a network; its input has as many planes as the first layer takes."""
    network, grids, factors = quantised(network, form)
    first = form.float_layers
    writer = _Integers()
    name = "input"
    for layer, factor in zip(network.layers[:first], factors[:first], strict=True):
        name = _float_layer(writer, layer, name, factor)
    name = writer.start(name, grids[first - 1].zero if first else None)
    mean = grids[first - 1].mean if first else np.zeros(3)
    for layer, grid in zip(network.layers[first:], grids[first:], strict=True):
        name = writer.layer(layer, name, mean, grid.zero)
        mean = grid.mean
    writer.head(network, name, mean)
    return writer.serialise(_input(network), OUTPUT)


def build_split(weights: bytes) -> bytes:
    """Return what ships: the shipped form without its float layers, whose weights it carries for the core to run them (vultus.stem)."""
    network, grids, factors = quantised(read_network(weights), SHIPPED)
    first = SHIPPED.float_layers
    writer = _Integers()
    name, mean = writer.take(AFTER_STEM[0], grids[first - 1].zero), grids[first - 1].mean
    for layer, grid in zip(network.layers[first:], grids[first:], strict=True):
        name = writer.layer(layer, name, mean, grid.zero)
        mean = grid.mean
    writer.head(network, name, mean)
    packed = pack(stem_weights(network.layers[:first], factors), grids[first - 1].zero)
    return writer.serialise({AFTER_STEM[0]: AFTER_STEM[2]}, OUTPUT, integers=True, properties={KEY: packed})


def stem_weights(layers: Sequence[Layer], factors: Sequence[F64]) -> F32:
    """Return the layers' weights in the order of core.h; a channel turned by a negative factor has its slope above zero."""
    parts: list[F64] = []
    for layer, factor in zip(layers, factors, strict=False):
        one, slope = np.ones_like(layer.slope), layer.slope
        taps = layer.weight.reshape(len(slope), -1).T
        parts += [taps, layer.bias, np.where(factor > 0, one, slope), np.where(factor > 0, slope, one)]
    return np.concatenate([part.ravel() for part in parts]).astype(np.float32)


def quantised(network: Network, form: Form) -> tuple[Network, list[Grid], list[F64]]:
    """Return the network with every stored channel scaled so that one step is 1, its grids, and the factors that did it.

    Then no activation needs a scale of its own; float layers but the last keep their scale and only turn signs.
    """
    first = form.float_layers
    grids = []
    for i, layer in enumerate(network.layers):
        reach = form.depthwise if layer.depthwise else form.pointwise
        grids.append(choose_grid(layer, reach, materialised=not layer.depthwise and i >= first))
    factors = [grid.factor if i >= first - 1 else np.sign(grid.factor) for i, grid in enumerate(grids)]
    return rewire(network, factors), grids, factors


def _float_layer(writer: GraphWriter, layer: Layer, source: str, factor: F64) -> str:
    """Write a float layer whose output channels, and so its weights, were multiplied by `factor`; return the output's name.

    PRelu is straight * x + Relu(bend * x), each product a 1 x 1 depthwise convolution: ONNX Runtime keeps those in its blocked
    layout and merges Relu and the sum into them, while Mul and PRelu cost two changes of layout.
    """
    straight = np.where(factor > 0, layer.slope, 1.0)
    bend = np.abs(1.0 - layer.slope)
    x = writer.add("Conv", [source, *tensors_of(writer, layer)], f"{layer.name}_x", **shape_of(layer))
    products = []
    for tag, value in (("bend", bend), ("straight", straight)):
        weight = writer.constant(f"{layer.name}_{tag}", value[:, None, None, None])
        products.append(writer.add("Conv", [x, weight], f"{layer.name}_{tag}_x", group=len(value), kernel_shape=[1, 1]))
    bent = writer.add("Relu", products[:1], f"{layer.name}_bent")
    return writer.add("Add", [products[1], bent], f"{layer.name}_y")


def build_float(weights: bytes, *, straight: bool = False) -> bytes:
    """Return the float graph with the same input and output: what the 8-bit graph is measured against.

    `straight` writes PRelu as the float layers of the shipped graph have it; the numbers are the same but for rounding.
    """
    return float_graph(read_network(weights), straight=straight)


def float_graph(network: Network, *, straight: bool = False) -> bytes:
    """Return the float graph of a network; its input has as many planes as the first layer takes."""
    writer = GraphWriter()
    name = "input"
    signs = [np.where(layer.slope > 1, -1.0, 1.0) for layer in network.layers]
    if straight:
        network = rewire(network, signs)
    for layer, sign in zip(network.layers, signs, strict=True):
        if straight:
            name = _float_layer(writer, layer, name, sign)
            continue
        x = writer.add("Conv", [name, *tensors_of(writer, layer)], f"{layer.name}_x", **shape_of(layer))
        name = writer.add("PRelu", [x, writer.constant(f"{layer.name}_slope", layer.slope[:, None, None])], f"{layer.name}_y")
    head = [writer.constant("head_weight", network.head_weight.reshape(128, -1)), writer.constant("head_bias", network.head_bias)]
    writer.add("Gemm", [writer.add("Flatten", [name], "flat"), *head], "embedding", transB=1)
    return writer.serialise(_input(network), OUTPUT)


def _input(network: Network) -> dict[str, tuple[int, ...]]:
    return {"input": (1, network.layers[0].weight.shape[1], *INPUT["input"][2:])}


class _Integers(GraphWriter):
    """Writes QLinearConv, Max and QGemm; the step and the zero point of the tensor written last are kept."""

    def __init__(self) -> None:
        super().__init__()
        self._step, self._step_name, self._zero_name = _INPUT_STEP, "", ""

    def start(self, source: str, zero: int | None) -> str:
        """Write the conversion to integers, of the input where `zero` is None and of channels whose step is 1 otherwise."""
        self.constant("one", 1.0)
        if zero is None:
            self._step_name = self.constant("input_step", _INPUT_STEP)
        else:
            self._step, self._step_name = 1.0, "one"
        self._zero_name = self.constant("start_zero", _INPUT_ZERO if zero is None else zero, np.uint8)
        return self.add("QuantizeLinear", [source, self._step_name, self._zero_name], "start")

    def take(self, source: str, zero: int) -> str:
        """Begin with integers that lie channel by channel in each pixel, of step 1; return the name of their planes."""
        self._step, self._step_name = 1.0, self.constant("one", 1.0)
        self._zero_name = self.constant("start_zero", zero, np.uint8)
        return self.add("Transpose", [source], "start", perm=[0, 3, 1, 2])

    def layer(self, layer: Layer, source: str, mean: F64, zero: int) -> str:
        """Write a convolution and its PRelu, give the output the step 1 and return its name.

        A depthwise convolution is computed a second time with its weights times the slope: cheap, and no precision is spent on the
        part that PRelu shrinks. Otherwise the stored x is multiplied by the slope.
        """
        zero_name = self.constant(f"{layer.name}_zero", zero, np.uint8)
        x = self._convolve(layer, source, mean, zero_name, f"{layer.name}_x", np.ones_like(layer.slope))
        if layer.depthwise:
            shrunk = self._convolve(layer, source, mean, zero_name, f"{layer.name}_ax", layer.slope)
        else:
            step = np.maximum(np.abs(layer.slope), 1e-9) / _TOP
            tensors = self._weight(f"{layer.name}_slope", np.rint(layer.slope / step)[:, None, None, None], step)
            inputs = [x, "one", zero_name, *tensors, "one", zero_name]
            shrunk = self.add("QLinearConv", inputs, f"{layer.name}_ax", group=len(layer.slope), kernel_shape=[1, 1])
        self._step, self._step_name, self._zero_name = 1.0, "one", zero_name
        return self.add("Max", [x, shrunk], f"{layer.name}_y")

    def head(self, network: Network, source: str, mean: F64) -> None:
        """Write the linear map to the float embedding."""
        levels, step = _round(network.head_weight)
        bias = network.head_bias - (_error(levels, step, network.head_weight) * mean[None, :]).sum(1)
        weight = self._weight("head", levels.reshape(len(bias), -1).T, step)
        bias_name = self.constant("head_bias", np.rint(bias / step), np.int32)
        inputs = [self.add("Flatten", [source], "flat"), self._step_name, self._zero_name, *weight, bias_name]
        self.add("QGemm", inputs, "embedding", domain="com.microsoft")

    def _convolve(self, layer: Layer, source: str, mean: F64, zero_name: str, name: str, factor: F64) -> str:
        exact = layer.weight * factor[:, None, None, None]
        levels, step = _round(exact)
        # Rounding the weights shifts each output by a constant on average; the bias takes it back.
        shift = (_error(levels, step, exact) * (mean[:, None] if layer.depthwise else mean[None, :])).sum(1)
        bias = self.constant(f"{name}_bias", np.rint((layer.bias * factor - shift) / step / self._step), np.int32)
        inputs = [source, self._step_name, self._zero_name, *self._weight(name, levels, step), "one", zero_name, bias]
        return self.add("QLinearConv", inputs, name, **shape_of(layer))

    def _weight(self, name: str, levels: F64, step: F64) -> list[str]:
        zeros = self.constant(f"{name}_weight_zero", np.zeros(len(step)), np.int8)
        return [self.constant(f"{name}_weight", levels, np.int8), self.constant(f"{name}_weight_step", step), zeros]


def _round(weight: F64) -> tuple[F64, F64]:
    """Return a weight as integers and the step of each output channel, as the float32 number that the graph will hold."""
    largest = np.maximum(np.abs(weight).reshape(len(weight), -1).max(1), 1e-9)
    step = (largest / _TOP).astype(np.float32).astype(np.float64)
    return np.clip(np.rint(weight / step[:, None, None, None]), -_TOP, _TOP), step


def _error(levels: F64, step: F64, weight: F64) -> F64:
    """Return what rounding added to each pair of output and input channel, summed over the kernel."""
    return np.asarray((levels * step[:, None, None, None] - weight).sum((2, 3)), np.float64)


def tensors_of(writer: GraphWriter, layer: Layer) -> list[str]:
    """Write a layer's weight and bias and return their names."""
    return [writer.constant(f"{layer.name}_weight", layer.weight), writer.constant(f"{layer.name}_bias", layer.bias)]


def shape_of(layer: Layer) -> dict[str, Any]:
    """Return the attributes of a layer's convolution."""
    kernel = list(layer.weight.shape[2:])
    return {"group": layer.groups, "strides": [layer.stride] * 2, "pads": [layer.pad] * 4, "kernel_shape": kernel}
