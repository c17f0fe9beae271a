"""`vultus pair`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import BadArgument, Session, arguments, session_of

if TYPE_CHECKING:
    from vultus.devices.heads.known import KnownHead, KnownHeads
    from vultus.devices.heads.pairing import Asked

HELP = """Pair this host with a sensor head, so that each proves to the other who it is and their line is encrypted.

Make the head ready (its button, or its first start), run this, and compare the check digits with those that are printed on the head
or that it shows: they tell the head from somebody in between. From then on every session with it is sealed, and a head that is
not paired is refused.

--expect takes the digits and compares them without asking. Where the head shows none, --yes trusts whoever answers now: do that only
on a cable that nobody else can reach.

\b
Examples:
  vultus pair serial:/dev/ttyACM0
  vultus pair serial:/dev/ttyACM0 --expect "67970 70357 07364 48330 47805 36319"
  vultus pair --list

\b
Exit code: 0 paired or listed, 1 you said that the digits differ, 2 error (refused, no answer, other digits): nothing was stored.
"""


def pair(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Argument(metavar="URL", help="Line of the head, e.g. serial:/dev/ttyACM0.")] = None,
    expect: Annotated[str | None, typer.Option("--expect", metavar="DIGITS", help="Check digits of the right head.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Trust the head that answers now, its digits unseen.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the heads that are paired.")] = False,
    json: options.Json = False,
) -> int:
    """Pair with a head or list those paired."""
    session = session_of(ctx, json=json)
    heads = session.wiring.known_heads()
    if listing:
        if url is not None or expect is not None or yes:
            raise BadArgument("--list goes alone")
        return _list(session, heads)
    if url is None:
        raise BadArgument("name the line of the head, e.g. vultus pair serial:/dev/ttyACM0, or ask for --list")
    from vultus.devices.heads import pairing as serial_pairing
    from vultus.devices.heads.keys import plain_digits
    from vultus.errors import PairingError

    with arguments():
        wanted = None if expect is None else plain_digits(expect)
    if wanted is None and not yes and not session.console.asks:
        raise BadArgument("nobody can compare the check digits here: give them with --expect, or trust whoever answers with --yes")
    with arguments():
        sensor_head = session.wiring.sensor_head(url)
    with sensor_head.bare_line() as line:
        asked = serial_pairing.ask(line, heads)
        if wanted is not None and wanted != asked.digits.replace(" ", ""):
            raise PairingError(f"the head that answers has the check digits {asked.digits}, not those expected: nothing was stored")
        already = heads.get(asked.identity) is not None
        if wanted is None and not yes and not already and not _agreed(session, asked):
            session.console.result({"paired": False, "digits": asked.digits}, "nothing was stored")
            return ExitCode.NO
        known = serial_pairing.pair(line, heads, asked, url)
    text = f"{paint('green', 'paired')} with {paint('bold', known.model or 'a head')} {literal(known.serial)}  check digits {known.digits}"
    session.console.result({"paired": True, "already": already, **describe(known)}, text)
    return ExitCode.YES


def _agreed(session: Session, asked: Asked) -> bool:
    """Show the digits and let a person compare them."""
    question = f"The head that answers has the check digits\n\n    {asked.digits}\n\nAre these the digits on the head?"
    return session.console.confirm(question)


def _list(session: Session, heads: KnownHeads) -> int:
    """List the paired heads, the oldest pairing first."""
    known = heads.all()
    lines = [f"{paint('bold', h.model or 'head')} {literal(h.serial)}  {h.digits}  {literal(h.url)}  paired {_day(h)}" for h in known]
    session.console.result({"heads": [describe(h) for h in known]}, "\n".join(lines) or "no sensor head is paired: vultus pair URL")
    return ExitCode.YES


def describe(known: KnownHead) -> dict[str, Any]:
    """Return what a program may want to know of a head."""
    return {
        "digits": known.digits,
        "identity": known.identity,
        "model": known.model,
        "serial": known.serial,
        "url": known.url,
        "paired_ns": known.paired_ns,
    }


def _day(known: KnownHead) -> str:
    return datetime.fromtimestamp(known.paired_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d")
