"""One run of the harness: warm subjects in turn, then fresh processes in turn, and the document of both."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from vultus.authenticator import Authenticator
from vultus.bench.machine import machine, peak_mib, pinned
from vultus.bench.peers import Embed, load_peer
from vultus.bench.sampling import Ratio, Rules, Summary, ratio, summarise, take_turns
from vultus.bench.workload import FRESH_NS, NEXT_NS, PERSON, STRANGER, Workload, opened, prepare
from vultus.devices import open_device
from vultus.devices.recordings.recorder import Recorder
from vultus.errors import VultusError
from vultus.manifest import Manifest
from vultus.types import FrameSet

SCHEMA: Final = "vultus-bench/1"
FRAME_SETS: Final = 8
"""Frame sets a run cycles through: enough that no picture is met twice in a row, few enough to lie in memory."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What to measure: `core` is the core to stay on (-1 the last, None any); `cold` the number of fresh processes of each kind."""

    url: str
    rules: Rules = field(default_factory=Rules)
    against: tuple[str, ...] = ()
    threads: int = 1
    core: int | None = -1
    cold: int = 5


class _Verify:
    """A warm verify of one mode against one user, with what its stages took."""

    def __init__(self, auth: Authenticator, frames: Iterator[FrameSet], user: str) -> None:
        self._auth, self._frames, self._user = auth, frames, user
        self.stages: dict[str, list[float]] = defaultdict(list)
        self.outcomes: dict[str, int] = defaultdict(int)

    def __call__(self) -> None:
        frame_set = next(self._frames)
        start = time.perf_counter_ns()
        decision = self._auth.verify(frame_set, user=self._user)
        whole = (time.perf_counter_ns() - start) / 1e6
        self.outcomes[decision.reason.value] += 1
        for stage, ms in decision.latency_ms.items():
            if stage != "total":
                self.stages[stage].append(ms)
        self.stages["store and decide"].append(whole - decision.latency_ms.get("total", 0.0))


class _ColdCamera:
    """Open the device, take its first frame set and verify it, with graphs already loaded."""

    def __init__(self, auth: Authenticator, url: str) -> None:
        self._auth, self._url = auth, url
        self.stages: dict[str, list[float]] = defaultdict(list)
        self.outcomes: dict[str, int] = defaultdict(int)

    def __call__(self) -> None:
        begin = time.perf_counter_ns()
        with open_device(self._url) as device:
            opened_ns = time.perf_counter_ns()
            frame_set = device.read(timeout_s=10.0)
            first_ns = time.perf_counter_ns()
            if frame_set is None:
                raise VultusError("the recording of the harness ended at once; is the disk of the temporary folder full?")
            decision = self._auth.verify(frame_set, user=PERSON)
        self.outcomes[decision.reason.value] += 1
        self.stages["open"].append((opened_ns - begin) / 1e6)
        self.stages["first_frame"].append((first_ns - opened_ns) / 1e6)
        for stage, ms in decision.latency_ms.items():
            if stage != "total":
                self.stages[stage].append(ms)


def run(order: Order, manifest: Manifest, progress: Progress | None = None) -> dict[str, Any]:
    """Measure and return the document; raises VultusError, and ValueError for a core or a peer that there is not."""
    tell = progress if progress is not None else lambda *_: None
    with tempfile.TemporaryDirectory(prefix="vultus-bench-") as name, pinned(order.core if order.threads == 1 else None) as core:
        folder = Path(name)
        about = machine(manifest, order.threads, core)
        work = prepare(order.url, manifest, folder, FRAME_SETS)
        recording = folder / "bench.mcap"
        with Recorder(recording, work.frame_sets[0].device) as recorder:
            for frame_set in work.frame_sets:
                recorder.write(frame_set)
        peers = {peer: load_peer(peer) for peer in order.against}
        warm = _warm(order, manifest, work, recording, peers, tell)
        cold = _cold(order, work, recording, folder, peers, tell)
    return {
        "schema": SCHEMA,
        "device": order.url,
        "simulated": order.url.startswith("simulator:"),
        "rules": asdict(order.rules),
        "machine": about,
        **warm,
        "cold": cold,
        "peak_mib": peak_mib(),
    }


