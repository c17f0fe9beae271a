"""`vultus version`."""

from __future__ import annotations

import platform

import typer

from vultus._version import __version__
from vultus.cli import options
from vultus.cli.console import ExitCode
from vultus.cli.session import session_of

HELP = """Print the version.

\b
Example:
  vultus version --json
"""


def version(ctx: typer.Context, json: options.Json = False) -> int:
    """Print the version."""
    session = session_of(ctx, json=json)
    session.console.result({"vultus": __version__, "python": platform.python_version()}, f"vultus {__version__}")
    return ExitCode.YES
