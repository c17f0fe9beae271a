"""Turns a published, block-quantised graph into plain float nodes and constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, helper, numpy_helper

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FloatGraph:
    """The compute nodes of a graph in order, and every constant by name (weights as the float32 numbers that they stand for)."""

    nodes: tuple[NodeProto, ...]
    constants: dict[str, npt.NDArray[Any]]

    def constant(self, name: str) -> F64:
        """Return a constant in double precision, in which all folding is done."""
        return self.constants[name].astype(np.float64)


def attributes(node: NodeProto) -> dict[str, Any]:
    """Return a node's attributes as Python values."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def dequantise(data: bytes) -> FloatGraph:
    """Fold DequantizeLinear, Reshape and Constant of constants, and drop Dropout and Identity.

    ONNX Runtime itself refuses YuNet's file: it gives a block size beside scales that are not per block.
    """
    graph = onnx.load_from_string(data).graph
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    nodes: list[NodeProto] = []
    alias: dict[str, str] = {}
    for node in graph.node:
        kept = NodeProto()
        kept.CopyFrom(node)
        kept.input[:] = [alias.get(name, name) for name in node.input]
        known = all(name in constants for name in kept.input)
        if node.op_type == "DequantizeLinear" and known:
            constants[node.output[0]] = _dequantised(kept, constants)
        elif node.op_type == "Reshape" and known:
            constants[node.output[0]] = constants[kept.input[0]].reshape(constants[kept.input[1]].tolist())
        elif node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(attributes(node)["value"])
        elif node.op_type in ("Dropout", "Identity"):
            alias[node.output[0]] = kept.input[0]
        else:
            nodes.append(kept)
    return FloatGraph(tuple(nodes), constants)


def _dequantised(node: NodeProto, constants: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Compute (q - zero) * scale in float32, as the operator is defined, with per-tensor, per-axis or per-block scales."""
    given = attributes(node)
    axis, block = int(given.get("axis", 1)), int(given.get("block_size", 0))
    q, scale = constants[node.input[0]].astype(np.float32), constants[node.input[1]].astype(np.float32)
    zero = constants[node.input[2]].astype(np.float32) if len(node.input) > 2 else np.zeros_like(scale)
    if scale.size == 1:
        scale, zero = scale.reshape(()), zero.reshape(())
    elif scale.ndim == q.ndim:
        take = np.arange(q.shape[axis])
        scale = np.repeat(scale, block, axis=axis).take(take, axis=axis)
        zero = np.repeat(zero, block, axis=axis).take(take, axis=axis)
    else:
        along = [1] * q.ndim
        along[axis] = -1
        scale, zero = scale.reshape(along), zero.reshape(along)
    return np.asarray((q - zero) * scale, np.float32)