def _warm(order: Order, manifest: Manifest, work: Workload, recording: Path, peers: Mapping[str, Embed], tell: Progress) -> dict[str, Any]:
    """Measure what happens in a process that is warm, and what the measuring itself costs."""
    modes = work.modes()
    full = modes[-1]
    with ExitStack() as stack:
        fresh, tracked, camera = (stack.enter_context(opened(manifest, work.store, order.threads)) for _ in range(3))
        own: dict[str, _Verify | _ColdCamera] = {
            f"verify {m}": _Verify(fresh, work.taken(m, FRESH_NS, i), PERSON) for i, m in enumerate(modes)
        }
        own[f"verify {full}, next frame"] = _Verify(tracked, work.taken(full, NEXT_NS), PERSON)
        own[f"reject {full}"] = _Verify(fresh, work.taken(full, FRESH_NS, len(modes)), STRANGER)
        own[f"cold camera {full}"] = _ColdCamera(camera, f"replay:{recording}")
        idle = work.taken(full, FRESH_NS)
        subjects: dict[str, Callable[[], None]] = {"null": lambda: _nothing(idle), **own}
        subjects.update({f"peer {name}": _peer(embed, work) for name, embed in peers.items()})

        def on_round(done: int, seconds: float) -> None:
            rules = order.rules
            share = min(done / rules.rounds, seconds / rules.seconds if rules.seconds else 1.0)
            tell("warm", int(share * rules.rounds), rules.rounds)

        times = take_turns(subjects, order.rules, on_round=on_round)
    results = {name: _result(times[name], own.get(name), order.rules.warm_up) for name in subjects}
    pairs = [(f"verify {m}", f"peer {p}") for p in peers for m in modes]
    return {"warm": results, "ratios": {f"{a} / {b}": _told(ratio(times[a], times[b])) for a, b in pairs}}


def _nothing(frames: Iterator[FrameSet]) -> None:
    """Take a frame set and do nothing with it: what the harness itself costs."""
    next(frames)


def _peer(embed: Embed, work: Workload) -> Callable[[], None]:
    pictures = [fs.rgb.data for fs in work.frame_sets if fs.rgb is not None]
    reference = np.asarray(embed(pictures[0]))
    turn = iter(range(2**62))

    def look() -> None:
        found = embed(pictures[next(turn) % len(pictures)])
        float(found @ reference)

    return look


def _result(times: Sequence[float], subject: _Verify | _ColdCamera | None, dropped: int) -> dict[str, Any]:
    out: dict[str, Any] = _described(summarise(times))
    if subject is not None:
        # A stage that only some of the frame sets reach, as embedding does, counts by its mean over all of them.
        out["stages"] = {
            k: sum(v[dropped:]) / len(times) if len(v) < len(times) else _middle(v[dropped:]) for k, v in subject.stages.items()
        }
        out["outcomes"] = dict(subject.outcomes)
    return out


def _middle(values: Sequence[float]) -> float:
    return float(np.median(values))


def _described(summary: Summary) -> dict[str, Any]:
    return {**asdict(summary), "stable": summary.stable}


def _told(found: Ratio | None) -> dict[str, float] | None:
    return asdict(found) if found is not None else None


def _cold(order: Order, work: Workload, recording: Path, folder: Path, peers: Mapping[str, Embed], tell: Progress) -> dict[str, Any]:
    """Start fresh processes in turn and let each make one decision."""
    if order.cold == 0:
        return {}
    first = work.frame_sets[0].rgb
    kinds: dict[str, tuple[Path, Path]] = dict.fromkeys(work.modes(), (recording, work.store))
    if first is not None:
        np.save(folder / "rgb.npy", first.data)
        for name, embed in peers.items():
            np.save(folder / f"{name}.npy", embed(first.data))
            kinds[f"peer:{name}"] = (folder / "rgb.npy", folder / f"{name}.npy")
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for number in range(order.cold + 1):
        for kind, (frames, reference) in kinds.items():
            document = _process(frames, reference, kind)
            # The first of each kind fills the file cache and is dropped.
            if number > 0:
                found[kind].append(document)
        tell("cold", number, order.cold)
    return {kind.replace("peer:", "peer "): _cold_result(documents) for kind, documents in found.items()}


def _process(frames: Path, reference: Path, kind: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "vultus.bench.cold"]
    result = subprocess.run(
        [*command, str(time.monotonic_ns()), str(frames), str(reference), kind], capture_output=True, text=True, timeout=120, check=False
    )
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise VultusError(f"the fresh process for {kind} failed: {last}")
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def _cold_result(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    stages = {name: _middle([d["stages"][name] for d in documents]) for name in documents[0]["stages"]}
    return {
        **_described(summarise([d["ms"] for d in documents])),
        "stages": stages,
        "peak_mib": max(d["peak_mib"] for d in documents),
        "accepted": sum(bool(d["accepted"]) for d in documents),
    }
