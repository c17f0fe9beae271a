"""The guard: what stood between a template and an accept at its enrolment stays, whatever is taken away or asked for later."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vultus
from vultus.authenticator import Authenticator
from vultus.calibration import load
from vultus.fitting import seal_document
from vultus.guard import VOTE, Guard, of_device
from vultus.manifest import load_manifest
from vultus.pipeline import Pipeline
from vultus.policy import REQUIRED_CUES, Tier
from vultus.stages.vote import ALONE, CUES, Vote
from vultus.store import TemplateStore
from vultus.types import Cue, DeviceIdentity, FrameSet, Liveness, Outcome, Reason, Source, Verdict
from vultus.vote_fitting import vote_document

POLICY = vultus.Policy(sources=frozenset({Source.SIMULATED}), max_failures=1000, max_spoofs=1000, allow_extrapolation=True)
STREAMS = ("rgb", "nir", "nir_ambient", "depth")
SCENES = ("", "&scene=flat_print", "&scene=bent_print", "&scene=screen_replay")
N = len(CUES)


def shots(url: str, count: int = 1) -> list[FrameSet]:
    """Render frame sets."""
    with vultus.open_device(url) as camera:
        return [fs for _ in range(count) if (fs := camera.read()) is not None]


def vote(pass_llr: float) -> Vote:
    """Return a vote that says 1 nat of everything, what is judged alone included, and passes from `pass_llr`."""
    alike, wide = np.stack([np.eye(N)] * 2), np.array([ALONE.get(name, 1.0) for name in CUES])
    course = np.zeros((4, N))
    course[0, [CUES.index(name) for name in ALONE]] = -1.0  # every correlation is more than usual
    return Vote(course, wide, np.zeros((2, N)), alike, np.ones(1), pass_llr, min(pass_llr, 0.5), offset=1.0)


def calibrated(folder: Path, device: DeviceIdentity, pass_llr: float) -> Path:
    """Write a device calibration that holds a vote, and the shipped table for colour."""
    pair = {"pair": ["rgb", "rgb"], "shift": 0, "scale": 1, "margin": 0, "llr": [20, -8], "genuine_scores": [], "people": 40}
    base = load(load_manifest().root / "calibration")
    named = {"kind": device.kind, "model": device.model, "serial": "", "source": device.source.value}
    document = vote_document(vote(pass_llr), people=40, live=240, attacks={})
    path = folder / f"device{pass_llr}.json"
    path.write_text(json.dumps(seal_document({"id": "x", "base_graph": base.graph, "device": named, "pairs": [pair], "vote": document})))
    return path


@pytest.fixture(scope="module")
def genuine() -> FrameSet:
    """Return a frame set of the person whom the tests enrol."""
    return shots("simulator:astronaut?seed=5")[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TemplateStore]:
    """Return an empty store."""
    with TemplateStore.open(tmp_path / "t.db") as made:
        yield made


def enrol(auth: Authenticator, user: str = "ada") -> None:
    """Enrol the person of the tests."""
    with vultus.open_device("simulator:astronaut?seed=1") as camera:
        assert auth.enroll(user, camera, samples=2).enrolled


def test_a_removed_calibration_opens_nothing_that_it_guarded(tmp_path: Path, store: TemplateStore, genuine: FrameSet) -> None:
    """Enrolled under a vote, a user is not accepted without the calibration, and the reason says that it is missing; with it back, again."""
    path = calibrated(tmp_path, genuine.device, 0.9)
    with Authenticator(store=store, policy=POLICY, calibrations=[path]) as auth:
        enrol(auth)
        assert auth.verify(genuine, user="ada").accepted
    with Authenticator(store=store, policy=POLICY) as bare:
        for decision in (bare.verify(genuine, user="ada"), bare.identify(genuine)):
            assert (decision.outcome, decision.reason) == (Outcome.UNDECIDED, Reason.NOT_CALIBRATED)
    with Authenticator(store=store, policy=POLICY, calibrations=[path]) as auth:
        assert auth.verify(genuine, user="ada").accepted


def test_a_calibration_that_came_after_the_enrolment_guards_too(tmp_path: Path, store: TemplateStore, genuine: FrameSet) -> None:
    """What a vote refused is refused once its calibration is gone, though the user enrolled before there was one; nobody enrols past it."""
    with Authenticator(store=store, policy=POLICY) as before:
        enrol(before)
        assert before.verify(genuine, user="ada").accepted
    with Authenticator(store=store, policy=POLICY, calibrations=[calibrated(tmp_path, genuine.device, 2.0)]) as during:
        assert not during.verify(genuine, user="ada").accepted
    with Authenticator(store=store, policy=POLICY) as after:
        assert after.verify(genuine, user="ada").reason is Reason.NOT_CALIBRATED
        with vultus.open_device("simulator:astronaut?seed=1") as camera:
            assert not after.enroll("eve", camera, samples=2, timeout_s=0.5).enrolled
    store.guard((genuine.device.kind, genuine.device.model, ""), drop=True)
    with Authenticator(store=store, policy=POLICY) as dropped:
        assert dropped.verify(genuine, user="ada").accepted


def test_a_weaker_tier_opens_nothing_that_a_stronger_one_guards(store: TemplateStore, genuine: FrameSet) -> None:
    """Enrolled in the secure tier, a user without depth or without NIR is not accepted by a policy of a weaker tier either."""
    with Authenticator(store=store, policy=POLICY) as auth:
        enrol(auth)
    for tier, gone in itertools.product((Tier.STANDARD, Tier.CONVENIENCE), ("depth", "nir")):
        lost = {"depth": None} if gone == "depth" else {"nir": None, "nir_ambient": None}
        with Authenticator(store=store, policy=dataclasses.replace(POLICY, tier=tier)) as weak:
            assert not weak.verify(dataclasses.replace(genuine, **lost), user="ada").accepted


def test_whoever_enrolled_without_depth_may_sign_in_without_it(store: TemplateStore, genuine: FrameSet) -> None:
    """A user of a device with colour and NIR alone is accepted there in the standard tier, with more sensors too, and not in the secure one."""
    flat = dataclasses.replace(genuine, depth=None)
    with Authenticator(store=store, policy=dataclasses.replace(POLICY, tier=Tier.STANDARD)) as auth:
        enrol(auth)
        assert auth.verify(genuine, user="ada").accepted
        template = store.get("ada", auth._pipeline.forms)
        store.add(dataclasses.replace(template, guard=Guard(frozenset({"rgb", "nir"}), REQUIRED_CUES[Tier.STANDARD])), replace=True)
        assert auth.verify(flat, user="ada").accepted
        assert auth.verify(genuine, user="ada").accepted
    with Authenticator(store=store, policy=POLICY) as secure:
        assert secure.verify(flat, user="ada").reason is Reason.LIVENESS_MISSING


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Authenticator, Authenticator]]:
    """Return authenticators with and without the calibration under which the one user enrolled."""
    folder = tmp_path_factory.mktemp("guard")
    frame_set = shots("simulator:astronaut?seed=5")[0]
    with (
        TemplateStore.open(folder / "t.db") as store,
        Authenticator(store=store, policy=POLICY, calibrations=[calibrated(folder, frame_set.device, 0.9)]) as auth,
    ):
        enrol(auth)
        with Authenticator(store=store, policy=POLICY) as bare:
            yield auth, bare


RANK = {Outcome.REJECT: 0, Outcome.UNDECIDED: 1, Outcome.ACCEPT: 2}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("person", ["astronaut", "grace_hopper"])
@pytest.mark.parametrize("calibration", [True, False])
def test_taking_anything_away_never_accepts(
    guarded: tuple[Authenticator, Authenticator], person: str, scene: str, calibration: bool
) -> None:
    """Over every set of sensors and the calibration, for the person, another one, prints and a screen: what is less is never accepted."""
    whole = shots(f"simulator:{person}?seed=21{scene}")[0]
    complete = guarded[0].verify(whole, user="ada").outcome
    auth = guarded[0] if calibration else guarded[1]
    for n in range(1, 16):
        gone = {s for i, s in enumerate(STREAMS) if n >> i & 1}
        gone |= {"nir_ambient"} if "nir" in gone else set()
        if {"rgb", "nir", "depth"} <= gone:
            continue
        decision = auth.verify(dataclasses.replace(whole, **dict.fromkeys(gone)), user="ada")
        assert not decision.accepted, f"accepted without {sorted(gone)}"
    without = auth.verify(whole, user="ada")
    assert RANK[without.outcome] <= RANK[complete] if calibration else not without.accepted


def test_three_spoofs_lock_by_a_count_of_their_own(store: TemplateStore, genuine: FrameSet) -> None:
    """Two spoofs and four failed matches do not lock; the third spoof does, for its own time; an accept forgets all of them."""
    now = [10**18]
    policy = dataclasses.replace(POLICY, max_failures=5, lock_s=10.0, max_spoofs=3, spoof_lock_s=60.0)
    printed, other = shots("simulator:astronaut?seed=7&scene=flat_print")[0], shots("simulator:grace_hopper?seed=6")[0]
    with Authenticator(store=store, policy=policy, clock_ns=lambda: now[0]) as auth:
        enrol(auth)
        for _ in range(2):
            assert auth.verify(printed, user="ada").reason is Reason.SPOOF
        for _ in range(4):
            assert auth.verify(other, user="ada").reason is Reason.NO_MATCH
        assert (store.failures("ada").count, store.failures("ada").spoofs) == (4, 2)
        assert auth.verify(genuine, user="ada").accepted
        assert (store.failures("ada").count, store.failures("ada").spoofs) == (0, 0)
        for _ in range(3):
            assert auth.verify(printed, user="ada").reason is Reason.SPOOF
        locked = auth.verify(genuine, user="ada")
        assert (locked.reason, locked.retry_after_s) == (Reason.LOCKED, pytest.approx(60.0))
        now[0] += 61 * 10**9
        assert auth.verify(printed, user="ada").reason is Reason.SPOOF
        assert auth.verify(genuine, user="ada").retry_after_s == pytest.approx(120.0)
        now[0] += 121 * 10**9
        assert auth.verify(genuine, user="ada").accepted


def test_an_undecided_vote_says_what_to_try(tmp_path: Path, store: TemplateStore, genuine: FrameSet) -> None:
    """A vote between its limits is undecided and asks for a frontal view; missing depth asks for the sensor's range."""
    base = calibrated(tmp_path, genuine.device, 0.9)
    with Authenticator(store=store, policy=POLICY, calibrations=[base]) as auth:
        enrol(auth)
    with Authenticator(store=store, policy=POLICY, calibrations=[calibrated(tmp_path, genuine.device, 2.0)]) as auth:
        decision = auth.verify(genuine, user="ada")
        assert (decision.outcome, decision.reason) == (Outcome.UNDECIDED, Reason.LIVENESS_UNDECIDED)
        assert vultus.Hint.NOT_FRONTAL in decision.hints
        blind = dataclasses.replace(genuine, depth=dataclasses.replace(genuine.depth, data=np.zeros_like(genuine.depth.data)))
        assert vultus.Hint.DEPTH_MISSING in auth.verify(blind, user="ada").hints


