"""Enrolment, verification and sign-in over simulated frame sets: what accepts, what refuses, and what is stored."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vultus
from vultus.authenticator import Authenticator
from vultus.calibration import load
from vultus.devices import open_device, record
from vultus.devices.base import Capabilities, Device, StreamFormat
from vultus.errors import AlreadyEnrolled, CalibrationError, ModelMissing, StoreOutdated
from vultus.manifest import load_manifest
from vultus.pipeline import Probe
from vultus.store import TemplateStore
from vultus.templates import Template
from vultus.types import (
    DeviceIdentity,
    Embedding,
    Extrinsics,
    Frame,
    FrameSet,
    Hint,
    Modality,
    Outcome,
    Reason,
    Source,
    Stream,
    Verdict,
)

POLICY = vultus.Policy(sources=frozenset({Source.SIMULATED}), max_failures=1000, max_spoofs=1000)
IDENTITY = DeviceIdentity("simulator", "list", "1", Source.SIMULATED)


REFUSED = (Reason.NO_MATCH, Reason.UNSURE)
"""How a stranger's attempt ends: both are counted towards the lock."""


class ListDevice(Device):
    """Plays frame sets from a list; `then` is called before each read."""

    def __init__(self, frame_sets: list[FrameSet], then: object = None) -> None:
        super().__init__(IDENTITY)
        self._left = list(frame_sets)
        self._then = then

    def _open(self) -> Capabilities:
        return Capabilities((StreamFormat(Stream.RGB),), rate_hz=None, finite=True, hardware_time=False)

    def _next(self, deadline: float) -> FrameSet | None:
        if callable(self._then):
            self._then()
        return self._left.pop(0) if self._left else None

    def _close(self) -> None:
        self._left = []


def shots(url: str, count: int = 1) -> list[FrameSet]:
    """Render frame sets."""
    with open_device(url) as camera:
        return [fs for _ in range(count) if (fs := camera.read()) is not None]


@pytest.fixture(scope="module")
def genuine() -> list[FrameSet]:
    """Return frame sets of the enrolled person, not those of the enrolment."""
    return shots("simulator:astronaut?seed=5", 6)


@pytest.fixture(scope="module")
def stranger() -> list[FrameSet]:
    """Return frame sets of somebody else."""
    return shots("simulator:grace_hopper?seed=6", 6)


@pytest.fixture(scope="module")
def prints() -> list[FrameSet]:
    """Return frame sets of a flat print of the enrolled person."""
    return shots("simulator:astronaut?seed=7&scene=flat_print", 3)


@pytest.fixture(scope="module")
def auth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authenticator]:
    """Return an authenticator with one enrolled person, eileen."""
    store = TemplateStore.open(tmp_path_factory.mktemp("store") / "t.db")
    with Authenticator(store=store, policy=POLICY) as made, open_device("simulator:astronaut?seed=1") as camera:
        assert made.enroll("eileen", camera).enrolled
        yield made
    store.close()


def opened(frame_sets: list[FrameSet], then: object = None) -> Device:
    """Return an open device that plays frame sets."""
    return ListDevice(frame_sets, then).open()


def test_the_enrolled_person_is_accepted(auth: Authenticator, genuine: list[FrameSet]) -> None:
    """A genuine frame set is accepted with a rate below the target, live cues, and every latency and version named."""
    decision = auth.verify(genuine[0], user="eileen")
    assert decision.accepted
    assert decision.user == "eileen"
    assert decision.match is not None
    assert decision.match.fmr <= POLICY.target_fmr
    assert decision.match.fmr <= decision.match.fmr_upper
    assert decision.liveness is not None
    assert decision.liveness.p_live is None
    assert {"detect", "embed_rgb", "embed_nir", "liveness", "match", "total"} <= set(decision.latency_ms)
    assert set(decision.versions) == {"sdk", "graph", "calibration"}
    assert decision.modalities["rgb"] == decision.modalities["nir"] == decision.modalities["depth"] == "used"


def test_somebody_else_is_refused(auth: Authenticator, stranger: list[FrameSet]) -> None:
    """Another live person is rejected for the match and nothing else."""
    decision = auth.verify(stranger[0], user="eileen")
    assert (decision.outcome, decision.reason) == (Outcome.REJECT, Reason.NO_MATCH)


