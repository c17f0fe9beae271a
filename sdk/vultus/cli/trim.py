"""`vultus trim`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import BadArgument, Cancelled, arguments, session_of

HELP = """Cut a piece out of a recording into a new file, bit for bit: frames, times, calibration and device identity.

Seconds count from the first time stamp of FILE. The frame sets from --from up to, not including, --to are kept. An existing file is
never overwritten, and FILE stays as it is. The piece holds pictures of people, as FILE does, and is encrypted if FILE is.

\b
Examples:
  vultus trim morning.mcap blink.mcap --from 2.5 --to 4
  vultus trim killed.mcap whole.mcap --partial    # make a recording that was cut off whole

\b
Exit code: 0 written, 2 error, and then there is no new file.
"""


def trim(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recording to cut from.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write, e.g. piece.mcap.")],
    start_s: Annotated[float, typer.Option("--from", min=0.0, metavar="SECONDS", help="Where the piece begins; default 0.")] = 0.0,
    end_s: Annotated[float | None, typer.Option("--to", min=0.0, metavar="SECONDS", help="Where it ends; default: the end.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Take a recording that was cut off up to its last whole frame set.")] = False,
    key: options.RecordingKey = None,
    json: options.Json = False,
) -> int:
    """Cut a piece out of a recording."""
    from vultus.devices.recordings import trimming

    session = session_of(ctx, json=json)
    if out.exists():
        raise BadArgument(f"{out} exists: choose another name, or remove it first")
    try:
        with arguments():
            count = trimming.trim(file, out, start_s=start_s, end_s=end_s, partial=partial, key=session.key_of(file, key))
    except KeyboardInterrupt:
        raise Cancelled(f"cancelled, {out} was not written") from None
    document = {"file": str(out), "frame_sets": count, "bytes": out.stat().st_size}
    session.console.result(document, f"{paint('green', 'written')} {count} frame sets to {literal(str(out))}")
    return ExitCode.YES
