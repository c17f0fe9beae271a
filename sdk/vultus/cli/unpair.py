"""`vultus unpair`."""

from __future__ import annotations

from typing import Annotated

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.pair import describe
from vultus.cli.session import BadArgument, arguments, session_of

HELP = """Undo the pairing with a sensor head: it forgets this host, and this host forgets it.

The head must answer for that. One that is lost, or that forgot this host by its button, is forgotten here alone with --head.
On a terminal it asks first; in a pipe it does not. Templates and calibrations stay.

\b
Examples:
  vultus unpair serial:/dev/ttyACM0
  vultus unpair --head "67970 70357 07364 48330 47805 36319"    # its digits: vultus pair --list

\b
Exit code: 0 undone, 1 you said no, 2 error, and then the head is paired as before.
"""


def unpair(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Argument(metavar="URL", help="Line of the head, e.g. serial:/dev/ttyACM0.")] = None,
    head: Annotated[
        str | None, typer.Option("--head", metavar="DIGITS", help="Forget the head with these check digits, here alone.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: options.Json = False,
) -> int:
    """Unpair a head."""
    session = session_of(ctx, json=json)
    if (url is None) == (head is None):
        raise BadArgument(
            "name the line of the head, or with --head the check digits of one that does not answer; vultus pair --list has them"
        )
    from vultus.devices.heads import pairing as serial_pairing
    from vultus.devices.heads.keys import plain_digits
    from vultus.errors import PairingError

    heads = session.wiring.known_heads()
    with arguments():
        wanted = None if head is None else plain_digits(head)
    known = None
    if wanted is not None:
        known = next((h for h in heads.all() if h.digits.replace(" ", "") == wanted), None)
        if known is None:
            raise PairingError("no head with these check digits is paired: vultus pair --list shows those that are")
    what = url if known is None else known.digits
    if not yes and not session.console.confirm(f"Unpair {what}?"):
        session.console.result({"unpaired": False}, "nothing was changed")
        return ExitCode.NO
    if known is not None:
        heads.remove(bytes.fromhex(known.identity))
    else:
        with arguments():
            sensor_head = session.wiring.sensor_head(url or "")
        with sensor_head.bare_line() as line:
            known = serial_pairing.unpair(line, heads)
    name = f"{paint('bold', known.model or 'the head')} {literal(known.serial)}  check digits {known.digits}"
    session.console.result({"unpaired": True, "told": head is None, **describe(known)}, f"{paint('green', 'unpaired')} {name}")
    return ExitCode.YES
