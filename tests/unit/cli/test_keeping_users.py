from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace

from vultus.errors import ModelMissing
from vultus.manifest import Manifest
from vultus.store import TemplateStore
from vultus.types import Modality

from .conftest import GRAPH, template


def manifest_with(graph):
    return SimpleNamespace(forms=lambda: dict.fromkeys(Modality, graph))


def alter(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("UPDATE record SET body = zeroblob(length(body)) WHERE id = 1")


def test_list(run, enrolled, monkeypatch):
    """Every enrolled user has a line with the date, the samples and the device; the JSON holds no embedding."""
    monkeypatch.setattr(enrolled, "manifest", lambda: manifest_with(GRAPH), raising=False)
    result = run("list")
    assert result.code == 0
    assert [line.split()[0] for line in result.out.splitlines()] == ["ada", "grace"]
    assert "1 RGB, 1 NIR  fake" in result.out
    assert "outdated" not in result.out
    users = run("list", "--json").json["users"]
    assert [u["user"] for u in users] == ["ada", "grace"]
    assert set(users[0]) == {"record", "user", "created_ns", "embeddings", "graphs", "calibration", "guard", "device", "state", "outdated"}
    assert users[0]["embeddings"] == {"rgb": 1, "nir": 1}


def test_list_marks_the_outdated(run, enrolled, monkeypatch):
    """Templates of another recogniser are marked with what to do; without a manifest nobody is called outdated."""
    monkeypatch.setattr(enrolled, "manifest", lambda: manifest_with("cd" * 32), raising=False)
    assert run("list").out.count("outdated: enrol again with --replace") == 2

    def missing():
        raise ModelMissing("none")

    monkeypatch.setattr(enrolled, "manifest", missing)
    assert "outdated" not in run("list").out


def test_list_marks_what_a_new_normaliser_leaves(run, enrolled, monkeypatch):
    """Where RGB can still be compared and NIR cannot, the listing says so and the JSON names it."""
    forms = SimpleNamespace(forms=lambda: {Modality.RGB: GRAPH, Modality.NIR: "cd" * 32})
    monkeypatch.setattr(enrolled, "manifest", lambda: forms, raising=False)
    assert run("list").out.count("NIR outdated: enrol again with --replace") == 2
    assert [(u["state"], u["outdated"]) for u in run("list", "--json").json["users"]] == [("partly outdated", ["nir"])] * 2


def test_list_with_an_altered_record(run, enrolled, monkeypatch):
    """An altered record is listed as such beside the others, and the exit code is that of an error."""
    monkeypatch.setattr(enrolled, "manifest", lambda: manifest_with(GRAPH), raising=False)
    alter(enrolled.store)
    result = run("list")
    assert result.code == 2
    assert "altered" in result.out.splitlines()[0]
    assert "grace" in result.out
    assert [u["state"] for u in run("list", "--json").json["users"]] == ["altered", "ready"]


def test_list_nobody(run, wiring):
    """Nobody enrolled, with or without a store, is an empty list and no error."""
    assert run("list").out == f"nobody is enrolled in {wiring.store}\n"
    TemplateStore.open(wiring.store).close()
    result = run("list", "--json")
    assert (result.code, result.json) == (0, {"users": []})


def test_remove(run, enrolled):
    """Removing forgets one user and says so; a second time there is nobody of that name."""
    result = run("remove", "ada")
    assert (result.code, result.out) == (0, "removed ada\n")
    again = run("remove", "ada", "--json")
    assert (again.code, again.json["error"]["code"]) == (2, "store.not_enrolled")
    with TemplateStore.open(enrolled.store) as store:
        assert store.users() == ["grace"]


def test_remove_asks_on_a_terminal(run, enrolled):
    """On a terminal anything but yes removes nobody, --yes does not ask."""
    for typed, code in (("n\n", 1), ("\n", 1), ("", 1), ("y\n", 0)):
        result = run("remove", "ada", terminal=True, typed=typed)
        assert "Remove ada? [y/N]" in result.err
        assert result.code == code
    assert run("remove", "grace", "--yes", terminal=True).err == ""


def test_remove_an_altered_record(run, enrolled):
    """A user whose record was altered can be removed, which heals the store."""
    alter(enrolled.store)
    assert run("remove", "ada").code == 0
    with TemplateStore.open(enrolled.store) as store:
        assert store.users() == ["grace"]


def test_store_option_comes_first(run, enrolled, tmp_path):
    """--store names another store than the settings do."""
    other = tmp_path / "other.db"
    with TemplateStore.open(other) as store:
        store.add(template("bo"))
    assert run("list", "--store", other, "--json").json["users"][0]["user"] == "bo"


def test_the_manifest_is_the_installed_one(wiring):
    """The wiring that commands use in earnest reads the installed manifest."""
    assert isinstance(wiring.manifest(), Manifest)
