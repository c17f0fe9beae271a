"""Policy: from evidence to a decision; pure, and the only place where an accept is built.

Gates run in one order and the first that does not pass gives the reason: source, lock, repetition, time, face, quality, liveness,
guard, enrolment, device, match.
A missing measurement never passes a gate: no stage result, no calibration, no template, no accept.

Rejects lock, matches that failed and spoofs by counts of their own; an accept forgets both:

    open --reject, fewer than max--> open --reject, the max-th--> locked --lock time--> open --reject--> locked, twice as long
    open --accept--> open, counts at nought            locked --any attempt--> LOCKED, not looked at and not counted
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vultus.guard import VOTE, Guard
from vultus.stages import colour
from vultus.types import Decision, Hint, Liveness, Match, Outcome, Quality, Reason, Source, Verdict


class Tier(enum.StrEnum):
    """How much liveness evidence an accept needs.

    SECURE: depth relief and a NIR face. STANDARD: the NIR strobe and a NIR face, for devices without depth; a NIR-reflective print passes
    it. CONVENIENCE: matching, and where there is colour alone the vote over its cues, which stops some photographs; where NIR or depth are
    there, no more than that none of their cues fails. A failed cue refuses in every tier.
    """

    SECURE = "secure"
    STANDARD = "standard"
    CONVENIENCE = "convenience"


REQUIRED_CUES: Final[Mapping[Tier, frozenset[str]]] = {
    Tier.SECURE: frozenset({"depth_relief", "nir_face"}),
    Tier.STANDARD: frozenset({"strobe", "nir_face"}),
    Tier.CONVENIENCE: frozenset(),
}
"""Cues that must pass; a cue that abstains has not passed."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What an accept takes. The defaults are the secure ones; convenience is asked for by name.

    target_fmr: false-match rate of one attempt against one user, 0 < x <= 0.01. risk: share of genuine
    attempts that may be rejected; between the two the answer is UNDECIDED (`unsure`). 1 rejects at once, 0 never for the match alone. sources:
    where frames may come from. tier: see `Tier`.
    max_skew_ms: largest distance between the frames of a set. max_frame_sets: frame sets of one `sign_in` that may be matched; each is
    held to target_fmr / max_frame_sets, so that looking several times does not raise the rate. max_failures, lock_s: rejects
    in a row that lock and for how long; max_spoofs, spoof_lock_s: the same for spoofs. allow_extrapolation: accept a target that the
    calibration data cannot support by itself.
    target_iapar: share of attacks, of the worst species that the sensor's liveness calibration knows, that may pass its vote.
    target_bpcer: share of live faces that the vote may refuse. None leaves both to the calibration; a target asks for a sensor that has one.
    bind_device: a template serves frames of the live unit that it was enrolled with, and of no other live one; sources that are not live
    are not bound, since they are believed only by name. A unit that does not tell its serial is its model.
    """

    target_fmr: float = 1e-4
    risk: float = 0.05
    sources: frozenset[Source] = frozenset({Source.LIVE})
    tier: Tier = Tier.SECURE
    max_skew_ms: float = 50.0
    max_frame_sets: int = 5
    max_failures: int = 5
    lock_s: float = 30.0
    max_spoofs: int = 3
    spoof_lock_s: float = 300.0
    target_iapar: float | None = None
    target_bpcer: float | None = None
    allow_extrapolation: bool = False
    bind_device: bool = True

    def __post_init__(self) -> None:
        if not 0.0 < self.target_fmr <= 0.01:
            raise ValueError("target_fmr must be above 0 and at most 0.01")
        if not 0.0 <= self.risk <= 1.0:
            raise ValueError("risk must be 0 to 1")
        if not (self.max_skew_ms > 0 and self.max_frame_sets >= 1 and self.max_failures >= 1 and self.lock_s >= 0):
            raise ValueError("max_skew_ms, max_frame_sets and max_failures must be positive and lock_s not negative")
        if not (self.max_spoofs >= 1 and self.spoof_lock_s >= 0):
            raise ValueError("max_spoofs must be positive and spoof_lock_s not negative")
        for name in ("target_iapar", "target_bpcer"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value <= 0.5:
                raise ValueError(f"{name} must be above 0 and at most 0.5, or None")
        object.__setattr__(self, "sources", frozenset(Source(s) for s in self.sources))
        object.__setattr__(self, "tier", Tier(self.tier))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that one decision may rest on. None always means not run or not there, never good.

    `match` is the best candidate's comparison, `user` that candidate and `candidates` how many users were compared (the target is divided
    by it). `guard` is what the device and the candidate ask for besides the policy. `calibrated` False means that pairs were scored but
    no table holds for them. `bound` False means that the templates come from other devices; `repeated` that a picture was shown in an
    earlier attempt.
    """

    source: Source
    skew_ms: float = 0.0
    faces: int = 0
    quality: Quality | None = None
    liveness: Liveness | None = None
    user: str | None = None
    match: Match | None = None
    candidates: int = 0
    looks: int = 1
    enrolled: bool = False
    calibrated: bool = False
    supported: bool = False
    locked_s: float = 0.0
    bound: bool = True
    repeated: bool = False
    guard: Guard = field(default_factory=Guard)
    hints: tuple[Hint, ...] = ()
    modalities: Mapping[str, str] = field(default_factory=dict)
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


