from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing

import keyring
import numpy as np
import pytest

from vultus import store as store_module
from vultus.errors import AlreadyEnrolled, NotEnrolled, StoreAltered, StoreBusy, StoreError, StoreOutdated
from vultus.sealing import KeyFile
from vultus.store import AttemptState, Template, TemplateStore
from vultus.templates import encode
from vultus.types import DeviceIdentity, Embedding, Modality, Source

GRAPH = "ab" * 32
OTHER_GRAPH = "cd" * 32
FORMS = dict.fromkeys(Modality, GRAPH)
NOW = 1_750_000_000_000_000_000

# Builds a template in a process of its own, for the tests with more than one.
PRELUDE = f"""
import os, sys, numpy as np
from vultus.store import TemplateStore, Template
from vultus.types import Embedding, Modality
def template(user, count=2):
    v = np.zeros(128, np.float32); v[0] = 1
    return Template(user, tuple(Embedding(Modality.RGB, v, {GRAPH!r}) for _ in range(count)), 1)
path = sys.argv[1]
"""


def embedding(seed, modality=Modality.RGB, graph=GRAPH):
    vector = np.random.default_rng(seed).standard_normal(128)
    return Embedding(modality, (vector / np.linalg.norm(vector)).astype(np.float32), graph)


def template(user, seed=0, graph=GRAPH):
    device = DeviceIdentity("simulator", "portrait", "7", Source.SIMULATED)
    pair = (embedding(seed, Modality.RGB, graph), embedding(seed + 1, Modality.NIR, graph))
    return Template(user, pair, NOW, device, "cal-1")


def same(a, b):
    """Say whether two templates are equal to the last bit."""
    head = (a.user, a.created_ns, a.device, a.calibration, a.graph) == (b.user, b.created_ns, b.device, b.calibration, b.graph)
    return head and [(e.modality, e.vector.tobytes()) for e in a.embeddings] == [(e.modality, e.vector.tobytes()) for e in b.embeddings]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "templates.db"


@pytest.fixture
def filled(path):
    """A closed store with three users and one failed attempt of the first."""
    with TemplateStore.open(path) as store:
        for seed, user in enumerate(("ada", "grace", "radia")):
            store.add(template(user, seed * 10))
        store.record_failure("ada", NOW)
    return path


def edit(path, *statements):
    """Change the file behind the store's back, as a thief with a database editor would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        for statement in statements:
            sql.execute(statement)


def child(code, path, **options):
    """Run code in another process, with `template` and `path` at hand."""
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code), str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        **options,
    )


def finish(process):
    """Wait for a child and return its output; fails with its stderr when it failed."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def test_round_trip(path):
    """A template comes back equal to the last bit, also after the store was closed and opened again."""
    with TemplateStore.open(path) as store:
        store.add(template("ada"))
        assert same(store.get("ada", FORMS), template("ada"))
    with TemplateStore.open(path, create=False) as store:
        assert same(store.get("ada", FORMS), template("ada"))
        assert store.users() == ["ada"]


def test_nothing_personal_is_readable(filled):
    """Neither a name nor eight bytes of an embedding occur in the file, and only its owner may read it."""
    data = filled.read_bytes()
    for word in (b"ada", b"grace", b"radia", b"cal-1", b"portrait"):
        assert word not in data
    for e in template("ada").embeddings:
        raw = e.vector.tobytes()
        assert not any(raw[i : i + 8] in data for i in range(0, len(raw) - 8, 4))
    assert stat.S_IMODE(filled.stat().st_mode) == 0o600
    assert sorted(p.name for p in filled.parent.iterdir()) == ["templates.db", "templates.db.key"]


def test_names_have_one_spelling(path):
    """A name typed with combining marks finds the one typed with composed letters."""
    with TemplateStore.open(path) as store:
        store.add(template("Jose\u0301"))
        assert store.get("Jos\u00e9", FORMS).user == "Jos\u00e9"
        with pytest.raises(AlreadyEnrolled):
            store.add(template("Jos\u00e9"))


@pytest.mark.parametrize("name", ["", " ada", "ada ", "a\nb", "a\x00b", "x" * 129, "a\u202eb", "\ud800"])
def test_bad_names_are_refused(path, name):
    """A name that is empty, too long, padded or holds invisible characters is a ValueError before any work."""
    with TemplateStore.open(path) as store, pytest.raises(ValueError, match="user name"):
        store.get(name, FORMS)
    with pytest.raises(ValueError, match="user name"):
        template(name)


