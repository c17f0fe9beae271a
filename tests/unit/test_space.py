"""The space of one sensor: where its embeddings are compared, fitted on its own people and carried by its calibration."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vultus import calibration as cal
from vultus.device_fitting import fit_device
from vultus.errors import CalibrationError
from vultus.evaluate.device_calibration import calibrated_on
from vultus.fitting import seal_document
from vultus.manifest import load_manifest
from vultus.space_fitting import cross_placed, fit_space, placed
from vultus.stages.match import stack
from vultus.stages.space import Space
from vultus.types import DeviceIdentity, Embedding, Modality, Source

RGB, NIR = Modality.RGB, Modality.NIR
IDENTITY = DeviceIdentity("images", "made-up", "", Source.IMAGES)
PEOPLE, EACH, LENGTH = 60, 5, 128


def unit(rows: np.ndarray) -> np.ndarray:
    """Return rows of length 1."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def samples() -> dict:
    """Return people who differ in all directions, vary in few, and whose NIR is moved as a whole."""
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(PEOPLE), EACH)
    people = rng.normal(0, 1, (PEOPLE, LENGTH))[who]
    shaken = rng.normal(0, 2.5, (len(who), 12)) @ rng.normal(0, 1, (12, LENGTH)) / np.sqrt(12)
    moved = 1.5 * rng.normal(0, 1, LENGTH)
    sets = np.arange(len(who))
    noise = rng.normal(0, 0.3, (2, len(who), LENGTH))
    return {RGB: (unit(people + shaken + noise[0]), who, sets), NIR: (unit(people + shaken + moved + noise[1]), who, sets)}


def apart(a: tuple, b: tuple) -> float:
    """Return how many deviations of the impostors' scores the genuine ones lie above them."""
    scores = a[0] @ b[0].T
    same = a[1][:, None] == b[1][None]
    genuine, impostor = scores[same & (a[2][:, None] != b[2][None])], scores[~same]
    return float((genuine.mean() - impostor.mean()) / impostor.std())


@pytest.fixture(scope="module")
def base() -> cal.Calibration:
    """Return the shipped calibration."""
    return cal.load(load_manifest().root / "calibration")


@pytest.mark.parametrize("pair", [(RGB, RGB), (NIR, NIR), (RGB, NIR)])
def test_people_it_never_saw_lie_further_apart(samples: dict, pair: tuple[Modality, Modality]) -> None:
    """What the space learnt from half of the people separates the other half better than the recogniser's own cosine."""
    fit = {m: tuple(a[s[1] < PEOPLE // 2] for a in s) for m, s in samples.items()}
    held = {m: tuple(a[s[1] >= PEOPLE // 2] for a in s) for m, s in samples.items()}
    there = placed(fit_space(fit), held)
    assert apart(there[pair[0]], there[pair[1]]) > 1.2 * apart(held[pair[0]], held[pair[1]])


def test_nobody_is_placed_by_a_space_that_saw_them(samples: dict) -> None:
    """Changing one embedding of a person moves it and the people of other parts, but nobody of that person's own part."""
    before = cross_placed(samples)
    row = int(np.flatnonzero(samples[RGB][1] == 7)[0])
    changed = samples[RGB][0].copy()
    changed[row] = -changed[row]
    after = cross_placed({**samples, RGB: (changed, *samples[RGB][1:])})
    assert sorted(np.concatenate([p[RGB][2] for p in before]).tolist()) == list(range(PEOPLE * EACH))
    for first, second in zip(before, after, strict=True):
        others = first[RGB][2] != row
        same = np.array_equal(first[RGB][0][others], second[RGB][0][others])
        assert same == (not others.all())


def test_a_calibration_compares_in_its_space_after_being_read_back(samples: dict, base: cal.Calibration) -> None:
    """Scores are cosines of placed rows, with the numbers of the file; without a space they are the recogniser's."""
    device = calibrated_on(base, samples, IDENTITY, np.arange(PEOPLE), whiten=True)
    assert device.space is not None
    probe, reference = (Embedding(RGB, samples[RGB][0][i], base.graph) for i in (0, 1))
    score = device.scores([probe], stack([reference]))[0].score
    rows = fit_space(samples).rows(RGB, samples[RGB][0][:2])
    assert score == pytest.approx(float(rows[0] @ rows[1]), abs=2e-4)
    assert base.scores([probe], stack([reference]))[0].score == pytest.approx(float(probe.vector @ reference.vector), abs=1e-5)
    assert score != pytest.approx(float(probe.vector @ reference.vector), abs=1e-2)


def test_thresholds_hold_on_people_held_out(samples: dict, base: cal.Calibration) -> None:
    """False matches of people that neither the space nor the tables saw stay near the target."""
    device = calibrated_on(base, samples, IDENTITY, np.arange(PEOPLE // 2), whiten=True)
    assert device.space is not None
    held = placed(device.space, {m: tuple(a[s[1] >= PEOPLE // 2] for a in s) for m, s in samples.items()})
    for (a, b), table in device.tables.items():
        impostor = (held[a][0] @ held[b][0].T)[held[a][1][:, None] != held[b][1][None]]
        assert (impostor >= table.threshold_for(1e-2).value).mean() < 2e-2


def test_a_modality_without_a_mean_is_no_evidence(samples: dict) -> None:
    """A space of colour alone leaves NIR probes and references out in place of comparing them elsewhere."""
    space = fit_space({RGB: samples[RGB]})
    nir = Embedding(NIR, samples[NIR][0][0], "g")
    assert space.probes([nir]) == []
    assert space.references(stack([nir])) == {}


def test_an_embedding_on_the_mean_matches_nobody(samples: dict) -> None:
    """A vector without a direction in the space scores zero with everybody, not a number out of rounding."""
    space = fit_space(samples)
    on = space.rows(RGB, space.means[RGB][None])
    assert not on.any()


@pytest.mark.parametrize("broken", ["nan", "short", "empty", "not square"])
def test_a_garbled_space_is_refused(samples: dict, base: cal.Calibration, tmp_path: Path, broken: str) -> None:
    """A calibration whose space has wrong shapes or numbers is not used at all."""
    document = fit_device(base, samples, IDENTITY, name="d", origin={}, whiten=True)
    space = document["space"]
    if broken == "nan":
        space["turn"][0][0] = "x"
    elif broken == "short":
        space["means"]["rgb"] = space["means"]["rgb"][:-1]
    elif broken == "empty":
        space["means"] = {}
    else:
        space["turn"] = space["turn"][:-1]
    path = tmp_path / "d.json"
    path.write_text(json.dumps(seal_document({k: v for k, v in document.items() if k not in ("format", "sha256")})), "utf-8")
    with pytest.raises(CalibrationError, match="vultus calibrate"):
        cal.carry(base, path)


def test_a_space_of_another_length_is_an_error(samples: dict) -> None:
    """Embeddings of another graph are refused, not cut."""
    space = fit_space(samples)
    with pytest.raises(ValueError, match="different lengths"):
        space.rows(RGB, np.ones((1, 64), np.float32))
    with pytest.raises(ValueError, match="square"):
        Space({RGB: np.zeros(3, np.float32)}, np.zeros((3, 2), np.float32))
    assert replace(space, turn=space.turn).means is space.means