_OUTCOMES: Final[Mapping[Reason, Outcome]] = {
    Reason.ACCEPTED: Outcome.ACCEPT,
    Reason.SOURCE_NOT_ALLOWED: Outcome.REJECT,
    Reason.LOCKED: Outcome.REJECT,
    Reason.SPOOF: Outcome.REJECT,
    Reason.NO_MATCH: Outcome.REJECT,
    Reason.NOT_ENROLLED: Outcome.REJECT,
    Reason.OTHER_DEVICE: Outcome.REJECT,
}
"""Every other reason asks for more evidence: UNDECIDED."""


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """Return the decision for one attempt."""
    reason = first_failing(evidence, policy)
    accepted = reason is Reason.ACCEPTED
    shown = accepted or (evidence.user is not None and evidence.candidates == 1)
    return Decision(
        outcome=_OUTCOMES.get(reason, Outcome.UNDECIDED),
        reason=reason,
        user=evidence.user if shown else None,
        hints=_advice(reason, evidence, policy),
        match=evidence.match,
        liveness=evidence.liveness,
        quality=evidence.quality,
        modalities=evidence.modalities,
        latency_ms=evidence.latency_ms,
        versions=evidence.versions,
        retry_after_s=evidence.locked_s if reason is Reason.LOCKED else None,
    )


def without_evidence(reason: Reason, *, hints: tuple[Hint, ...] = (), versions: Mapping[str, str] | None = None) -> Decision:
    """Return the decision of an attempt that ended before any evidence: a time-out, a cancel. Raises ValueError for an accept."""
    if reason is Reason.ACCEPTED:
        raise ValueError("nothing is accepted without evidence")
    return Decision(_OUTCOMES.get(reason, Outcome.UNDECIDED), reason, hints=hints, versions=versions or {})


def presentation(evidence: Evidence, policy: Policy) -> Reason:
    """Return the first failing gate before matching; ACCEPTED when the presentation may be matched or enrolled."""
    if evidence.source not in policy.sources:
        return Reason.SOURCE_NOT_ALLOWED
    if evidence.locked_s > 0:
        return Reason.LOCKED
    if evidence.repeated:
        return Reason.REPEATED
    if not evidence.skew_ms <= policy.max_skew_ms:
        return Reason.STALE
    if evidence.faces < 1:
        return Reason.NO_FACE
    if evidence.faces > 1:
        return Reason.MULTIPLE_FACES
    reason = _live(evidence.liveness, evidence.quality, policy.tier)
    return _guarded(evidence, policy) if reason is Reason.ACCEPTED else reason


def _live(liveness: Liveness | None, quality: Quality | None, tier: Tier) -> Reason:
    """A failed cue refuses before quality is looked at: a poor picture of an attack is an attack."""
    reason = live_reason(liveness, tier)
    poor = quality is None or not quality.usable
    return Reason.POOR_QUALITY if poor and reason is not Reason.SPOOF else reason


def live_reason(liveness: Liveness | None, tier: Tier) -> Reason:
    """Return what the tier says of the cues: no cue may fail, each required one passes, and so does the vote of a calibrated sensor."""
    if liveness is None:
        return Reason.LIVENESS_MISSING
    if liveness.verdict is Verdict.FAIL or any(c.verdict is Verdict.FAIL for c in liveness.cues):
        return Reason.SPOOF
    passed = {c.name for c in liveness.cues if c.verdict is Verdict.PASS}
    measured = passed | {c.name for c in liveness.cues if c.value is not None}
    voted = {c.name for c in liveness.cues if c.name == VOTE and (c.value is not None or tier is Tier.SECURE)}
    alone = {colour.VOTE} if any(c.name == colour.GRID for c in liveness.cues) else set()
    required = REQUIRED_CUES[tier] | voted | alone
    if required <= passed:
        return Reason.ACCEPTED
    return Reason.LIVENESS_UNDECIDED if required <= measured else Reason.LIVENESS_MISSING


def required_cues(policy: Policy) -> frozenset[str]:
    """Return the cues that the policy itself asks for."""
    voted = {VOTE} if policy.target_iapar is not None or policy.target_bpcer is not None else set()
    return REQUIRED_CUES[policy.tier] | voted


