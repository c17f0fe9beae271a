"""The recipe of the evidence: what it prints about made-up people whose dependence and quality are known."""

from __future__ import annotations

import numpy as np
from models.recipes import evidence

from vultus.evaluate.features import Features
from vultus.evaluate.setting import Acquired
from vultus.types import Modality


def made_up(count: int, each: int, *, quality_matters: bool) -> Acquired:
    """Return people of whom samples of low sharpness lie far from their centre, or are like all others."""
    rng = np.random.default_rng(2)
    person = np.repeat(np.arange(count), each).astype(np.int32)
    sharp = rng.integers(0, 2, len(person)) * 80 + 10
    spread = np.where(sharp < 50, 3.0, 0.6) if quality_matters else np.full(len(person), 1.0)
    raw = rng.normal(size=(count, 24))[person] + spread[:, None] * rng.normal(size=(len(person), 24))
    vectors = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    features = [
        Features({Modality.RGB: v}, quality={"sharpness": int(q), "inter_eye_distance": 50}) for v, q in zip(vectors, sharp, strict=True)
    ]
    return Acquired((), tuple(map(str, range(count))), person, features, {Modality.RGB: vectors}, {}, ())


def gains(capsys, got: Acquired) -> dict[str, float]:
    """Return the printed difference in Cllr of each form."""
    evidence.covariate("made up", got, 4)
    rows = [line.strip("|").split("|") for line in capsys.readouterr().out.splitlines()]
    return {row[1].strip(): float(row[3]) for row in rows}


def test_a_covariate_that_tells_something_lowers_the_cost(capsys) -> None:
    """Where blurred samples score low whoever they show, sharpness lowers the Cllr on people held out; a constant eye distance does nothing."""
    found = gains(capsys, made_up(80, 4, quality_matters=True))
    assert found["score, sharpness"] < -0.02
    assert abs(found["score, eyes"]) < 0.005


def test_a_covariate_that_tells_nothing_gains_nothing(capsys) -> None:
    """Where sharpness has nothing to do with the scores, the cost on people held out does not fall."""
    assert gains(capsys, made_up(80, 4, quality_matters=False))["score, sharpness"] > -0.01


def test_probes_of_one_person_are_correlated_and_counted(capsys) -> None:
    """Scores of one person's probes against one reference hang together; every ordered comparison of different samples is counted once."""
    got = made_up(30, 3, quality_matters=False)
    everything = np.ones(90, bool)
    found = dict(evidence.cells(got, Modality.RGB, everything, everything))
    assert found["impostor"][0] > 0.2
    assert found["impostor"][2] == 90 * 87
    assert found["genuine"][2] == 90 * 2
    assert 1 / np.sqrt(5) < found["impostor"][3] < 1