def test_identify_names_the_user(auth: Authenticator, genuine: list[FrameSet], stranger: list[FrameSet]) -> None:
    """1:N names the enrolled person and nobody for a stranger."""
    assert auth.identify(genuine[1]).user == "eileen"
    assert not auth.identify(stranger[1]).accepted


def test_an_unknown_user_is_a_result(auth: Authenticator, genuine: list[FrameSet]) -> None:
    """Verifying a name that is not enrolled is a reject with its reason, not an exception."""
    assert auth.verify(genuine[0], user="nobody").reason is Reason.NOT_ENROLLED


def test_a_print_is_refused_whoever_it_shows(auth: Authenticator, prints: list[FrameSet]) -> None:
    """A print of the enrolled person is a spoof, and the cue says so in numbers."""
    decision = auth.verify(prints[0], user="eileen")
    assert decision.reason is Reason.SPOOF
    assert decision.match is None
    assert decision.liveness is not None
    failed = next(c for c in decision.liveness.cues if c.verdict is Verdict.FAIL)
    assert failed.value is not None
    assert failed.value < failed.limit


@pytest.mark.parametrize("source", [s for s in Source if s is not Source.SIMULATED])
def test_a_source_that_was_not_named_is_refused(auth: Authenticator, genuine: list[FrameSet], source: Source) -> None:
    """The same frames under another source are refused, whatever they show."""
    moved = dataclasses.replace(genuine[0], device=dataclasses.replace(genuine[0].device, source=source))
    assert auth.verify(moved, user="eileen").reason is Reason.SOURCE_NOT_ALLOWED


STREAMS = ("rgb", "nir", "nir_ambient", "depth")


@pytest.mark.parametrize("gone", [c for n in range(1, 16) if len(c := tuple(s for i, s in enumerate(STREAMS) if n >> i & 1)) < 4])
def test_taking_sensors_away_never_raises_the_outcome(
    auth: Authenticator, prints: list[FrameSet], genuine: list[FrameSet], gone: tuple[str, ...]
) -> None:
    """Without any set of streams a print is still not accepted, and a person without depth or NIR is not either in the secure tier."""
    kept = dict.fromkeys(gone) | ({"nir_ambient": None} if "nir" in gone else {})
    if {"rgb", "nir", "depth"} <= set(gone):
        with pytest.raises(ValueError, match="at least one"):
            dataclasses.replace(prints[0], **kept)
        return
    assert not auth.verify(dataclasses.replace(prints[0], **kept), user="eileen").accepted
    decision = auth.verify(dataclasses.replace(genuine[0], **kept), user="eileen")
    if "depth" in gone or "nir" in gone:
        assert not decision.accepted
        assert decision.modalities["depth" if "depth" in gone else "nir"] == "missing"


def replaced(frame_set: FrameSet, stream: str, data: np.ndarray, **changes: object) -> FrameSet:
    """Return the frame set with other pixels in one stream."""
    frame = dataclasses.replace(getattr(frame_set, stream), data=data, **changes)
    return dataclasses.replace(frame_set, **{stream: frame})


