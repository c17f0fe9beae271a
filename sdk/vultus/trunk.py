"""The trunk: the recogniser's 8-bit layers after its stem, run by the core where the core has kernels for this processor.

ONNX Runtime finishes one node before the next, and PRelu is two nodes more for it. In the core a layer's sums become levels in the
registers that hold them. The numbers are the same: both add up exact integers and round them once in the same way. Weights come from the
graph's own file; a graph of any other shape is left to ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus._native import I8, Layer, Layers, Sums
from vultus.onnx_reader import Node, OnnxGraph
from vultus.types import F32

EMBEDDING: Final = (1, _native.HEAD_OUT)
_OPERATIONS: Final = ("point_u8", "depth_u8", "head_u8")
_HEAD_MOST: Final = 2**17
"""Rows of the last matrix at most: the sum of so many weights is a float32 number without rounding."""
_ONE_BY_ONE: Final = {"group": (1,), "kernel_shape": (1, 1), "pads": (0, 0, 0, 0), "strides": (1, 1)}


class Trunk:
    """Layers and the last matrix, with their memory allocated once. Not thread-safe."""

    __slots__ = ("_flat", "_head", "_layers")

    def __init__(self, layers: Layers, head: Sums, zero: int) -> None:
        self._layers = layers
        self._flat: npt.NDArray[np.uint8] = np.empty(layers.shape_out, np.uint8)
        # Levels are taken as they are, so their zero point goes into the bias: zero times the sum of the weights.
        plain, total = Sums(head.weights, np.zeros_like(head.bias), np.ones_like(head.scale)), np.empty(_native.HEAD_OUT, np.float32)
        _native.head(np.ones_like(self._flat), plain, total)
        self._head = Sums(head.weights, head.bias - np.int32(zero) * total.astype(np.int32), head.scale)

    def run(self, levels: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """Write the embedding, float32 (1, 128), of what the stem made, uint8 (1, 56, 56, 128), to `out`."""
        self._layers.run(levels[0], self._flat)
        _native.head(self._flat, self._head, out[0])


def pays() -> bool:
    """Say whether the core has kernels of its own for this processor; the reference would be slower than ONNX Runtime."""
    ran = _native.isa()
    return all(ran[operation] != "ref" for operation in _OPERATIONS)


def build_trunk(graph: OnnxGraph, side: int) -> Trunk:
    """Make the trunk of a graph whose input is a square picture of `side` pixels.

    Raises ValueError for a graph that is not the chain that `models/recipes/recogniser.py` writes, of steps 1.
    """
    try:
        return _Reader(graph, side).trunk()
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError(f"the graph is not what the core runs ({error})") from error


class _Reader:
    """Walks along the chain of nodes; `_source` is the tensor that the next one has to take, `_zero` its zero point."""

    def __init__(self, graph: OnnxGraph, side: int) -> None:
        self._nodes, self._constants = graph.nodes, graph.constants
        self._side, self._source, self._zero = side, "", 0

    def trunk(self) -> Trunk:
        if len(self._nodes) < 6:
            raise ValueError("the graph is too short for the core")
        start, *body, flatten, gemm = self._nodes
        _expect(start.kind == "Transpose" and start.numbers == {"perm": (0, 3, 1, 2)} and len(body) % 3 == 0, start)
        self._source, self._zero = start.outputs[0], self._level(body[0].inputs[2])
        layers = Layers([self._layer(*body[i : i + 3]) for i in range(0, len(body), 3)])
        _expect(flatten.kind == "Flatten" and not flatten.numbers and flatten.inputs == (self._source,), flatten)
        _expect(gemm.kind == "QGemm" and not gemm.numbers and len(gemm.inputs) == 7 and gemm.inputs[0] == flatten.outputs[0], gemm)
        self._expect_grid(gemm.inputs[1:3], self._zero, gemm)
        weights, scale, zeros, bias = (self._constants[name] for name in gemm.inputs[3:])
        _expect(not zeros.any() and weights.ndim == 2 and len(weights) <= _HEAD_MOST, gemm)
        return Trunk(layers, Sums(weights, bias, scale), self._zero)

    def _layer(self, x: Node, other: Node, largest: Node) -> Layer:
        """Read a convolution with its PRelu: two products of which the larger counts."""
        _expect(largest.kind == "Max" and largest.inputs == (x.outputs[0], other.outputs[0]), largest)
        weights, zero_in, zero_out = self._constants[x.inputs[3]], self._zero, self._level(x.inputs[7])
        depthwise, stride = weights.shape[1:] == (1, 3, 3), x.numbers.get("strides", (0,))[0]
        sums = self._sums(x, self._source, zero_in, zero_out)
        if depthwise:
            shape = {"group": (len(weights),), "kernel_shape": (3, 3), "pads": (1, 1, 1, 1), "strides": (stride, stride)}
            _expect(x.numbers == other.numbers == shape, x)
            again = self._sums(other, self._source, zero_in, zero_out)
            packed, channels = _native.pack_depth(sums, again, zero_in), (0, len(weights))
        else:
            _expect(x.numbers == _ONE_BY_ONE and weights.shape[2:] == (1, 1), x)
            _expect(other.numbers == {"group": (len(weights),), "kernel_shape": (1, 1)}, other)
            slope = self._sums(other, x.outputs[0], zero_out, zero_out, biased=False)
            packed = _native.pack_point(sums, slope.weights.reshape(-1), slope.scale, zero_in)
            channels = (weights.shape[1], len(weights))
        layer = Layer(packed, channels, self._side, stride, (zero_in, zero_out))
        self._side = (self._side - 1) // stride + 1
        self._source, self._zero = largest.outputs[0], zero_out
        return layer

    def _sums(self, node: Node, source: str, zero_in: int, zero_out: int, *, biased: bool = True) -> Sums:
        _expect(node.kind == "QLinearConv" and node.inputs[0] == source and len(node.inputs) == (9 if biased else 8), node)
        self._expect_grid(node.inputs[1:3], zero_in, node)
        self._expect_grid(node.inputs[6:8], zero_out, node)
        weights, scale, zeros = (self._constants[name] for name in node.inputs[3:6])
        _expect(not zeros.any() and scale.shape == (len(weights),), node)
        bias = self._constants[node.inputs[8]] if biased else np.zeros(len(weights), np.int32)
        rows: I8 = weights.reshape(len(weights), -1)
        return Sums(rows, bias, scale)

    def _expect_grid(self, names: Sequence[str], zero: int, node: Node) -> None:
        step: F32 = self._constants[names[0]]
        _expect(step.shape == () and float(step) == 1.0 and self._level(names[1]) == zero, node)

    def _level(self, name: str) -> int:
        array = self._constants[name]
        if array.dtype != np.uint8 or array.shape != ():
            raise ValueError(f"{name} is no zero point")
        return int(array)


def _expect(condition: bool, node: Node) -> None:
    if not condition:
        raise ValueError(f"the node {node.outputs} is not what the core runs")
