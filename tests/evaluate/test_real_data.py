"""The shipped pipeline on real pictures, where the folder of real data is present."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vultus.evaluate.calibrated import load_calibration
from vultus.evaluate.extraction import ShippedPipeline
from vultus.evaluate.lfw import run_lfw
from vultus.evaluate.match import MatchOptions, run_match
from vultus.evaluate.presentation import run_pad
from vultus.evaluate.samples import index_samples, lfw_samples
from vultus.evaluate.setting import Setting

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


def shipped(*, gate: bool = True) -> Setting:
    """The installed graphs and calibration in this process."""
    return Setting(ShippedPipeline(gate=gate), load_calibration(None, None), None, ["test"], datetime.now(UTC), replicates=100)


@pytest.fixture
def small_lfw(data_root, tmp_path):
    """The first twenty pairs of both kinds of the first two folds of LFW, in its own layout."""
    lines = (data_root / "lfw" / "pairs.txt").read_text(encoding="utf-8").splitlines()
    kept = [lines[1 + 600 * fold + 300 * kind + i] for fold in (0, 1) for kind in (0, 1) for i in range(20)]
    (tmp_path / "pairs.txt").write_text("\n".join(["2\t20", *kept]) + "\n", encoding="utf-8")
    for sample in lfw_samples(tmp_path).samples:
        if not (tmp_path / sample.person).exists():
            (tmp_path / sample.person).symlink_to(data_root / "lfw" / sample.person)
    return tmp_path


def test_a_part_of_lfw_is_told_apart(small_lfw, validate) -> None:
    """Of 80 pairs at least 77 are right, and every picture gives a face."""
    d = run_lfw(lfw_samples(small_lfw), shipped(gate=False)).document
    validate(d)
    assert d["counts"]["failed_to_acquire"] == 0
    assert d["accuracy_10fold"]["mean"] >= 77 / 80


def test_infrared_and_colour_of_real_people_match(data_root, validate) -> None:
    """rap3df-2017, RGB references against NIR probes: 62 people, pairs of one moment left out, most genuine pairs match at FAR 1e-2."""
    d = run_match(index_samples(data_root / "rap3df-2017" / "index.csv"), MatchOptions("rgb", "nir", group="pose"), shipped()).document
    validate(d)
    assert d["counts"]["people"] == 62
    assert d["counts"]["genuine"] == 902
    assert d["tar_at_far"]["1e-6"] is None
    assert d["tar_at_far"]["1e-2"]["value"] > 0.6
    assert d["acquisition"]


def test_colour_alone_is_judged_by_its_own_vote(data_root, validate) -> None:
    """Of print-screen no laser print passes and no live picture is refused; seven prints show the detector no face, every screen gets a verdict."""
    d = run_pad(index_samples(data_root / "print-screen" / "index.csv"), shipped()).document
    validate(d)
    assert {name: e["value"] for name, e in d["apnrr"].items()} == {"print": 0.875, "screen_replay": 0.0}
    assert d["apcer"]["print"]["value"] == d["bpcer"]["value"] == 0.0
    assert d["apcer"]["screen_replay"]["value"] > 0.3, "what passes is said: colour alone does not stop a fine screen"
