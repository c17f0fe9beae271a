"""What is true of every decision, whatever the stages returned."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.policy import REQUIRED_CUES, Evidence, Policy, Tier, decide, limit, lock_time, without_evidence
from vultus.types import Cue, Decision, Liveness, Match, Modality, Outcome, PairScore, Quality, Reason, Source, Verdict

NAMES = ("depth_relief", "head_size", "strobe", "nir_face")

rates = st.floats(1e-9, 1.0)
cues = st.builds(
    lambda name, value, verdict: Cue(name, value, "mm", 3.0, verdict),
    st.sampled_from(NAMES),
    st.none() | st.floats(-10, 100),
    st.sampled_from(Verdict),
)
livenesses = st.none() | st.builds(Liveness, st.sampled_from(Verdict), st.lists(cues, max_size=4).map(tuple))
qualities = st.none() | st.builds(Quality, st.just({}), st.just(()), st.booleans())
matches = st.none() | st.builds(
    lambda fmr: Match(0.5, 1.0, fmr, min(1.0, 2 * fmr), 0.4, 1e-4, (PairScore(Modality.RGB, Modality.RGB, 0.5, 1),)), rates
)
evidences = st.builds(
    Evidence,
    source=st.sampled_from(Source),
    skew_ms=st.floats(0, 200) | st.just(float("nan")),
    faces=st.integers(0, 3),
    quality=qualities,
    liveness=livenesses,
    user=st.none() | st.just("ada"),
    match=matches,
    candidates=st.integers(0, 3),
    looks=st.integers(0, 5),
    enrolled=st.booleans(),
    calibrated=st.booleans(),
    supported=st.booleans(),
    locked_s=st.sampled_from([0.0, 10.0]),
)
policies = st.builds(
    Policy,
    target_fmr=st.floats(1e-6, 1e-2),
    sources=st.sets(st.sampled_from(Source)).map(frozenset),
    tier=st.sampled_from(Tier),
    allow_extrapolation=st.booleans(),
)


def complete(fmr: float = 1e-6, tier: Tier = Tier.SECURE, relief: Verdict = Verdict.PASS) -> Evidence:
    """Return evidence that lacks nothing, apart from what the arguments take away."""
    found = (
        Cue("depth_relief", 5.0, "mm", 3.0, relief),
        *(Cue(n, 1.0, "", 0.1, Verdict.PASS) for n in REQUIRED_CUES[tier] - {"depth_relief"}),
    )
    return Evidence(
        Source.LIVE,
        faces=1,
        quality=Quality({}, (), usable=True),
        liveness=Liveness(Verdict.PASS, found),
        user="ada",
        match=Match(0.6, 8.0, fmr, fmr, 0.4, 1e-4, ()),
        candidates=1,
        enrolled=True,
        calibrated=True,
        supported=True,
    )


def test_complete_evidence_accepts() -> None:
    """Evidence that passes every gate is accepted, so that the refusals below mean something."""
    assert decide(complete(), Policy()).accepted


@pytest.mark.parametrize(
    "missing",
    [
        {"quality": None},
        {"liveness": None},
        {"match": None},
        {"user": None},
        {"faces": 0},
        {"faces": 2},
        {"candidates": 0},
        {"looks": 0},
        {"enrolled": False},
        {"calibrated": False},
        {"supported": False},
        {"source": Source.RECORDING},
        {"skew_ms": 51.0},
        {"skew_ms": float("nan")},
        {"locked_s": 1.0},
        {"liveness": Liveness(Verdict.PASS, ())},
    ],
)
def test_taking_one_thing_away_never_accepts(missing: dict[str, object]) -> None:
    """Each single missing or failed piece of evidence is enough to refuse."""
    assert not decide(dataclasses.replace(complete(), **missing), Policy()).accepted


@given(evidences, policies)
def test_an_accept_has_every_measurement(evidence: Evidence, policy: Policy) -> None:
    """Whatever is missing or failed, an accept means that every gate had its measurement and passed."""
    decision = decide(evidence, policy)
    if decision.accepted:
        assert evidence.source in policy.sources
        assert evidence.faces == 1
        assert evidence.enrolled
        assert evidence.calibrated
        assert evidence.quality is not None
        assert evidence.quality.usable
        assert evidence.liveness is not None
        assert evidence.liveness.verdict is not Verdict.FAIL
        passed = {c.name for c in evidence.liveness.cues if c.verdict is Verdict.PASS}
        assert REQUIRED_CUES[policy.tier] <= passed
        assert evidence.match is not None
        assert evidence.match.fmr <= limit(policy, evidence.candidates, evidence.looks)
        assert evidence.supported or policy.allow_extrapolation
        assert decision.user == evidence.user


@given(evidences, policies, rates)
def test_a_better_match_never_refuses(evidence: Evidence, policy: Policy, better: float) -> None:
    """Lowering the false-match rate of the comparison never turns an accept into anything else."""
    if evidence.match is not None and decide(evidence, policy).accepted and better <= evidence.match.fmr:
        improved = dataclasses.replace(evidence, match=dataclasses.replace(evidence.match, fmr=better))
        assert decide(improved, policy).accepted


@given(evidences, policies, st.integers(0, 3), st.sampled_from([Verdict.FAIL, Verdict.ABSTAIN]))
def test_worse_liveness_never_accepts(evidence: Evidence, policy: Policy, index: int, verdict: Verdict) -> None:
    """Lowering one cue never turns a refusal into an accept."""
    live = evidence.liveness
    if live is None or not live.cues or decide(evidence, policy).accepted:
        return
    order = [Verdict.FAIL, Verdict.ABSTAIN, Verdict.PASS]
    i = index % len(live.cues)
    if order.index(verdict) > order.index(live.cues[i].verdict):
        return
    worse = tuple(dataclasses.replace(c, verdict=verdict) if k == i else c for k, c in enumerate(live.cues))
    assert not decide(dataclasses.replace(evidence, liveness=dataclasses.replace(live, cues=worse)), policy).accepted


@given(st.sampled_from(NAMES), st.sampled_from(Tier))
def test_a_failed_cue_refuses_in_every_tier(name: str, tier: Tier) -> None:
    """No tier and no match outvotes a failed cue."""
    evidence = complete(fmr=1e-9)
    assert evidence.liveness is not None
    failed = dataclasses.replace(evidence.liveness, cues=(*evidence.liveness.cues, Cue(name, 0.0, "", 1.0, Verdict.FAIL)))
    assert decide(dataclasses.replace(evidence, liveness=failed), Policy(tier=tier)).reason is Reason.SPOOF


def test_standard_does_not_stand_in_for_secure() -> None:
    """A strobe that passed does not replace the depth that SECURE asks for."""
    assert decide(complete(tier=Tier.STANDARD, relief=Verdict.ABSTAIN), Policy(tier=Tier.STANDARD)).accepted
    assert not decide(complete(tier=Tier.STANDARD, relief=Verdict.ABSTAIN), Policy(tier=Tier.SECURE)).accepted


def test_the_target_is_divided_by_users_and_looks() -> None:
    """Comparing ten users at five looks leaves each comparison a fiftieth of the target."""
    one = complete(fmr=1e-4 / 40)
    assert decide(one, Policy()).accepted
    assert not decide(dataclasses.replace(one, candidates=10, looks=5), Policy()).accepted


def test_a_decision_is_not_a_boolean() -> None:
    """`if decision:` raises instead of accepting a refusal."""
    with pytest.raises(TypeError, match="accepted"):
        bool(decide(complete(), Policy()))


def test_an_accept_cannot_be_built_with_another_reason() -> None:
    """The type itself refuses an accept without the reason ACCEPTED, and an ACCEPTED that is not an accept."""
    with pytest.raises(ValueError, match="ACCEPTED"):
        Decision(Outcome.ACCEPT, Reason.NO_MATCH)
    with pytest.raises(ValueError, match="ACCEPTED"):
        Decision(Outcome.REJECT, Reason.ACCEPTED)
    with pytest.raises(ValueError, match="evidence"):
        without_evidence(Reason.ACCEPTED)


@given(st.integers(0, 40), st.integers(0, 10**18), st.integers(0, 10**18))
def test_a_lock_never_opens_early(failures: int, last: int, now: int) -> None:
    """Below the limit nothing locks; from it on, the lock holds for its whole length whatever the clock does."""
    policy = Policy(max_failures=3, lock_s=10.0)
    left = lock_time(failures, last, now, policy)
    if failures < 3:
        assert left == 0.0
    elif now - last < 10 * 10**9:
        assert left > 0.0


def test_nothing_biometric_in_a_repr() -> None:
    """Neither scores nor rates appear in the repr of a decision and its parts, and `public()` has none either."""
    decision = decide(complete(fmr=1.2345e-6), Policy())
    assert "1.2345" not in repr(decision)
    assert "1.2345" not in repr(decision.match)
    assert "0.6" not in repr(decision.match)
    assert set(decision.public()) == {"outcome", "accepted", "user", "reason", "hints"}
    assert '"fmr": 1.2345e-06' in decision.to_json()
