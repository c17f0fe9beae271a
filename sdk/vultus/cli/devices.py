"""`vultus devices`."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import session_of

HELP = """List the kinds of device, or open one and say what it gives.

\b
Examples:
  vultus devices                                 # the kinds of URL
  vultus devices replay:morning.mcap             # open it, read one frame set, describe both
  vultus devices simulator:astronaut --json

\b
Exit code: 0 listed or read, 2 the device cannot be opened or gives nothing.
"""
_KNOWN: Final = {
    "images": ("images:index.csv", "pictures listed in a CSV file"),
    "replay": ("replay:morning.mcap", "a recording made with vultus record"),
    "serial": ("serial:/dev/ttyACM0", "a sensor head on a serial line, paired with vultus pair"),
    "simulator": ("simulator:astronaut", "sensors simulated around a portrait: astronaut, grace_hopper or a picture"),
}


def devices(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Argument(metavar="URL", help="Device to open and describe.")] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, max=600, metavar="SECONDS", help="Wait this long for a frame set.")] = 5.0,
    json: options.Json = False,
) -> int:
    """List or describe devices."""
    session = session_of(ctx, json=json)
    if url is None:
        found = [(s, *_KNOWN.get(s, (f"{s}:", "brought by another package"))) for s in session.wiring.schemes()]
        rows = [{"scheme": scheme, "example": example, "what": what} for scheme, example, what in found]
        width = max(len(row["example"]) for row in rows)
        lines = [f"{paint('bold', row['example'])}{' ' * (width - len(row['example']))}  {literal(row['what'])}" for row in rows]
        session.console.result({"devices": rows}, "\n".join(lines))
        return ExitCode.YES
    with session.open_device(url) as camera:
        try:
            frame_set = camera.read(timeout_s=timeout)
        except TimeoutError:
            frame_set = None
        identity = camera.identity
    if frame_set is None:
        return session.console.error("device.silent", f"{url} gives no frame set within {timeout:g} s: check the sensor or the file")
    streams = [_stream(frame) for frame in frame_set.frames()]
    document = {
        "url": url,
        "kind": identity.kind,
        "model": identity.model,
        "serial": identity.serial,
        "source": identity.source.value,
        "streams": streams,
    }
    head = f"{paint('bold', identity.model)} {literal(identity.serial)}  ({literal(identity.kind)}, {identity.source.value})"
    lines = [f"  {s['stream']:12}{s['width']} x {s['height']} {s['dtype']}" for s in streams]
    session.console.result(document, "\n".join([head, *lines]))
    return ExitCode.YES


def _stream(frame: Any) -> dict[str, Any]:
    """Describe one frame without its pixels."""
    return {"stream": frame.stream.value, "width": frame.width, "height": frame.height, "dtype": str(frame.data.dtype)}
