"""The vote: it only denies, hides nothing, refuses garbled numbers, and tells live faces from simulated attacks of species it never saw."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.calibration import carry, load
from vultus.errors import CalibrationError
from vultus.fitting import seal_document
from vultus.manifest import load_manifest
from vultus.policy import Tier, live_reason
from vultus.stages.vote import ALONE, CUES, NAME, POSE, Vote, row
from vultus.types import Cue, Liveness, Reason, Verdict
from vultus.vote_fitting import EVEN, MIN_SAMPLES, UNSURE, fit_vote, vote_document

RANK = {Reason.ACCEPTED: 3, Reason.LIVENESS_UNDECIDED: 2, Reason.LIVENESS_MISSING: 1, Reason.SPOOF: 0}
AVERAGE = dict(zip(CUES, (6.5, 24.0, 0.07, 0.43, 2.4, 0.59, 0.24, 0.52, 0.48, 6.0, 2.0, 0.57, 0.45, 0.41), strict=True)) | dict.fromkeys(
    POSE, 1.0
)


def faces(n: int, seed: int, falloff: float = 0.52, structure: float = 0.59) -> list[Mapping[str, float | None]]:
    """Return cue values scattered about those of live faces, fall-off and structure about the given ones."""
    rng = np.random.default_rng(seed)
    about = {**AVERAGE, "nir_falloff": falloff, "nir_structure": structure}
    return [
        {k: float(v + (0.15 if k in ALONE else 0.25) * abs(v) * rng.standard_normal()) for k, v in about.items()}
        | dict(zip(POSE, rng.uniform((-30, -10), (30, 10)).tolist(), strict=True))
        for _ in range(n)
    ]


def fitted() -> Vote:
    """Fit a vote on 40 people and on three made-up species."""
    attacks = faces(150, 2, falloff=0.0) + faces(150, 3, structure=0.05) + faces(150, 4, falloff=0.05, structure=0.1)
    people, species = [f"p{i % 40}" for i in range(450)], ["unlit"] * 150 + ["mixed"] * 150 + ["both"] * 150
    return fit_vote(faces(240, 1), people[:240], attacks, people, species)


VOTE = fitted()


def liveness(values: Mapping[str, float | None], verdict: Verdict = Verdict.PASS) -> Liveness:
    """Return cues that each say `verdict`."""
    cues = tuple(Cue(k, v, "u", 0.0, Verdict.ABSTAIN if v is None else verdict) for k, v in values.items())
    return Liveness(verdict, cues)


def test_live_faces_pass_and_attacks_of_both_kinds_do_not() -> None:
    """On draws of its own, nine in ten live faces pass and fewer than one in ten attacks do, also of both kinds at once."""

    def passed(values: list[Mapping[str, float | None]]) -> float:
        return float(np.mean([VOTE.cast(liveness(v)).cues[-1].verdict is Verdict.PASS for v in values]))

    assert passed(faces(300, 11)) > 0.9
    assert passed(faces(300, 12, falloff=0.0)) < 0.1
    assert passed(faces(300, 13, structure=0.05)) < 0.1
    assert passed(faces(300, 14, falloff=0.0, structure=0.05)) < 0.05


@given(
    values=st.fixed_dictionaries(
        {name: st.none() | st.floats(-1e6, 1e6) for name in CUES} | {name: st.none() | st.floats(-60, 60) for name in POSE}
    ),
    verdict=st.sampled_from(list(Verdict)),
    tier=st.sampled_from(list(Tier)),
)
def test_a_vote_never_raises_what_the_cues_say(values: dict[str, float | None], verdict: Verdict, tier: Tier) -> None:
    """For any values and any verdict of the cues, counting the vote gives the same answer or a lower one, and keeps every cue."""
    before = liveness(values, verdict)
    after = VOTE.cast(before)
    assert RANK[live_reason(after, tier)] <= RANK[live_reason(before, tier)]
    assert after.cues[:-1] == before.cues
    assert after.cues[-1].name == NAME
    assert after.p_live is None or 0 <= after.p_live <= 1


@given(name=st.sampled_from(CUES), size=st.floats(1e3, 1e300))
def test_one_wild_number_decides_no_more_than_a_far_one(name: str, size: float) -> None:
    """A value beyond five deviations counts as one at five: nothing is gained by making it larger still."""
    near, far = VOTE.log_lr({**AVERAGE, name: size}), VOTE.log_lr({**AVERAGE, name: size * 10})
    assert near is not None
    assert near == far


def test_too_few_cues_are_no_vote_and_do_not_pass_the_secure_tier() -> None:
    """Three cues of fourteen give no ratio, and the secure tier then accepts nothing."""
    few = liveness({"depth_relief": 6.5, "nir_face": 0.07, "nose": 24.0, **dict.fromkeys(POSE, 0.0)})
    after = VOTE.cast(few)
    assert after.log_lr is None
    assert live_reason(few, Tier.SECURE) is Reason.ACCEPTED
    assert live_reason(after, Tier.SECURE) is Reason.LIVENESS_MISSING


@pytest.mark.parametrize(("name", "value"), [("nir_falloff", -0.3), ("nir_structure", -0.1)])
def test_what_incriminates_most_is_named_and_only_its_change_changes_it(name: str, value: float) -> None:
    """The cue put far from live faces is the one named; moving any other a little names the same; putting it back names it no more."""
    bad = {**AVERAGE, name: value}
    assert VOTE.worst(bad) == name
    assert VOTE.cast(liveness(bad)).cues[-1].verdict is Verdict.FAIL
    for other in CUES:
        if other != name:
            assert VOTE.worst({**bad, other: AVERAGE[other] * 1.02}) == name
    assert VOTE.cast(liveness(AVERAGE)).cues[-1].verdict is Verdict.PASS


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.2, 0.5])
def test_a_policy_chooses_how_many_attacks_pass_and_how_many_live_faces_fail(rate: float) -> None:
    """Aimed at a rate, the vote lets no larger share of its held-out attacks of any species pass, and fails no larger share of live faces."""
    strict = VOTE.aimed(rate, None)
    assert strict is not None
    assert max(float(np.mean(ratios >= strict.pass_llr)) for ratios in VOTE.attacks.values()) <= rate
    kind = VOTE.aimed(None, rate)
    assert kind is not None
    assert float(np.mean(VOTE.live < kind.fail_llr)) <= rate
    assert kind.fail_llr <= kind.pass_llr
    assert VOTE.aimed(None, None) is VOTE


@given(one=st.floats(0.02, 0.5), other=st.floats(0.02, 0.5))
def test_a_stricter_rate_never_passes_more(one: float, other: float) -> None:
    """Asking for fewer attacks never lowers what it takes to pass, and asking for fewer refusals never raises what fails."""
    low, high = min(one, other), max(one, other)
    strict, loose = VOTE.aimed(low, None), VOTE.aimed(high, None)
    assert strict is not None
    assert loose is not None
    assert strict.pass_llr >= loose.pass_llr
    few, many = VOTE.aimed(None, low), VOTE.aimed(None, high)
    assert few is not None
    assert many is not None
    assert few.fail_llr <= many.fail_llr


def test_a_rate_that_the_sample_cannot_support_is_refused() -> None:
    """240 live samples support no BPCER below 1.25 %, 150 attacks of a species no IAPAR below 2 %, and no table supports none."""
    assert VOTE.aimed(0.019, None) is None
    assert VOTE.aimed(None, 0.012) is None
    assert VOTE.aimed(0.019, 0.012, beyond=True) is not None
    bare = replace(VOTE, live=np.zeros(0), attacks={})
    assert bare.aimed(0.5, None, beyond=True) is None
    assert bare.aimed(None, 0.5, beyond=True) is None
    assert bare.aimed(None, None) is not None


def test_the_ratios_mean_what_they_say() -> None:
    """Among held-out ratios, every species counting alike, the odds of live are within a factor of e of those stated."""
    for low, high in ((-1.5, 0.0), (0.0, 1.5)):
        live = float(np.mean((low <= VOTE.live) & (high > VOTE.live)))
        fake = float(np.mean([np.mean((low <= r) & (high > r)) for r in VOTE.attacks.values()]))
        assert low - 1 < np.log((live + 1e-3) / (fake + 1e-3)) < high + 1


@pytest.mark.parametrize("turned", [{"face_yaw": 40.0}, {"face_pitch": -36.0}, {"face_yaw": None}])
def test_a_head_turned_too_far_is_not_judged(turned: dict[str, float | None]) -> None:
    """Beyond 35 degrees, or where nobody knows how far, there is no ratio, and the secure tier accepts nothing: the vote knows no such heads."""
    after = VOTE.cast(liveness({**AVERAGE, **turned}))
    assert after.log_lr is None
    assert live_reason(after, Tier.SECURE) is Reason.LIVENESS_MISSING


def test_the_vote_follows_the_turn_of_the_head() -> None:
    """A cue that falls with the turn in live faces counts against a frontal face that has it so low, and not against a turned one."""
    live = [{**v, "nose": 24.0 - 0.6 * abs(float(v["face_yaw"] or 0.0)) + 0.05 * i % 1} for i, v in enumerate(faces(240, 1))]
    attacks, species = faces(300, 2, falloff=0.0), [f"s{i % 3}" for i in range(300)]
    vote = fit_vote(live, [f"p{i % 40}" for i in range(240)], attacks, [f"p{i % 40}" for i in range(300)], species)
    low = 24.0 - 0.6 * 28.0
    frontal, turned = (vote.log_lr({**AVERAGE, "nose": low, "face_yaw": yaw}) for yaw in (0.0, 28.0))
    assert frontal is not None
    assert turned is not None
    assert turned > frontal + 1.0


@pytest.mark.parametrize("name", CUES)
def test_a_cue_that_no_species_had_off_still_counts(name: str) -> None:
    """Whichever cue lies six deviations from live faces, the vote does not pass, though no attack that it was fitted on looked so."""
    column = CUES.index(name)
    width = float(VOTE.deviation[column])
    for side in (-1, 1):
        middle = float(VOTE.course[0, column])
        value = middle + side * 6 * width
        shown = {**AVERAGE, name: float(np.exp(value)) if name in ("depth_relief", "nir_face", "nir_contrast", "nir_gain") else value}
        assert VOTE.cast(liveness(shown)).cues[-1].verdict is not Verdict.PASS


def test_what_was_not_measured_says_nothing() -> None:
    """Leaving out a cue whose value is average changes the ratio less than putting it far off does."""
    full = VOTE.log_lr(AVERAGE)
    assert full is not None
    for name in ("nir_falloff", "nir_structure"):
        without, far = VOTE.log_lr({**AVERAGE, name: None}), VOTE.log_lr({**AVERAGE, name: -1.0})
        assert without is not None
        assert far is not None
        assert abs(without - full) < abs(far - full)
        assert without <= full + 0.5


@given(
    name=st.sampled_from(sorted(ALONE)),
    value=st.floats(-1, 0.02),
    others=st.lists(st.floats(0.9, 1.2), min_size=14, max_size=14),
)
def test_depth_that_does_not_belong_to_the_light_never_passes(name: str, value: float, others: list[float]) -> None:
    """Whatever all other cues say, forms of depth and light that have nothing to do with each other do not pass."""
    shown = {k: v * o for (k, v), o in zip(AVERAGE.items(), others, strict=False)} | dict.fromkeys(POSE, 1.0) | {name: value}
    assert VOTE.cast(liveness(shown)).cues[-1].verdict is not Verdict.PASS


@given(name=st.sampled_from(sorted(ALONE)), value=st.floats(0.0, 0.45), less=st.floats(0.01, 0.5))
def test_less_agreement_alone_is_never_more_live(name: str, value: float, less: float) -> None:
    """What a cue says alone falls with its value: a lower correlation never raises it."""
    pose = np.array([1.0, 1.0])
    better, worse = (VOTE._alone(row({name: v}), pose) for v in (value, value - less))
    assert worse <= better


@given(shown=st.dictionaries(st.sampled_from(CUES), st.floats(-1, 5)), noise=st.floats(0, 3))
def test_light_too_noisy_to_be_judged_is_sent_back_and_never_passes(shown: dict[str, float], noise: float) -> None:
    """Above its sensor's noise the vote says nothing, whatever the cues, states its limit, and the secure tier accepts nothing."""
    vote = replace(VOTE, noisy=0.04)
    values = {**AVERAGE, **shown, "nir_noise": noise}
    after = vote.cast(liveness(values))
    stated = {c.name: c for c in after.cues}
    assert stated["nir_noise"].limit == 0.04
    if noise > 0.04:
        assert after.log_lr is None
        assert stated[NAME].verdict is Verdict.ABSTAIN
        assert live_reason(after, Tier.SECURE) is Reason.LIVENESS_MISSING
    else:
        assert after.log_lr == VOTE.cast(liveness(values)).log_lr


