"""Makes the landmark network's graph from its weights, which `models.training.landmarks` trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from models.recipes.writer import GraphWriter
from onnx import numpy_helper

F32 = npt.NDArray[np.float32]
SIDE: Final = 96
"""Pixels of the crop; its eyes are 28 apart, so that it shows the head from the hair to the chin and half a face beside it."""
STRIDES: Final = (8, 16, 32)
POINTS: Final = 5
BODY: Final = 11
BLOCKS: Final = ((16, 16), (16, 16), (16, 32), (32, 32), (32, 64), *((64, 64),) * 9)
"""Channels of YuNet's blocks: eleven of the body, three of the neck. Each is a 1 x 1 convolution and a 3 x 3 one of every channel alone."""
POOLED: Final = (0, 4, 6, 8)
"""Blocks of the body behind which the picture is halved."""
SEEN: Final = (6, 8)
"""Blocks of the body whose output the neck takes up again, fine and coarse."""
MIRRORED: Final = (1, 0, 2, 4, 3)
INPUT: Final = {"input": (1, 3, SIDE, SIDE)}
OUTPUT: Final = {"points": (1, POINTS, 2)}


def cells() -> tuple[F32, F32]:
    """Return the corner of every cell of the three grids in pixels of the crop (2, n), and its stride (n,)."""
    corners, steps = [], []
    for stride in STRIDES:
        y, x = np.mgrid[0 : SIDE // stride, 0 : SIDE // stride]
        corners.append(np.stack([x.ravel(), y.ravel()]) * float(stride))
        steps.append(np.full(x.size, float(stride)))
    return np.concatenate(corners, 1).astype(np.float32), np.concatenate(steps).astype(np.float32)


def build_landmarks(weights: Mapping[str, F32]) -> bytes:
    """Return a graph from `input` (1, 3, SIDE, SIDE), B G R planes 0..255, to `points` (1, 5, 2) in pixels of the crop.

    Raises KeyError for weights that miss a layer.
    """
    writer = GraphWriter()
    x = writer.add("Relu", [_convolution(writer, weights, "input", "first", stride=2, pad=1)], "first_y")
    kept = {}
    for i in range(BODY):
        x = kept[i] = _block(writer, weights, x, f"block_{i}")
        if i in POOLED:
            x = writer.add("MaxPool", [x], f"pooled_{i}", kernel_shape=[2, 2], strides=[2, 2])
    levels = [_block(writer, weights, x, f"block_{BODY}")]
    for i, seen in enumerate(reversed(SEEN)):
        joined = writer.add("Add", [kept[seen], _doubled(writer, levels[-1], f"grown_{i}")], f"joined_{i}")
        levels.append(_block(writer, weights, joined, f"block_{BODY + 1 + i}"))
    flat = []
    for i, level in enumerate(reversed(levels)):
        y = _pair(writer, weights, level, f"head_{i}")
        flat.append(writer.add("Reshape", [y, writer.constant(f"flat_{i}_shape", [1, 3 * POINTS, -1], np.int64)], f"flat_{i}"))
    writer.add("Concat", flat, "cells", axis=2)
    _vote(writer)
    return writer.serialise(INPUT, OUTPUT)


def read_weights(graph: bytes) -> dict[str, F32]:
    """Return the weights of a graph that `build_landmarks` wrote."""
    found = {i.name: numpy_helper.to_array(i) for i in onnx.load_from_string(graph).graph.initializer}
    return {name: np.asarray(value, np.float32) for name, value in found.items() if name.endswith(("_weight", "_bias"))}


def _vote(writer: GraphWriter) -> None:
    """Write the mean of what all cells say, weighted by how sure they are."""
    corner, step = cells()
    writer.split("cells", {"logits": POINTS, "offsets": 2 * POINTS}, axis=1)
    sure = writer.add("Softmax", ["logits"], "sure", axis=2)
    sure = writer.add("Reshape", [sure, writer.constant("sure_shape", [1, POINTS, 1, -1], np.int64)], "share")
    offset = writer.add("Reshape", ["offsets", writer.constant("offset_shape", [1, POINTS, 2, -1], np.int64)], "offset")
    at = writer.add(
        "Add", [writer.add("Mul", [offset, writer.constant("step", step)], "offset_px"), writer.constant("corner", corner)], "at"
    )
    axis = writer.constant("cell_axis", [3], np.int64)
    writer.add("ReduceSum", [writer.add("Mul", [sure, at], "shares"), axis], "points", keepdims=0)


def _block(writer: GraphWriter, weights: Mapping[str, F32], source: str, name: str) -> str:
    return writer.add("Relu", [_pair(writer, weights, source, name)], f"{name}_y")


def _pair(writer: GraphWriter, weights: Mapping[str, F32], source: str, name: str) -> str:
    x = _convolution(writer, weights, source, f"{name}_across")
    return _convolution(writer, weights, x, f"{name}_alone", pad=1, groups=len(weights[f"{name}_alone_weight"]))


def _convolution(
    writer: GraphWriter, weights: Mapping[str, F32], source: str, name: str, *, stride: int = 1, pad: int = 0, groups: int = 1
) -> str:
    weight, bias = weights[f"{name}_weight"], weights[f"{name}_bias"]
    tensors = [writer.constant(f"{name}_weight", weight), writer.constant(f"{name}_bias", bias)]
    shape: dict[str, Any] = {"kernel_shape": list(weight.shape[2:]), "strides": [stride] * 2, "pads": [pad] * 4, "group": groups}
    return writer.add("Conv", [source, *tensors], f"{name}_x", **shape)


def _doubled(writer: GraphWriter, source: str, name: str) -> str:
    scales = writer.constant(f"{name}_scales", [1, 1, 2, 2])
    form = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return writer.add("Resize", [source, "", scales], name, **form)
