"""Calibration: tables, thresholds, merging, and files that were tampered with."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus import calibration as cal
from vultus.device_fitting import fit_device
from vultus.errors import CalibrationError
from vultus.fitting import compare_all, fit_log_lr, pair_entry, seal_document
from vultus.manifest import load_manifest
from vultus.types import DeviceIdentity, Modality, PairScore, Source

RGB, NIR = Modality.RGB, Modality.NIR
GRAPH = "ab" * 32
LIMITS = json.loads((load_manifest().root / "calibration" / "liveness.json").read_text("utf-8"))["limits"]
COLOUR = (load_manifest().root / "calibration" / "colour.json").read_bytes()


def people(rng: np.random.Generator, count: int, each: int, spread: float = 0.8, bias: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors of `count` simulated people and their numbers; `bias` moves everyone in one common direction."""
    centres = rng.normal(size=(count, 32))
    samples = np.repeat(centres, each, axis=0) + spread * rng.normal(size=(count * each, 32))
    samples[:, 0] += bias
    unit = samples / np.linalg.norm(samples, axis=1, keepdims=True)
    return unit.astype(np.float32), np.repeat(np.arange(count), each).astype(np.int64)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Return a sealed calibration of simulated people."""
    vectors, ids = people(np.random.default_rng(0), 120, 4)
    c = compare_all(vectors, ids)
    entries = [
        pair_entry((RGB, RGB), c, 120, simulated=False),
        pair_entry((NIR, NIR), c, 120, simulated=True),
    ]
    return seal_document({"id": "t", "graph": GRAPH, "pairs": entries})


@pytest.fixture
def folder(tmp_path: Path, document: dict[str, Any]) -> Path:
    """Return a folder with both calibration files."""
    (tmp_path / "match.json").write_text(json.dumps(document), "utf-8")
    (tmp_path / "liveness.json").write_text(json.dumps(seal_document({"id": "l", "limits": LIMITS})), "utf-8")
    (tmp_path / "colour.json").write_bytes(COLOUR)
    return tmp_path


def test_the_table_states_the_rate_that_was_counted(folder: Path) -> None:
    """At every threshold asked for, the share of impostor comparisons above it is the stated rate."""
    vectors, ids = people(np.random.default_rng(0), 120, 4)
    scores = vectors @ vectors.T
    impostor = scores[(ids[:, None] != ids[None]) & (np.arange(len(ids))[:, None] < np.arange(len(ids))[None])]
    table = cal.load(folder).tables[RGB, RGB]
    for fmr in (0.02, 1e-2, 1e-3):
        threshold = table.threshold_for(fmr)
        assert (impostor >= threshold.value).mean() == pytest.approx(fmr, rel=0.25)
        assert threshold.low <= threshold.value <= threshold.high
        assert threshold.supported


def test_a_target_below_three_over_n_is_not_supported(folder: Path) -> None:
    """The rule of three decides what the comparisons can speak of."""
    table = cal.load(folder).tables[RGB, RGB]
    assert not table.threshold_for(table.floor / 2).supported
    assert table.floor <= table.rate(1.0)[0] <= 2 * table.floor


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_rates_fall_and_bounds_hold(a: float, b: float) -> None:
    """A higher score never has a higher rate, and the upper bound is never below the rate."""
    vectors, ids = people(np.random.default_rng(1), 30, 3)
    table = _TABLES.setdefault("t", cal._table(pair_entry((RGB, RGB), compare_all(vectors, ids), 30, simulated=False)))
    low, high = sorted((a, b))
    assert table.rate(high)[0] <= table.rate(low)[0]
    assert table.rate(high)[1] <= table.rate(low)[1]
    for score in (low, high):
        rate, upper = table.rate(score)
        assert 0 < rate <= upper <= 1


_TABLES: dict[str, cal.PairTable] = {}


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_a_broken_score_is_no_evidence(folder: Path, score: float) -> None:
    """A score that is not a number has the rate of a coin that always falls on the impostor's side."""
    assert cal.load(folder).tables[RGB, RGB].rate(score) == (1.0, 1.0)


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=4), st.integers(0, 3), st.floats(0, 1))
def test_merging_is_monotone_and_never_below_the_best(rates: list[float], index: int, factor: float) -> None:
    """Improving one comparison never worsens the merged rate, and merging never claims more than the best comparison alone."""
    merged = cal.merge(rates)
    assert min(rates) <= merged * (1 + 1e-12)
    better = [r * max(factor, 1e-9) if i == index % len(rates) else r for i, r in enumerate(rates)]
    assert cal.merge(better) <= merged * (1 + 1e-9)


def test_merging_holds_for_fully_dependent_comparisons() -> None:
    """With two identical p-values the merged one is still a valid p-value."""
    p = np.random.default_rng(0).random(20000)
    merged = np.array([cal.merge([x, x]) for x in p])
    for level in (0.01, 0.05):
        assert (merged <= level).mean() <= level


