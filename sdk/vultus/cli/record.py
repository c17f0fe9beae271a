"""`vultus record`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import BadArgument, Cancelled, session_of

HELP = """Record a device to an MCAP file, bit for bit: frames, times, calibration and device identity.

The file holds pictures of people, unencrypted: keep it as you would keep such pictures. An existing file is never overwritten.

\b
Examples:
  vultus record morning.mcap --seconds 10        # VULTUS_DEVICE names the device
  vultus record one.mcap --frames 1 --device simulator:astronaut

\b
Exit code: 0 recorded, 2 error. After Ctrl-C the file is whole up to there, and the code 130.
"""


def record(
    ctx: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write, e.g. morning.mcap.")],
    device: options.Device = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.1, max=3600, metavar="SECONDS", help="Stop after this much device time; default 10.")
    ] = None,
    frames: Annotated[int | None, typer.Option("--frames", min=1, metavar="COUNT", help="Stop after this many frame sets.")] = None,
    json: options.Json = False,
) -> int:
    """Record a device."""
    session = session_of(ctx, json=json)
    if out.exists():
        raise BadArgument(f"{out} exists: choose another name, or remove it first")
    url = session.device_url(device)
    if seconds is None and frames is None:
        seconds = 10.0
    try:
        with session.open_device(url) as camera, session.console.guide(f"Recording {out.name}", frames) as guide:
            count = session.wiring.record(camera, out, seconds, frames, guide.count)
    except TimeoutError:
        left = f"{out} holds what came before" if out.exists() else "nothing was recorded"
        return session.console.error("device.silent", f"{url} gives no more frame sets; {left}", retryable=True)
    except KeyboardInterrupt:
        left = f"{out} holds what was recorded until then" if out.exists() else "nothing was recorded"
        raise Cancelled(f"cancelled, {left}") from None
    if count == 0:
        return session.console.error("device.silent", f"{url} gave no frame set: check the sensor or the file")
    document = {"file": str(out), "frame_sets": count, "bytes": out.stat().st_size}
    session.console.result(document, f"{paint('green', 'recorded')} {count} frame sets in {literal(str(out))}")
    return ExitCode.YES
