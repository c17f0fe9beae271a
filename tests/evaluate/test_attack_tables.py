"""What `vultus evaluate attacks` says beyond the headline: cues left out, spoilt triplets, groups, and whether its ratios are true."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vultus.evaluate.ablation import Half, ablation, cast
from vultus.evaluate.liveness_calibration import Origin, Presented
from vultus.evaluate.metrics.pad import bona_fide_rates
from vultus.evaluate.presentation import bona_fide_groups
from vultus.evaluate.report.attacks import attack_tables
from vultus.evaluate.samples import Sample
from vultus.evaluate.simulated import SimulationOptions, _reliability
from vultus.evaluate.spoil import CAUSES, STRENGTHS, UNITS, _spread
from vultus.policy import Tier
from vultus.simulation.triplets import Triplet
from vultus.stages.vote import CUES, POSE
from vultus.types import Cue, Liveness, Verdict

MARKS = np.array([[45.0, 60], [72, 60], [59, 76], [48, 92], [70, 92]], np.float32)


def presented(label: str, person: str, usable: bool = True, **values: float) -> Presented:
    """Return a presentation whose cues all passed, with the given values."""
    shown = {**dict.fromkeys(CUES, 1.0), **dict.fromkeys(POSE, 0.0), **values}
    cues = tuple(Cue(k, v, "u", 0.0, Verdict.ABSTAIN if k in POSE else Verdict.PASS) for k, v in shown.items())
    probe = SimpleNamespace(liveness=Liveness(Verdict.PASS, cues), quality=SimpleNamespace(usable=usable))
    return Presented(Sample(0, person, "s", {}, label, {"pose": "main" if person < "p2" else "test"}), probe)


@pytest.fixture(scope="module")
def halves() -> list[Half]:
    """Return two halves of 40 people each, live and of four species that each have one cue far off."""
    rng = np.random.default_rng(4)

    def draw(label: str, i: int, **off: float) -> Presented:
        values = {name: float(1.0 + 0.1 * rng.standard_normal() + off.get(name, 0.0)) for name in CUES}
        return presented(label, f"p{i}", **values)

    wrong = {"a": {"nir_falloff": -2.0}, "b": {"nir_structure": -2.0}, "c": {"nose": -2.0}, "d": {"same_face": -2.0}}
    out = []
    for half in (0, 1):
        live = [draw("bona_fide", i % 40) for i in range(120)]
        attacks = [draw(name, i % 40, **off) for name, off in wrong.items() for i in range(40)]
        shown = [draw("bona_fide", 50 + half) for _ in range(20)] + [
            draw(name, 50 + half, **off) for name, off in wrong.items() for _ in range(5)
        ]
        out.append(Half(frozenset({f"p{50 + half}"}), live, attacks, shown))
    return out


def test_leaving_out_the_cue_that_gives_a_species_away_lets_it_pass(halves: list[Half]) -> None:
    """Nothing passes with all cues; without the one cue that is off, its species does, and no other does."""
    found = ablation(halves, Tier.SECURE)
    assert set(found) == {"none", *CUES}
    assert found["none"]["apcer_mean"] == 0.0
    assert found["nir_falloff"]["apcer"].keys() == {"a"}
    assert found["nir_structure"]["apcer"].keys() == {"b"}
    assert found["head_outline"]["apcer"] == {}


def test_held_out_ratios_are_stated_with_their_reliability(halves: list[Half]) -> None:
    """Ratios that separate all presentations cost next to no bits, and without a vote nothing is stated."""
    rows = [row for half in halves for row in half.judged(Tier.SECURE)]
    found = _reliability(rows)
    assert found is not None
    assert found["cllr"] < 0.3
    assert sum(b["weight"] for b in found["bins"]) == pytest.approx(1.0)
    assert _reliability([(p, cast(p, Tier.SECURE, None)) for p, _ in rows]) is None


def test_a_presentation_of_unusable_quality_does_not_pass() -> None:
    """Cues that all pass on a picture that a sign-in would send back are no answer."""
    good, poor = (cast(presented("x", "p1", usable), Tier.SECURE, None) for usable in (True, False))
    assert good is not None
    assert poor is not None
    assert (good.verdict, poor.verdict) == (Verdict.PASS, Verdict.ABSTAIN)


def test_groups_are_counted_apart(halves: list[Half]) -> None:
    """BPCER is stated for each value of the column, bona fide presentations alone."""
    rows = [
        (presented("bona_fide", p), live)
        for p, live in (("p1", Liveness(Verdict.FAIL, ())), ("p3", None), ("p3", Liveness(Verdict.PASS, ())))
    ]
    rows.append((presented("print", "p1"), Liveness(Verdict.FAIL, ())))
    found = bona_fide_groups([(p.sample, None if live is None else live.verdict) for p, live in rows], "pose")["rows"]
    assert (found["main"]["bpcer"]["value"], found["main"]["bpcer"]["n"]) == (1.0, 1)
    assert (found["test"]["bpcer"]["value"], found["test"]["bpnrr"]["value"]) == (0.0, 0.5)
    assert bona_fide_rates([]) == {"bpcer": None, "bpnrr": None}


def triplet() -> Triplet:
    """Return registered pictures of a bump, brighter than nothing."""
    y, x = np.mgrid[0:149, 0:119]
    bump = np.exp(-((x - 59) ** 2 + (y - 78) ** 2) / 900)
    rng = np.random.default_rng(0)
    rgb = (60 + 120 * bump[..., None] + rng.integers(0, 9, (149, 119, 3))).astype(np.uint8)
    return Triplet(
        rgb, (4000 + 12000 * bump).astype(np.uint16), (800 - 60 * bump + rng.integers(-2, 3, bump.shape)).astype(np.uint16), MARKS
    )


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_a_cause_changes_what_it_says_and_nothing_else(cause: str) -> None:
    """Each cause keeps sizes, types and landmarks, is the same for the same generator, and touches the streams that its unit names."""
    before = triplet()
    touched = {
        "sunlight": {"nir", "depth"}, "dim strobe": {"nir"}, "dark skin": {"rgb", "nir"}, "glasses": {"rgb", "nir", "depth"},
        "beard": {"rgb", "nir", "depth"}, "motion blur": {"rgb", "nir"}, "missing depth": {"depth"},
    }  # fmt: skip
    for strength in STRENGTHS[cause]:
        after, again = (CAUSES[cause](before, strength, np.random.default_rng(1)) for _ in range(2))
        for name in ("rgb", "nir", "depth"):
            one, two = getattr(before, name), getattr(after, name)
            assert (one.shape, one.dtype) == (two.shape, two.dtype)
            assert np.array_equal(two, getattr(again, name))
            if name not in touched[cause]:
                assert np.array_equal(one, two)
        assert np.array_equal(before.landmarks, after.landmarks)
    strongest = CAUSES[cause](before, STRENGTHS[cause][-1], np.random.default_rng(1))
    assert all(not np.array_equal(getattr(before, name), getattr(strongest, name)) for name in touched[cause])
    assert cause in UNITS


def test_missing_depth_loses_the_share_that_it_says() -> None:
    """A share of 0.4 takes away four in ten depths."""
    lost = CAUSES["missing depth"](triplet(), 0.4, np.random.default_rng(2)).depth == 0
    assert float(lost.mean()) == pytest.approx(0.4, abs=0.01)


def test_few_triplets_are_spread_over_the_people() -> None:
    """Four of six triplets of three people are everybody's first and one second."""
    origins = [Origin(Sample(0, p, str(i), {}), triplet()) for i, p in enumerate("aaabbc")]
    assert [o.sample.person for o in _spread(origins, 4)] == ["a", "b", "c", "a"]


