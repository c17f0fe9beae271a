"""`vultus demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vultus.cli import options
from vultus.cli.session import session_of

HELP = """Show the whole path on two public-domain portraits and simulated sensors: enrol, sign in, refuse the attacks.

\b
Examples:
  vultus demo
  vultus demo --sheet /tmp/demo.png              # what the sensors saw, to look at

\b
Exit code: 0 every case ended as it should, 1 one did not, 2 error.
"""


def demo(
    ctx: typer.Context,
    sheet: Annotated[Path, typer.Option("--sheet", metavar="PNG", help="Where the contact sheet goes: RGB, NIR, depth, outcome.")] = Path(
        "vultus-demo.png"
    ),
    json: options.Json = False,
) -> int:
    """Run the demonstration."""
    session = session_of(ctx, json=json)
    return session.wiring.demo(sheet, json=json)
