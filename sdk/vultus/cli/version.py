"""`vultus version`."""

from __future__ import annotations

import platform

import typer

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
    from importlib import metadata

    session = session_of(ctx, json=json)
    try:
        number = metadata.version("vultus")
    except metadata.PackageNotFoundError:
        number = "not installed"
    session.console.result({"vultus": number, "python": platform.python_version()}, f"vultus {number}")
    return ExitCode.YES
