"""`vultus doctor`."""

from __future__ import annotations

from typing import Final

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import session_of

HELP = """Check that this machine can sign people in: core, graphs, calibration, store, key, devices, extras.

\b
Examples:
  vultus doctor
  vultus doctor --store kiosk.db --json

\b
Exit code: 0 nothing fails (warnings included), 2 something does; each line says what to do.
"""
_SHOWN: Final = {"ok": ("green", "ok  "), "warn": ("yellow", "warn"), "fail": ("red", "FAIL")}


def doctor(ctx: typer.Context, store: options.Store = None, device: options.Device = None, json: options.Json = False) -> int:
    """Check this machine."""
    session = session_of(ctx, json=json)
    checks = session.wiring.checks(session.store_path(store), device)
    rows = [{"name": c.name, "state": c.state.value, "detail": c.detail, "remedy": c.remedy} for c in checks]
    failed = any(c.state.value == "fail" for c in checks)
    width = max(len(c.name) for c in checks)
    lines = []
    for c in checks:
        lines.append(f"{paint(*_SHOWN[c.state.value])}  {paint('bold', f'{c.name:{width}}')}  {literal(c.detail)}")
        if c.remedy:
            lines.append(f"{' ' * (width + 8)}{literal(c.remedy)}")
    session.console.result({"checks": rows, "ok": not failed}, "\n".join(lines))
    return ExitCode.ERROR if failed else ExitCode.YES
