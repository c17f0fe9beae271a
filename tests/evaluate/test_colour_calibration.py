"""Calibrating a camera that has colour alone: from the pictures of an index to the entry of a device calibration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vultus.calibration import Calibration, load
from vultus.colour_fitting import LEAST_PEOPLE
from vultus.errors import CalibrationError
from vultus.evaluate.colour_calibration import calibrate_colour, colour_alone
from vultus.evaluate.samples import DataSet, Sample
from vultus.evaluate.setting import Setting
from vultus.frames import Stream
from vultus.pictures import encode_png
from vultus.stages.colour import GRID, NETWORK, ColourVote, cues_of
from vultus.types import Liveness, Verdict


class Pipeline:
    """Stands in for the pipeline: the grid's number is what the picture's first pixel holds, in tenths of a nat."""

    def process(self, frame_set: Any) -> Any:
        grid = float(frame_set.rgb.data[0, 0, 0]) / 10
        liveness = Liveness(Verdict.ABSTAIN, cues_of({GRID: grid, NETWORK: 4.0 - grid}))
        return SimpleNamespace(
            embeddings={}, faces=1, found={}, quality=None, hints=(), liveness=liveness, modalities={"rgb": "used"}, source=None
        )


class Maker:
    """Makes the stand-in."""

    gate = True

    def __call__(self) -> Pipeline:
        return Pipeline()

    def graphs(self) -> Mapping[str, str]:
        """Return a name for its only graph."""
        return {"recogniser": "none"}


@pytest.fixture(scope="module")
def base(repository: Path) -> Calibration:
    return load(repository / "models" / "calibration")


def data(folder: Path, people: int, attacks: int) -> DataSet:
    """Return five live pictures a person, and attacks, as files of their own."""
    rng = np.random.default_rng(1)
    rows = []
    for i in range(people * 5 + attacks):
        label = "bona_fide" if i < people * 5 else "print"
        level = int(rng.integers(13, 18)) if label == "bona_fide" else int(rng.integers(35, 45))
        path = folder / f"{i}.png"
        path.write_bytes(encode_png(np.full((16, 16, 3), level, np.uint8)))
        rows.append(Sample(i + 2, f"p{i % people}", str(i), {Stream.RGB: path}, label))
    return DataSet("made", folder, tuple(rows))


def setting(base: Calibration | None) -> Setting:
    return Setting(Maker(), base, None, ["test"], datetime(2026, 1, 1, tzinfo=UTC))


def test_a_camera_with_colour_alone_gets_its_limits(tmp_path: Path, base: Calibration) -> None:
    """Twenty people and forty attacks give an entry that is read back, refuses the attacks and passes the live."""
    index = data(tmp_path, LEAST_PEOPLE, 40)
    assert colour_alone(index)
    entry = calibrate_colour(index, setting(base))
    vote = ColourVote.from_dict(entry)
    assert (entry["people"], entry["live_samples"], entry["attacks"]) == (LEAST_PEOPLE, 100, {"print": 40})
    assert (vote.log_lr({GRID: 4.0, NETWORK: 0.0}) or 0.0) < vote.fail_llr
    assert (vote.log_lr({GRID: 1.5, NETWORK: 2.5}) or 0.0) >= vote.pass_llr


def test_too_few_people_and_no_base_are_refused(tmp_path: Path, base: Calibration) -> None:
    """Nineteen people, or an installation without a vote to start from, write nothing."""
    index = data(tmp_path, LEAST_PEOPLE - 1, 0)
    with pytest.raises(CalibrationError, match="19 people"):
        calibrate_colour(index, setting(base))
    with pytest.raises(CalibrationError, match="reinstall"):
        calibrate_colour(index, setting(None))


def test_an_index_with_depth_is_for_the_other_vote(tmp_path: Path) -> None:
    """One live row with NIR or depth leaves the index to the vote of those cameras."""
    index = data(tmp_path, 2, 0)
    first = index.samples[0]
    more = Sample(first.line, first.person, first.name, {**first.files, Stream.NIR: first.files[Stream.RGB]})
    assert not colour_alone(DataSet("made", tmp_path, (more, *index.samples[1:])))
