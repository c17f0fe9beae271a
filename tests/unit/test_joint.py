"""Joint score: RGB and NIR of one moment judged by one table of the sensor, what it stands on and when it is not used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vultus import calibration as cal
from vultus.comparison import judged, match_of
from vultus.device_fitting import JOINT, fit_device, joint_samples
from vultus.errors import CalibrationError
from vultus.fitting import seal_document
from vultus.manifest import load_manifest
from vultus.space_fitting import Samples
from vultus.types import DeviceIdentity, Modality, PairScore, Source

RGB, NIR = Modality.RGB, Modality.NIR
IDENTITY = DeviceIdentity("v4l2", "cam", "7", Source.LIVE)


def made_up(seed: int, count: int, each: int = 4) -> dict[Modality, Samples]:
    """Return people whose two modalities share half of what tells them apart, as RGB and NIR of one face do."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(count, 64))
    numbers = np.repeat(np.arange(count), each)
    out = {}
    for modality, noise in ((RGB, 0.9), (NIR, 1.1)):
        centres = (shared + rng.normal(size=shared.shape)) / np.sqrt(2)
        rows = centres[numbers] + noise * rng.normal(size=(len(numbers), 64))
        rows[:, 0] += 1.5 if modality is NIR else 0.0
        out[modality] = ((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), numbers, np.arange(len(numbers)))
    return out


@pytest.fixture(scope="module")
def base() -> cal.Calibration:
    """Read the shipped calibration."""
    return cal.load(load_manifest().root / "calibration")


@pytest.fixture(scope="module")
def fitted(base: cal.Calibration) -> dict[str, Any]:
    """Return a device calibration of 40 made-up people."""
    return fit_device(base, made_up(1, 40), IDENTITY, name="d", origin={})


def read(base: cal.Calibration, document: Mapping[str, Any], folder: Path) -> cal.Calibration:
    """Write a device calibration and read it back."""
    path = folder / "device.json"
    path.write_text(json.dumps(document), "utf-8")
    return cal.carry(base, path)


