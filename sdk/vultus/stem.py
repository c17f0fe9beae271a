"""The stem: the recogniser's first six layers, which the core runs row by row before the graph takes over.

They are few channels on large pictures, where a runtime that finishes one layer after the other waits for memory; in the core, on the
machine that models/README.md names, they take less than half the time. Their weights travel in the graph's own metadata, so that one file
and one hash stand for the whole recogniser. NIR has a stem of its own, the normaliser, whose weights are those of its ONNX graph.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.onnx_reader import Node, OnnxGraph
from vultus.types import F32

KEY: Final = "vultus.stem"
"""Name of the metadata entry: base64 of one byte, the level of 0, and the weights as little-endian float32."""
INPUT: Final = ("stem", "uint8", (1, *_native.STEM_OUT))
"""What the rest of the graph takes: name, dtype, shape."""
CROP: Final = (1, *_native.STEM_IN)
LAYERS: Final = ((32, 3, 1), (32, 1, 1), (64, 32, 1), (64, 1, 2), (128, 64, 1), (128, 1, 1))
"""Channels, channels that each looks at, and step of the six layers; a layer of all channels below 3 x 3 is 1 x 1."""


class Stem:
    """The stem of one graph, with its memory allocated once. Not thread-safe."""

    __slots__ = ("_scratch", "_weights", "_zero")

    def __init__(self, weights: F32, zero: int) -> None:
        self._weights, self._zero = weights, zero
        self._scratch: F32 = np.empty(_native.STEM_SCRATCH, np.float32)

    @property
    def zero(self) -> int:
        """The level of 0 in what it writes, which the layers behind it expect."""
        return self._zero

    def run(self, crop: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """Write what the rest of the graph takes of a crop, float32 (1, 3, 112, 112), to `out`, uint8 (1, 56, 56, 128)."""
        _native.stem(self._weights, crop[0], self._zero, out[0], self._scratch)


def pack(weights: F32, zero: int) -> str:
    """Return the metadata entry for a stem."""
    return base64.b64encode(bytes([zero]) + weights.astype("<f4").tobytes()).decode("ascii")


def unpack(text: str) -> Stem:
    """Read a metadata entry; raises ValueError for one that is no stem of this version."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("the weights of its first layers are no base64") from error
    if len(data) != 1 + 4 * _native.STEM_WEIGHTS:
        raise ValueError(f"its first layers have {len(data)} bytes, this version reads {1 + 4 * _native.STEM_WEIGHTS}")
    weights = _native.aligned(_native.STEM_WEIGHTS, np.float32)
    weights[:] = np.frombuffer(data, "<f4", offset=1)
    if not np.isfinite(weights).all():
        raise ValueError("the weights of its first layers are not all finite")
    return Stem(weights, data[0])


def read_stem(graph: OnnxGraph) -> Stem:
    """Read the normaliser: the chain of nodes that `models/recipes/normaliser.py` writes. Raises ValueError for any other graph."""
    try:
        return _Chain(graph).stem()
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError(f"the graph is no stem ({error})") from error


class _Chain:
    """Walks along the nodes; `_source` is the tensor that the next one has to take."""

    def __init__(self, graph: OnnxGraph) -> None:
        self._nodes, self._constants = list(graph.nodes), graph.constants
        (self._source,) = graph.inputs
        self._outputs = graph.outputs

    def stem(self) -> Stem:
        parts: list[F32] = []
        for i, layer in enumerate(LAYERS):
            parts += self._layer(*layer, last=i == len(LAYERS) - 1)
        quantise = self._next("QuantizeLinear", {})
        step, zero = (self._constants[name] for name in quantise.inputs[1:])
        _expect(step.dtype == np.float32 and step.shape == () and float(step) == 1.0, quantise)
        _expect(zero.dtype == np.uint8 and zero.shape == (), quantise)
        turn = self._next("Transpose", {"perm": (0, 2, 3, 1)})
        _expect(not self._nodes and turn.outputs == self._outputs, turn)
        weights = _native.aligned(_native.STEM_WEIGHTS, np.float32)
        weights[:] = np.concatenate([part.ravel() for part in parts])
        if not np.isfinite(weights).all():
            raise ValueError("the weights are not all finite")
        return Stem(weights, int(zero))

    def _layer(self, channels: int, looked_at: int, step: int, *, last: bool) -> list[F32]:
        """Return taps, bias and the factors above and below zero; the last layer is the larger of x and slope * x, the others PRelu."""
        conv, side = self._nodes[0], 1 if looked_at > 3 else 3
        pad, groups = side // 2, channels if looked_at == 1 else 1
        shape = {"group": (groups,), "kernel_shape": (side, side), "pads": (pad,) * 4, "strides": (step, step)}
        self._next("Conv", shape)
        weight, bias = (self._constants[name] for name in conv.inputs[1:])
        _expect(weight.dtype == bias.dtype == np.float32, conv)
        _expect(weight.shape == (channels, looked_at, side, side) and bias.shape == (channels,), conv)
        if last:
            product = self._next("Mul", {})
            self._source = conv.outputs[0]
            _expect(self._next("Max", {}).inputs == (conv.outputs[0], product.outputs[0]), product)
            slope = self._constants[product.inputs[1]]
        else:
            slope = self._constants[self._next("PRelu", {}).inputs[1]]
        _expect(slope.dtype == np.float32 and slope.shape == (channels, 1, 1), conv)
        slope, one = slope.ravel(), np.ones(channels, np.float32)
        turned = slope > 1 if last else np.zeros(channels, np.bool_)
        return [weight.reshape(channels, -1).T, bias, np.where(turned, slope, one), np.where(turned, one, slope)]

    def _next(self, kind: str, numbers: dict[str, tuple[int, ...]]) -> Node:
        node = self._nodes.pop(0)
        _expect(node.kind == kind and node.domain == "" and dict(node.numbers) == numbers and node.inputs[0] == self._source, node)
        self._source = node.outputs[0]
        return node


def _expect(condition: bool, node: Node) -> None:
    if not condition:
        raise ValueError(f"the node {node.outputs} is not that of a stem")
