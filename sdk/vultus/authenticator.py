"""Authenticator: enrol, verify, identify and sign in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from vultus import calibration as cal
from vultus._version import __version__
from vultus.attempts import Shown
from vultus.comparison import Candidate, Gallery, Looks, evidence_of, match_of
from vultus.devices.base import Device
from vultus.errors import AlreadyEnrolled, CalibrationError, NotEnrolled
from vultus.guard import VOTE, Guard, of_device
from vultus.manifest import Manifest, load_manifest
from vultus.pipeline import Pipeline, Probe
from vultus.policy import Evidence, Policy, decide, limit, lock_time, presentation, required_cues, without_evidence
from vultus.stages.match import stack
from vultus.store import TemplateStore
from vultus.templates import Enrollment, Template
from vultus.types import Decision, DeviceIdentity, Embedding, FrameSet, Hint, Match, Modality, Reason, Source

ENROL_SAMPLES: Final = 5
"""Samples of one enrolment: a second one takes away 45 to 72 % of the false rejects (NIST fusion study); five cover small turns."""
_SAME_FMR: Final = 1e-2
"""Each enrolment sample must match the first at this rate, so that nobody else steps in; pose and expression may still vary."""
_CHARGED: Final = frozenset({Reason.SPOOF, Reason.NO_MATCH, Reason.UNSURE})

OnHint = Callable[[Hint], None]
OnProgress = Callable[[int, int], None]


class Authenticator:
    """Sign-in against a template store. Not thread-safe, but `cancel()` may be called from any thread.

    store None opens the user's own store; models None takes the installed graphs and calibration; `calibrations` are device calibrations,
    of which the first that holds for a frame set's device is used in place of the general one.
    Raises ModelError, CalibrationError, StoreError.
    """

    def __init__(
        self,
        *,
        store: TemplateStore | None = None,
        policy: Policy | None = None,
        models: Manifest | Path | None = None,
        calibrations: Sequence[Path] = (),
        threads: int = 1,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        manifest = models if isinstance(models, Manifest) else load_manifest(models)
        self.policy = policy if policy is not None else Policy()
        base = cal.load(manifest.root / "calibration")
        self._calibrations = (*(cal.carry(base, path) for path in calibrations), base)
        self._pipeline = Pipeline(manifest, base.limits, threads)
        if base.graph != self._pipeline.graph:
            raise CalibrationError("the calibration was made with another recogniser; reinstall vultus")
        self._versions = {"graph": self._pipeline.graph, "calibration": base.id, "sdk": __version__}
        self._own_store = store is None
        self._store = store if store is not None else _default_store()
        self._clock_ns = clock_ns
        self._cancelled = threading.Event()
        self._shown = Shown()
        self._gallery = Gallery(self._store, self._pipeline.forms)
        for held in self._calibrations:
            if held.device is not None and held.vote is not None:
                self._store.guard((held.device.kind, held.device.model, held.device.serial))
        self._guarded = self._store.guarded()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the store if this object opened it; a second call does nothing."""
        if self._own_store:
            self._store.close()

    def cancel(self) -> None:
        """End a running `enroll` or `sign_in` at its next frame set, from any thread; it returns CANCELLED and stores nothing."""
        self._cancelled.set()

    def verify(self, frame_set: FrameSet, user: str | None = None) -> Decision:
        """Decide on one frame set: is this `user` (1:1), or with None, is it any enrolled user (1:N)?"""
        if not isinstance(frame_set, FrameSet):
            raise TypeError(f"verify() takes a FrameSet; got {type(frame_set).__name__}")
        locked = self._locked(user)
        if locked > 0:
            return decide(Evidence(frame_set.device.source, locked_s=locked, versions=self._versions), self.policy)
        if frame_set.device.source is Source.LIVE and self._shown.again(frame_set):
            return decide(Evidence(frame_set.device.source, repeated=True, versions=self._versions), self.policy)
        return self._charge(user, self.conclude(self.observe(frame_set), frame_set.device, user))

    def observe(self, frame_set: FrameSet) -> Probe:
        """Run the stages on a frame set and return what they found, for measurements and for several comparisons of one frame set."""
        probe = self._pipeline.process(frame_set)
        voted, policy = self._calibration(frame_set.device).voted, self.policy
        cast = voted(probe.liveness, policy.target_iapar, policy.target_bpcer, beyond=policy.allow_extrapolation)
        return replace(probe, liveness=cast)

    def conclude(self, probe: Probe, device: DeviceIdentity, user: str | None = None, looks: Looks | None = None) -> Decision:
        """Decide on an observed probe as `verify` does, but neither heed nor count rejects: the lock is the caller's business.

        `looks` carries the scores of an attempt's earlier frame sets; None means that this frame set is the whole attempt.
        """
        start = time.perf_counter_ns()
        evidence = self._compared(probe, device, user, looks)
        latency = {**probe.latency_ms, "match": (time.perf_counter_ns() - start) / 1e6}
        latency["total"] = sum(latency.values())
        return decide(replace(evidence, latency_ms=latency, versions=self._versions), self.policy)

    def identify(self, frame_set: FrameSet) -> Decision:
        """Decide who of the enrolled users is in a frame set; the target false-match rate is divided by their number."""
        return self.verify(frame_set)

    def sign_in(self, device: Device, *, user: str | None = None, timeout_s: float = 5.0, on_hint: OnHint | None = None) -> Decision:
        """Read frame sets until the evidence decides.

        Scores of the frame sets of one attempt are averaged and every look is held to the target divided by `policy.max_frame_sets`. One
        failed liveness cue ends the attempt. Raises DeviceError when the device fails.
        """
        self._cancelled.clear()
        locked = self._locked(user)
        if locked > 0:
            return decide(Evidence(device.identity.source, locked_s=locked, versions=self._versions), self.policy)
        looks = Looks()
        last: Decision | None = None
        for probe, frame_set in self._probes(device, timeout_s, on_hint):
            decision = self.conclude(probe, frame_set.device, user, looks)
            if decision.accepted or decision.reason in (
                Reason.SPOOF,
                Reason.SOURCE_NOT_ALLOWED,
                Reason.NOT_ENROLLED,
                Reason.OTHER_DEVICE,
                Reason.NOT_CALIBRATED,
            ):
                return self._charge(user, decision)
            last = decision
            if looks.count >= self.policy.max_frame_sets:
                break
        if self._cancelled.is_set():
            return without_evidence(Reason.CANCELLED, versions=self._versions)
        if last is not None and last.reason in (Reason.NO_MATCH, Reason.UNSURE):
            return self._charge(user, last)
        if last is None and self._shown.repeated:
            return without_evidence(Reason.REPEATED, versions=self._versions)
        return without_evidence(Reason.TIMEOUT, hints=last.hints if last is not None else (Hint.NO_FACE,), versions=self._versions)

    def enroll(
        self,
        user: str,
        device: Device,
        *,
        on_hint: OnHint | None = None,
        on_progress: OnProgress | None = None,
        replace: bool = False,
        samples: int = ENROL_SAMPLES,
        timeout_s: float = 30.0,
    ) -> Enrollment:
        """Take `samples` live, usable frame sets of one person and store their RGB and NIR embeddings, all or none.

        Raises AlreadyEnrolled unless `replace`, StoreError, DeviceError. A time-out, a spoof or a second person is a result.
        """
        if not 1 <= samples <= 30:
            raise ValueError("samples must be 1 to 30")
        if not replace and self._store.has(user):
            raise AlreadyEnrolled(f"{user} is enrolled already: ask to replace, or remove first")
        self._cancelled.clear()
        taken: list[Embedding] = []
        count, reason, identity = 0, Reason.TIMEOUT, device.identity
        own, streams = of_device(identity, self._guarded), []
        for probe, _ in self._probes(device, timeout_s, on_hint):
            found = presentation(evidence_of(probe, own), self.policy)
            if found in (Reason.SPOOF, Reason.SOURCE_NOT_ALLOWED):
                return Enrollment(user, found)
            if found is not Reason.ACCEPTED or not probe.embeddings:
                continue
            if not self._continues(taken, probe, identity):
                return Enrollment(user, Reason.NO_MATCH)
            taken += probe.embeddings.values()
            streams.append(probe.modalities)
            count += 1
            if on_progress is not None:
                on_progress(count, samples)
            if count == samples:
                reason = Reason.ACCEPTED
                break
        if self._cancelled.is_set():
            return Enrollment(user, Reason.CANCELLED)
        if reason is Reason.ACCEPTED:
            voted = {VOTE} if self._calibration(identity).vote is not None else set()
            guard = own | Guard.seen(streams, required_cues(self.policy) | voted)
            template = Template(user, tuple(taken), self._clock_ns(), identity, self._versions["calibration"], guard)
            self._store.add(template, replace=replace)
        return Enrollment(user, reason, {m.value: sum(e.modality is m for e in taken) for m in Modality})

    def _probes(self, device: Device, timeout_s: float, on_hint: OnHint | None) -> Iterator[tuple[Probe, FrameSet]]:
        """Yield probes of an attempt's fresh frame sets; tell new hints."""
        told = None
        for frame_set in self._shown.fresh(device, timeout_s, self._cancelled):
            probe = self.observe(frame_set)
            hint = probe.hints[0] if probe.hints else None
            if on_hint is not None and hint is not None and hint is not told:
                on_hint(hint)
            told = hint
            yield probe, frame_set

    def _calibration(self, identity: DeviceIdentity) -> cal.Calibration:
        return next(c for c in self._calibrations if c.holds_for(identity))

    def _continues(self, taken: list[Embedding], probe: Probe, identity: DeviceIdentity) -> bool:
        """Say whether a sample shows the same person as the samples before it."""
        if not taken:
            return True
        calibration = self._calibration(identity)
        pairs = calibration.calibrated(calibration.scores(list(probe.embeddings.values()), stack(taken)), identity.source)
        rates = [t.rate(p.score)[0] for p, t in pairs]
        return not rates or cal.merge(rates) <= _SAME_FMR

    def _compared(self, probe: Probe, identity: DeviceIdentity, user: str | None, looks: Looks | None) -> Evidence:
        """Add the best candidate's comparison to what the probe shows."""
        planned = 1 if looks is None else self.policy.max_frame_sets
        own = of_device(identity, self._guarded)
        bare = replace(evidence_of(probe, own, planned), calibrated=True)
        bound = identity if self.policy.bind_device and identity.source is Source.LIVE else None
        candidates = self._gallery.candidates(user, bound)
        if bound is not None and not candidates and self._gallery.candidates(user):
            return replace(bare, enrolled=True, bound=False)
        if presentation(bare, self.policy) is not Reason.ACCEPTED or not candidates or not probe.embeddings:
            return replace(bare, enrolled=bool(candidates))
        if looks is not None:
            looks.count += 1
        calibration = self._calibration(identity)
        best: tuple[float, Candidate, Match, bool] | None = None
        scored = False
        target = limit(self.policy, len(candidates), planned)
        probes = list(probe.embeddings.values())
        # The looks of one attempt are averaged for everybody, so that only a single look may leave the unlikely out.
        # Nor does the shortlist know a sensor's own space.
        short = looks is None and calibration.space is None
        for candidate in self._gallery.likely(candidates, probes) if short else candidates:
            pairs = calibration.scores(probes, candidate.references)
            pairs = looks.average(candidate.user, pairs) if looks is not None else pairs
            scored = scored or bool(pairs)
            usable = calibration.calibrated(pairs, identity.source)
            if not usable:
                continue
            match, supported = match_of(usable, target, self.policy.target_fmr, calibration.joint)
            if best is None or match.fmr < best[0] or (match.fmr == best[0] and match.log_lr > best[2].log_lr):
                best = (match.fmr, candidate, match, supported)
        if best is None:
            return replace(bare, enrolled=True, calibrated=not scored)
        found = replace(bare, enrolled=True, user=best[1].user, match=best[2], supported=best[3], candidates=len(candidates))
        return replace(found, guard=own | best[1].guard)

    def _locked(self, user: str | None) -> float:
        try:
            state = self._store.failures(user)
        except NotEnrolled:
            return 0.0
        return lock_time(state.count, state.last_ns, self._clock_ns(), self.policy, spoofs=state.spoofs, spoof_ns=state.spoof_ns)

    def _charge(self, user: str | None, decision: Decision) -> Decision:
        """Count a reject and forget the rejects before an accept; asking for another frame set is not charged."""
        try:
            if decision.accepted:
                self._store.clear_failures(user)
            elif decision.reason in _CHARGED:
                self._store.record_failure(user, self._clock_ns(), spoof=decision.reason is Reason.SPOOF)
        except NotEnrolled:
            return decision
        return decision


def _default_store() -> TemplateStore:
    from vultus import settings

    path = settings.load().store
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return TemplateStore.open(path)
