"""`vultus devices`."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import Session, arguments, session_of

HELP = """List the cameras and the kinds of device, or open one and say what it gives.

A camera's URL stays the same when it is plugged in again or gets another node number. --qualify measures a camera for some seconds: the rate of
each stream alone and beside the others, frame sets, skew, time to the first, and how lit and ambient infrared frames are told apart. It keeps
the capture that holds its rates in the user's configuration folder, and later openings start with that.

\b
Examples:
  vultus devices                                 # the cameras, and the kinds of URL
  vultus devices v4l2:usb:046d:085e --qualify    # how does this camera capture best?
  vultus devices replay:morning.mcap             # open it, read one frame set, describe both
  vultus devices simulator:astronaut --json

\b
Exit code: 0 listed or read, 2 the device cannot be opened or gives nothing.
"""
_KNOWN: Final = {
    "images": ("images:index.csv", "pictures listed in a CSV file"),
    "realsense": ("realsense:", "a RealSense camera through librealsense"),
    "replay": ("replay:morning.mcap", "a recording made with vultus record"),
    "serial": ("serial:/dev/ttyACM0", "a sensor head on a serial line, paired with vultus pair"),
    "simulator": ("simulator:astronaut", "sensors simulated around a portrait: astronaut, grace_hopper or a picture"),
    "v4l2": ("v4l2:usb:VID:PID", "a camera on this machine: colour, infrared, depth; options in its module"),
}


def devices(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Argument(metavar="URL", help="Device to open and describe.")] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, max=600, metavar="SECONDS", help="Wait this long for a frame set.")] = 5.0,
    qualify: Annotated[bool, typer.Option("--qualify", help="Measure how the v4l2: camera captures best, and keep it.")] = False,
    json: options.Json = False,
) -> int:
    """List or describe devices."""
    session = session_of(ctx, json=json)
    if qualify:
        return _qualify(session, url)
    if url is None:
        cameras = session.wiring.cameras()
        found = [(s, *_KNOWN.get(s, (f"{s}:", "brought by another package"))) for s in session.wiring.schemes()]
        rows = [{"scheme": scheme, "example": example, "what": what} for scheme, example, what in found]
        width = max(len(row["example"]) for row in rows)
        lines = [f"{paint('bold', row['example'])}{' ' * (width - len(row['example']))}  {literal(row['what'])}" for row in rows]
        listed = [line for camera in cameras for line in _camera_lines(camera)] or ["no camera is plugged in"]
        session.console.result({"devices": rows, "cameras": cameras}, "\n".join([*listed, "", *lines]))
        return ExitCode.YES
    with session.open_device(url) as camera:
        try:
            frame_set = camera.read(timeout_s=timeout)
        except TimeoutError:
            frame_set = None
        identity, can = camera.identity, camera.capabilities
    if frame_set is None:
        return session.console.error("device.silent", f"{url} gives no frame set within {timeout:g} s: check the sensor or the file")
    stated = {f.stream: f for f in can.formats}
    streams = [_stream(frame, stated.get(frame.stream)) for frame in frame_set.frames()]
    document = {
        "url": url,
        "kind": identity.kind,
        "model": identity.model,
        "serial": identity.serial,
        "source": identity.source.value,
        "live": camera.is_live,
        "rate_hz": can.rate_hz,
        "lit_ambient": can.lit_ambient,
        "hardware_time": can.hardware_time,
        "finite": can.finite,
        "streams": streams,
    }
    head = f"{paint('bold', identity.model)} {literal(identity.serial)}  ({literal(identity.kind)}, {identity.source.value})"
    lines = [f"  {s['stream']:12}{s['width']} x {s['height']} {s['dtype']}{_sent(s)}" for s in streams]
    session.console.result(document, "\n".join([head, *lines]))
    return ExitCode.YES


def _stream(frame: Any, stated: Any) -> dict[str, Any]:
    """Describe one frame without its pixels, with what the device states about its stream."""
    return {
        "stream": frame.stream.value,
        "width": frame.width,
        "height": frame.height,
        "dtype": str(frame.data.dtype),
        "sensor_format": stated.sensor_format if stated else None,
        "rate_hz": stated.rate_hz if stated else None,
    }


def _sent(stream: dict[str, Any]) -> str:
    sent = f"  {stream['sensor_format']}" if stream["sensor_format"] else ""
    return f"{sent}  {stream['rate_hz']:g} a second" if stream["rate_hz"] else sent


def _camera_lines(camera: dict[str, Any]) -> list[str]:
    """Write a camera in a head line and one for each node and format."""
    notes = [camera["source"], *([f"qualified: {camera['qualified']}"] if camera["qualified"] else [])]
    lines = [f"{paint('bold', camera['url'])}  {literal(camera['model'])}  ({', '.join(notes)})"]
    for node in camera["nodes"]:
        if "error" in node:
            lines.append(f"  {literal(node['error'])}")
        for one in node["formats"]:
            rates = "/".join(f"{r:g}" for r in one["rates_hz"])
            lines.append(
                f"  {literal(node['node'])}  {node['stream']:6}{one['format']:6}{one['width']} x {one['height']}  {rates} a second"
            )
    return lines


def _qualify(session: Session, url: str | None) -> int:
    """Measure a camera and say what was found."""
    with session.console.guide("Measuring") as guide, arguments():
        profile, path = session.wiring.qualify(url or "", guide.say)
    chosen = profile.measured["chosen"]
    document = {"url": url, "capture": profile.capture, "rgb_format": profile.rgb_format, "file": str(path), "measured": profile.measured}
    rates = ", ".join(f"{s} {r:g}" for s, r in chosen["rates_hz"].items())
    lines = [
        f"{paint('green', profile.capture)}  kept in {literal(str(path))}",
        f"  frames a second: {rates}; frame sets {chosen['set_rate_hz']:g}",
        f"  first frame set after {chosen['first_set_ms']:g} ms; skew {chosen['mean_skew_ms']:g} ms, at worst {chosen['worst_skew_ms']:g} ms",
        f"  lost {sum(chosen['lost'].values())}, damaged {sum(chosen['damaged'].values())}; lit and ambient told apart by: {chosen['illumination']}",
    ]
    if profile.capture == "alternating":
        # Streams taken in turns could be of two faces: the policy asks for one moment, and only its owner may widen that.
        lines.append(
            "  sets taken in turns are wider than the policy's 50 ms and are stale to it: add streams=nir, or set Policy(max_skew_ms=...)"
        )
    session.console.result(document, "\n".join(lines))
    return ExitCode.YES
