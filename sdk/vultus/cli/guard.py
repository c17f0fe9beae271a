"""`vultus guard`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import BadArgument, session_of

if TYPE_CHECKING:
    from vultus.guard import Device

HELP = """List the devices that a liveness calibration guards, or drop one of them.

The store remembers every device that was ever used with a liveness calibration of its own (vultus calibrate --liveness); without that
calibration the device accepts and enrols nobody, so that nobody gets in by taking the file away. When a sensor is gone for good, or shall be
used without its calibration, drop its guard by name. The guards of templates stay: who was enrolled under it enrols again.

On a terminal it asks first; in a pipe it does not.

\b
Examples:
  vultus guard
  vultus guard --drop 'v4l2:Kinect v2' --store kiosk.db
  vultus guard --drop 'v4l2:Kinect v2:0042' --yes

\b
Exit code: 0 listed or dropped, 1 you said no, 2 error (no device of that name is guarded).
"""


def guard(
    ctx: typer.Context,
    drop: Annotated[str | None, typer.Option("--drop", metavar="NAME", help="Forget the guard of the device of this name.")] = None,
    store: options.Store = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: options.Json = False,
) -> int:
    """List or drop the guards of devices."""
    session = session_of(ctx, json=json)
    path = session.store_path(store)
    from vultus.errors import NotEnrolled

    try:
        templates = session.wiring.open_store(path, create=False)
    except NotEnrolled:
        if drop is not None:
            raise
        session.console.result({"guarded": []}, f"nobody is enrolled in {literal(str(path))}, and no device is guarded")
        return ExitCode.YES
    with templates:
        guarded = {_name(device): device for device in sorted(templates.guarded())}
        if drop is None:
            rows = [{"name": name, "kind": d[0], "model": d[1], "serial": d[2] or None} for name, d in guarded.items()]
            lines = [f"{paint('bold', literal(name))}  {'this unit' if d[2] else 'every unit'}" for name, d in guarded.items()]
            session.console.result({"guarded": rows}, "\n".join(lines) or f"no device is guarded in {literal(str(path))}")
            return ExitCode.YES
        if drop not in guarded:
            known = ", ".join(repr(name) for name in guarded) or "none"
            raise BadArgument(f"no device named {drop!r} is guarded; guarded: {known}")
        if not yes and not session.console.confirm(f"Let {drop} be used without its liveness calibration?"):
            session.console.result({"name": drop, "dropped": False}, "nothing was dropped")
            return ExitCode.NO
        templates.guard(guarded[drop], drop=True)
    session.console.result({"name": drop, "dropped": True}, f"{paint('green', 'dropped')} {paint('bold', literal(drop))}")
    return ExitCode.YES


def _name(device: Device) -> str:
    """Return how a device is called: kind and model, and the serial where one unit alone is meant."""
    return ":".join(part for part in device if part)