def test_replacing_is_asked_for(filled):
    """A second enrolment under one name is AlreadyEnrolled and changes nothing, unless replacing was asked for."""
    with TemplateStore.open(filled) as store:
        with pytest.raises(AlreadyEnrolled, match="ada is enrolled already"):
            store.add(template("ada", 99))
        assert same(store.get("ada", FORMS), template("ada"))
        store.add(template("ada", 99), replace=True)
        assert same(store.get("ada", FORMS), template("ada", 99))
        assert store.users() == ["ada", "grace", "radia"]
        assert store.failures("ada").count == 1


def test_remove_forgets(filled):
    """A removed user is not enrolled, has no attempts left over, and cannot be removed twice."""
    with TemplateStore.open(filled) as store:
        store.remove("ada")
        assert store.users() == ["grace", "radia"]
        for act in (lambda: store.get("ada", FORMS), lambda: store.remove("ada"), lambda: store.failures("ada")):
            with pytest.raises(NotEnrolled, match="ada is not enrolled"):
                act()
        store.add(template("ada"))
        assert store.failures("ada") == AttemptState()


def test_another_graphs_template_is_outdated(path):
    """A template of another graph is StoreOutdated for `get` and named, not dropped, by `all`."""
    with TemplateStore.open(path) as store:
        store.add(template("ada"))
        store.add(template("grace", 5, OTHER_GRAPH))
        with pytest.raises(StoreOutdated, match="enrol grace again"):
            store.get("grace", FORMS)
        found = store.all(FORMS)
        assert [t.user for t in found] == ["ada"]
        assert found.outdated == ("grace",)
        assert len(found) == 1


def test_what_one_graph_made_stays_usable_when_another_changes(path):
    """With another normaliser the NIR embeddings are left out and the RGB ones still compare; with nothing left the template is outdated."""
    with TemplateStore.open(path) as store:
        store.add(template("ada"))
        kept = store.get("ada", {**FORMS, Modality.NIR: OTHER_GRAPH})
        assert [e.modality for e in kept.embeddings] == [e.modality for e in template("ada").embeddings if e.modality is Modality.RGB]
        assert kept.embeddings
        assert [t.count() for t in store.all({**FORMS, Modality.NIR: OTHER_GRAPH})] == [kept.count()]
        with pytest.raises(StoreOutdated, match="enrol ada again"):
            store.get("ada", dict.fromkeys(Modality, OTHER_GRAPH))


def test_graphs_of_both_modalities_come_back(path):
    """A template whose modalities were made by different graphs is kept with the hash of each."""
    made = Template("ada", (embedding(1), embedding(2, Modality.NIR, OTHER_GRAPH)), NOW)
    with TemplateStore.open(path) as store:
        store.add(made)
        assert store.get("ada", made.graphs).graphs == {Modality.RGB: GRAPH, Modality.NIR: OTHER_GRAPH}


def test_the_format_before_is_read(path, monkeypatch):
    """A record of format 1, which names one graph for all embeddings, reads as it was written, and its embeddings carry that graph."""

    def before(made):
        head, body = (data := encode(made))[4 : 4 + int.from_bytes(data[:4], "big")], data[4 + int.from_bytes(data[:4], "big") :]
        old = json.dumps({k: v for k, v in json.loads(head).items() if k != "graphs"}).encode()
        return len(old).to_bytes(4, "big") + old + body

    with TemplateStore.open(path) as store:
        monkeypatch.setattr(store_module, "FORMAT", 1)
        monkeypatch.setattr(store_module, "encode", before)
        store.add(template("ada"))
        monkeypatch.undo()
        assert same(store.get("ada", FORMS), template("ada"))


def test_another_format_is_outdated(path, monkeypatch):
    """A record honestly sealed by a later format is StoreOutdated, and can be removed."""
    with TemplateStore.open(path) as store:
        monkeypatch.setattr(store_module, "FORMAT", 3)
        store.add(template("ada"))
        monkeypatch.undo()
        with pytest.raises(StoreOutdated, match="format 3, this is 2"):
            store.get("ada", FORMS)
        store.remove("ada")
        assert store.users() == []


def test_another_store_version_is_outdated(filled):
    """A file of a later store version is StoreOutdated, not misread."""
    edit(filled, "PRAGMA user_version = 2")
    with pytest.raises(StoreOutdated, match="store version 2, this is 1"):
        TemplateStore.open(filled)


