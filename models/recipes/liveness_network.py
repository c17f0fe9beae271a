"""Makes the graph of a liveness network from its trained weights: float, or with every layer but the first in 8-bit integers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from models.recipes.writer import GraphWriter

F32 = npt.NDArray[np.float32]
INPUTS: Final = {"triplet": (1, 4, 64, 64), "colour": (1, 3, 128, 128)}
"""Shape of each kind's input; `models.training.liveness.crops` says what the planes hold."""
OUTPUTS: Final = {"score": (1, 1), "map": (1, 1, 8, 8)}
_TOP: Final = 127
_LEVELS: Final = 255


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Kernels and biases of the convolutions, each followed by ReLU, their strides, the two heads and each layer's largest output.

    head: float32 (2, channels) of the decision and of the map; offset: their biases.
    """

    kind: str
    kernels: tuple[F32, ...]
    biases: tuple[F32, ...]
    strides: tuple[int, ...]
    head: F32
    offset: F32
    tops: F32

    def packed(self) -> bytes:
        """Return the weights as bytes: a line of JSON that says what follows, then the numbers as little-endian float32."""
        arrays = [*self.kernels, *self.biases, self.head, self.offset, self.tops]
        about = {"kind": self.kind, "strides": self.strides, "shapes": [a.shape for a in arrays]}
        return json.dumps(about).encode() + b"\n" + b"".join(np.ascontiguousarray(a, "<f4").tobytes() for a in arrays)

    @classmethod
    def unpacked(cls, data: bytes) -> Weights:
        """Read what `packed` made. Raises ValueError when it is not that."""
        line, _, rest = data.partition(b"\n")
        try:
            about = json.loads(line)
            shapes = [tuple(s) for s in about["shapes"]]
            n = len(about["strides"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"not the weights of a liveness network ({error})") from error
        sizes = [int(np.prod(s)) for s in shapes]
        if len(shapes) != 2 * n + 3 or 4 * sum(sizes) != len(rest) or about["kind"] not in INPUTS:
            raise ValueError("not the weights of a liveness network: the arrays do not fit the file")
        values = np.split(np.frombuffer(rest, "<f4").astype(np.float32), np.cumsum(sizes)[:-1])
        arrays = [v.reshape(s) for v, s in zip(values, shapes, strict=True)]
        return cls(about["kind"], tuple(arrays[:n]), tuple(arrays[n : 2 * n]), tuple(about["strides"]), *arrays[2 * n :])

    @property
    def parameters(self) -> int:
        """Return how many numbers the graph holds."""
        return sum(a.size for a in (*self.kernels, *self.biases, self.head, self.offset))


def build_float(weights: Weights) -> bytes:
    """Return the float graph: what the 8-bit graph is measured against."""
    writer = GraphWriter()
    name = "input"
    for i in range(len(weights.kernels)):
        name = _float_layer(writer, weights, i, name)
    _heads(writer, weights, name)
    return writer.serialise({"input": INPUTS[weights.kind]}, OUTPUTS)


def build_integer(weights: Weights) -> bytes:
    """Return the graph with the first layer in float, because its input has no steps of its own, and the others in 8 bits."""
    writer = GraphWriter()
    name = _float_layer(writer, weights, 0, "input")
    zero = writer.constant("zero", 0, np.uint8)
    steps = [writer.constant(f"step{i}", top / _LEVELS) for i, top in enumerate(weights.tops)]
    name = writer.add("QuantizeLinear", [name, steps[0], zero], "q0")
    for i in range(1, len(weights.kernels)):
        kernel = weights.kernels[i].astype(np.float64)
        scale = (np.maximum(np.abs(kernel).reshape(len(kernel), -1).max(1), 1e-9) / _TOP).astype(np.float32).astype(np.float64)
        levels = np.clip(np.rint(kernel / scale[:, None, None, None]), -_TOP, _TOP)
        before = float(np.float32(weights.tops[i - 1] / _LEVELS))
        tensors = [
            writer.constant(f"w{i}", levels, np.int8),
            writer.constant(f"w{i}_step", scale),
            writer.constant(f"w{i}_zero", np.zeros(len(kernel)), np.int8),
        ]
        bias = writer.constant(f"b{i}", np.rint(weights.biases[i] / scale / before), np.int32)
        # An unsigned output with its zero at 0 cuts what is negative: that is the ReLU.
        name = writer.add("QLinearConv", [name, steps[i - 1], zero, *tensors, steps[i], zero, bias], f"q{i}", **_shape(weights, i))
    _heads(writer, weights, writer.add("DequantizeLinear", [name, steps[-1], zero], "seen"))
    return writer.serialise({"input": INPUTS[weights.kind]}, OUTPUTS)


def _float_layer(writer: GraphWriter, weights: Weights, i: int, source: str) -> str:
    tensors = [writer.constant(f"w{i}", weights.kernels[i]), writer.constant(f"b{i}", weights.biases[i])]
    x = writer.add("Conv", [source, *tensors], f"x{i}", **_shape(weights, i))
    return writer.add("Relu", [x], f"y{i}")


def _heads(writer: GraphWriter, weights: Weights, seen: str) -> None:
    """Write the map, and the score: the mean of the decision over the whole face and of the map."""
    cells = [writer.constant("map_w", weights.head[1][None, :, None, None]), writer.constant("map_b", weights.offset[1:])]
    writer.add("Conv", [seen, *cells], "map", kernel_shape=[1, 1])
    # Both heads are linear and followed by a mean, so the score is one linear map of the mean.
    mean = writer.add("Flatten", [writer.add("GlobalAveragePool", [seen], "mean")], "flat")
    together = [writer.constant("score_w", weights.head.mean(0)[None]), writer.constant("score_b", weights.offset.mean()[None])]
    writer.add("Gemm", [mean, *together], "score", transB=1)


def _shape(weights: Weights, i: int) -> dict[str, Any]:
    return {"strides": [weights.strides[i]] * 2, "pads": [1] * 4, "kernel_shape": list(weights.kernels[i].shape[2:])}
