"""Makes the face detector: YuNet with its heads merged and its anchors decoded inside the graph."""

from __future__ import annotations

from typing import Final

import numpy as np
from models.recipes.clean import F64, FloatGraph, attributes, dequantise
from models.recipes.writer import GraphWriter

STRIDES: Final = (8, 16, 32)
HEADS: Final = ("cls", "obj", "bbox", "kps")
"""1 + 1 + 4 + 10 channels: face or not, how well the box fits, box offsets, five points."""


def anchors(width: int, height: int) -> int:
    """Return the number of candidates that a graph for pictures of this size gives."""
    return sum((width // s) * (height // s) for s in STRIDES)


def build_detector(weights: bytes, width: int, height: int) -> bytes:
    """Return a graph from `input` (1, 3, height, width), B G R planes 0..255, to `scores` (n, 1), `boxes` (n, 4) and `points` (n, 10).

    A score is sqrt(face * fit) in 0..1; a box is x, y, width, height and the points are x0, y0, ... x4, y4, both in pixels of the input.
    """
    if width % max(STRIDES) or height % max(STRIDES):
        raise ValueError(f"the sides must be multiples of {max(STRIDES)}; got {width} x {height}")
    source = dequantise(weights)
    writer = GraphWriter()
    maps = _heads(source, writer)
    levels = []
    for stride, name in zip(STRIDES, maps, strict=True):
        count = (width // stride) * (height // stride)
        shape = writer.constant(f"shape_{stride}", [16, count], np.int64)
        levels.append(writer.add("Reshape", [name, shape], f"flat_{stride}"))
    rows = writer.add("Transpose", [writer.add("Concat", levels, "planes", axis=1)], "rows", perm=[1, 0])
    _decode(writer, rows, *_grid(width, height))
    count = anchors(width, height)
    return writer.serialise({"input": (1, 3, height, width)}, {"scores": (count, 1), "boxes": (count, 4), "points": (count, 10)})


def _heads(source: FloatGraph, writer: GraphWriter) -> list[str]:
    """Copy the body and write each level's four heads as one pair of convolutions with 16 channels; return their outputs."""
    producers = {node.output[0]: node for node in source.nodes}
    pairs = {}
    for stride in STRIDES:
        for head in HEADS:
            node = producers[f"{head}_{stride}"]
            while node.op_type != "Conv":
                node = producers[node.input[0]]
            pairs[stride, head] = (producers[node.input[0]], node)
    in_heads = {id(node) for pair in pairs.values() for node in pair}
    for node in source.nodes:
        if id(node) not in in_heads and node.op_type not in ("Transpose", "Reshape", "Sigmoid"):
            writer.copy(node, source.constants)
    maps = []
    for stride in STRIDES:
        both = [pairs[stride, head] for head in HEADS]
        name = both[0][0].input[0]
        for step, kernel in ((0, 1), (1, 3)):
            convs = [pair[step] for pair in both]
            if any(attributes(c)["pads"] != [kernel // 2] * 4 for c in convs):
                raise ValueError("the heads of this YuNet are not those that the recipe knows")
            weight = np.concatenate([source.constants[c.input[1]] for c in convs])
            bias = np.concatenate([source.constants[c.input[2]] for c in convs])
            tag = f"head_{stride}_{kernel}"
            inputs = [name, writer.constant(f"{tag}_weight", weight), writer.constant(f"{tag}_bias", bias)]
            groups = 1 if kernel == 1 else len(weight)
            name = writer.add("Conv", inputs, tag, kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4, group=groups)
        maps.append(name)
    return maps


def _grid(width: int, height: int) -> tuple[F64, F64]:
    """Return each candidate's cell corner in pixels (n, 2) and its stride (n, 1)."""
    corners, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[0 : height // stride, 0 : width // stride]
        corners.append(np.stack([x.ravel(), y.ravel()], 1) * float(stride))
        strides.append(np.full((x.size, 1), float(stride)))
    return np.concatenate(corners), np.concatenate(strides)


def _decode(writer: GraphWriter, rows: str, corner: F64, stride: F64) -> None:
    """Write scores, boxes and points from the (n, 16) rows of raw head values."""
    writer.split(rows, {"logits": 2, "centre": 2, "size": 2, "offset": 10}, axis=1)
    step = writer.constant("stride", stride)
    both = writer.add("ReduceProd", [writer.add("Sigmoid", ["logits"], "parts")], "product", axes=[1], keepdims=1)
    writer.add("Sqrt", [both], "scores")
    cell = writer.constant("corner", corner)
    centre = writer.add("Add", [writer.add("Mul", ["centre", step], "centre_px"), cell], "centre_at")
    extent = writer.add("Mul", [writer.add("Exp", ["size"], "size_cells"), step], "extent")
    half = writer.add("Mul", [extent, writer.constant("half", 0.5)], "half_extent")
    writer.add("Concat", [writer.add("Sub", [centre, half], "top_left"), extent], "boxes", axis=1)
    cells = writer.constant("corners", np.tile(corner, (1, 5)))
    writer.add("Add", [writer.add("Mul", ["offset", step], "offset_px"), cells], "points")
