"""Graphs: the manifest, the refusal of anything but the stated bytes and tensors, and sessions that allocate once."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from vultus.errors import ModelAltered, ModelMismatch, ModelMissing
from vultus.graphs import Graph, build_graphs, load_manifest, open_graph
from vultus.manifest import OPTIONAL, ROLES


@pytest.fixture(scope="module")
def shipped(repository: Path) -> Path:
    return repository / "models"


@pytest.fixture
def models(shipped: Path, tmp_path: Path) -> Path:
    """Copy the manifest and the two small graphs, which every test may damage; the large one stays out."""
    folder = tmp_path / "models"
    (folder / "artefacts").mkdir(parents=True)
    shutil.copy(shipped / "manifest.toml", folder)
    for entry in load_manifest(shipped).entries:
        if entry.role != "recogniser":
            shutil.copy(entry.path, folder / "artefacts")
    return folder


def edit(models: Path, old: str, new: str) -> None:
    path = models / "manifest.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_every_role_ships_and_has_the_stated_hash(shipped: Path) -> None:
    """The repository's manifest names each role once and every file has its hash."""
    manifest = load_manifest(shipped)
    assert tuple(entry.role for entry in manifest.entries) == ROLES
    assert [status.problem for status in manifest.verify()] == [""] * len(ROLES)


def test_a_manifest_is_found_without_being_told_where(shipped: Path) -> None:
    """Without an argument the manifest of the installation or of the checkout is read."""
    assert load_manifest().entry("recogniser").sha256 == load_manifest(shipped).entry("recogniser").sha256


@pytest.mark.parametrize("role", ROLES)
def test_a_graph_runs_in_its_own_arrays(shipped: Path, role: str) -> None:
    """A run fills the same output arrays again, with finite numbers that depend on what the input holds."""
    graph = open_graph(load_manifest(shipped).entry(role))
    entry = graph.entry
    assert graph.input.shape == entry.inputs[0].shape
    first = graph.run()
    zeros = [array.copy() for array in first]
    graph.input[...] = np.random.default_rng(5).uniform(-1, 1, graph.input.shape)
    second = graph.run()
    assert all(a is b for a, b in zip(first, second, strict=True))
    assert [a.shape for a in second] == [spec.shape for spec in entry.outputs]
    assert all(np.isfinite(a).all() for a in second)
    assert any((a != b).any() for a, b in zip(zeros, second, strict=True))


def test_two_runs_on_one_input_are_equal(shipped: Path) -> None:
    """The recogniser gives the same bytes for the same crop, in one session and in another."""
    entry = load_manifest(shipped).entry("recogniser")
    crop = np.random.default_rng(7).uniform(-1, 1, entry.inputs[0].shape).astype(np.float32)
    outputs = []
    for graph in (open_graph(entry), open_graph(entry, threads=2)):
        graph.input[...] = crop
        outputs += [graph.run()[0].tobytes(), graph.run()[0].tobytes()]
    assert len(set(outputs)) == 1


def test_the_repr_shows_the_role_and_no_picture(models: Path) -> None:
    """A graph's repr has its role and the beginning of its hash only."""
    graph = open_graph(load_manifest(models).entry("detector_near"))
    assert repr(graph) == f"Graph(detector_near, {graph.sha256[:12]})"


@pytest.mark.parametrize("place", [0, 1000, -1])
def test_a_flipped_bit_is_refused(models: Path, place: int) -> None:
    """One bit changed anywhere in a graph is refused when it is opened and named by verify."""
    entry = load_manifest(models).entry("detector")
    data = bytearray(entry.path.read_bytes())
    data[place] ^= 1
    entry.path.write_bytes(data)
    with pytest.raises(ModelAltered, match="sha256"):
        open_graph(entry)
    status = {s.role: s for s in load_manifest(models).verify()}
    assert not status["detector"].ok
    assert status["detector_near"].ok


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_a_truncated_or_empty_graph_is_refused(models: Path, size: int) -> None:
    """A graph that ends early, or is empty, is refused in one line."""
    entry = load_manifest(models).entry("detector")
    entry.path.write_bytes(entry.path.read_bytes()[:size])
    with pytest.raises(ModelAltered) as caught:
        open_graph(entry)
    assert "\n" not in str(caught.value)
    assert "vultus models build" in str(caught.value)


def test_a_huge_file_is_refused_before_it_is_read(models: Path) -> None:
    """A file far larger than any graph is refused by its size."""
    entry = load_manifest(models).entry("detector")
    with entry.path.open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(ModelAltered, match="more than any graph"):
        open_graph(entry)


def test_a_missing_graph_is_named(models: Path) -> None:
    """A graph that is not there is ModelMissing and says which file."""
    entry = load_manifest(models).entry("recogniser")
    with pytest.raises(ModelMissing, match=r"sface_int8\.onnx"):
        open_graph(entry)