def test_the_fit_knows_the_noise_of_its_sensor() -> None:
    """The limit lies a fifth above what one live sample in a hundred exceeds, and where no noise was measured nothing is held back by it."""
    rng = np.random.default_rng(5)
    live = [{**v, "nir_noise": float(n)} for v, n in zip(faces(240, 1), rng.uniform(0.01, 0.03, 240), strict=True)]
    people, species = [f"p{i % 40}" for i in range(300)], [f"s{i % 3}" for i in range(300)]
    attacks = faces(300, 2, falloff=0.0)
    assert fit_vote(live, people[:240], attacks, people, species).noisy == pytest.approx(1.2 * 0.0298, rel=0.02)
    assert fit_vote(faces(240, 1), people[:240], attacks, people, species).noisy == 1.0


def test_people_who_look_like_an_attack_do_not_let_it_through() -> None:
    """Where one live person in ten looks as an attack does, the vote still passes nobody whom an attack explains better."""
    attacks = faces(150, 2, falloff=0.0) + faces(150, 3, structure=0.05) + faces(150, 4, falloff=0.05, structure=0.1)
    people, species = [f"p{i % 40}" for i in range(450)], ["unlit"] * 150 + ["mixed"] * 150 + ["both"] * 150
    live = [b if i % 10 == 0 else a for i, (a, b) in enumerate(zip(faces(240, 1), faces(240, 5, falloff=0.0), strict=True))]
    vote = fit_vote(live, people[:240], attacks, people, species)
    assert np.quantile(vote.live, UNSURE) < EVEN
    assert vote.pass_llr == EVEN > vote.fail_llr


