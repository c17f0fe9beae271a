"""A sensor that shows one picture for ever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import vultus
from vultus.devices import Capabilities, Device, StreamFormat, open_device
from vultus.frames import FrameSet, Source, Stream


class Frozen(Device):
    """Gives the frames of one moment again and again under rising times; of the named streams only."""

    def __init__(self, live: list[FrameSet], frozen: frozenset[Stream]) -> None:
        super().__init__(live[0].device)
        self._live, self._frozen, self._at = live, frozen, 0

    def _open(self) -> Capabilities:
        return Capabilities((StreamFormat(Stream.RGB),), rate_hz=None, finite=True, hardware_time=False)

    def _next(self, deadline: float) -> FrameSet | None:
        if self._at == len(self._live):
            return None
        own, first = self._live[self._at], self._live[0]
        self._at += 1
        frames = {f.stream.value: f for f in own.frames()}
        for old in first.frames():
            if old.stream in self._frozen:
                frames[old.stream.value] = replace(old, time_ns=frames[old.stream.value].time_ns)
        return FrameSet(own.device, own.sequence, **frames)

    def _close(self) -> None:
        self._at = 0


@pytest.mark.parametrize("frozen", [frozenset(), frozenset({Stream.DEPTH}), frozenset(Stream)], ids=["none", "depth", "all"])
def test_nobody_enrols_from_a_frozen_sensor(tmp_path: Path, frozen: frozenset[Stream]) -> None:
    """Several samples need several pictures of every stream: one frozen stream is enough to end in a time-out."""
    with open_device("simulator:astronaut?seed=1") as camera:
        live = [found for _ in range(8) if (found := camera.read()) is not None]
    store = vultus.TemplateStore.open(tmp_path / "t.db")
    policy = vultus.Policy(sources=frozenset({Source.SIMULATED}))
    with vultus.Authenticator(store=store, policy=policy) as auth, Frozen(live, frozen) as device:
        assert auth.enroll("ada", device).enrolled is (not frozen)
    store.close()
