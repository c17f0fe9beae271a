"""Features: taken from the cache, resumed after an interruption, made in worker processes."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import replace

import numpy as np
import pytest
from stand_in import ColourMaker

from vultus.evaluate import extraction
from vultus.evaluate.cache import FeatureCache
from vultus.evaluate.extraction import ShippedPipeline, Task, extract, hash_files
from vultus.evaluate.features import Features
from vultus.evaluate.samples import index_samples
from vultus.frames import Stream
from vultus.types import Modality


@pytest.fixture
def data(index):
    """The samples of the small data set."""
    return index_samples(index)


@pytest.fixture
def tasks(data):
    """One task a sample."""
    return [Task(s, i) for i, s in enumerate(data.samples)]


def calls(maker: ColourMaker) -> list[str]:
    """Return the sequences that the pipeline saw, over all processes."""
    return maker.log.read_text().split() if maker.log is not None and maker.log.exists() else []


def test_a_second_run_computes_nothing_and_gives_the_same(data, tasks, tmp_path) -> None:
    """Every feature comes from the cache, equal to the last bit."""
    maker, hashes = ColourMaker(tmp_path / "calls"), hash_files(data)
    with FeatureCache(tmp_path / "cache.db") as cache:
        first = extract(tasks, maker, cache, hashes)
        seen = len(calls(maker))
        second = extract(tasks, maker, cache, hashes)
    assert seen == len(tasks) == len(calls(maker))
    for a, b in zip(first, second, strict=True):
        assert a.to_row() == b.to_row()


def test_workers_that_the_system_ends_do_not_end_the_run(data, tasks, tmp_path) -> None:
    """What the workers did not finish is done in the calling process, and everything is there, in order."""
    hashes = hash_files(data)
    alone = extract(tasks, ColourMaker(), None, hashes)
    survived = extract(tasks, ColourMaker(tmp_path / "calls", fail_after=5, mortal=True), None, hashes, workers=2)
    assert [a.to_row() for a in survived] == [a.to_row() for a in alone]


def test_an_interrupted_run_resumes_where_it_stopped(data, tasks, tmp_path) -> None:
    """What was finished before Ctrl-C is not computed again."""
    hashes = hash_files(data)
    with FeatureCache(tmp_path / "cache.db") as cache:
        with pytest.raises(KeyboardInterrupt):
            extract(tasks, ColourMaker(fail_after=37), cache, hashes)
        maker = ColourMaker(tmp_path / "calls")
        assert len(extract(tasks, maker, cache, hashes)) == len(tasks)
    assert len(calls(maker)) == len(tasks) - 37


@pytest.mark.parametrize("change", ["graph", "file", "code", "gate"])
def test_what_decides_a_feature_is_in_its_key(data, tasks, tmp_path, monkeypatch, change) -> None:
    """Another graph, changed bytes, changed code or the gate switched off make features anew."""
    maker = ColourMaker(tmp_path / "calls")
    with FeatureCache(tmp_path / "cache.db") as cache:
        extract(tasks, maker, cache, hash_files(data))
        before = len(calls(maker))
        if change == "graph":
            maker = replace(maker, graph="cd" * 32)
        elif change == "gate":
            maker = replace(maker, gate=False)
        elif change == "code":
            monkeypatch.setattr("vultus.evaluate.features.code_digest", lambda: "other")
        else:
            path = data.samples[0].files[Stream.RGB]
            path.write_bytes(data.samples[1].files[Stream.RGB].read_bytes())
        extract(tasks, maker, cache, hash_files(data))
    # The changed file now equals another sample's, whose features are there already.
    assert len(calls(maker)) - before == (0 if change == "file" else len(tasks))


@pytest.mark.slow
def test_worker_processes_give_the_same_features_in_the_same_order(data, tasks, tmp_path) -> None:
    """Two processes give what one gives."""
    hashes = hash_files(data)
    alone = extract(tasks, ColourMaker(), None, hashes)
    together = extract(tasks, ColourMaker(tmp_path / "calls"), None, hashes, workers=2)
    assert [f.to_row() for f in alone] == [f.to_row() for f in together]


def test_the_cache_is_the_users_alone(tmp_path) -> None:
    """The file, which holds embeddings, is readable by its owner only."""
    with FeatureCache(tmp_path / "deep" / "cache.db") as cache:
        cache.store({"k": Features.unreadable("x")})
        for path in cache.path.parent.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


@pytest.mark.parametrize("damage", [b"this is no database at all, not even close to it" * 50, b""])
def test_a_damaged_cache_is_replaced(tmp_path, damage) -> None:
    """A file that is no database is made anew: everything in it can be computed again."""
    path = tmp_path / "cache.db"
    path.write_bytes(damage)
    with FeatureCache(path) as cache:
        assert cache.load(["k"]) == {}
        cache.store({"k": Features.unreadable("x")})
        assert cache.load(["k"])["k"].problem == "x"


def test_a_row_that_cannot_be_read_is_not_there(tmp_path) -> None:
    """A damaged row counts as missing, so that its sample is computed again."""
    with FeatureCache(tmp_path / "cache.db") as cache:
        cache.store({"good": Features.unreadable("x")})
    sql = sqlite3.connect(tmp_path / "cache.db")
    with sql:
        sql.execute("INSERT INTO features VALUES ('bad', '{\"faces\": 1}', NULL, NULL)")
        sql.execute("INSERT INTO features VALUES ('worse', 'not json', NULL, NULL)")
    sql.close()
    with FeatureCache(tmp_path / "cache.db") as cache:
        assert list(cache.load(["good", "bad", "worse"])) == ["good"]


def test_more_keys_than_one_question_takes_are_found(tmp_path) -> None:
    """Loading is split, and no key is lost at the seams."""
    rows = {f"k{i}": Features({Modality.NIR: np.full(4, 0.5, np.float32)}) for i in range(1203)}
    with FeatureCache(tmp_path / "cache.db") as cache:
        cache.store(rows)
        assert cache.load(rows).keys() == rows.keys()


def test_nothing_biometric_shows_in_a_repr(data) -> None:
    """The repr of features names neither the embedding nor where the face was."""
    found = extraction.features_of(Task(data.samples[0], 0), ColourMaker()())
    assert "vectors" not in repr(found)
    assert "landmarks" not in repr(found)


def test_samples_lie_too_far_apart_in_time_to_be_tracked(data) -> None:
    """Neighbouring samples are more than the pipeline's tracking second apart, so that none is searched where the last face was."""
    times = [extraction.read_frames(Task(data.samples[0], k))[Stream.RGB].time_ns for k in (0, 1)]
    assert times[1] - times[0] > 5_000_000_000


def test_the_shipped_pipeline_names_every_graph() -> None:
    """The cache keys on all graphs that ship, not on the recogniser alone."""
    assert {"detector", "recogniser"} <= ShippedPipeline().graphs().keys()
