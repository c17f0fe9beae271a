"""Frames put in behind the driver: another camera than the one of the enrolment, and pictures that were shown in an earlier attempt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vultus
from vultus.attempts import Shown
from vultus.devices import Capabilities, Device, StreamFormat, open_device
from vultus.frames import DeviceIdentity, FrameSet, Source
from vultus.store import TemplateStore
from vultus.types import Outcome, Reason

OWN = DeviceIdentity("v4l2", "Brio 4K", "7", Source.LIVE)
POLICY = vultus.Policy(sources=frozenset({Source.LIVE, Source.SIMULATED}), max_failures=1000, lock_s=0)
OTHERS = {
    "another unit": replace(OWN, serial="8"),
    "a unit without a serial": replace(OWN, serial=""),
    "another model": replace(OWN, model="C920"),
    "another kind": replace(OWN, kind="serial"),
}


class Live(Device):
    """Gives frame sets as a live camera would: as its own, under rising times."""

    def __init__(self, frame_sets: list[FrameSet], identity: DeviceIdentity = OWN, start_ns: int = 0) -> None:
        super().__init__(identity)
        self._left = [taken(fs, identity, start_ns) for fs in frame_sets]

    def _open(self) -> Capabilities:
        return Capabilities((StreamFormat(vultus.Stream.RGB),), rate_hz=None, finite=True, hardware_time=False)

    def _next(self, deadline: float) -> FrameSet | None:
        return self._left.pop(0) if self._left else None

    def _close(self) -> None:
        self._left = []


def taken(frame_set: FrameSet, identity: DeviceIdentity, later_ns: int = 0) -> FrameSet:
    """Return the frame set as a device took it, later."""
    frames = {f.stream.value: replace(f, time_ns=f.time_ns + later_ns) for f in frame_set.frames()}
    return FrameSet(identity, frame_set.sequence, **frames)


def shots(url: str, count: int) -> list[FrameSet]:
    """Render frame sets."""
    with open_device(url) as camera:
        return [fs for _ in range(count) if (fs := camera.read()) is not None]


@pytest.fixture(scope="module")
def enrolment() -> list[FrameSet]:
    """Return frame sets to enrol from."""
    return shots("simulator:astronaut?seed=1", 8)


@pytest.fixture(scope="module")
def genuine() -> list[FrameSet]:
    """Return other frame sets of the same person."""
    return shots("simulator:astronaut?seed=5", 6)


@pytest.fixture
def store(tmp_path: Path, enrolment: list[FrameSet]) -> Iterator[TemplateStore]:
    """Return a store in which ada was enrolled with the camera OWN."""
    with TemplateStore.open(tmp_path / "t.db") as made:
        with vultus.Authenticator(store=made, policy=POLICY) as auth, Live(enrolment) as camera:
            assert auth.enroll("ada", camera).enrolled
        yield made


def authenticator(store: TemplateStore, **changes: object) -> vultus.Authenticator:
    return vultus.Authenticator(store=store, policy=replace(POLICY, **changes))


def reason(auth: vultus.Authenticator, frame_set: FrameSet, identity: DeviceIdentity, user: str | None = "ada") -> Reason:
    """Return what a comparison on RGB frames of a live camera, for which there is no NIR calibration, comes to."""
    return auth.verify(taken(frame_set, identity), user=user).reason


@pytest.mark.parametrize("who", ["ada", None])
def test_a_template_serves_the_camera_of_its_enrolment(store: TemplateStore, genuine: list[FrameSet], who: str | None) -> None:
    """The same unit is compared; every other live camera is refused for its name, 1:1 and 1:N, and is not counted as a failed attempt."""
    with authenticator(store) as auth:
        assert reason(auth, genuine[0], OWN, who) is Reason.ACCEPTED
        for number, other in enumerate(OTHERS.values(), 1):
            decision = auth.verify(taken(genuine[number], other), user=who)
            assert (decision.outcome, decision.reason, decision.match) == (Outcome.REJECT, Reason.OTHER_DEVICE, None)
        assert store.failures(who).count == 0


def test_another_camera_is_allowed_by_name(store: TemplateStore, genuine: list[FrameSet]) -> None:
    """bind_device=False compares whatever camera the template comes from."""
    with authenticator(store, bind_device=False) as auth:
        assert reason(auth, genuine[0], OTHERS["another unit"]) is Reason.ACCEPTED


def test_sources_that_were_allowed_by_name_are_not_bound(store: TemplateStore, genuine: list[FrameSet]) -> None:
    """A simulated camera that the policy believes may be compared with anybody's template; a live one not with a simulated template."""
    with authenticator(store) as auth:
        assert auth.verify(genuine[0], user="ada").accepted
        with open_device("simulator:astronaut?seed=2") as camera:
            assert auth.enroll("grace", camera).enrolled
        assert reason(auth, genuine[1], OWN, "grace") is Reason.OTHER_DEVICE


