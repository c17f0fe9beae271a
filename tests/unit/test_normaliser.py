"""The normaliser: first layers of its own for NIR, run by the core, and what is refused in its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from vultus import _native
from vultus.errors import ModelAltered, ModelMismatch, ModelMissing
from vultus.graphs import open_graph, open_stem
from vultus.manifest import GraphEntry, Manifest, load_manifest
from vultus.onnx_reader import OnnxGraph, read_onnx
from vultus.stages.embed import Recogniser
from vultus.stem import read_stem
from vultus.types import Crop, Modality

MAP = np.zeros((2, 3))


@pytest.fixture(scope="module")
def manifest(repository: Path) -> Manifest:
    return load_manifest(repository / "models")


@pytest.fixture(scope="module")
def entry(manifest: Manifest) -> GraphEntry:
    return manifest.entry("normaliser")


@pytest.fixture(scope="module")
def graph(entry: GraphEntry) -> OnnxGraph:
    return read_onnx(entry.read())


def crops() -> Iterator[np.ndarray]:
    """Yield crops of one grey plane shown three times: noise, smooth ovals with features, and all-black."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[-1:1:112j, -1:1:112j]
    for plane in (
        rng.uniform(-1, 1, (112, 112)),
        2 * np.exp(-2 * (x**2 + 0.6 * y**2)) * (1 + 0.2 * np.cos(9 * x) * np.sin(7 * y)) - 1,
        np.full((112, 112), -1.0),
    ):
        yield np.repeat(plane[None, None].astype(np.float32), 3, axis=1)


@pytest.fixture
def limited() -> Iterator[None]:
    """Let the test limit the instruction set, and undo it."""
    yield
    _native.force_isa("best")


def test_the_core_gives_the_levels_of_onnx_runtime(entry: GraphEntry, graph: OnnxGraph, limited: None) -> None:
    """The file is a graph that any runtime runs, and the core's numbers are its own but for one level where a sum lies beside a half."""
    session, stem = onnxruntime.InferenceSession(entry.read(), providers=["CPUExecutionProvider"]), read_stem(graph)
    for crop in crops():
        wanted = session.run(None, {"input": crop})[0].astype(int)
        assert np.ptp(wanted) > 50 or not np.ptp(crop)
        for isa in ("best", "ref"):
            _native.force_isa(isa)
            out = np.zeros((1, *_native.STEM_OUT), np.uint8)
            stem.run(crop, out)
            assert np.abs(out - wanted).max() <= 1
            assert (out != wanted).mean() < 1e-3


def test_nir_goes_through_it_and_colour_does_not(manifest: Manifest) -> None:
    """The same crop gives colour's embedding as the recogniser alone does, and another, near it, as NIR; each carries its own hash."""
    alone, both = open_graph(manifest.entry("recogniser")), Recogniser(manifest)
    crop = list(crops())[1]
    alone.input[...] = both.input[...] = crop
    vector = alone.run()[0].reshape(-1)
    found = {m: both.embed(Crop(m, both.input, MAP)) for m in Modality}
    rgb, nir = found[Modality.RGB], found[Modality.NIR]
    assert rgb is not None
    assert nir is not None
    assert np.array_equal(rgb.vector, vector / np.float32(np.sqrt(np.dot(vector, vector))))
    assert 0.3 < float(rgb.vector @ nir.vector) < 0.999
    assert (rgb.graph, nir.graph) == (manifest.forms()[Modality.RGB], manifest.forms()[Modality.NIR])
    assert rgb.graph != nir.graph == manifest.graph
    again = both.embed(Crop(Modality.RGB, both.input, MAP))
    assert again is not None
    assert np.array_equal(again.vector, rgb.vector), "what ran for NIR leaves nothing behind"


def test_colour_keeps_its_hash_when_the_normaliser_changes(manifest: Manifest) -> None:
    """Another normaliser makes NIR's embeddings, and calibrations, another form, and leaves those of colour."""
    other = [dataclasses.replace(e, sha256="0" * 64) if e.role == "normaliser" else e for e in manifest.entries]
    changed = dataclasses.replace(manifest, entries=tuple(other))
    assert changed.forms()[Modality.RGB] == manifest.forms()[Modality.RGB]
    assert changed.forms()[Modality.NIR] != manifest.forms()[Modality.NIR]
    assert changed.graph != manifest.graph