def test_too_few_people_or_attacks_are_refused() -> None:
    """A vote takes 20 people, 100 live samples, as many attacks and three species; the message says which it got."""
    live, attacks = faces(MIN_SAMPLES, 1), faces(MIN_SAMPLES, 2, falloff=0.0)
    many, species = [f"p{i % 25}" for i in range(MIN_SAMPLES)], [f"s{i % 3}" for i in range(MIN_SAMPLES)]
    with pytest.raises(CalibrationError, match="of 5 people"):
        fit_vote(live, [f"p{i % 5}" for i in range(MIN_SAMPLES)], attacks, many, species)
    with pytest.raises(CalibrationError, match="99 live samples"):
        fit_vote(live[1:], many[1:], attacks, many, species)
    with pytest.raises(CalibrationError, match="50 simulated attacks"):
        fit_vote(live, many, attacks[:50], many[:50], species[:50])
    with pytest.raises(CalibrationError, match="of 1 species"):
        fit_vote(live, many, attacks, many, ["s"] * MIN_SAMPLES)


def device_file(folder: Path, vote: object) -> Path:
    """Write a device calibration that holds nothing but a vote."""
    base = load(load_manifest().root / "calibration")
    device = {"kind": "v4l2", "model": "m", "serial": "", "source": "live"}
    path = folder / "device.json"
    path.write_text(json.dumps(seal_document({"id": "x", "base_graph": base.graph, "device": device, "pairs": [], "vote": vote})))
    return path


