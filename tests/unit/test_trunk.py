"""The recogniser's 8-bit layers in the core against ONNX Runtime, and graphs that the core leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vultus import _native, graphs
from vultus.manifest import GraphEntry, load_manifest
from vultus.onnx_reader import OnnxGraph, read_onnx
from vultus.stem import KEY, unpack
from vultus.trunk import build_trunk, pays

SIDE = 56


@pytest.fixture(scope="module")
def entry(repository: Path) -> GraphEntry:
    return load_manifest(repository / "models").entry("recogniser")


@pytest.fixture(scope="module")
def graph(entry: GraphEntry) -> OnnxGraph:
    return read_onnx(entry.read())


@pytest.fixture
def limited() -> Iterator[None]:
    """Let the test limit the instruction set, and undo it."""
    yield
    _native.force_isa("best")


def crops() -> Iterator[np.ndarray]:
    """Yield crops as the stem takes them: noise, smooth pictures like faces, and all-black."""
    rng = np.random.default_rng(11)
    y, x = np.mgrid[-1:1:112j, -1:1:112j]
    yield rng.uniform(-1, 1, (1, 3, 112, 112)).astype(np.float32)
    for _ in range(3):
        waves = sum(a * np.cos(3 * b * x + 3 * c * y + d) for a, b, c, d in rng.normal(0, 1, (12, 4)))
        oval = np.exp(-2 * (x**2 + 0.6 * y**2)) * (1 + 0.3 * waves) + rng.normal(0, 0.02, (3, 112, 112))
        yield np.clip(2 * oval - 1, -1, 1)[None].astype(np.float32)
    yield np.full((1, 3, 112, 112), -1, np.float32)


def levels(graph: OnnxGraph) -> Iterator[np.ndarray]:
    """Yield what the stem makes of crops, and levels that no crop makes."""
    stem = unpack(graph.properties[KEY])
    for crop in crops():
        out = np.zeros((1, SIDE, SIDE, 128), np.uint8)
        stem.run(crop, out)
        yield out
    rng = np.random.default_rng(12)
    for low, high in ((0, 256), (0, 2), (254, 256)):
        yield rng.integers(low, high, (1, SIDE, SIDE, 128)).astype(np.uint8)


def test_the_core_gives_the_embedding_of_onnx_runtime(entry: GraphEntry, graph: OnnxGraph) -> None:
    """Every bit of the embedding is the same for noise, for smooth pictures and for extremes: integers add up exactly and are rounded alike."""
    if not pays():
        pytest.skip("the core has no kernels of its own for this processor")
    session, trunk, found = graphs._session(entry, entry.read(), 1), build_trunk(graph, SIDE), np.zeros((1, 128), np.float32)
    for x in levels(graph):
        trunk.run(x, found)
        assert np.array_equal(session.run(None, {"stem": x})[0], found)
        assert np.abs(found).max() > 0.01


def test_reference_kernels_give_the_same(graph: OnnxGraph, limited: None) -> None:
    """What defines the layers and what runs here agree on a whole recogniser."""
    trunk, first, second = build_trunk(graph, SIDE), np.zeros((1, 128), np.float32), np.ones((1, 128), np.float32)
    x = next(levels(graph))
    trunk.run(x, first)
    _native.force_isa("ref")
    trunk.run(x, second)
    assert np.array_equal(first, second)


def test_the_core_runs_where_it_is_faster(entry: GraphEntry, limited: None) -> None:
    """With kernels of its own the core runs the recogniser, without them ONNX Runtime does, and both give one embedding but for rounding."""
    found = []
    for isa in ("best", "avx2"):
        try:
            _native.force_isa(isa)
        except ValueError:
            pytest.skip("this machine has no AVX2")
        graph = graphs.open_graph(entry)
        assert graph.engine == ("core" if pays() else "onnxruntime")
        graph.input[...] = next(crops())
        found.append(graph.run()[0].reshape(-1).copy())
    assert found[0] @ found[1] > 0.9999 * np.linalg.norm(found[0]) * np.linalg.norm(found[1])


def altered(graph: OnnxGraph) -> Iterator[OnnxGraph]:
    """Yield graphs that look like the recogniser and are another function."""
    nodes, constants = list(graph.nodes), dict(graph.constants)
    swap = lambda i, **changes: replace(graph, nodes=(*nodes[:i], replace(nodes[i], **changes), *nodes[i + 1 :]))
    yield replace(graph, nodes=tuple(nodes[:-1]))
    yield replace(graph, nodes=(nodes[0], *nodes[4:]))
    yield replace(graph, nodes=())
    yield replace(graph, constants={k: v for k, v in constants.items() if k != "head_bias"})
    yield swap(0, numbers={"perm": (0, 1, 2, 3)})
    yield swap(1, kind="ConvInteger")
    yield swap(1, numbers={**nodes[1].numbers, "dilations": (2, 2)})
    yield swap(3, inputs=nodes[3].inputs[:1] * 2)
    yield swap(4, numbers={**nodes[4].numbers, "strides": (2, 1)})
    yield swap(4, inputs=("start", *nodes[4].inputs[1:]))
    yield swap(len(nodes) - 1, numbers={"transB": (1,)})
    for name, value in (
        ("one", np.float32(2)),
        ("conv_4_zero", np.int32(128)),
        ("conv_4_x_weight_zero", constants["conv_4_x_weight_zero"] + np.int8(1)),
        ("conv_4_x_weight", constants["conv_4_x_weight"][:100]),
        ("conv_4_slope_weight_step", constants["conv_4_slope_weight_step"] + np.float32(1)),
        ("conv_5_dw_x_weight", constants["conv_5_dw_x_weight"].astype(np.int32)),
        ("head_weight", constants["head_weight"][:-1]),
        ("head_bias", constants["head_bias"].astype(np.float32)),
    ):
        yield replace(graph, constants={**constants, name: np.asarray(value)})


def test_other_graphs_are_left_alone(graph: OnnxGraph) -> None:
    """A graph that differs in one node, attribute or constant from what the core runs is refused, never run as if it did not."""
    others = list(altered(graph))
    assert len(others) == 19
    for other in others:
        with pytest.raises(ValueError, match=r"."):
            build_trunk(other, SIDE)
    with pytest.raises(ValueError, match=r"."):
        build_trunk(graph, SIDE + 2)
