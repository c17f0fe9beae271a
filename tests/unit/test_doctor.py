from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from vultus import doctor
from vultus.doctor import State
from vultus.errors import ModelMissing
from vultus.settings import Settings
from vultus.store import Template, TemplateStore
from vultus.types import Embedding, Modality


@pytest.fixture
def store(tmp_path):
    """A closed store with one user."""
    path = tmp_path / "templates.db"
    vector = np.zeros(128, np.float32)
    vector[0] = 1
    with TemplateStore.open(path) as made:
        made.add(Template("ada", (Embedding(Modality.RGB, vector, "ab" * 32),), 1))
    tmp_path.chmod(0o700)
    return path


def states(checks):
    return [c.state for c in checks]


def test_this_machine_is_fit(tmp_path):
    """On a machine that runs these tests no check fails, and every line is one line."""
    checks = doctor.run(Settings(tmp_path / "none.db", None, "file", None), tmp_path / "none.db")
    assert [c.detail for c in checks if c.state is State.FAIL] == []
    assert len({c.name for c in checks}) == len(checks)
    assert not any("\n" in c.detail + c.remedy for c in checks)


def test_every_problem_has_a_remedy(tmp_path, store):
    """Whatever is not ok says what to do."""
    store.chmod(0o644)
    checks = [
        doctor.check_python((3, 10, 0), "Linux", "x86_64"),
        doctor.check_python((3, 12, 0), "Darwin", "arm64"),
        *doctor.check_store(store, "file"),
        doctor.check_device("carrier:pigeon"),
        doctor.check_device("replay:none.mcap"),
    ]
    assert states(checks) == [State.FAIL, State.WARN, State.WARN, State.OK, State.FAIL, State.FAIL]
    assert all(c.remedy for c in checks if c.state is not State.OK)


def test_store_that_is_fine(store):
    """A private store with its key beside it is ok on both lines."""
    checks = doctor.check_store(store, "file")
    assert states(checks) == [State.OK, State.OK]
    assert checks[0].detail == f"1 enrolled in {store}"


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(84), b"something else entirely"])
def test_store_that_is_broken(store, content):
    """A store that is empty, cut off or something else fails."""
    store.write_bytes(content)
    (check,) = doctor.check_store(store, "file")
    assert check.state is State.FAIL
    assert "enrol again" in check.remedy


def test_store_with_an_altered_record(store):
    """One altered record fails, with whom to enrol again."""
    with closing(sqlite3.connect(store, isolation_level=None)) as sql:
        sql.execute("UPDATE record SET body = x'00'")
    check = doctor.check_store(store, "file")[0]
    assert check.state is State.FAIL
    assert "1 of 1 records altered" in check.detail


def test_key_that_is_open_or_gone(store):
    """A key file that others may read, and a missing one, fail with the remedy."""
    key = store.with_name("templates.db.key")
    key.chmod(0o644)
    (check,) = doctor.check_store(store, "file")
    assert (check.state, "chmod 600" in check.remedy) == (State.FAIL, True)
    key.unlink()
    (check,) = doctor.check_store(store, "file")
    assert (check.state, "put it back" in check.remedy) == (State.FAIL, True)


def test_folder_that_others_may_write_to(store):
    """A folder in which others may replace store and key is a warning."""
    store.parent.chmod(0o777)
    assert doctor.check_store(store, "file")[1].state is State.WARN


def test_little_space(store, monkeypatch):
    """A disk that is nearly full is a warning before enrolment fails."""
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: os.terminal_size((0, 0)) and type("U", (), {"free": 1000})())
    assert doctor.check_store(store, "file")[0].state is State.WARN


def test_missing_graphs(monkeypatch):
    """Missing graphs fail both the graphs' and the calibration's line."""

    def missing(root=None):
        raise ModelMissing("no manifest.toml in /x; reinstall vultus")

    monkeypatch.setattr("vultus.manifest.load_manifest", missing)
    for check in (doctor.check_graphs(), doctor.check_calibration()):
        assert (check.state, check.detail, check.remedy) == (State.FAIL, "no manifest.toml in /x", "reinstall vultus")


def test_extras_are_optional():
    """Missing extras are named with what they are for, and are no problem."""
    check = doctor.check_extras(lambda name: name != "keyring")
    assert check.state is State.OK
    assert "not installed: keyring (the store's key in the system keyring)" in check.detail
    assert doctor.check_extras(lambda name: True).detail == "installed: keyring, demo, evaluate, recipes"


def test_absent_store_is_not_made(tmp_path):
    """Looking for a store that is not there makes none."""
    (check,) = doctor.check_store(tmp_path / "none.db", "keyring")
    assert check.state is State.OK
    assert "the system keyring" in check.detail
    assert list(Path(tmp_path).iterdir()) == []
