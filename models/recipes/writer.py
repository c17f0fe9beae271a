"""Builds a graph node by node and serialises it the same way every time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPSET: Final = 17
"""Newest operator set that ONNX Runtime 1.18, the oldest allowed, and OpenCV both read in full."""
IR_VERSION: Final = 8
"""The file format that belongs to OPSET."""


class GraphWriter:
    """Collects nodes and constants; constants are not listed among the inputs, so the runtime may fold them."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, npt.NDArray[Any]] = {}
        self._microsoft = False

    def constant(self, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant and return its name."""
        self._constants[name] = np.array(value, dtype, order="C")
        return name

    def add(self, kind: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        self._microsoft |= domain == "com.microsoft"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], domain=domain, **attributes))
        return output

    def split(self, value: str, sizes: dict[str, int], axis: int) -> None:
        """Split a tensor into the named parts."""
        counts = self.constant(f"{value}_sizes", list(sizes.values()), np.int64)
        self._nodes.append(helper.make_node("Split", [value, counts], list(sizes), axis=axis))

    def copy(self, node: NodeProto, constants: dict[str, npt.NDArray[Any]]) -> None:
        """Add a node as it stands, with those of its inputs that are constants."""
        self._nodes.append(node)
        self._constants.update({name: constants[name] for name in node.input if name in constants})

    def serialise(
        self,
        inputs: dict[str, tuple[int, ...]],
        outputs: dict[str, tuple[int, ...]],
        *,
        integers: bool = False,
        levels: bool = False,
        properties: dict[str, str] | None = None,
    ) -> bytes:
        """Return the checked graph's bytes; inputs and outputs are float32 of the given shapes, or uint8: inputs with `integers`, outputs with `levels`.

        `properties` is the metadata that the graph carries.
        """
        kind_in, kind_out = (TensorProto.UINT8 if whole else TensorProto.FLOAT for whole in (integers, levels))
        graph = helper.make_graph(
            self._nodes,
            "vultus",
            [helper.make_tensor_value_info(k, kind_in, v) for k, v in inputs.items()],
            [helper.make_tensor_value_info(k, kind_out, v) for k, v in outputs.items()],
            [numpy_helper.from_array(v, k) for k, v in self._constants.items()],
        )
        opsets = [helper.make_opsetid("", OPSET)] + ([helper.make_opsetid("com.microsoft", 1)] if self._microsoft else [])
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        helper.set_model_props(model, properties or {})
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
