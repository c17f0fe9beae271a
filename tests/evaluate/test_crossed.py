"""People held out: each half judged by the calibration of the other, in which way, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from stand_in import GRAPH, colour_of

from vultus import pictures
from vultus.calibration import Joint, load
from vultus.comparison import match_of
from vultus.errors import CalibrationError
from vultus.evaluate.crossed import cross, crossed_figures, judge
from vultus.evaluate.features import Features
from vultus.evaluate.held_out import fold_pairs
from vultus.evaluate.match import MatchOptions, run_match, turns
from vultus.evaluate.report.tables import tables
from vultus.evaluate.samples import Sample, index_samples
from vultus.evaluate.scoring import Side
from vultus.evaluate.setting import Acquired
from vultus.geometry import _MODEL
from vultus.manifest import load_manifest
from vultus.types import Modality, PairScore, Stream

RGB, NIR = Modality.RGB, Modality.NIR
PEOPLE, EACH = 44, 3


@pytest.fixture(scope="module")
def base():
    """The shipped calibration."""
    return load(load_manifest().root / "calibration")


@pytest.fixture(scope="module")
def got() -> Acquired:
    """Forty-four made-up people, three samples each, whose two modalities share half of what tells them apart; NIR lies aside by a common bias."""
    rng = np.random.default_rng(5)
    shared = rng.normal(size=(PEOPLE, 64))
    person = np.repeat(np.arange(PEOPLE, dtype=np.int32), EACH)
    vectors = {}
    for modality, noise in ((RGB, 1.2), (NIR, 1.5)):
        rows = ((shared + rng.normal(size=shared.shape)) / np.sqrt(2))[person] + noise * rng.normal(size=(len(person), 64))
        rows[:, 0] += 2.0 if modality is NIR else 0.0
        vectors[modality] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    samples = tuple(Sample(k, f"p{who:02d}", str(k), {}) for k, who in enumerate(person))
    names = tuple(f"p{who:02d}" for who in range(PEOPLE))
    return Acquired(samples, names, person, [Features({})] * len(person), vectors, {}, ())


def everyone(*modalities: Modality) -> Side:
    return Side(np.ones(PEOPLE * EACH, bool), modalities)


def split(got: Acquired, base, setting, fusion="joint", *modalities: Modality, splits=2, whiten=False, folds=0):
    side = everyone(*(modalities or (RGB, NIR)))
    return cross(got, base, side, side, setting, splits=splits, fusion=fusion, whiten=whiten, folds=folds)


def test_only_people_of_one_half_are_compared(got, base, setting) -> None:
    """Every genuine comparison of every split is made, and the impostor comparisons of two halves of 22 people."""
    for one in split(got, base, setting):
        c = one.comparisons
        assert len(c.genuine.scores) == PEOPLE * EACH * (EACH - 1) // 2
        assert c.impostor_total == 2 * (22 * 21 // 2) * EACH**2 == len(one.impostor_rates)
        partners = {a: set(c.person[c.impostor.probe[c.person[c.impostor.reference] == a]]) for a in range(PEOPLE)}
        half = {0} | partners[0] | {a for a in range(PEOPLE) if 0 in partners[a]}
        assert len(half) == 22
        assert not any(partners[a] & half for a in range(PEOPLE) if a not in half)


def test_in_parts_everybody_is_compared_with_everybody_once(got, base, setting) -> None:
    """With four parts every genuine and every impostor comparison is made once, of failed samples too, and the rates hold as they do over halves."""
    rgb = got.vectors[RGB].copy()
    rgb[0] = 0
    few = dataclasses.replace(got, vectors={**got.vectors, RGB: rgb})
    (one,) = split(few, base, setting, "joint", RGB, folds=4, whiten=True)
    c = one.comparisons
    people = np.sort(np.stack([c.impostor.reference, c.impostor.probe]), axis=0)
    assert len(np.unique(people, axis=1).T) == c.impostor_total == PEOPLE * (PEOPLE - 1) // 2 * EACH**2 - EACH * (PEOPLE - 1)
    assert c.genuine_failed.tolist() == [EACH - 1] + [0] * (PEOPLE - 1)
    assert len(c.genuine.scores) == PEOPLE * EACH * (EACH - 1) // 2 - (EACH - 1)
    found = crossed_figures([one], None, whiten=True, replicates=20, folds=4)
    assert (found["splits"], found["folds"]) == (1, 4)
    assert found["targets"]["1e-2"]["fmr"]["mean"] < 2.5e-2
    tar = found["tar_at_far"]["1e-2"]
    assert tar["of_compared"] == pytest.approx(tar["value"] * 132 / 130)


def test_every_two_parts_are_held_out_of_what_judges_them() -> None:
    """Nobody is judged by a fit of which they were part, and every two people meet in one of the pairs."""
    met = np.zeros((20, 20), int)
    for fit, one, other in fold_pairs(20, 5):
        assert not set(fit) & (set(one) | set(other))
        assert len(fit) == 20 - len(set(one) | set(other))
        met[np.ix_(one, other)] += 1
        if set(one) != set(other):
            met[np.ix_(other, one)] += 1
    assert (met == 1).all()
    for folds in (2, 21):
        with pytest.raises(ValueError, match="3 to 20 parts"):
            list(fold_pairs(20, folds))


@pytest.mark.parametrize("whiten", [False, True])
def test_the_stated_rate_is_the_measured_one_and_joint_accepts_more_than_merged(got, base, setting, whiten) -> None:
    """Of people held out the joint score falsely accepts 1e-2 or fewer, the merge fewer still, and the joint score accepts more genuine ones."""
    found = {
        fusion: crossed_figures(split(got, base, setting, fusion, whiten=whiten), fusion, whiten=whiten, replicates=20)
        for fusion in ("joint", "merge")
    }
    stated = {fusion: f["targets"]["1e-2"] for fusion, f in found.items()}
    assert stated["joint"]["fmr"]["mean"] < 2.5e-2
    assert stated["merge"]["fmr"]["mean"] < stated["joint"]["fmr"]["mean"]
    assert stated["joint"]["tar"]["mean"] > stated["merge"]["tar"]["mean"]
    assert stated["joint"]["tar"]["lowest"] <= stated["joint"]["tar"]["mean"] <= stated["joint"]["tar"]["highest"]


def test_rates_are_supported_by_distinct_pairs_alone(got, base, setting) -> None:
    """Four splits of the same people support no rate that the distinct pairs among them do not."""
    one, many = (crossed_figures(split(got, base, setting, "mean", RGB, splits=n), None, whiten=False, replicates=20) for n in (1, 4))
    assert one["impostor_pairs"] == 4158
    assert 7000 < many["impostor_pairs"] <= PEOPLE * (PEOPLE - 1) // 2 * EACH**2 == 8514
    assert one["tar_at_far"]["1e-3"] is not None
    assert many["tar_at_far"]["1e-4"] is None


def test_a_missing_modality_is_no_evidence_and_a_missing_sample_a_miss(got, base, setting) -> None:
    """A probe without NIR is judged by RGB alone, as if NIR had never been; a sample without both loses its comparisons."""
    rgb, nir = (v.copy() for v in (got.vectors[RGB], got.vectors[NIR]))
    nir[::2] = 0
    rgb[0] = 0
    few = dataclasses.replace(got, vectors={RGB: rgb, NIR: nir})
    both = split(few, base, setting, splits=1)[0].comparisons
    alone = split(few, base, setting, "joint", RGB, splits=1)[0].comparisons
    assert both.genuine_failed.tolist() == alone.genuine_failed.tolist() == [EACH - 1] + [0] * (PEOPLE - 1)
    place = {(i, j): s for i, j, s in zip(alone.impostor.reference, alone.impostor.probe, alone.impostor.scores, strict=True)}
    same = [abs(place[i, j] - s) < 1e-5 for i, j, s in zip(both.impostor.reference, both.impostor.probe, both.impostor.scores, strict=True)]
    lone = both.impostor.probe % 2 == 0
    assert np.array(same)[lone].all()
    assert np.array(same)[~lone].mean() < 0.01


@pytest.mark.parametrize("fusion", ["joint", "merge", "mean"])
def test_many_comparisons_are_judged_as_one_sign_in_is(base, fusion) -> None:
    """Rates of an array of scores are those that a sign-in states for each, merged over the pairs."""
    scores = {(RGB, RGB): np.linspace(-0.4, 1, 60).astype(np.float32), (NIR, NIR): np.linspace(0.9, -0.2, 60).astype(np.float32)}
    tables = {
        pair: dataclasses.replace(base.tables[RGB, RGB], shift=0.02, scale=scale) for pair, scale in zip(scores, (1.1, 0.9), strict=True)
    }
    joint = Joint({(RGB, RGB): 2 / 3, (NIR, NIR): 1 / 3}, dataclasses.replace(base.tables[RGB, RGB], scale=1.2))
    score, rate = judge(dataclasses.replace(base, tables=tables, joint=joint), scores, fusion)
    found = []
    for k in range(60):
        usable = [(PairScore(*pair, float(s[k]), 1), tables[pair]) for pair, s in scores.items()]
        found.append(match_of(usable, 1e-3, 1e-3, joint if fusion == "joint" else None)[0])
    assert rate == pytest.approx([m.fmr for m in found], rel=1e-6)
    if fusion != "merge":
        assert score == pytest.approx([m.log_lr for m in found], abs=1e-4)


def test_nothing_that_has_a_table_is_no_evidence(base) -> None:
    """Pairs without a table, or none at all, give no score and the rate 1."""
    score, rate = judge(dataclasses.replace(base, tables={}), {(RGB, RGB): np.array([0.9, 0.1], np.float32)}, "joint")
    assert np.isnan(score).all()
    assert (rate == 1).all()


@pytest.fixture
def crowd(tmp_path):
    """Write an index of 44 people with three colour pictures each."""
    lines = ["person,sample,rgb,nir,nir_ambient,depth,label,group,session"]
    for i in range(44):
        (tmp_path / f"q{i:02d}").mkdir()
        for k in range(3):
            noise = np.random.default_rng(10 * i + k).normal(0, 12, (32, 32, 3))
            picture = np.clip(np.kron(colour_of(f"q{i:02d}"), np.ones((4, 4, 1))) + noise, 1, 199).astype(np.uint8)
            (tmp_path / f"q{i:02d}" / f"rgb{k}.png").write_bytes(pictures.encode_png(picture))
            lines.append(f"q{i:02d},s{k},q{i:02d}/rgb{k}.png,,,,bona_fide,,")
    (tmp_path / "index.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "index.csv"


def test_the_document_of_people_held_out_meets_the_schema(crowd, base, setting, validate) -> None:
    """The command's document names how it was judged, holds the means over the splits, and prints them as a table of their own."""
    made = dataclasses.replace(setting, calibration=dataclasses.replace(base, graph=GRAPH))
    d = run_match(index_samples(crowd), MatchOptions(held_out=2, whiten=True, max_turn=80.0), made).document
    validate(d)
    assert d["held_out"]["splits"] == 2
    assert d["held_out"]["whiten"]
    assert d["held_out"]["fusion"] is None, "one modality a side has nothing to fuse"
    assert d["protocol"]["score"] == "log-likelihood ratio"
    assert d["pose"] == {"max_turn": 80.0, "kept": 132, "turned": 0, "unknown": 0}
    assert d["counts"]["genuine"] == 44 * 3
    table = next(t for t in tables(d) if t.title == "People held out")
    assert "2 random halvings" in table.note
    assert "whitened" in table.note
    assert table.rows[0][0] == "TAR at FAR 1e-2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"whiten": True}, "--held-out"),
        ({"fusion": "joint"}, "--held-out"),
        ({"held_out": 1, "corrupt": True}, "--corrupt"),
        ({"held_out": 1, "folds": 4}, "give one"),
        ({"folds": 2}, "3 to"),
        ({"held_out": 1, "fusion": "joint"}, "several modalities"),
        ({"held_out": 1, "reference": "fused", "probe": "fused", "fusion": "best"}, "joint, merge, mean"),
        ({"max_turn": 0.0}, "no row"),
    ],
)
def test_options_that_do_not_fit_are_refused(index, setting, base, options, message) -> None:
    """What was asked for in vain is said in one line before anything is written."""
    made = dataclasses.replace(setting, calibration=dataclasses.replace(base, graph=GRAPH))
    with pytest.raises(ValueError, match=message):
        run_match(index_samples(index), MatchOptions(**options), made)


