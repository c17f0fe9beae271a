"""Protocol "system": whole transactions through the Authenticator: enrolment, claims, tries, lock-out aside."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np

from vultus.devices.base import Capabilities, Device, StreamFormat
from vultus.errors import DeviceError, RecordingError
from vultus.evaluate.extraction import Task, hash_files, read_frames
from vultus.evaluate.samples import IDENTITY, DataSet, Problem, Sample, frame_set, where
from vultus.evaluate.setting import FORMAT, Outcome, Setting, listed
from vultus.evaluate.transactions import Transaction, system_figures
from vultus.frames import DeviceIdentity, FrameSet, Source, Stream
from vultus.types import Decision, Reason


class AuthenticatorLike(Protocol):
    """The part of `vultus.Authenticator` that evaluation uses."""

    def enroll(self, user: str, device: Device, *, samples: int = 1) -> Any:
        """Enrol a user from a device; the result has `enrolled` and `reason`."""
        ...

    def observe(self, frame_set: FrameSet) -> Any:
        """Run the stages on a frame set."""
        ...

    def conclude(self, probe: Any, device: DeviceIdentity, user: str | None = None) -> Decision:
        """Decide on an observed frame set, without counting rejects."""
        ...


@dataclass(frozen=True, slots=True)
class SystemOptions:
    """Who enrols with which rows and what a transaction is.

    enrol_where: COLUMN=VALUE of the rows to enrol with, None = each person's first bona fide row. probe_where:
    COLUMN=VALUE of the rows to try with, None = all others. tries: frame sets of one transaction.
    impostors: wrong names that each bona fide transaction claims besides the right one, drawn at random; None = all.
    """

    enrol_where: str | None = None
    probe_where: str | None = None
    tries: int = 1
    impostors: int | None = None
    target_fmr: float = 1e-4
    tier: str = "secure"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tries < 1 or (self.impostors is not None and self.impostors < 0):
            raise ValueError("tries must be at least 1 and impostors not negative")


@contextmanager
def shipped_authenticator(options: SystemOptions, models: Path | None, calibrations: Sequence[Path]) -> Iterator[AuthenticatorLike]:
    """Open the installed Authenticator with an empty store that is deleted afterwards."""
    from vultus.authenticator import Authenticator
    from vultus.policy import Policy, Tier
    from vultus.store import TemplateStore

    policy = Policy(target_fmr=options.target_fmr, sources=frozenset({Source.IMAGES}), tier=Tier(options.tier))
    with (
        TemporaryDirectory(prefix="vultus-evaluate-") as folder,
        TemplateStore.open(Path(folder) / "templates.db", "file") as store,
        Authenticator(store=store, policy=policy, models=models, calibrations=calibrations) as authenticator,
    ):
        yield authenticator


class RowsDevice(Device):
    """Gives the frame sets of some samples, each once; one that cannot be read is passed over."""

    def __init__(self, samples: Sequence[tuple[int, Sample]]) -> None:
        super().__init__(IDENTITY)
        self._samples = list(samples)

    def _open(self) -> Capabilities:
        streams = {stream for _, s in self._samples for stream in s.files}
        return Capabilities(tuple(StreamFormat(s) for s in Stream if s in streams), rate_hz=None, finite=True, hardware_time=False)

    def _next(self, deadline: float) -> FrameSet | None:
        del deadline
        while self._samples:
            sequence, sample = self._samples.pop(0)
            found = load(sequence, sample)
            if isinstance(found, FrameSet):
                return found
        return None

    def _close(self) -> None:
        self._samples = []


def load(sequence: int, sample: Sample) -> FrameSet | str:
    """Read a sample's frame set, or say why that is not possible."""
    try:
        return frame_set(read_frames(Task(sample, sequence)), sequence)
    except (OSError, ValueError, TypeError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"{sample.name}: {what}".splitlines()[0]


def run_system(
    data: DataSet,
    options: SystemOptions,
    setting: Setting,
    authenticator: AuthenticatorLike,
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """Enrol everybody, let everybody and every attack try, and return the whole system's error rates.

    clock: seconds, for the time to decision. Raises RecordingError when nobody can be enrolled or nothing is left to try.
    """
    hashes = hash_files(data, setting.progress)
    enrolling = _enrolment_rows(data, options)
    refused = _enrol(data, authenticator, enrolling, setting)
    enrolled = [p for p in enrolling if p not in refused]
    if not enrolled:
        raise RecordingError(
            f"{data.name}: nobody could be enrolled; the first refusal was {next(iter(refused.values()), 'that no row was there')}"
        )
    problems: list[Problem] = []
    done = list(_transactions(data, options, setting, authenticator, enrolling, refused, problems, clock))
    if not done:
        raise RecordingError(f"{data.name}: no row is left to try after enrolment")
    document = {
        "format": FORMAT,
        "kind": "system",
        "dataset": data.name,
        "protocol": {
            "tries": options.tries, "impostors": options.impostors, "target_fmr": options.target_fmr, "tier": options.tier,
            "enrol_where": options.enrol_where,
            "probe_where": options.probe_where, "lock_out": False, "seed": options.seed,
        },
        "counts": {
            "people": len(enrolling),
            "samples": len(data.samples),
            "genuine": sum(t.kind == "genuine" for t in done),
            "impostor": sum(t.kind == "impostor" for t in done),
            "attack": sum(t.kind not in ("genuine", "impostor") for t in done),
            "failed_to_acquire": len(problems),
            "failed_to_enrol": len(refused),
            "bad_rows": data.bad_rows,
        },
        **system_figures(done, sorted(enrolling)),
        "enrolment": dict(Counter(refused.values())),
        "problems": listed(*data.problems, *problems),
        "provenance": setting.provenance(data, hashes),
    }  # fmt: skip
    return Outcome(document)


def _enrolment_rows(data: DataSet, options: SystemOptions) -> dict[str, list[int]]:
    """Return for each person the rows to enrol with."""
    wanted = where(data.samples, options.enrol_where)
    out: dict[str, list[int]] = {}
    for i, sample in enumerate(data.samples):
        if sample.bona_fide and wanted[i] and (options.enrol_where is not None or sample.person not in out):
            out.setdefault(sample.person, []).append(i)
    # Thirty is the most that one enrolment takes.
    return {person: rows[:30] for person, rows in out.items()}


def _enrol(data: DataSet, authenticator: AuthenticatorLike, rows: dict[str, list[int]], setting: Setting) -> dict[str, str]:
    """Enrol each person with all of his rows; return those who could not be, with the reason."""
    refused = {}
    for done, (person, mine) in enumerate(rows.items()):
        with RowsDevice([(i, data.samples[i]) for i in mine]) as device:
            try:
                result = authenticator.enroll(person, device, samples=len(mine))
            except DeviceError as error:
                refused[person] = error.code
            else:
                if not result.enrolled:
                    refused[person] = str(result.reason)
        if setting.progress is not None:
            setting.progress("enrolling", done + 1, len(rows))
    return refused


def _transactions(
    data: DataSet,
    options: SystemOptions,
    setting: Setting,
    authenticator: AuthenticatorLike,
    enrolling: dict[str, list[int]],
    refused: dict[str, str],
    problems: list[Problem],
    clock: Callable[[], float],
) -> Iterator[Transaction]:
    """Yield every transaction: each group of tries under its own name, under drawn wrong names, and each attack under its victim's."""
    rng = np.random.default_rng(options.seed)
    users = [p for p in enrolling if p not in refused]
    groups = list(_groups(data, options, {i for rows in enrolling.values() for i in rows}))
    for done, (kind, person, rows) in enumerate(groups):
        frames = []
        for i in rows:
            found = load(i, data.samples[i])
            if isinstance(found, FrameSet):
                frames.append(found)
            else:
                problems.append(Problem(data.samples[i].line, found))
        looks = _Looks(frames, authenticator, clock)
        if person in refused:
            yield Transaction(kind, person, person, accepted=False, reason="failed_to_enrol", seconds=0.0, tries=0)
        elif person in enrolling:
            yield _attempt(kind, person, person, looks, authenticator, clock)
        others = [u for u in users if u != person]
        if kind == "genuine" and frames and others:
            most = len(others) if options.impostors is None else min(options.impostors, len(others))
            for claimed in rng.choice(others, most, replace=False):
                yield _attempt("impostor", person, str(claimed), looks, authenticator, clock)
        if setting.progress is not None:
            setting.progress("transactions", done + 1, len(groups))


def _groups(data: DataSet, options: SystemOptions, used: set[int]) -> Iterator[tuple[str, str, list[int]]]:
    """Yield the tries of each transaction: a person's rows in the order of the index, `tries` at a time; a last one may be shorter."""
    wanted = where(data.samples, options.probe_where)
    by_kind: dict[tuple[str, str], list[int]] = {}
    for i, sample in enumerate(data.samples):
        if i not in used and wanted[i]:
            by_kind.setdefault(("genuine" if sample.bona_fide else sample.label, sample.person), []).append(i)
    for (kind, person), rows in by_kind.items():
        for start in range(0, len(rows), options.tries):
            yield kind, person, rows[start : start + options.tries]


class _Looks:
    """The frame sets of one transaction, each put through the stages once and compared under several names.

    Nothing that a claim decides is shared: the stages do not know whose name is claimed.
    """

    def __init__(self, frames: Sequence[FrameSet], authenticator: AuthenticatorLike, clock: Callable[[], float]) -> None:
        self._frames = frames
        self._authenticator = authenticator
        self._clock = clock
        self._seen: list[tuple[Any, DeviceIdentity, float]] = []

    def __iter__(self) -> Iterator[tuple[Any, DeviceIdentity, float]]:
        """Yield the probe of each frame set, its device and the seconds that the stages took."""
        for i, frames in enumerate(self._frames):
            if i == len(self._seen):
                start = self._clock()
                probe = self._authenticator.observe(frames)
                self._seen.append((probe, frames.device, self._clock() - start))
            yield self._seen[i]


def _attempt(
    kind: str, person: str, claimed: str, looks: _Looks, authenticator: AuthenticatorLike, clock: Callable[[], float]
) -> Transaction:
    """Try until one frame set is accepted or none is left; a transaction without a readable frame set is not accepted."""
    reason, tries, seconds = "failed_to_acquire", 0, 0.0
    for probe, device, stages in looks:
        start = clock()
        decision = authenticator.conclude(probe, device, claimed)
        seconds += stages + clock() - start
        tries, reason = tries + 1, decision.reason.value
        if decision.accepted:
            break
    return Transaction(kind, person, claimed, reason == Reason.ACCEPTED.value, reason, seconds, tries)