def test_a_vote_survives_its_file(tmp_path: Path) -> None:
    """Written and read back, a vote gives the same ratio."""
    base = load(load_manifest().root / "calibration")
    back = carry(base, device_file(tmp_path, vote_document(VOTE, people=40, live=240, attacks={"a": 300}))).vote
    assert back is not None
    assert back.log_lr(AVERAGE) == VOTE.log_lr(AVERAGE)


@pytest.mark.parametrize(
    "field", ["cues", "course", "deviation", "means", "spreads", "shares", "pass_llr", "fail_llr", "slope", "offset", "noisy", "tables"]
)
@pytest.mark.parametrize("value", [None, "x", [], [1.0], math.inf, [[1.0] * 8], [-1.0] * 7 + [1e999]])
def test_a_garbled_vote_is_refused(tmp_path: Path, field: str, value: object) -> None:
    """A missing, misshapen or infinite number makes the whole calibration unreadable, never a vote that passes all."""
    base = load(load_manifest().root / "calibration")
    document = {**vote_document(VOTE, people=40, live=240, attacks={}), field: value}
    if value is None:
        del document[field]
    try:
        path = device_file(tmp_path, document)
    except ValueError:
        return
    with pytest.raises(CalibrationError, match="run 'vultus calibrate'"):
        carry(base, path)