def test_sign_in_ends_at_once_with_another_camera(store: TemplateStore, genuine: list[FrameSet]) -> None:
    """The reason is given after the first look, not as a time-out."""
    with authenticator(store) as auth, Live(genuine, OTHERS["another unit"]) as camera:
        assert auth.sign_in(camera, user="ada").reason is Reason.OTHER_DEVICE


def test_a_spoof_is_called_a_spoof_whatever_camera_it_comes_from(store: TemplateStore) -> None:
    """The gates before matching keep their order."""
    with authenticator(store) as auth:
        fake = shots("simulator:astronaut?seed=7&scene=flat_print", 1)[0]
        assert reason(auth, fake, OTHERS["another unit"]) is Reason.SPOOF


def test_pictures_of_an_earlier_attempt_are_refused(store: TemplateStore, genuine: list[FrameSet]) -> None:
    """What signed in once, put in again under new times, signs in no more; new pictures do."""
    with authenticator(store) as auth:
        with Live(genuine[:3]) as camera:
            assert auth.sign_in(camera, user="ada").accepted
        with Live(genuine[:1], start_ns=10**10) as camera:
            decision = auth.sign_in(camera, user="ada")
        assert (decision.outcome, decision.reason) == (Outcome.UNDECIDED, Reason.REPEATED)
        assert auth.verify(taken(genuine[0], OWN, 2 * 10**10), user="ada").reason is Reason.REPEATED
        assert auth.verify(taken(genuine[5], OWN, 2 * 10**10), user="ada").accepted


def test_one_stream_of_an_earlier_attempt_is_enough(store: TemplateStore, genuine: list[FrameSet]) -> None:
    """Depth that was shown before, with new colour and NIR, is refused."""
    with authenticator(store) as auth:
        assert reason(auth, genuine[0], OWN) is Reason.ACCEPTED
        new, old = taken(genuine[1], OWN, 10**10), taken(genuine[0], OWN, 10**10)
        assert new.depth is not None
        assert old.depth is not None
        mixed = replace(new, depth=replace(old.depth, time_ns=new.depth.time_ns))
        assert auth.verify(mixed, user="ada").reason is Reason.REPEATED


def test_the_same_frame_set_may_be_asked_twice(store: TemplateStore, genuine: list[FrameSet]) -> None:
    """Asking about two users with one frame set is no repetition, and what is believed by name may be played again."""
    with authenticator(store) as auth:
        assert [auth.verify(taken(genuine[0], OWN), user=u).reason for u in ("ada", "ada", "bob")] == [
            Reason.ACCEPTED, Reason.ACCEPTED, Reason.NOT_ENROLLED,
        ]  # fmt: skip
        later = replace(genuine[1], sequence=99)
        assert auth.verify(genuine[1], user="ada").accepted
        assert auth.verify(taken(later, later.device, 10**10), user="ada").accepted


def test_memory_and_time_stay_small(genuine: list[FrameSet]) -> None:
    """The last 2048 pictures are remembered, older ones forgotten, and looking costs little beside a frame set's 10 ms and more."""
    shown, rng = Shown(), np.random.default_rng(0)
    small = [rng.integers(0, 255, (16, 16, 3), np.uint8) for _ in range(2050)]
    sets = [FrameSet(OWN, n, rgb=vultus.Frame(vultus.Stream.RGB, p, n)) for n, p in enumerate(small)]
    assert not any(shown.again(fs) for fs in sets)
    assert shown.again(taken(sets[5], OWN, 10**9))
    assert not shown.again(taken(sets[0], OWN, 10**9))
    start = time.process_time()
    for _ in range(20):
        shown.again(taken(genuine[0], OWN))
    each_ms = (time.process_time() - start) / 20 * 1e3
    assert each_ms < 8  # about 1 ms for four streams of 640 x 480; a machine under load is given room