def _guarded(evidence: Evidence, policy: Policy) -> Reason:
    """Hold what was shown against the guard: less than stood at the enrolment, or on this device before, opens nothing."""
    if evidence.guard.missing_streams(evidence.modalities):
        return Reason.STREAM_MISSING
    unmet = (evidence.guard | Guard(cues=required_cues(policy))).unmet(evidence.liveness)
    known = {c.name: c for c in evidence.liveness.cues} if evidence.liveness is not None else {}
    if VOTE in unmet and VOTE not in known:
        return Reason.NOT_CALIBRATED
    if any(name not in known or known[name].value is None for name in unmet):
        return Reason.LIVENESS_MISSING
    return Reason.LIVENESS_UNDECIDED if unmet else Reason.ACCEPTED


_NOISE: Final = "nir_noise"
_HINTS: Final[Mapping[str, Hint]] = {
    "depth_relief": Hint.DEPTH_MISSING,
    "nir_face": Hint.NIR_TOO_DIM,
    "strobe": Hint.NIR_TOO_DIM,
    VOTE: Hint.NOT_FRONTAL,
    colour.VOTE: Hint.TOO_FAR,
}
"""What to try where a cue that must pass could not be measured; one between its limits asks for a frontal view, where cues are clearest."""


def _advice(reason: Reason, evidence: Evidence, policy: Policy) -> tuple[Hint, ...]:
    """Return the hints of the frame set and, where liveness was not decided, what would decide it."""
    if reason not in (Reason.LIVENESS_UNDECIDED, Reason.LIVENESS_MISSING) or evidence.liveness is None:
        return evidence.hints
    asked = evidence.guard.cues | required_cues(policy) | {VOTE, colour.VOTE}
    silent = [c for c in evidence.liveness.cues if c.name in asked and c.verdict is Verdict.ABSTAIN]
    dazzled = any(c.name == _NOISE and c.value is not None and c.value > c.limit for c in evidence.liveness.cues)
    hints = {**_HINTS, VOTE: Hint.NIR_TOO_DIM} if dazzled else _HINTS
    wanted = [hints.get(c.name, Hint.NOT_FRONTAL) if c.value is None else Hint.NOT_FRONTAL for c in silent]
    return tuple(dict.fromkeys((*evidence.hints, *wanted)))


def first_failing(evidence: Evidence, policy: Policy) -> Reason:
    """Return the first gate that does not pass, ACCEPTED when all do."""
    reason = presentation(evidence, policy)
    if reason is not Reason.ACCEPTED:
        return reason
    if not evidence.enrolled:
        return Reason.NOT_ENROLLED
    if policy.bind_device and not evidence.bound:
        return Reason.OTHER_DEVICE
    if not evidence.calibrated:
        return Reason.NOT_CALIBRATED
    if evidence.match is None or evidence.user is None or evidence.candidates < 1 or evidence.looks < 1:
        return Reason.MATCH_MISSING
    if not (evidence.supported or policy.allow_extrapolation):
        return Reason.NOT_CALIBRATED
    return compared(evidence.match.fmr, evidence.match.miss_rate, limit(policy, evidence.candidates, evidence.looks), policy.risk)


def compared(fmr: float, miss_rate: float | None, limit: float, risk: float) -> Reason:
    """Return what a comparison alone says: ACCEPTED up to `limit`, NO_MATCH where few genuine ones score so low, UNSURE between the two."""
    if fmr <= limit:
        return Reason.ACCEPTED
    return Reason.NO_MATCH if miss_rate is None or miss_rate <= risk else Reason.UNSURE


def limit(policy: Policy, candidates: int, looks: int) -> float:
    """Return the false-match rate that one comparison may have: the target over the users compared and the looks planned."""
    return policy.target_fmr / (candidates * looks)


def lock_time(failures: int, last_ns: int, now_ns: int, policy: Policy, *, spoofs: int = 0, spoof_ns: int = 0) -> float:
    """Return the seconds until the next attempt is allowed, 0.0 when it is: a lock doubles with each reject past its limit.

    Failed matches and spoofs lock by themselves; the longer lock counts. A clock that ran backwards keeps the lock: time since the last
    one counts as zero.
    """
    return max(
        _left(failures - policy.max_failures, policy.lock_s, last_ns, now_ns),
        _left(spoofs - policy.max_spoofs, policy.spoof_lock_s, spoof_ns, now_ns),
    )


def _left(past: int, lock_s: float, last_ns: int, now_ns: int) -> float:
    return 0.0 if past < 0 else max(0.0, lock_s * 2.0 ** min(past, 10) - max(0, now_ns - last_ns) / 1e9)
