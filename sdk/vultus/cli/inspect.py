"""`vultus inspect`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import session_of

if TYPE_CHECKING:
    from vultus.devices.recordings.envelope import Consent
    from vultus.frames import Frame, FrameSet, Timing

HELP = """Say what a recording holds: device, streams, rates, gaps, skew, calibration, repeated frames, and whether it is whole.

\b
Examples:
  vultus inspect morning.mcap
  vultus inspect morning.mcap --json | jq .streams.depth.rate_hz

\b
Exit code: 0 whole, 1 cut short or damaged (what could be read is described), 2 error.
"""


class _Stream:
    """Gathers the figures of one stream."""

    def __init__(self, first: Frame) -> None:
        self.first, self.times = first, [first.time_ns]

    def describe(self, repeated: int) -> dict[str, Any]:
        """Return the figures; a gap is longer than one and a half of the median distance between frames."""
        f, gaps = self.first, sorted(b - a for a, b in zip(self.times, self.times[1:], strict=False))
        period = gaps[len(gaps) // 2] if gaps else 0
        return {
            "size": [f.width, f.height],
            "dtype": str(f.data.dtype),
            "frames": len(self.times),
            "rate_hz": round(1e9 / period, 3) if period else None,
            "missing": sum(max(0, round(g / period) - 1) for g in gaps) if period else 0,
            "repeated": repeated,
            "intrinsics": f.intrinsics is not None,
            "extrinsics": f.extrinsics is not None,
        }


def inspect(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recording to describe.")],
    key: options.RecordingKey = None,
    json: options.Json = False,
) -> int:
    """Describe a recording."""
    from contextlib import closing

    from vultus.devices.recordings.recording import Recording
    from vultus.errors import RecordingError

    session = session_of(ctx, json=json)
    sets: list[tuple[int, int]] = []
    streams: dict[str, _Stream] = {}
    repeated: Counter[str] = Counter()
    timing: list[Timing] = []
    damage = None
    with closing(Recording(file, key=session.key_of(file, key))) as recording:
        try:
            _gather(recording, sets, streams, repeated, timing)
        except RecordingError as problem:
            damage = str(problem)
        who, envelope, consent = recording.recorded, recording.envelope, recording.consent
    skews = [skew for _, skew in sets]
    document: dict[str, Any] = {
        "file": str(file),
        "bytes": file.stat().st_size,
        "device": {"kind": who.kind, "model": who.model, "serial": who.serial, "source": who.source.value},
        "frame_sets": len(sets),
        "duration_s": (sets[-1][0] - sets[0][0]) / 1e9 if sets else 0.0,
        "skew_ms": {"mean": sum(skews) / len(skews) / 1e6, "worst": max(skews) / 1e6} if skews else None,
        "streams": {name: stream.describe(repeated[name]) for name, stream in streams.items()},
        "timing": _timing(timing[-1]) if timing else None,
        "encrypted": envelope is not None,
        "key": envelope.wrapped_by.name if envelope is not None else None,
        "consent": _consent(consent),
        "whole": damage is None,
        "damage": damage,
    }
    session.console.result(document, _text(document))
    return ExitCode.YES if damage is None else ExitCode.NO


def _consent(note: Consent | None) -> dict[str, Any] | None:
    """Return the note, and whether its day has come."""
    from datetime import UTC, datetime

    if note is None:
        return None
    return {"text": note.text, "until": note.until or None, "expired": note.expired(datetime.now(UTC).date())}


def _timing(last: Timing) -> dict[str, Any]:
    """Return what the device had counted by the last frame set."""
    counts = ("received", "used", "lost", "refused")
    streams = {stream.value: {name: getattr(s, name) for name in counts} for stream, s in last.streams.items()}
    return {"sets": last.sets, "unmatched": last.unmatched, "stale": last.stale, "streams": streams}


def _gather(recording: Any, sets: list[tuple[int, int]], streams: dict[str, _Stream], repeated: Counter[str], timing: list[Timing]) -> None:
    """Read to the end or to the damage, keeping figures, the last timing and no pictures beyond each stream's first."""
    from vultus.devices.repeats import Repeats

    repeats = Repeats()
    frame_set: FrameSet
    for frame_set in recording:
        sets.append((frame_set.time_ns, frame_set.skew_ns))
        timing[:] = [frame_set.timing] if frame_set.timing is not None else timing
        repeated.update(stream.value for stream in repeats.repeated(frame_set))
        for frame in frame_set.frames():
            if frame.stream.value in streams:
                streams[frame.stream.value].times.append(frame.time_ns)
            else:
                streams[frame.stream.value] = _Stream(frame)


def _text(d: dict[str, Any]) -> str:
    """Write the description for people."""
    who, sealed = d["device"], f"encrypted by a {d['key']}" if d["encrypted"] else "not encrypted"
    lines = [f"{literal(d['file'])}: {d['frame_sets']} frame sets, {d['duration_s']:.3f} s, {d['bytes']} bytes, {sealed}"]
    lines.append(literal(f"device  {who['kind']}: {who['model']}, serial {who['serial'] or 'unknown'}, source {who['source']}"))
    if (note := d["consent"]) is not None:
        until = f", until {note['until']}" if note["until"] else ""
        over = paint("red", ", which is over: remove the file") if note["expired"] else ""
        lines.append(f"consent     {literal(note['text'])}{until}{over}")
    for name, s in d["streams"].items():
        rate = f"{s['rate_hz']:g} a second" if s["rate_hz"] else "no rate"
        known = ", ".join(k for k in ("intrinsics", "extrinsics") if s[k]) or "no calibration"
        size = f"{s['size'][0]} x {s['size'][1]} {s['dtype']}"
        lines.append(f"{name:<12}{s['frames']} frames, {size}, {rate}, {s['missing']} missing, {s['repeated']} repeated, {known}")
    if d["skew_ms"]:
        lines.append(f"skew        {d['skew_ms']['mean']:.3f} ms on average, {d['skew_ms']['worst']:.3f} ms at worst")
    if d["timing"]:
        t = d["timing"]
        lost = ", ".join(f"{name} {s['lost']}" for name, s in t["streams"].items())
        lines.append(f"streams     {t['sets']} sets made, {t['unmatched']} unmatched, {t['stale']} stale; frames lost: {lost}")
    lines.append(paint("green", "whole to the end") if d["whole"] else paint("red", d["damage"]))
    return "\n".join(lines)