def test_swapped_graphs_are_refused(models: Path) -> None:
    """Two graphs that change places are refused by their hashes."""
    manifest = load_manifest(models)
    full, near = manifest.entry("detector"), manifest.entry("detector_near")
    one, other = full.path.read_bytes(), near.path.read_bytes()
    full.path.write_bytes(other)
    near.path.write_bytes(one)
    for entry in (full, near):
        with pytest.raises(ModelAltered):
            open_graph(entry)


def test_a_graph_under_another_role_is_refused(models: Path) -> None:
    """A graph with a right hash but tensors other than those stated is ModelMismatch."""
    manifest = load_manifest(models)
    full, near = manifest.entry("detector"), manifest.entry("detector_near")
    full.path.write_bytes(near.path.read_bytes())
    edit(models, full.sha256, near.sha256)
    with pytest.raises(ModelMismatch, match="the manifest states"):
        open_graph(load_manifest(models).entry("detector"))


@pytest.mark.parametrize(
    ("old", "new"), [('name = "input"', 'name = "image"'), ('name = "scores"', 'name = "score"'), ('dtype = "float32"', 'dtype = "uint8"')]
)
def test_other_tensor_names_or_types_are_refused(models: Path, old: str, new: str) -> None:
    """A manifest that states another name or dtype than the graph has is ModelMismatch."""
    edit(models, old, new)
    with pytest.raises(ModelMismatch):
        open_graph(load_manifest(models).entry("detector"))


def test_a_file_that_is_no_graph_is_refused_though_its_hash_is_right(models: Path) -> None:
    """A file that ONNX Runtime cannot open is ModelMismatch, not an error of ONNX Runtime's own."""
    import hashlib

    entry = load_manifest(models).entry("detector")
    entry.path.write_bytes(b"not a graph at all")
    edit(models, entry.sha256, hashlib.sha256(b"not a graph at all").hexdigest())
    with pytest.raises(ModelMismatch, match="cannot open"):
        open_graph(load_manifest(models).entry("detector"))


def test_no_manifest_is_missing(tmp_path: Path) -> None:
    """A folder without a manifest is ModelMissing and says where it was looked for."""
    with pytest.raises(ModelMissing, match=tmp_path.name):
        load_manifest(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        ("schema = 1", "schema = 2"),
        ("schema = 1", ""),
        ("schema = 1", "schema ="),
        ('role = "detector"', 'role = "recogniser"'),
        ('file = "artefacts/', 'file = "../artefacts/'),
        ('file = "artefacts/', 'file = "/etc/'),
        ("shape = [1, 3, 256, 320]", "shape = [0, 3, 256, 320]"),
        ('sha256 = "', 'sha256 = "x'),
        ("mean = 0.0", 'mean = "much"'),
    ],
)
def test_a_damaged_manifest_is_refused(models: Path, damage: tuple[str, str]) -> None:
    """A manifest of another version, with a missing, wrong or escaping value, is ModelMismatch in one line."""
    edit(models, *damage)
    with pytest.raises(ModelMismatch) as caught:
        load_manifest(models)
    assert "manifest.toml" in str(caught.value)


def test_bytes_that_are_no_text_are_refused(models: Path) -> None:
    """A manifest of random bytes is ModelMismatch."""
    (models / "manifest.toml").write_bytes(bytes(range(256)))
    with pytest.raises(ModelMismatch):
        load_manifest(models)


def test_an_unknown_role_lists_the_known_ones(models: Path) -> None:
    """Asking for a role that the manifest has not is ModelMissing and names those that it has."""
    with pytest.raises(ModelMissing, match="detector_near"):
        load_manifest(models).entry("decoder")


def test_no_threads_is_refused_before_any_work(models: Path) -> None:
    """A session of zero threads is ValueError."""
    with pytest.raises(ValueError, match="at least 1"):
        open_graph(load_manifest(models).entry("detector"), threads=0)


def test_a_processor_without_vnni_gets_the_exact_kernels(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedding does not depend on which of the two ways of multiplying is used."""
    entry = load_manifest(shipped).entry("recogniser")
    crop = np.random.default_rng(9).uniform(-1, 1, entry.inputs[0].shape).astype(np.float32)

    def embedding() -> bytes:
        graph: Graph = open_graph(entry)
        graph.input[...] = crop
        return graph.run()[0].tobytes()

    as_it_is = embedding()
    monkeypatch.setattr("vultus.graphs._multiplies_exactly", lambda: False)
    assert embedding() == as_it_is


def test_building_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the recipes extra, `build_graphs` is ModelMissing and names the command that installs it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelMissing, match="recipes"):
        build_graphs()


def test_every_graph_states_source_licence_and_recipe(shipped: Path, repository: Path) -> None:
    """Each entry has a licence, the hash of what it was made from, and a recipe that exists."""
    document = tomllib.loads((shipped / "manifest.toml").read_text(encoding="utf-8"))
    for table in document["graph"]:
        assert table["licence"] in ("MIT", "Apache-2.0")
        assert len(table["source"]["sha256"]) == 64
        assert (repository / table["recipe"]).is_file()
        # What does not ship needs no notice.
        named = Path(table["file"]).name in (repository / "NOTICE").read_text(encoding="utf-8")
        assert named or table["role"] in OPTIONAL