def test_nothing_is_embedded_without_it(manifest: Manifest, tmp_path: Path) -> None:
    """A missing or altered normaliser, or a recogniser whose first layers it cannot replace, is an error, not a comparison without it."""
    entry = manifest.entry("normaliser")
    swap = lambda **changes: dataclasses.replace(
        manifest, entries=tuple(dataclasses.replace(e, **changes) if e.role == "normaliser" else e for e in manifest.entries)
    )
    with pytest.raises(ModelMissing, match="normaliser"):
        Recogniser(swap(role="another"))
    with pytest.raises(ModelMissing, match="normaliser"):
        Recogniser(swap(path=tmp_path / "none.onnx"))
    with pytest.raises(ModelAltered, match="normaliser"):
        Recogniser(swap(sha256="0" * 64))
    with pytest.raises(ModelMismatch, match="not one crop"):
        open_stem(dataclasses.replace(entry, outputs=manifest.entry("recogniser").outputs))
    detector, recogniser = manifest.entry("detector_near"), manifest.entry("recogniser")
    for other in (detector, recogniser):
        with pytest.raises(ModelMismatch, match="reinstall"):
            open_stem(dataclasses.replace(other, role="normaliser", inputs=entry.inputs, outputs=entry.outputs))
    whole = tuple(dataclasses.replace(detector, role="recogniser") if e.role == "recogniser" else e for e in manifest.entries)
    with pytest.raises(ModelMismatch, match="no first layers"):
        Recogniser(dataclasses.replace(manifest, entries=whole))


def test_another_grid_is_refused(manifest: Manifest, graph: OnnxGraph) -> None:
    """First layers whose level of 0 is not the one that the shared layers expect do not take the place of the recogniser's own."""
    recogniser = open_graph(manifest.entry("recogniser"))
    assert recogniser.takes(read_stem(graph))
    zero = graph.constants["zero"]
    assert not recogniser.takes(
        read_stem(dataclasses.replace(graph, constants={**graph.constants, "zero": np.asarray(zero + np.uint8(1))}))
    )
    assert not open_graph(manifest.entry("detector_near")).takes(read_stem(graph))


def altered(graph: OnnxGraph) -> Iterator[OnnxGraph]:
    """Yield graphs that look like the normaliser and are another function."""
    nodes, constants = list(graph.nodes), dict(graph.constants)
    swap = lambda i, **changes: dataclasses.replace(graph, nodes=(*nodes[:i], dataclasses.replace(nodes[i], **changes), *nodes[i + 1 :]))
    yield dataclasses.replace(graph, nodes=())
    yield dataclasses.replace(graph, nodes=tuple(nodes[:-1]))
    yield dataclasses.replace(graph, nodes=(*nodes, nodes[-1]))
    yield dataclasses.replace(graph, nodes=tuple(nodes[2:]))
    yield dataclasses.replace(graph, inputs=("input", "other"))
    yield dataclasses.replace(graph, outputs=("other",))
    yield swap(0, kind="ConvTranspose")
    yield swap(0, domain="com.microsoft")
    yield swap(0, numbers={**nodes[0].numbers, "dilations": (2, 2)})
    yield swap(1, kind="LeakyRelu")
    yield swap(1, inputs=("input", *nodes[1].inputs[1:]))
    yield swap(12, inputs=nodes[12].inputs[:1] * 2)
    yield swap(len(nodes) - 1, numbers={"perm": (0, 1, 2, 3)})
    slope, weight = nodes[1].inputs[1], nodes[0].inputs[1]
    for name, value in (
        ("one", np.float32(2)),
        ("zero", np.int8(3)),
        (slope, constants[slope][:-1]),
        (slope, constants[slope] * np.float32(np.nan)),
        (weight, constants[weight][:, :1]),
        (weight, constants[weight].astype(np.float64)),
    ):
        yield dataclasses.replace(graph, constants={**constants, name: np.asarray(value)})
    yield dataclasses.replace(graph, constants={k: v for k, v in constants.items() if k != weight})


def test_other_graphs_are_refused(graph: OnnxGraph) -> None:
    """A graph that differs in one node, attribute or constant from a stem is refused, never run as if it did not."""
    others = list(altered(graph))
    assert len(others) == 20
    for other in others:
        with pytest.raises(ValueError, match=r"."):
            read_stem(other)


def test_slopes_of_any_size_act_as_in_the_graph(entry: GraphEntry) -> None:
    """The last layer is the larger of x and slope * x: a slope above 1 acts above zero, in the core as in ONNX Runtime."""
    onnx = pytest.importorskip("onnx", reason="the recipes extra is not installed")
    model = onnx.load_from_string(entry.read())
    name = next(node.input[1] for node in model.graph.node if node.op_type == "Mul")
    tensor = next(t for t in model.graph.initializer if t.name == name)
    slopes = np.random.default_rng(4).uniform(-1, 3, (128, 1, 1)).astype(np.float32)
    tensor.CopyFrom(onnx.numpy_helper.from_array(slopes, name))
    data = model.SerializeToString()
    session, stem = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]), read_stem(read_onnx(data))
    out, crop = np.zeros((1, *_native.STEM_OUT), np.uint8), list(crops())[1]
    stem.run(crop, out)
    wanted = session.run(None, {"input": crop})[0].astype(int)
    plain = np.zeros_like(out)
    read_stem(read_onnx(entry.read())).run(crop, plain)
    assert (out != plain).mean() > 0.05
    assert np.abs(out - wanted).max() <= 1