def test_a_policy_that_asks_for_a_rate_takes_a_sensor_that_has_one(tmp_path: Path, store: TemplateStore, genuine: FrameSet) -> None:
    """A target IAPAR or BPCER without a calibration, or with one whose tables cannot support it, accepts nobody."""
    with Authenticator(store=store, policy=POLICY) as auth:
        enrol(auth)
    for change in ({"target_iapar": 0.05}, {"target_bpcer": 0.02}):
        policy = dataclasses.replace(POLICY, **change)
        for paths in ([], [calibrated(tmp_path, genuine.device, 0.9)]):
            with Authenticator(store=store, policy=policy, calibrations=paths) as auth:
                assert auth.verify(genuine, user="ada").reason is Reason.NOT_CALIBRATED


@pytest.mark.parametrize("rate", [0.0, -0.1, 0.51, float("nan")])
def test_impossible_rates_are_refused(rate: float) -> None:
    """A rate of nothing, or of more than half, is a wrong argument."""
    with pytest.raises(ValueError, match="target_iapar"):
        vultus.Policy(target_iapar=rate)
    with pytest.raises(ValueError, match="target_bpcer"):
        vultus.Policy(target_bpcer=rate)


names = st.frozensets(st.sampled_from(["rgb", "nir", "nir_ambient", "depth", "x"]))
guards = st.builds(Guard, names, st.frozensets(st.sampled_from([VOTE, *REQUIRED_CUES[Tier.SECURE]])))


