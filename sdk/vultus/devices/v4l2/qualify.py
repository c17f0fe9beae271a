"""Measure how a camera captures best: each stream alone, then together, then in turns, and keep the first way that holds its rates.

Some cameras take two streams and starve one of them, others refuse; what they promise tells neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from vultus.devices.v4l2.cameras import find_camera
from vultus.devices.v4l2.device import V4l2, unit_of
from vultus.devices.v4l2.kernel import Kernel
from vultus.devices.v4l2.plan import USUAL_CHOICE, Choice
from vultus.devices.v4l2.profile import Profile, save_profile
from vultus.errors import DeviceError, DeviceLost
from vultus.frames import Stream, Timing

SECONDS: Final = 3.0
"""How long each way is measured: 45 pairs of a 30 Hz infrared camera."""
SHARE: Final = 0.8
"""Share of a stream's rate alone that it must keep beside the others, and of the slowest stream's rate that must become frame sets.

A starved stream skips whole frames, so that its rate falls to a half or less; this lies between, with room for a slow start.
"""

_TURNS: Final = "one stream after the other"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one way of capturing gave.

    rates_hz, damaged and lost (gaps in the rhythm): by stream, lost of those in the frame sets. Skew is over the frame sets that were
    handed over; first_set_ms counts from the start of open().
    """

    capture: str
    formats: dict[str, str]
    rates_hz: dict[str, float]
    damaged: dict[str, int]
    lost: dict[str, int]
    frame_sets: int
    set_rate_hz: float
    open_ms: float
    first_set_ms: float
    mean_skew_ms: float
    worst_skew_ms: float
    illumination: str
    lit_ambient: bool
    emitter: str


def qualify(
    name: str,
    choice: Choice | None = None,
    *,
    kernel: Kernel | None = None,
    seconds: float = SECONDS,
    on_step: Callable[[str], None] = lambda _: None,
    folder: Path | None = None,
) -> tuple[Profile, Path]:
    """Measure a camera, keep its profile where later openings find it, and return both; raises DeviceError, StoreError."""
    system, asked = kernel or Kernel(), choice or USUAL_CHOICE
    unit = unit_of(find_camera(name, system))

    def measured(what: str, how: Choice, forced: Profile | None = None) -> Measurement:
        on_step(what)
        return _measure(V4l2(name, how, system, lambda _: forced), system, seconds)

    together: dict[str, Measurement | str] = {}
    first = _try(lambda: measured("all streams at once", replace(asked, capture="concurrent")))
    turns = None if isinstance(first, Measurement) else measured(_TURNS, replace(asked, capture="alternating"))
    seen = turns or first
    streams = [Stream(s) for s in seen.formats] if isinstance(seen, Measurement) else []
    alone = {s.value: measured(f"{s} alone", replace(asked, streams=(s,))) for s in streams if len(streams) > 1}
    together["as it comes"] = first
    best = _holds(first, alone)
    if best is None and isinstance(first, Measurement) and first.formats.get("rgb") not in (None, "MJPG"):
        small = Profile(unit, "concurrent", "MJPG", {})
        second = _try(lambda: measured("all streams at once, colour compressed", replace(asked, capture="concurrent"), small))
        together["colour compressed"] = second
        best = _holds(second, alone)
    if best is None:
        best = turns or measured(_TURNS, replace(asked, capture="alternating"))
    document: dict[str, Any] = {
        "seconds": seconds,
        "chosen": asdict(best),
        "alone": {s: asdict(m) for s, m in alone.items()},
        "together": {k: asdict(m) if isinstance(m, Measurement) else m for k, m in together.items()},
    }
    profile = Profile(unit, best.capture, best.formats.get("rgb", ""), document)
    return profile, save_profile(profile, folder)


def _try(measure: Callable[[], Measurement]) -> Measurement | str:
    """Return a measurement, or why the camera refused it; one that somebody else holds refuses the other ways too."""
    try:
        return measure()
    except DeviceLost:
        raise
    except DeviceError as problem:
        return str(problem)


def _holds(found: Measurement | str, alone: dict[str, Measurement]) -> Measurement | None:
    """Return a measurement that keeps the rates of the streams alone, None for one that does not."""
    if isinstance(found, str):
        return None
    kept = all(found.rates_hz[s] >= SHARE * m.rates_hz[s] for s, m in alone.items() if s in found.rates_hz)
    slowest = min((found.rates_hz[s] / (2 if s == Stream.NIR and found.lit_ambient else 1) for s in found.rates_hz), default=0.0)
    return found if kept and found.set_rate_hz >= SHARE * slowest else None


def _measure(device: V4l2, kernel: Kernel, seconds: float) -> Measurement:
    """Read a camera for a while; raises DeviceError."""
    began = kernel.now_ns()
    with device:
        opened = first = kernel.now_ns()
        sets, timing = 0, None
        while kernel.now_ns() < opened + seconds * 1e9:
            try:
                frame_set = device.read()
            except TimeoutError as problem:
                raise DeviceError(str(problem)) from problem
            if frame_set is None:
                raise DeviceError("v4l2: the measurement was cancelled; start it again")
            first = kernel.now_ns() if sets == 0 else first
            sets, timing = sets + 1, frame_set.timing
        channels, lasted = device.channels(), (kernel.now_ns() - first) / 1e9
        spans = {s: ((c.last_ns or 0) - (c.first_ns or 0)) / 1e9 for s, c in channels.items()}
        return Measurement(
            device.capture,
            {s.value: c.mode.format for s, c in channels.items() if c.mode},
            {s.value: round((c.received - 1) / spans[s], 2) if spans[s] > 0 else 0.0 for s, c in channels.items()},
            {s.value: c.node.damaged for s, c in channels.items()},
            {s.value: t.lost for s, t in timing.streams.items()} if timing else {},
            sets,
            round((sets - 1) / lasted, 2) if lasted > 0 else 0.0,
            round((opened - began) / 1e6, 1),
            round((first - began) / 1e6, 1),
            *_skew(timing),
            device.illumination,
            device.capabilities.lit_ambient,
            device.emitter,
        )


def _skew(timing: Timing | None) -> tuple[float, float]:
    return (round(timing.mean_skew_ns / 1e6, 2), round(timing.worst_skew_ns / 1e6, 2)) if timing else (0.0, 0.0)
