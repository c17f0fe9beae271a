"""The frame sets that a run measures, and two enrolled users: the person in them, who is accepted, and a stranger, who never is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from vultus.authenticator import Authenticator
from vultus.devices import open_device
from vultus.errors import DeviceError, VultusError
from vultus.manifest import Manifest
from vultus.policy import Policy, Tier
from vultus.store import TemplateStore
from vultus.templates import Template
from vultus.types import Embedding, FrameSet, Modality, Source, Stream

PERSON: Final = "person"
STRANGER: Final = "stranger"
FRESH_NS: Final = 2_000_000_000
"""Frame sets this far apart share nothing: the whole picture is searched in each, as at the first look of a sign-in."""
NEXT_NS: Final = 33_333_333
_ERA_NS: Final = 10**15
"""Eleven days: longer than any run."""
MODES: Final = {
    "rgb": frozenset({Stream.RGB}),
    "rgb+nir": frozenset({Stream.RGB, Stream.NIR, Stream.NIR_AMBIENT}),
    "rgb+nir+depth": frozenset(Stream),
}
"""Streams of each mode; NIR comes with the ambient picture of its pair where the device gives one."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured: where it came from, its frame sets in full, and the store with both users enrolled."""

    url: str
    frame_sets: tuple[FrameSet, ...]
    store: Path

    def modes(self) -> tuple[str, ...]:
        """Return the modes that these frame sets have every stream for."""
        first = self.frame_sets[0]
        there = {f.stream for f in first.frames()}
        need = {"rgb": {Stream.RGB}, "rgb+nir": {Stream.RGB, Stream.NIR}, "rgb+nir+depth": {Stream.RGB, Stream.NIR, Stream.DEPTH}}
        return tuple(mode for mode in MODES if need[mode] <= there)

    def taken(self, mode: str, step_ns: int, era: int = 0) -> Iterator[FrameSet]:
        """Yield the frame sets for ever with the streams of a mode, one every `step_ns`; frames are views of the same pixels.

        Two subjects that share an authenticator need two eras, so that none takes over the face that the other has just found.
        """
        base, number = (era + 1) * _ERA_NS, 0
        while True:
            for frame_set in self.frame_sets:
                yield shifted(only(frame_set, MODES[mode]), base + number * step_ns - frame_set.time_ns)
                number += 1


def only(frame_set: FrameSet, streams: frozenset[Stream]) -> FrameSet:
    """Return a frame set without the other streams."""
    without: dict[str, Any] = {s.value: None for s in Stream if s not in streams}
    return replace(frame_set, **without)


def shifted(frame_set: FrameSet, by_ns: int) -> FrameSet:
    """Return a frame set taken `by_ns` later."""
    later: dict[str, Any] = {f.stream.value: replace(f, time_ns=f.time_ns + by_ns) for f in frame_set.frames()}
    return replace(frame_set, **later)


def policy() -> Policy:
    """Return a policy under which every frame set is compared: any source, no tier above matching, no lock."""
    return Policy(
        sources=frozenset(Source), tier=Tier.CONVENIENCE, max_failures=2**31, max_spoofs=2**31, max_skew_ms=1000.0, allow_extrapolation=True
    )


@contextmanager
def opened(manifest: Manifest, store: Path, threads: int, calibrations: Sequence[Path] = ()) -> Iterator[Authenticator]:
    """Open an authenticator on the workload's store."""
    with (
        TemplateStore.open(store) as held,
        Authenticator(store=held, policy=policy(), models=manifest, threads=threads, calibrations=calibrations) as auth,
    ):
        yield auth


def prepare(url: str, manifest: Manifest, folder: Path, count: int) -> Workload:
    """Read `count` frame sets of a device, enrol the person in them and a stranger; raises VultusError when no face can be used."""
    with open_device(url) as device:
        frame_sets: list[FrameSet] = []
        while len(frame_sets) < count and (frame_set := device.read(timeout_s=10.0)) is not None:
            frame_sets.append(frame_set)
    if not frame_sets or frame_sets[0].rgb is None:
        raise DeviceError(f"{url} gave no frame set with a colour picture; the harness needs one to compare with")
    path = folder / "bench.db"
    with opened(manifest, path, 1) as auth:
        probe = next((p for p in map(auth.observe, frame_sets) if p.embeddings), None)
        if probe is None:
            raise VultusError(f"no face in the frame sets of {url} can be used; record one that looks into the camera")
    with TemplateStore.open(path) as store:
        store.add(Template(PERSON, tuple(probe.embeddings.values()), time.time_ns()))
        store.add(Template(STRANGER, tuple(_stranger(manifest.forms())), time.time_ns()))
    return Workload(url, tuple(frame_sets), path)


def _stranger(forms: Mapping[Modality, str]) -> Iterator[Embedding]:
    """Yield an embedding a modality that is at right angles to nearly everybody's: a direction drawn once."""
    rng = np.random.default_rng(7)
    for modality in Modality:
        vector = rng.standard_normal(128).astype(np.float32)
        yield Embedding(modality, vector / np.linalg.norm(vector), forms[modality])