@given(st.floats(1e-9, 1), st.floats(1e-9, 1))
def test_a_stranger_in_one_picture_is_not_outvoted(one: float, other: float) -> None:
    """However sure one picture is, the merged rate stays within a tenth of what the other says alone."""
    assert cal.merge([one, other]) >= max(one, other) / 10
    assert cal.merge([1e-9, 5e-3]) == pytest.approx(5e-4)
    assert cal.merge([1e-4, 1e-4]) == pytest.approx(np.e * 1e-4)


def test_no_comparison_is_no_match() -> None:
    """Nothing to merge gives the rate 1."""
    assert cal.merge([]) == 1.0


def test_a_simulated_table_serves_simulated_sensors_alone(folder: Path) -> None:
    """A table made from rendered NIR says nothing about a real camera."""
    calibration = cal.load(folder)
    score = PairScore(NIR, NIR, 0.5, 1)
    assert calibration.calibrated([score], Source.SIMULATED)
    assert not calibration.calibrated([score], Source.LIVE)


def test_a_device_calibration_holds_on_other_people(folder: Path, tmp_path: Path) -> None:
    """On a sensor that adds a common bias, a calibration of 40 people brings the measured rate of 60 others near the target."""
    base = cal.load(folder)
    rng = np.random.default_rng(5)
    fit, fit_ids = people(rng, 40, 4, bias=2.0)
    test, test_ids = people(rng, 60, 4, bias=2.0)
    identity = DeviceIdentity("v4l2", "cam", "7", Source.LIVE)
    body = fit_device(base, {NIR: (fit, fit_ids, np.arange(len(fit_ids)))}, identity, name="d", origin={})
    path = tmp_path / "device.json"
    path.write_text(json.dumps(body), "utf-8")
    device = cal.carry(base, path)
    scores = (test @ test.T)[test_ids[:, None] != test_ids[None]]
    threshold = device.tables[NIR, NIR].threshold_for(1e-2)
    raw = base.tables[RGB, RGB].threshold_for(1e-2)
    assert (scores >= threshold.value).mean() == pytest.approx(1e-2, rel=0.6)
    assert (scores >= raw.value).mean() > 2e-2
    assert not threshold.supported
    assert device.holds_for(identity)
    assert not device.holds_for(DeviceIdentity("v4l2", "other", "7", Source.LIVE))
    assert not device.holds_for(DeviceIdentity("v4l2", "cam", "8", Source.LIVE))


def test_too_few_people_are_refused(folder: Path) -> None:
    """A device calibration of three people is refused with the number that it takes."""
    vectors, ids = people(np.random.default_rng(2), 3, 4)
    with pytest.raises(CalibrationError, match="needs 20"):
        fit_device(
            cal.load(folder),
            {RGB: (vectors, ids, np.arange(12))},
            DeviceIdentity("v4l2", "c", "", Source.LIVE),
            name="d",
            origin={},
        )


def test_the_likelihood_ratio_is_calibrated() -> None:
    """On two Gaussians the fitted line is the true log-likelihood ratio."""
    rng = np.random.default_rng(0)
    slope, intercept = fit_log_lr(rng.normal(1, 1, 40000), rng.normal(-1, 1, 40000))
    assert slope == pytest.approx(2.0, rel=0.05)
    assert intercept == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("name", ["match.json", "liveness.json", "colour.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "flipped", "altered"])
def test_a_damaged_file_is_refused(folder: Path, name: str, damage: str) -> None:
    """Missing, empty, truncated, bit-flipped and edited calibrations each raise one CalibrationError with one line."""
    path = folder / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    else:
        text = data.decode()
        digits = [i for i, ch in enumerate(text) if ch == "7"]
        path.write_text(text[: digits[0]] + "1" + text[digits[0] + 1 :], "utf-8")
    with pytest.raises(CalibrationError) as caught:
        cal.load(folder)
    assert "\n" not in str(caught.value)


def test_a_rising_rate_is_refused(folder: Path, document: dict[str, Any]) -> None:
    """A table whose rate rises with the score is not a calibration, even with a right hash."""
    raw = json.loads(json.dumps(document))
    raw["pairs"][0]["fmr"][-1] = 0.9
    (folder / "match.json").write_text(json.dumps(seal_document({k: v for k, v in raw.items() if k != "sha256"})), "utf-8")
    with pytest.raises(CalibrationError, match="fall"):
        cal.load(folder)


def test_thresholds_beyond_the_table_cannot_be_reached(folder: Path) -> None:
    """A target that no score reached has the threshold infinity, which no score passes."""
    assert cal.load(folder).tables[RGB, RGB].threshold_for(1e-9).value == math.inf