def test_revision_grows_with_templates_only(filled):
    """The revision changes when a template does and not when an attempt is counted."""
    with TemplateStore.open(filled) as store:
        first = store.revision
        store.record_failure("ada", NOW)
        assert store.revision == first
        store.remove("ada")
        assert store.revision == first + 1


def test_failures_are_counted_for_each_user(filled):
    """Attempts are counted for each user and for nobody apart, survive reopening, and clear one by one."""
    with TemplateStore.open(filled) as store:
        assert store.record_failure("ada", NOW + 5) == AttemptState(2, NOW + 5)
        assert store.record_failure(None, NOW + 7) == AttemptState(1, NOW + 7)
    with TemplateStore.open(filled) as store:
        assert store.failures("ada") == AttemptState(2, NOW + 5)
        assert store.failures(None) == AttemptState(1, NOW + 7)
        assert store.failures("grace") == AttemptState(0, 0)
        store.clear_failures("ada")
        assert store.failures("ada") == AttemptState()
        assert store.failures(None).count == 1


def test_made_up_names_have_no_counter(filled):
    """Attempts for a name that is not enrolled are NotEnrolled, so that they cannot fill the ledger."""
    with TemplateStore.open(filled) as store, pytest.raises(NotEnrolled):
        store.record_failure("mallory", NOW)


@pytest.mark.parametrize("now", [-1, 1.5, True, 2**63])
def test_attempt_times_are_checked(filled, now):
    """A time that is no count of nanoseconds is a ValueError and counts nothing."""
    with TemplateStore.open(filled) as store:
        with pytest.raises(ValueError, match="now_ns"):
            store.record_failure("ada", now)
        assert store.failures("ada").count == 1


UPDATE_ONE = "UPDATE record SET {} WHERE id = 1"


@pytest.mark.parametrize("column", ["format = format + 1", f"graph = '{OTHER_GRAPH}'", "body = substr(body, 2)", "body = zeroblob(9)"])
def test_one_edited_record(filled, column):
    """An edited record is StoreAltered for its user; others still open, and removing that user heals the store."""
    edit(filled, UPDATE_ONE.format(column))
    with TemplateStore.open(filled) as store:
        with pytest.raises(StoreAltered, match="the template of ada was altered: remove ada and enrol again"):
            store.get("ada", FORMS)
        with pytest.raises(StoreAltered):
            store.users()
        with pytest.raises(StoreAltered):
            store.all(FORMS)
        assert same(store.get("grace", FORMS), template("grace", 10))
        assert [isinstance(e.content, Template) for e in store.entries()] == [False, True, True]
        store.remove("ada")
        assert store.users() == ["grace", "radia"]


@pytest.mark.parametrize(
    "statements",
    [
        ["DELETE FROM record WHERE id = 1"],
        ["DELETE FROM ledger"],
        ["UPDATE ledger SET body = zeroblob(length(body))"],
        ["UPDATE ledger SET nonce = 'text'"],
        ["UPDATE record SET tag = zeroblob(32) WHERE id = 1"],
        ["UPDATE record SET nonce = 7 WHERE id = 1"],
        ["UPDATE record SET mac = x'00' WHERE id = 1"],
        ["UPDATE record SET id = 9 WHERE id = 1"],
        ["UPDATE record SET id = -id", "UPDATE record SET id = 3 + id WHERE id > -3"],
        ["INSERT INTO record SELECT 9, tag, format, graph, nonce, mac, body FROM record WHERE id = 1"],
        ["INSERT INTO record SELECT 9, zeroblob(32), format, graph, nonce, mac, body FROM record WHERE id = 1"],
        ["UPDATE record SET tag = zeroblob(32) WHERE id = 1", "UPDATE record SET tag = x'01' WHERE id = 2"],
        ["UPDATE meta SET store = zeroblob(16)"],
        ["UPDATE meta SET key_check = zeroblob(16)"],
        ["DELETE FROM meta"],
        ["CREATE TRIGGER t AFTER UPDATE ON ledger BEGIN DELETE FROM record; END"],
        ["CREATE VIEW v AS SELECT 1"],
        ["DROP TABLE record"],
        ["PRAGMA application_id = 1"],
    ],
)
def test_edited_store_does_not_open(filled, statements):
    """Records deleted, added, renumbered or renamed, an edited ledger, other tables: the store is StoreAltered as a whole."""
    edit(filled, *statements)
    with pytest.raises(StoreAltered, match=r"altered|holds another key"):
        TemplateStore.open(filled)


