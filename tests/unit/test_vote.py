"""The vote: it only denies, hides nothing, refuses garbled numbers, and tells live faces from simulated attacks of species it never saw."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
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
from vultus.stages.vote import CUES, NAME, NETWORK, WITH_NETWORK, Vote
from vultus.types import Cue, Liveness, Reason, Verdict
from vultus.vote_fitting import MIN_SAMPLES, fit_vote, vote_document

RANK = {Reason.ACCEPTED: 3, Reason.LIVENESS_UNDECIDED: 2, Reason.LIVENESS_MISSING: 1, Reason.SPOOF: 0}
AVERAGE = dict(zip(CUES, (6.5, 24.0, 0.07, 0.43, 2.4, 0.54, 0.59, 0.24), strict=True))


def faces(n: int, seed: int, shading: float = 0.54, structure: float = 0.59) -> list[Mapping[str, float | None]]:
    """Return cue values scattered about those of live faces, shading and structure about the given ones."""
    rng = np.random.default_rng(seed)
    about = {**AVERAGE, "nir_shading": shading, "nir_structure": structure}
    return [{k: float(v + 0.25 * abs(v) * rng.standard_normal()) for k, v in about.items()} for _ in range(n)]


def fitted() -> Vote:
    """Fit a vote on 40 people and on two made-up species."""
    attacks = faces(150, 2, shading=0.0) + faces(150, 3, structure=0.05)
    return fit_vote(faces(240, 1), [f"p{i % 40}" for i in range(240)], attacks, [f"p{i % 40}" for i in range(300)])


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
    assert passed(faces(300, 12, shading=0.0)) < 0.1
    assert passed(faces(300, 13, structure=0.05)) < 0.1
    assert passed(faces(300, 14, shading=0.0, structure=0.05)) < 0.05


@given(
    values=st.fixed_dictionaries({name: st.none() | st.floats(-1e6, 1e6) for name in CUES}),
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
    """Three cues of eight give no ratio, and the secure tier then accepts nothing."""
    few = liveness({"depth_relief": 6.5, "nir_face": 0.07, "nose": 24.0})
    after = VOTE.cast(few)
    assert after.log_lr is None
    assert live_reason(few, Tier.SECURE) is Reason.ACCEPTED
    assert live_reason(after, Tier.SECURE) is Reason.LIVENESS_MISSING


@pytest.mark.parametrize(("name", "value"), [("nir_shading", -0.3), ("nir_structure", -0.1)])
def test_what_incriminates_most_is_named_and_only_its_change_changes_it(name: str, value: float) -> None:
    """The cue put far from live faces is the one named; moving any other a little names the same; putting it back names it no more."""
    bad = {**AVERAGE, name: value}
    assert VOTE.worst(bad) == name
    assert VOTE.cast(liveness(bad)).cues[-1].verdict is Verdict.FAIL
    for other in CUES:
        if other != name:
            assert VOTE.worst({**bad, other: AVERAGE[other] * 1.02}) == name
    assert VOTE.cast(liveness(AVERAGE)).cues[-1].verdict is Verdict.PASS


def test_too_few_people_or_attacks_are_refused() -> None:
    """A vote takes 20 people, 100 live samples and as many attacks; the message says which it got."""
    live, attacks = faces(MIN_SAMPLES, 1), faces(MIN_SAMPLES, 2, shading=0.0)
    many = [f"p{i % 25}" for i in range(MIN_SAMPLES)]
    with pytest.raises(CalibrationError, match="of 5 people"):
        fit_vote(live, [f"p{i % 5}" for i in range(MIN_SAMPLES)], attacks, many)
    with pytest.raises(CalibrationError, match="99 live samples"):
        fit_vote(live[1:], many[1:], attacks, many)
    with pytest.raises(CalibrationError, match="simulated attacks"):
        fit_vote(live, many, attacks[:50], many[:50])


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


@pytest.mark.parametrize("field", ["mean", "deviation", "weights", "pass_llr", "fail_llr"])
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


def test_a_vote_that_weighs_a_network_says_nothing_without_it() -> None:
    """Fitted with a network's score the vote has it among its cues, carries it in its document, and does not pass once it is taken away."""
    rng = np.random.default_rng(5)
    live = [{**v, NETWORK: float(3 + rng.standard_normal())} for v in faces(240, 1)]
    attacks = [{**v, NETWORK: float(-3 + rng.standard_normal())} for v in faces(300, 2, shading=0.2)]
    vote = fit_vote(live, [f"p{i % 40}" for i in range(240)], attacks, [f"p{i % 40}" for i in range(300)])
    assert vote.cues == WITH_NETWORK
    assert vote_document(vote, people=40, live=240, attacks={})["cues"] == list(WITH_NETWORK)
    with_it = {**AVERAGE, NETWORK: 3.0}
    assert vote.cast(liveness(with_it)).cues[-1].verdict is Verdict.PASS
    assert vote.cast(liveness(AVERAGE)).cues[-1].verdict is Verdict.ABSTAIN
    assert vote.log_lr({**AVERAGE, NETWORK: -3.0}) < vote.log_lr(with_it)


def test_a_vote_over_other_cues_is_refused() -> None:
    """Cues that no vote weighs are refused when the vote is made."""
    n = 2
    with pytest.raises(ValueError, match="a vote weighs"):
        Vote(np.zeros(n), np.ones(n), np.zeros(1 + n + n * (n + 1) // 2), 0.0, -1.0, ("depth_relief", "magic"))
