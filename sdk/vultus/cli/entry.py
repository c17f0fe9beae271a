"""Run one command and turn however it ends into one line and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final, cast

import typer

from vultus.cli.app import app
from vultus.cli.console import Console, ExitCode
from vultus.cli.session import BadArgument, Cancelled, Session
from vultus.cli.wiring import Wiring
from vultus.errors import VultusError

_USAGE: Final = cast(type[Exception], typer.BadParameter.__mro__[1])
"""What typer raises for any wrong use of options; it gives the class no public name."""
_INTERRUPTED: Final = 130
"""128 + SIGINT: what shells expect of a program that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None, wiring: Wiring | None = None) -> int:
    """Run the command that `argv` names (None = the process's own) and return its exit code; `wiring` is for tests."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    console = Console(json="--json" in arguments)
    session = Session(wiring if wiring is not None else Wiring(), console)
    try:
        code = app(args=arguments, prog_name="vultus", standalone_mode=False, obj=session)
    except _USAGE as error:
        return _usage(error, console)
    except BadArgument as error:
        return console.error("usage", str(error))
    except VultusError as error:
        return console.error(error.code, str(error), retryable=error.retryable)
    except Cancelled as error:
        console.error("cancelled", str(error), retryable=True)
        return _INTERRUPTED
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return console.error("os", f"{where}{(error.strerror or str(error)).lower()}; check the path and its permissions")
    except Exception:  # noqa: BLE001 - Python's own exit code for an uncaught exception is 1, which means "no" here
        traceback.print_exc()
        return console.error("internal", "this is a fault of vultus itself; please report the lines above")
    if code == _INTERRUPTED:
        console.error("cancelled", "cancelled, nothing was stored", retryable=True)
    return int(code) if isinstance(code, int) else ExitCode.YES


def _usage(error: Any, console: Console) -> int:
    """Say what is wrong with the options, and where help is."""
    context = error.ctx
    message = " ".join(error.format_message().split())
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.message if context is None else context.get_help(), file=sys.stderr)
        return ExitCode.ERROR
    help_line = f"{context.command_path if context is not None else 'vultus'} --help"
    return console.error("usage", f"{message.rstrip('.')}; see {help_line}")