def scores_of(samples: Mapping[Modality, Samples]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the RGB and NIR cosines of all pairs of frame sets, and whether one person is in both."""
    i, j = np.triu_indices(len(samples[RGB][1]), 1)
    cosines = [np.einsum("nd,nd->n", samples[m][0][i], samples[m][0][j]) for m in (RGB, NIR)]
    return cosines[0], cosines[1], samples[RGB][1][i] == samples[RGB][1][j]


def test_a_joint_score_is_the_weighted_mean_of_its_pairs(base: cal.Calibration, fitted: dict[str, Any], tmp_path: Path) -> None:
    """The cosine that the table was fitted on, and the score that a sign-in computes, are one number: two parts colour, one part NIR."""
    samples = made_up(2, 5)
    laid_out = joint_samples(samples)
    assert laid_out is not None
    rgb, nir, _ = scores_of(samples)
    i, j = np.triu_indices(len(laid_out[1]), 1)
    assert np.einsum("nd,nd->n", laid_out[0][i], laid_out[0][j]) == pytest.approx((2 * rgb + nir) / 3, abs=1e-6)
    joint = read(base, fitted, tmp_path).joint
    assert joint is not None
    pairs = [PairScore(NIR, NIR, float(nir[0]), 1), PairScore(RGB, RGB, float(rgb[0]), 2)]
    assert joint.score(pairs) == pytest.approx(float(2 * rgb[0] + nir[0]) / 3)


def test_the_joint_rate_holds_on_other_people_and_accepts_more_than_the_merge(
    base: cal.Calibration, fitted: dict[str, Any], tmp_path: Path
) -> None:
    """On 150 people whom the fit never saw the false matches stay within half to twice 1e-2, and more genuine comparisons are accepted."""
    device = read(base, fitted, tmp_path)
    assert device.joint is not None
    rgb, nir, same = scores_of(made_up(3, 100, 3))
    taken = np.random.default_rng(0).permutation(np.flatnonzero(~same))[:6_000]
    rows = np.concatenate([np.flatnonzero(same), taken])
    accepted: dict[bool, list[bool]] = {False: [], True: []}
    for k in rows.tolist():
        usable = [(PairScore(m, m, float(s[k]), 1), device.tables[m, m]) for m, s in ((RGB, rgb), (NIR, nir))]
        for with_joint, found in accepted.items():
            match, _ = match_of(usable, 1e-2, 1e-2, device.joint if with_joint else None)
            found.append(match.fmr <= 1e-2)
    joint, merged = np.array(accepted[True]), np.array(accepted[False])
    assert 0.5e-2 < joint[~same[rows]].mean() < 2e-2
    assert merged[~same[rows]].mean() < 1e-2
    assert joint[same[rows]].mean() > merged[same[rows]].mean()


@pytest.mark.parametrize("pairs", [[(RGB, RGB)], [(NIR, NIR)], [(NIR, RGB)], [(RGB, RGB), (NIR, RGB)], []])
def test_other_pairs_are_judged_by_their_own_tables(
    base: cal.Calibration, fitted: dict[str, Any], tmp_path: Path, pairs: list[tuple[Modality, Modality]]
) -> None:
    """With one modality missing in the probe or the template there is no joint score: nothing is put in its place."""
    device = read(base, fitted, tmp_path)
    scores = [PairScore(*pair, 0.5, 1) for pair in pairs]
    assert device.joint is not None
    assert device.joint.score(scores) is None
    usable = device.calibrated(scores, Source.LIVE)
    assert judged(usable, device.joint) == [(table, score.score) for score, table in usable]


def test_a_match_states_the_joint_score_and_its_threshold(base: cal.Calibration, fitted: dict[str, Any], tmp_path: Path) -> None:
    """Score, threshold, false-match rate and likelihood ratio of a match all belong to the joint score; the pairs stay listed."""
    device = read(base, fitted, tmp_path)
    assert device.joint is not None
    usable = [(PairScore(m, m, s, 1), device.tables[m, m]) for m, s in ((RGB, 0.5), (NIR, 0.2))]
    match, supported = match_of(usable, 1e-3, 1e-3, device.joint)
    table = device.joint.table
    assert match.score == pytest.approx(0.4)
    assert match.threshold == table.threshold_for(1e-3).value
    assert (match.fmr, match.log_lr) == (table.rate(match.score)[0], table.log_lr(match.score))
    assert [p.probe for p in match.pairs] == [RGB, NIR]
    assert not supported, "a carried-over table has to be allowed by the policy"


def test_people_of_one_modality_give_no_joint_score(base: cal.Calibration) -> None:
    """Without NIR, and with fewer than 20 people who have both in one frame set, the calibration has no joint score."""
    samples = made_up(4, 30)
    assert "joint" not in fit_device(base, {RGB: samples[RGB]}, IDENTITY, name="d", origin={})
    numbers = samples[NIR][1]
    few = {RGB: samples[RGB], NIR: (samples[NIR][0], numbers, np.where(numbers < 10, samples[NIR][2], samples[NIR][2] + 1000))}
    assert "joint" not in fit_device(base, few, IDENTITY, name="d", origin={})


@pytest.mark.parametrize("weights", [(0.5, 0.6), (1.2, -0.2), (1.0, 0.0)])
def test_weights_that_are_no_weights_are_refused(
    base: cal.Calibration, fitted: dict[str, Any], tmp_path: Path, weights: tuple[float, float]
) -> None:
    """Weights that are not positive or do not add up to 1 make the file unusable, even with a right hash."""
    body = json.loads(json.dumps({k: v for k, v in fitted.items() if k != "sha256"}))
    for part, weight in zip(body["joint"]["parts"], weights, strict=True):
        part["weight"] = weight
    with pytest.raises(CalibrationError, match="weights"):
        read(base, seal_document(body), tmp_path)


def test_the_weights_are_those_that_were_measured() -> None:
    """Two parts colour, one part NIR."""
    assert JOINT == {RGB: 2 / 3, NIR: 1 / 3}
