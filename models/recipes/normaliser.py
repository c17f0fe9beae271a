"""Makes the normaliser's graph: the recogniser's first six layers once more, for NIR alone, the first five as `models.training.normaliser` left them.

The weights that training gave lie in the graph itself; all else is made again from the published recogniser. What it gives is what the shared
8-bit layers take, on the grid that the recogniser's own first layers use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import onnx
from models.recipes.clean import F64
from models.recipes.layers import Layer, Network
from models.recipes.recogniser import INPUT, SHIPPED, quantised, shape_of, tensors_of
from models.recipes.writer import GraphWriter
from onnx import numpy_helper

from vultus.stem import INPUT as AFTER_STEM

TRAINED: Final = 5
"""Layers that training changes; the sixth is the recogniser's."""
OUTPUT: Final = {AFTER_STEM[0]: AFTER_STEM[2]}


def build_normaliser(network: Network, trained: Sequence[Layer]) -> bytes:
    """Return the graph from `input` (1, 3, 112, 112), an NIR crop as (pixel - 127.5) / 128 in three equal planes, to `stem` (1, 56, 56, 128), uint8.

    network: the published recogniser. trained: its first TRAINED layers after training.
    """
    if len(trained) != TRAINED:
        raise ValueError(f"{len(trained)} trained layers; the normaliser has {TRAINED}")
    _, grids, factors = quantised(network, SHIPPED)
    last = SHIPPED.float_layers - 1
    writer = GraphWriter()
    name = "input"
    for layer in trained:
        x = writer.add("Conv", [name, *tensors_of(writer, layer)], f"{layer.name}_x", **shape_of(layer))
        name = writer.add("PRelu", [x, writer.constant(f"{layer.name}_slope", layer.slope[:, None, None])], f"{layer.name}_y")
    # A negative factor turns a channel whose slope is above 1, so that here too PRelu is the larger of x and slope * x.
    layer = network.layers[last].scaled(factors[last])
    x = writer.add("Conv", [name, *tensors_of(writer, layer)], f"{layer.name}_x", **shape_of(layer))
    product = writer.add("Mul", [x, writer.constant(f"{layer.name}_slope", layer.slope[:, None, None])], f"{layer.name}_ax")
    name = writer.add("Max", [x, product], f"{layer.name}_y")
    grid = [writer.constant("one", 1.0), writer.constant("zero", grids[last].zero, np.uint8)]
    name = writer.add("QuantizeLinear", [name, *grid], "levels")
    writer.add("Transpose", [name], AFTER_STEM[0], perm=[0, 2, 3, 1])
    return writer.serialise(INPUT, OUTPUT, levels=True)


def read_trained(graph: bytes, network: Network) -> list[Layer]:
    """Return the trained layers of a graph that `build_normaliser` wrote, in the form of the published ones."""
    found = {i.name: numpy_helper.to_array(i).astype(np.float64) for i in onnx.load_from_string(graph).graph.initializer}
    return [
        replace(
            layer, weight=found[f"{layer.name}_weight"], bias=found[f"{layer.name}_bias"], slope=found[f"{layer.name}_slope"].reshape(-1)
        )
        for layer in network.layers[:TRAINED]
    ]


def of_stem(network: Network, values: Sequence[tuple[F64, F64, F64]]) -> list[Layer]:
    """Return trained layers from weight, bias and slope of each; the first one's weight, of one plane, is shared out among the three equal ones."""
    layers = [
        replace(layer, weight=weight, bias=bias, slope=slope) for layer, (weight, bias, slope) in zip(network.layers, values, strict=False)
    ]
    first, own = network.layers[0].weight, layers[0].weight
    return [replace(layers[0], weight=first + (own - first.sum(1, keepdims=True)) / 3), *layers[1:]]