def test_swapped_records_are_altered(filled):
    """Two users whose sealed templates were swapped are both StoreAltered: nobody signs in as the other."""
    with closing(sqlite3.connect(filled, isolation_level=None)) as sql:
        one, two = sql.execute("SELECT nonce, mac, body FROM record WHERE id < 3 ORDER BY id").fetchall()
        sql.execute("UPDATE record SET nonce = ?, mac = ?, body = ? WHERE id = 1", two)
        sql.execute("UPDATE record SET nonce = ?, mac = ?, body = ? WHERE id = 2", one)
    with pytest.raises(StoreAltered):
        TemplateStore.open(filled)


def test_swapped_bodies_are_altered(filled):
    """Swapping the ciphertexts alone, which the ledger's digest does not see, is StoreAltered at both records."""
    with closing(sqlite3.connect(filled, isolation_level=None)) as sql:
        one, two = sql.execute("SELECT body FROM record WHERE id < 3 ORDER BY id").fetchall()
        sql.execute("UPDATE record SET body = ? WHERE id = 1", two)
        sql.execute("UPDATE record SET body = ? WHERE id = 2", one)
    with TemplateStore.open(filled) as store:
        for user in ("ada", "grace"):
            with pytest.raises(StoreAltered):
                store.get(user, FORMS)


def test_an_older_record_is_altered(filled):
    """Putting back a user's replaced template, properly sealed as it once was, is StoreAltered."""
    with closing(sqlite3.connect(filled, isolation_level=None)) as sql:
        (old,) = sql.execute("SELECT tag, nonce, mac, body FROM record WHERE id = 1").fetchall()
    with TemplateStore.open(filled) as store:
        store.add(template("ada", 99), replace=True)
    with closing(sqlite3.connect(filled, isolation_level=None)) as sql:
        sql.execute("UPDATE record SET nonce = ?, mac = ?, body = ? WHERE tag = ?", (*old[1:], old[0]))
    with pytest.raises(StoreAltered):
        TemplateStore.open(filled)


def test_changes_do_not_launder_an_alteration(filled):
    """A store that is altered while it is open refuses every further change instead of vouching for the alteration."""
    with TemplateStore.open(filled) as store:
        edit(filled, "DELETE FROM record WHERE id = 2")
        for act in (lambda: store.add(template("new")), lambda: store.remove("ada"), lambda: store.record_failure("ada", NOW)):
            with pytest.raises(StoreAltered):
                act()


@pytest.mark.parametrize("size", [0, 1, 15, 16, 99, 100, 511, 4095, 4096, 5000, 8192, 12288, -4096, -4000])
def test_truncated_store(filled, size):
    """A store that was cut off, between pages or within one, is StoreAltered, and the line says what to do."""
    filled.write_bytes(filled.read_bytes()[:size])
    with pytest.raises(StoreAltered, match="put a backup back, or remove the file and enrol again"), TemplateStore.open(filled) as store:
        store.all(FORMS)


def test_what_is_no_store(tmp_path):
    """An empty file, another kind of file, another database and a folder each give one clear line."""
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello, this is not a database at all\n" * 100)
    edit(tmp_path / "foreign", "CREATE TABLE t (x)")
    (tmp_path / "folder").mkdir()
    for name, line in (("empty", "is empty"), ("text", "is not a template store"), ("foreign", "is not a template store")):
        with pytest.raises(StoreAltered, match=line):
            TemplateStore.open(tmp_path / name)
    with pytest.raises(StoreError, match="is a directory"):
        TemplateStore.open(tmp_path / "folder")
    assert (tmp_path / "empty").read_bytes() == b""


