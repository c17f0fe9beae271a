"""The reader of ONNX files against the package `onnx`, and on bytes that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.manifest import load_manifest
from vultus.onnx_reader import read_onnx


def test_a_file_is_read_as_the_package_onnx_reads_it(repository: Path) -> None:
    """Nodes, their integer attributes, constants and metadata of the recogniser are those that the package finds."""
    onnx = pytest.importorskip("onnx", reason="the recipes extra is not installed")
    data = load_manifest(repository / "models").entry("recogniser").read()
    graph, model = read_onnx(data), onnx.load_from_string(data)
    assert (graph.inputs, graph.outputs) == (("stem",), ("embedding",))
    assert graph.properties == {entry.key: entry.value for entry in model.metadata_props}
    assert len(graph.nodes) == len(model.graph.node)
    for node, other in zip(graph.nodes, model.graph.node, strict=True):
        assert (node.kind, node.domain, node.inputs, node.outputs) == (other.op_type, other.domain, tuple(other.input), tuple(other.output))
        numbers = {a.name: onnx.helper.get_attribute_value(a) for a in other.attribute}
        assert node.numbers == {name: tuple(value) if isinstance(value, list) else (value,) for name, value in numbers.items()}
    assert len(graph.constants) == len(model.graph.initializer)
    for tensor in model.graph.initializer:
        wanted = onnx.numpy_helper.to_array(tensor)
        found = graph.constants[tensor.name]
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        assert np.array_equal(found, wanted)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_or_read(data: bytes) -> None:
    """Bytes at random are a graph or a ValueError, nothing else."""
    try:
        read_onnx(data)
    except ValueError:
        return


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x3a\x05ab",  # a graph of five bytes of which two are there
        b"\x38\x01",  # a number in place of the graph
        b"\x3a\x02\x80\x80",  # a number that does not end
        b"\x3b\x00",  # a group, which ONNX does not have
        b"\x3a\x06\x2a\x04\x08\x02\x10\x02",  # a constant of two bytes without any
        b"\x3a\x04\x2a\x02\x10\x0b",  # a constant of doubles
        b"\x3a\x06\x0a\x04\x22\x02\xff\xfe",  # a name that is no text
    ],
)
def test_broken_files_are_refused(data: bytes) -> None:
    """A file that is cut off, or that holds what is not read here, is a ValueError."""
    with pytest.raises(ValueError, match=r"."):
        read_onnx(data)