@pytest.mark.parametrize("stream", ["rgb", "nir", "depth"])
@pytest.mark.parametrize("fault", ["black", "white", "noise", "half", "mirrored", "shifted"])
def test_a_faulty_stream_never_accepts_a_stranger_or_crashes(
    auth: Authenticator, stranger: list[FrameSet], stream: str, fault: str
) -> None:
    """Black, white, noisy, half, mirrored and shifted pictures in any stream give a decision that is not an accept."""
    data = getattr(stranger[0], stream).data.copy()
    top = np.iinfo(data.dtype).max
    if fault == "black":
        data[:] = 0
    elif fault == "white":
        data[:] = top
    elif fault == "noise":
        data = np.random.default_rng(0).integers(0, int(top) + 1, data.shape).astype(data.dtype)
    elif fault == "half":
        data[:, : data.shape[1] // 2] = 0
    elif fault == "mirrored":
        data = np.ascontiguousarray(data[:, ::-1])
    else:
        data = np.roll(data, 90, axis=1)
    assert not auth.verify(replaced(stranger[0], stream, data), user="eileen").accepted


@pytest.mark.parametrize("stream", ["rgb", "nir", "depth"])
def test_a_stream_of_somebody_else_is_not_accepted(
    auth: Authenticator, stranger: list[FrameSet], prints: list[FrameSet], stream: str
) -> None:
    """A print's picture in one stream of a stranger is refused; so is a stranger's colour or NIR before a print's depth."""
    mixed = dataclasses.replace(stranger[0], **{stream: getattr(prints[0], stream)})
    assert not auth.verify(mixed, user="eileen").accepted
    if stream != "depth":  # a foreign depth stream comes from behind the driver, which the README says is not stopped
        spoofed = dataclasses.replace(prints[0], **{stream: getattr(stranger[0], stream)})
        assert not auth.verify(spoofed, user="eileen").accepted


def test_a_face_that_jumps_is_asked_to_hold_still(auth: Authenticator, genuine: list[FrameSet]) -> None:
    """A face that moves by more than a third of its eye distance between two frame sets brings the hint; a swaying one does not."""
    steady = [auth.observe(fs).hints for fs in genuine]
    assert all(Hint.HOLD_STILL not in hints for hints in steady[1:])
    colour = genuine[-1].rgb
    assert colour is not None
    later = dataclasses.replace(colour, data=np.roll(colour.data, 40, axis=1), time_ns=colour.time_ns + 33_000_000)
    jumped = dataclasses.replace(genuine[-1], rgb=later)
    assert Hint.HOLD_STILL in auth.observe(jumped).hints


def test_depth_without_a_return_is_not_accepted(auth: Authenticator, genuine: list[FrameSet]) -> None:
    """A depth picture of NaN becomes no return, and without relief the secure tier asks for more."""
    depth = genuine[0].depth
    assert depth is not None
    empty = vultus.depth_from_metres(np.full(depth.data.shape, np.nan))
    decision = auth.verify(replaced(genuine[0], "depth", empty), user="eileen")
    assert decision.reason is Reason.LIVENESS_MISSING
    assert Hint.DEPTH_MISSING in decision.hints


def test_frames_too_far_apart_are_stale(auth: Authenticator, genuine: list[FrameSet]) -> None:
    """Streams a tenth of a second apart are not one moment."""
    depth = genuine[0].depth
    assert depth is not None
    late = dataclasses.replace(genuine[0], depth=dataclasses.replace(depth, time_ns=depth.time_ns + 100_000_000))
    assert auth.verify(late, user="eileen").reason is Reason.STALE


def test_sign_in_decides_over_frame_sets(
    auth: Authenticator, genuine: list[FrameSet], stranger: list[FrameSet], prints: list[FrameSet]
) -> None:
    """A sign-in accepts the person, rejects a stranger after its looks, and ends at the first spoof."""
    with opened(genuine) as camera:
        assert auth.sign_in(camera, user="eileen").accepted
    with opened(stranger) as camera:
        assert auth.sign_in(camera, user="eileen").reason is Reason.NO_MATCH
    with opened([*prints[:1], *genuine]) as camera:
        assert auth.sign_in(camera, user="eileen").reason is Reason.SPOOF


def test_time_that_stands_still_or_runs_back_is_passed_over(auth: Authenticator, genuine: list[FrameSet], stranger: list[FrameSet]) -> None:
    """A frozen or rewound stream gives no evidence beyond its first frame set."""
    hints: list[Hint] = []
    with opened([stranger[3], *[genuine[0]] * 5]) as camera:
        assert auth.sign_in(camera, user="eileen", on_hint=hints.append).reason in REFUSED
    with opened([]) as camera:
        assert auth.sign_in(camera, user="eileen").reason is Reason.TIMEOUT


def test_cancel_from_another_thread_stores_nothing(tmp_path: Path, genuine: list[FrameSet]) -> None:
    """A cancelled enrolment is a result and leaves the store as it was."""
    with TemplateStore.open(tmp_path / "t.db") as store, Authenticator(store=store, policy=POLICY) as auth:
        with opened(genuine, then=lambda: threading.Thread(target=auth.cancel).start()) as camera:
            result = auth.enroll("ada", camera)
        assert result.reason is Reason.CANCELLED
        assert store.users() == []


def test_ctrl_c_in_mid_enrolment_stores_nothing(tmp_path: Path, genuine: list[FrameSet]) -> None:
    """A KeyboardInterrupt passes through and leaves the store as it was."""
    calls = []

    def interrupt() -> None:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt

    with TemplateStore.open(tmp_path / "t.db") as store, Authenticator(store=store, policy=POLICY) as auth:
        with opened(genuine, then=interrupt) as camera, pytest.raises(KeyboardInterrupt):
            auth.enroll("ada", camera)
        assert store.users() == []


def test_nobody_steps_in_during_enrolment(tmp_path: Path, genuine: list[FrameSet], stranger: list[FrameSet]) -> None:
    """An enrolment that begins with one person and goes on with another ends without a template."""
    with TemplateStore.open(tmp_path / "t.db") as store, Authenticator(store=store, policy=POLICY) as auth:
        later = [
            dataclasses.replace(s, rgb=shift(s.rgb), nir=shift(s.nir), nir_ambient=shift(s.nir_ambient), depth=shift(s.depth))
            for s in stranger
        ]
        with opened([*genuine[:2], *later]) as camera:
            assert auth.enroll("ada", camera).reason is Reason.NO_MATCH
        assert store.users() == []


def shift(frame: Frame | None) -> Frame | None:
    """Return the frame a second later."""
    return None if frame is None else dataclasses.replace(frame, time_ns=frame.time_ns + 10**9)


def test_a_print_cannot_enrol(tmp_path: Path, prints: list[FrameSet]) -> None:
    """An enrolment before a print ends as a spoof."""
    with TemplateStore.open(tmp_path / "t.db") as store, Authenticator(store=store, policy=POLICY) as auth, opened(prints) as camera:
        assert auth.enroll("ada", camera).reason is Reason.SPOOF


def test_an_enrolled_name_is_kept_unless_replaced(auth: Authenticator, genuine: list[FrameSet]) -> None:
    """Enrolling a name twice raises, and the first template stays."""
    with opened(genuine) as camera, pytest.raises(AlreadyEnrolled):
        auth.enroll("eileen", camera, samples=2)
    assert auth.verify(genuine[0], user="eileen").accepted


def test_rejects_lock_and_the_lock_ends(tmp_path: Path, genuine: list[FrameSet], stranger: list[FrameSet]) -> None:
    """Two rejects in a row lock the user for the stated time, across restarts; afterwards the right person gets in and the count is cleared."""
    now = [10**18]
    policy = dataclasses.replace(POLICY, max_failures=2, lock_s=10.0)
    with TemplateStore.open(tmp_path / "t.db") as store:
        with Authenticator(store=store, policy=policy, clock_ns=lambda: now[0]) as auth:
            with opened(genuine) as camera:
                assert auth.enroll("ada", camera, samples=3).enrolled
            for i in range(2):
                assert auth.verify(stranger[i], user="ada").reason in REFUSED
        with Authenticator(store=store, policy=policy, clock_ns=lambda: now[0]) as auth:
            locked = auth.verify(genuine[4], user="ada")
            assert locked.reason is Reason.LOCKED
            assert locked.retry_after_s == pytest.approx(10.0)
            now[0] += 11 * 10**9
            assert auth.verify(genuine[4], user="ada").accepted
            assert store.failures("ada").count == 0


def test_a_template_of_another_graph_is_outdated(auth: Authenticator, tmp_path: Path, genuine: list[FrameSet]) -> None:
    """A template made by another recogniser is refused by name, never compared."""
    vector = np.zeros(128, np.float32)
    vector[0] = 1
    with TemplateStore.open(tmp_path / "t.db") as store, Authenticator(store=store, policy=POLICY) as other:
        store.add(Template("old", (Embedding(Modality.RGB, vector, "0" * 64),), 0))
        with pytest.raises(StoreOutdated, match="enrol"):
            other.verify(genuine[0], user="old")
        with pytest.raises(StoreOutdated, match="enrol"):
            other.identify(genuine[0])


def test_no_calibration_no_authenticator(tmp_path: Path) -> None:
    """Without graphs or without their calibration there is nothing that could accept."""
    with pytest.raises(ModelMissing):
        Authenticator(models=tmp_path)
    root = load_manifest().root
    shutil.copy(root / "manifest.toml", tmp_path)
    shutil.copytree(root / "artefacts", tmp_path / "artefacts")
    with pytest.raises(CalibrationError, match="calibration"):
        Authenticator(models=tmp_path)


def test_nir_alone_is_no_evidence_on_an_uncalibrated_sensor(auth: Authenticator) -> None:
    """In the dark on a real camera without a calibration of its own nothing is accepted: the shipped NIR tables are simulated."""
    live = DeviceIdentity("v4l2", "camera", "1", Source.LIVE)
    dark = shots("simulator:astronaut?seed=9&light=0")[0]
    real = Authenticator(store=auth._store, policy=dataclasses.replace(POLICY, sources=frozenset({Source.LIVE}), bind_device=False))
    decision = real.verify(dataclasses.replace(dark, device=live), user="eileen")
    assert decision.reason is Reason.NOT_CALIBRATED


def test_an_unsupported_target_is_refused_unless_named(auth: Authenticator, genuine: list[FrameSet], tmp_path: Path) -> None:
    """A target below what the comparisons can speak of never accepts, even the right person, until extrapolation is allowed by name."""
    floor = load(load_manifest().root / "calibration").tables[Modality.RGB, Modality.RGB].floor
    policy = dataclasses.replace(POLICY, target_fmr=floor / 4)
    strict = Authenticator(store=auth._store, policy=policy)
    assert strict.verify(genuine[0], user="eileen").reason is Reason.NOT_CALIBRATED


def test_a_recording_decides_as_the_device_did(auth: Authenticator, genuine: list[FrameSet], tmp_path: Path) -> None:
    """A frame set that went through a recording gives the same scores and cues as it did live, to the last bit."""
    path = tmp_path / "one.mcap"
    with open_device("simulator:astronaut?seed=5") as camera:
        record(camera, path, count=1)
    with open_device(f"replay:{path}") as camera:
        again = camera.read()
    assert again is not None
    recorded = dataclasses.replace(again, device=genuine[0].device)
    first, second = auth.verify(genuine[0], user="eileen"), auth.verify(recorded, user="eileen")
    assert first.accepted
    assert (first.match, first.liveness) == (second.match, second.liveness)


def test_streams_are_related_through_their_calibration(auth: Authenticator, genuine: list[FrameSet]) -> None:
    """With depth from a camera 25 mm to the side, whose extrinsics say so, the person is still accepted; with wrong ones the cues do not pass."""
    base = genuine[2]
    assert base.depth is not None
    assert base.depth.intrinsics is not None
    same = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    shift_px = round(base.depth.intrinsics.fx * 25.0 / 500.0)
    moved = replaced(base, "depth", np.roll(base.depth.data, -shift_px, axis=1), extrinsics=Extrinsics(same, (25.0, 0.0, 0.0)))
    assert auth.verify(moved, user="eileen").accepted
    wrong = replaced(base, "depth", base.depth.data, extrinsics=Extrinsics(same, (200.0, 0.0, 0.0)))
    assert not auth.verify(wrong, user="eileen").accepted


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_stage_returns_nothing_more_is_accepted(auth: Authenticator, genuine: list[FrameSet], data: st.DataObject) -> None:
    """Dropping any results of the stages from a genuine probe never leads to an accept that lacks liveness, quality, a face or an embedding."""
    probe = PROBES.setdefault("genuine", auth.observe(genuine[3]))
    drop = data.draw(st.sets(st.sampled_from(["quality", "liveness", "embeddings", "faces", "cues"]), min_size=1))
    live = probe.liveness
    assert live is not None
    lost = data.draw(st.sets(st.sampled_from(["depth_relief", "nir_face"]), min_size=1))
    cues = tuple(c for c in live.cues if c.name not in lost)
    broken = dataclasses.replace(
        probe,
        quality=None if "quality" in drop else probe.quality,
        liveness=None if "liveness" in drop else dataclasses.replace(live, cues=cues) if "cues" in drop else live,
        embeddings={} if "embeddings" in drop else probe.embeddings,
        faces=data.draw(st.sampled_from([0, 2])) if "faces" in drop else probe.faces,
    )
    assert not auth.conclude(broken, IDENTITY, "eileen").accepted


PROBES: dict[str, Probe] = {}


def test_looking_for_the_likely_first_changes_no_decision(
    auth: Authenticator, genuine: list[FrameSet], stranger: list[FrameSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Identification among few by comparing all, and by the shortlist that many users get, ends in the same decision."""
    for frame_set in (genuine[1], stranger[1]):
        probe = auth.observe(frame_set)
        plain = auth.conclude(probe, frame_set.device)
        monkeypatch.setattr("vultus.comparison._MANY", 1)
        short = auth.conclude(probe, frame_set.device)
        monkeypatch.undo()
        assert (short.outcome, short.user, short.match) == (plain.outcome, plain.user, plain.match)