def test_absent_store(tmp_path):
    """Without `create` an absent store is NotEnrolled and is not made."""
    with pytest.raises(NotEnrolled, match="nobody is enrolled: there is no store at"):
        TemplateStore.open(tmp_path / "none.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_unusable_paths(tmp_path):
    """A path through a file and a name that is too long are StoreError with the path in it."""
    (tmp_path / "file").touch()
    for bad in (tmp_path / "file" / "t.db", tmp_path / ("x" * 300)):
        with pytest.raises(StoreError, match="check the path"):
            TemplateStore.open(bad)


def test_wrong_and_missing_key(filled):
    """Another key is StoreAltered, no key is a StoreError; with the right one put back everything opens."""
    key = filled.with_name("templates.db.key")
    right = key.read_bytes()
    key.write_bytes(bytes(32))
    with pytest.raises(StoreAltered, match="holds another key"):
        TemplateStore.open(filled)
    key.unlink()
    with pytest.raises(StoreError, match=r"key file .* is missing"):
        TemplateStore.open(filled)
    assert not key.exists()
    key.write_bytes(right)
    key.chmod(0o600)
    with TemplateStore.open(filled) as store:
        assert len(store.users()) == 3


def test_key_source_of_ones_own(path, tmp_path):
    """A store made with the caller's own key source opens with that one only."""

    class Chip:
        name = "chip"

        def load(self):
            return b"k" * 32

        obtain = load

    with TemplateStore.open(path, Chip()) as store:
        store.add(template("ada"))
    with TemplateStore.open(path, Chip()) as store:
        assert store.users() == ["ada"]
    with pytest.raises(StoreError, match="has its key in 'chip'"):
        TemplateStore.open(path)
    with pytest.raises(StoreError, match="lies in the chip, not in the file"):
        TemplateStore.open(path, KeyFile(tmp_path / "k"))
    with pytest.raises(ValueError, match="file or the keyring"):
        TemplateStore.open(path, "chip")


def test_keyring_is_remembered(path):
    """A store made with its key in the keyring opens without saying so again, and leaves no key file."""
    entries = {}

    class Memory(keyring.backend.KeyringBackend):
        priority = 1

        def get_password(self, service, username):
            return entries.get((service, username))

        def set_password(self, service, username, password):
            entries[service, username] = password

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    try:
        with TemplateStore.open(path, "keyring") as store:
            store.add(template("ada"))
        with TemplateStore.open(path) as store:
            assert store.users() == ["ada"]
            assert store.key == "keyring"
        entries.clear()
        with pytest.raises(StoreError, match="keyring has no key for"):
            TemplateStore.open(path)
    finally:
        keyring.set_keyring(before)
    assert [p.name for p in path.parent.iterdir()] == ["templates.db"]


def test_full_disk_keeps_what_was_there(path):
    """When the file cannot grow, adding is StoreFull, and everyone enrolled before is still readable, in that process and after it."""
    code = """
        import resource
        from vultus.errors import StoreFull
        with TemplateStore.open(path) as store:
            store.add(template("first"))
            limit = os.path.getsize(path) + 20_000
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            stored = 1
            try:
                for i in range(1000):
                    store.add(template(f"user {i}", 8))
                    stored += 1
            except StoreFull as error:
                print(error, error.retryable)
            assert len(store.users()) == stored, (len(store.users()), stored)
            print(stored)
    """
    out = finish(child(code, path)).splitlines()
    assert "the disk is full or a size limit was reached; what was there is intact" in out[0]
    assert out[0].endswith("True")
    assert 1 < int(out[1]) < 50
    with TemplateStore.open(path) as store:
        assert len(store.users()) == int(out[1])
        store.add(template("afterwards"))
    assert sorted(p.name for p in path.parent.iterdir()) == ["templates.db", "templates.db.key"]


@pytest.mark.parametrize("limit", [0, 16, 31, 32, 1000, 5000])
def test_full_disk_while_creating_leaves_nothing_half(path, limit):
    """When there is no room for a new store, opening is StoreFull and leaves neither half a store nor half a key."""
    code = f"""
        import resource
        from vultus.errors import StoreFull
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        try:
            TemplateStore.open(path)
        except StoreFull as error:
            print("full")
    """
    assert finish(child(code, path)) == "full\n"
    left = {p.name: p.stat().st_size for p in path.parent.iterdir()}
    assert left in ({}, {"templates.db.key": 32})
    with TemplateStore.open(path) as store:
        store.add(template("ada"))


def test_busy_is_bounded(filled):
    """While another process holds the store, writing is StoreBusy after the wait that was asked for, and works again afterwards."""
    with closing(sqlite3.connect(filled, isolation_level=None)) as other, TemplateStore.open(filled, busy_s=0.3) as store:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        with pytest.raises(StoreBusy, match="another process is using") as caught:
            store.add(template("new"))
        assert 0.2 < time.monotonic() - start < 3
        assert caught.value.retryable
        assert same(store.get("ada", FORMS), template("ada"))
        other.execute("ROLLBACK")
        store.add(template("new"))


def test_processes_share_a_store(path):
    """Four processes that create, write and read one store at once lose nothing, and no reader sees anything half done."""
    code = """
        me = sys.argv[2] if len(sys.argv) > 2 else str(os.getpid())
        with TemplateStore.open(path, busy_s=30) as store:
            for i in range(15):
                store.add(template(f"{me} {i}"))
                store.record_failure(None, i + 1)
                assert f"{me} {i}" in store.users()
    """
    for process in [child(code, path) for _ in range(4)]:
        finish(process)
    with TemplateStore.open(path) as store:
        assert len(store.users()) == 60
        assert store.failures(None).count == 60
        assert store.revision == 60


def test_threads_share_a_store(path):
    """Threads that use one open store lose no attempt."""
    with TemplateStore.open(path) as store:
        threads = [threading.Thread(target=lambda: [store.record_failure(None, i + 1) for i in range(10)]) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert store.failures(None).count == 40


def test_killed_while_writing(filled):
    """A process killed in the middle of a write leaves a journal, from which the next opening restores everything as it was."""
    code = """
        import signal, sqlite3
        store = TemplateStore.open(path)
        with store._file.transaction(write=True) as sql:
            sql.execute("PRAGMA cache_size = 1")
            sql.execute("UPDATE record SET body = zeroblob(200000)")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    process = child(code, filled)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert filled.with_name("templates.db-journal").exists()
    with TemplateStore.open(filled) as store:
        assert [t.user for t in store.all(FORMS)] == ["ada", "grace", "radia"]
    assert not filled.with_name("templates.db-journal").exists()


def test_interrupt_stores_nothing(filled, monkeypatch):
    """Ctrl-C in the middle of adding or replacing leaves the store as it was, and usable."""

    def interrupted(*args):
        raise KeyboardInterrupt

    with TemplateStore.open(filled) as store:
        for point in ("encode", "decode"):
            monkeypatch.setattr(store_module, point, interrupted)
        for act in (lambda: store.add(template("new")), lambda: store.add(template("ada", 99), replace=True)):
            with pytest.raises(KeyboardInterrupt):
                act()
        monkeypatch.setattr(store_module.ledger, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.remove("ada")
        monkeypatch.undo()
        assert same(store.get("ada", FORMS), template("ada"))
        assert store.users() == ["ada", "grace", "radia"]


def test_read_only_file(filled, monkeypatch):
    """Where the file may not be written, reading works and writing is a StoreError that says so."""
    connect = sqlite3.connect
    # Whoever is root may write everything, so SQLite itself is told that it may not.
    monkeypatch.setattr(sqlite3, "connect", lambda name, **options: connect(name.replace("mode=rw", "mode=ro"), **options))
    with TemplateStore.open(filled) as store:
        assert len(store.users()) == 3
        with pytest.raises(StoreError, match="cannot be written"):
            store.remove("ada")


def test_closed_store(filled):
    """Using a closed store is a StoreError, closing twice is not."""
    store = TemplateStore.open(filled)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.users()


def test_copy_is_a_backup(filled, tmp_path):
    """The file and its key, copied elsewhere, open there."""
    backup = tmp_path / "backup"
    backup.mkdir()
    for p in (filled, filled.with_name("templates.db.key")):
        shutil.copy2(p, backup)
    with TemplateStore.open(backup / "templates.db") as store:
        assert same(store.get("radia", FORMS), template("radia", 20))


def test_what_cannot_be_stored():
    """A template without embeddings, of two graphs, or of a time before the epoch is a ValueError."""
    one, other = embedding(1), embedding(2, graph=OTHER_GRAPH)
    for embeddings, created in (((), 1), ((one, other), 1), ((one,), -1), ((one,) * 65, 1)):
        with pytest.raises(ValueError):
            Template("ada", embeddings, created)


def test_reprs_show_nothing_biometric(filled):
    """No repr of the store or of what comes out of it shows a number of an embedding."""
    with TemplateStore.open(filled) as store:
        text = json.dumps([repr(store), repr(store.get("ada", FORMS)), repr(store.entries()), repr(store.all(FORMS))])
    assert not any(str(float(x)) in text for e in template("ada").embeddings for x in e.vector)
    assert "array" not in text