def test_options_that_make_no_sense_are_refused() -> None:
    """A cue cannot be left out of a vote that is not there."""
    with pytest.raises(ValueError, match="ablate takes fitted"):
        SimulationOptions(ablate=True)
    with pytest.raises(ValueError, match="not negative"):
        SimulationOptions(corrupt=-1)


def test_the_tables_say_what_was_measured(halves: list[Half]) -> None:
    """Each part of the document has its table, and a document without them has none."""
    rows = [row for half in halves for row in half.judged(Tier.SECURE)]
    rates: dict[str, Any] = bona_fide_rates([Verdict.PASS] * 19 + [Verdict.FAIL])
    document = {
        "ablation": ablation(halves, Tier.SECURE),
        "spoilt": {
            "clean": {"unit": "", "points": [{"strength": 0.0, **rates}]},
            "beard": {"unit": "share", "points": [{"strength": 0.4, **rates}]},
        },
        "groups": {"column": "pose", "rows": {"main": rates}},
        "reliability": _reliability(rows),
    }
    found = {t.title: t for t in attack_tables(document)}
    assert len(found) == 4
    assert found["Without one cue"].rows[0][0] == "none"
    assert found["Spoilt presentations"].rows[1][:3] == ("beard", "0.4", "5.00 %")
    assert attack_tables({}) == []
