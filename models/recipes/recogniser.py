"""Makes the face recogniser: SFace in 8-bit integers, PRelu as the larger of x and slope * x."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from models.recipes.clean import F64
from models.recipes.grids import choose_grid
from models.recipes.layers import Layer, Network, read_network, rewire
from models.recipes.writer import GraphWriter

REACH: Final = 9.0
"""Standard deviations kept on each side of a channel's mean; models/README.md has the figures for others."""
INPUT: Final[dict[str, tuple[int, ...]]] = {"input": (1, 3, 112, 112)}
OUTPUT: Final[dict[str, tuple[int, ...]]] = {"embedding": (1, 128)}
_INPUT_STEP, _INPUT_ZERO = 1 / 128, 128
"""One step of the input is one level of the pixel, because the caller writes (pixel - 127.5) / 128."""
_TOP: Final = 127
"""Largest weight; -128 is left out so that the range is symmetric."""


def build_recogniser(weights: bytes, reach: float = REACH) -> bytes:
    """Return the 8-bit graph from `input` (1, 3, 112, 112), R G B planes of (pixel - 127.5) / 128, to `embedding` (1, 128).

    The embedding is not of unit length.
    """
    network = read_network(weights)
    grids = [choose_grid(layer, reach, materialised=not layer.depthwise) for layer in network.layers]
    # Every channel is scaled so that one step is 1: then no activation needs a scale of its own.
    network = rewire(network, [grid.factor for grid in grids])
    writer = _Integers()
    name = writer.start()
    mean = np.zeros(3)
    for layer, grid in zip(network.layers, grids, strict=True):
        name = writer.layer(layer, name, mean, grid.zero)
        mean = grid.mean
    writer.head(network, name, mean)
    return writer.serialise(INPUT, OUTPUT)


def build_float(weights: bytes) -> bytes:
    """Return the float graph with the same input and output: what the 8-bit graph is measured against."""
    network = read_network(weights)
    writer = GraphWriter()
    name = "input"
    for layer in network.layers:
        tensors = [writer.constant(f"{layer.name}_weight", layer.weight), writer.constant(f"{layer.name}_bias", layer.bias)]
        x = writer.add("Conv", [name, *tensors], f"{layer.name}_x", **_shape(layer))
        name = writer.add("PRelu", [x, writer.constant(f"{layer.name}_slope", layer.slope[:, None, None])], f"{layer.name}_y")
    head = [writer.constant("head_weight", network.head_weight.reshape(128, -1)), writer.constant("head_bias", network.head_bias)]
    writer.add("Gemm", [writer.add("Flatten", [name], "flat"), *head], "embedding", transB=1)
    return writer.serialise(INPUT, OUTPUT)


class _Integers(GraphWriter):
    """Writes QLinearConv, Max and QGemm; the step and the zero point of the tensor written last are kept."""

    def __init__(self) -> None:
        super().__init__()
        self._step, self._step_name, self._zero_name = _INPUT_STEP, "", ""

    def start(self) -> str:
        """Write the conversion of the float input and return its name."""
        self.constant("one", 1.0)
        self._step_name = self.constant("input_step", _INPUT_STEP)
        self._zero_name = self.constant("input_zero", _INPUT_ZERO, np.uint8)
        return self.add("QuantizeLinear", ["input", self._step_name, self._zero_name], "input_levels")

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
        return self.add("QLinearConv", inputs, name, **_shape(layer))

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


def _shape(layer: Layer) -> dict[str, Any]:
    kernel = list(layer.weight.shape[2:])
    return {"group": layer.groups, "strides": [layer.stride] * 2, "pads": [layer.pad] * 4, "kernel_shape": kernel}
