"""Optimised graphs: the same numbers, and nothing but what was made here from these very graphs is opened."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from vultus import graphs, optimised
from vultus.cli import main
from vultus.graphs import load_manifest, open_graph, optimise
from vultus.manifest import Manifest


@pytest.fixture(scope="module")
def models(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """A copy of the models with optimised graphs beside them."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "artefacts").mkdir()
    shutil.copy(repository / "models" / "manifest.toml", folder)
    for entry in load_manifest(repository / "models").entries:
        shutil.copy(entry.path, folder / "artefacts")
    manifest = load_manifest(folder)
    assert optimise(manifest) == folder / "optimised"
    return manifest


def record_of(models: Manifest) -> Path:
    return models.root / "optimised" / "record.json"


@pytest.mark.parametrize("role", ["recogniser", "detector", "detector_near"])
def test_an_optimised_graph_gives_the_same_numbers(models: Manifest, repository: Path, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is opened ready-made gives bit for bit what the graph itself gives, under the graph's own hash."""
    entry = models.entry(role)
    assert optimised.find(entry, graphs.runtime_version()) is not None
    ready = open_graph(entry)
    monkeypatch.setattr(optimised, "find", lambda *_: None)
    plain = open_graph(entry)
    rng = np.random.default_rng(3)
    ready.input[...] = plain.input[...] = rng.uniform(-1, 1, plain.input.shape).astype(plain.input.dtype)
    for a, b in zip(ready.run(), plain.run(), strict=True):
        assert np.array_equal(a, b)
    assert ready.sha256 == plain.sha256 == load_manifest(repository / "models").entry(role).sha256


def test_what_was_altered_is_passed_over(models: Manifest) -> None:
    """One changed byte, a missing file or a record that cannot be read means that the graph itself is opened."""
    entry = models.entry("detector_near")
    runtime = graphs.runtime_version()
    file = next(p for p in (models.root / "optimised").glob("*.ort") if p.name.startswith(entry.sha256[:16]))
    good, record = file.read_bytes(), record_of(models).read_bytes()
    try:
        file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        assert optimised.find(entry, runtime) is None
        assert open_graph(entry).run()
        file.unlink()
        assert optimised.find(entry, runtime) is None
        file.write_bytes(good)
        for text in (b"", b"{", b"[]", b'{"graphs": 3}', b"\xff"):
            record_of(models).write_bytes(text)
            assert optimised.find(entry, runtime) is None
    finally:
        file.write_bytes(good)
        record_of(models).write_bytes(record)
    assert optimised.find(entry, runtime) == good


@pytest.mark.parametrize("field", ["runtime", "processor"])
def test_what_was_made_elsewhere_is_passed_over(models: Manifest, field: str) -> None:
    """Another runtime or another kind of processor wants its own."""
    entry, record = models.entry("detector"), record_of(models).read_text()
    try:
        record_of(models).write_text(json.dumps({**json.loads(record), field: "other"}))
        assert optimised.find(entry, graphs.runtime_version()) is None
    finally:
        record_of(models).write_text(record)


def test_a_new_graph_has_no_optimised_one(models: Manifest, tmp_path: Path) -> None:
    """What was made from one graph is never opened for another of the same role."""
    changed = tmp_path / "manifest.toml"
    entry = models.entry("detector")
    changed.write_text((models.root / "manifest.toml").read_text().replace(entry.sha256, "0" * 64))
    shutil.copytree(models.root / "optimised", tmp_path / "optimised")
    assert optimised.find(load_manifest(tmp_path).entry("detector"), graphs.runtime_version()) is None


def test_a_folder_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the right to write, the command says where and who should run it."""

    def refuse(_: Manifest) -> Path:
        raise PermissionError(13, "Permission denied", "/usr/lib/vultus/models/optimised")

    monkeypatch.setattr(graphs, "optimise", refuse)
    assert main(["models", "optimise"]) == 2
    assert "run it as whoever installed vultus" in capsys.readouterr().err