def test_too_few_people_and_no_calibration_are_refused(index, setting, base) -> None:
    """Halves of twelve people make no device calibration, and without an installed one there is nothing to carry over."""
    with pytest.raises(ValueError, match="installed one"):
        run_match(index_samples(index), MatchOptions(held_out=1), setting)
    with pytest.raises(CalibrationError, match="needs 20"):
        run_match(
            index_samples(index), MatchOptions(held_out=1), dataclasses.replace(setting, calibration=dataclasses.replace(base, graph=GRAPH))
        )


@pytest.mark.parametrize(("axis", "degrees"), [("yaw", 0), ("yaw", 15), ("yaw", -40), ("pitch", 25)])
def test_a_turn_is_the_larger_of_yaw_and_pitch(axis, degrees) -> None:
    """Landmarks of a turned mean head give its turn to three degrees; without a face there is none."""
    angle = np.radians(degrees)
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) if axis == "yaw" else np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    marks = (_MODEL @ turn.T)[:, :2] + 100.0
    found = {Stream.RGB: {"landmarks": marks.tolist()}}
    assert turns([Features({}, found=found)])[0] == pytest.approx(abs(degrees), abs=3)
    assert np.isnan(turns([Features({})])[0])
    assert turns([Features({}, found={Stream.NIR: found[Stream.RGB]})])[0] == pytest.approx(abs(degrees), abs=3)
