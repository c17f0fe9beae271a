"""`vultus replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal
from vultus.cli.decisions import headline
from vultus.cli.policies import policy_of
from vultus.cli.session import Session, session_of

if TYPE_CHECKING:
    from vultus.frames import FrameSet
    from vultus.types import Decision

HELP = """Read a recording to its end and list its frame sets; with --decide, what would be decided on each.

A recording that was cut off or altered is an error. Nothing here signs anyone in, and a reject here counts towards no lock-out.

\b
Examples:
  vultus replay morning.mcap
  vultus replay morning.mcap --decide --allow-recordings
  vultus replay morning.mcap --json | jq '.frame_sets | length'

\b
Exit code: 0 read to the end, 2 error.
"""


def replay(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recording to read.")],
    partial: Annotated[bool, typer.Option("--partial", help="Read a recording that was cut off up to its last whole frame set.")] = False,
    decide: Annotated[bool, typer.Option("--decide", help="Identify each frame set against the store.")] = False,
    store: options.Store = None,
    target_fmr: options.TargetFmr = None,
    tier: options.TierName = None,
    allow_recordings: options.AllowRecordings = False,
    allow_simulated: options.AllowSimulated = False,
    allow_extrapolation: options.AllowExtrapolation = False,
    key: options.RecordingKey = None,
    json: options.Json = False,
) -> int:
    """Read a recording."""
    session = session_of(ctx, json=json)
    url, opener = f"replay:{file}?partial={'yes' if partial else 'no'}", session.key_of(file, key)
    if not decide:
        with session.open_device(url, **({} if opener is None else {"key": opener})) as camera:
            rows = [_describe(frame_set, None) for frame_set in camera.frames()]
        return _show(session, file, rows, partial=partial)
    policy = policy_of(
        target_fmr, tier, allow_recordings=allow_recordings, allow_simulated=allow_simulated, allow_extrapolation=allow_extrapolation
    )
    with (
        session.wiring.open_rehearsal(session.store_path(store)) as templates,
        session.open_device(url, **({} if opener is None else {"key": opener})) as camera,
        session.wiring.authenticator(templates, policy) as authenticator,
    ):
        rows = [_describe(frame_set, authenticator.identify(frame_set)) for frame_set in camera.frames()]
    return _show(session, file, rows, partial=partial)


def _describe(frame_set: FrameSet, decision: Decision | None) -> dict[str, Any]:
    """Turn one frame set into what the listing shows."""
    streams = {frame.stream.value: [frame.width, frame.height] for frame in frame_set.frames()}
    row: dict[str, Any] = {"sequence": frame_set.sequence, "time_ns": frame_set.time_ns, "streams": streams}
    if decision is not None:
        row["decision"] = decision.public()
        row["line"] = headline(decision)
    return row


def _show(session: Session, file: Path, rows: list[dict[str, Any]], *, partial: bool) -> int:
    """Write the listing."""
    first = rows[0]["time_ns"] if rows else 0
    lines = []
    for row in rows:
        sizes = ", ".join(f"{name} {w} x {h}" for name, (w, h) in row["streams"].items())
        decided = f"  {row.pop('line')}" if "line" in row else ""
        lines.append(f"{row['sequence']:6}  {(row['time_ns'] - first) / 1e9:8.3f} s  {sizes}{decided}")
    lines.append(f"{literal(str(file))}: {len(rows)} frame sets{'' if partial else ', whole to the end'}")
    session.console.result({"file": str(file), "frame_sets": rows}, "\n".join(lines))
    return ExitCode.YES