@given(one=guards, other=guards, verdict=st.sampled_from(list(Verdict)), there=names)
def test_joining_guards_never_asks_for_less(one: Guard, other: Guard, verdict: Verdict, there: frozenset[str]) -> None:
    """Whatever one guard misses, the join of both misses too; a guard survives its own writing."""
    live = Liveness(Verdict.PASS, (Cue(VOTE, 1.0, "nats", 0.0, verdict),))
    states = dict.fromkeys(there, "used")
    assert (one | other).missing_streams(states) >= one.missing_streams(states)
    assert (one | other).unmet(live) >= one.unmet(live)
    assert Guard.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_a_device_is_guarded_by_kind_model_and_serial() -> None:
    """A calibration of a model guards all its units, one of a unit that unit alone, and neither another model."""
    unit = DeviceIdentity("v4l2", "m", "7", Source.LIVE)
    assert of_device(unit, [("v4l2", "m", "")]).cues == {VOTE}
    assert of_device(unit, [("v4l2", "m", "7")]).cues == {VOTE}
    assert of_device(unit, [("v4l2", "m", "8"), ("v4l2", "n", "")]).cues == set()


def test_a_missing_graph_is_an_error_not_an_answer(tmp_path: Path, store: TemplateStore) -> None:
    """Without a graph or with the limits gone there is no authenticator that could accept."""
    import shutil

    root = load_manifest().root
    for gone in (
        "artefacts/sface_int8.onnx",
        "calibration/liveness.json",
        "calibration/match.json",
        "calibration/colour.json",
        "artefacts/landmarks_96x96.onnx",
        "artefacts/nir_stem.onnx",
        "manifest.toml",
    ):
        shutil.copytree(root, tmp_path / "models", dirs_exist_ok=True, ignore=shutil.ignore_patterns("recipes", "training", "optimised"))
        (tmp_path / "models" / gone).unlink()
        with pytest.raises(vultus.VultusError):
            Authenticator(models=tmp_path / "models", store=store)


def test_the_pipeline_reports_each_stream_that_is_missing(genuine: FrameSet) -> None:
    """What a guard counts as missing is what the frame set lacks, never what was seen badly."""
    manifest = load_manifest()
    pipeline = Pipeline(manifest, load(manifest.root / "calibration").limits)
    for gone in STREAMS:
        lost = {"nir": None, "nir_ambient": None} if gone == "nir" else {gone: None}
        states = pipeline.process(dataclasses.replace(genuine, **lost)).modalities
        assert {name for name, state in states.items() if state == "missing"} == set(lost)
