"""`vultus remove`."""

from __future__ import annotations

from typing import Annotated

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, paint
from vultus.cli.session import arguments, session_of

HELP = """Forget a person: the template and the failed attempts are deleted and their place in the file is overwritten.

On a terminal it asks first; in a pipe it does not.

\b
Examples:
  vultus remove ada
  vultus remove ada --yes --store kiosk.db

\b
Exit code: 0 removed, 1 you said no, 2 error (nobody of that name is enrolled).
"""


def remove(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="Name to forget.")],
    store: options.Store = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: options.Json = False,
) -> int:
    """Remove a user."""
    session = session_of(ctx, json=json)
    from vultus.errors import NotEnrolled
    from vultus.templates import check_user

    with arguments():
        user = check_user(user)
    with session.wiring.open_store(session.store_path(store), create=False) as templates:
        if not templates.has(user):
            raise NotEnrolled(f"{user} is not enrolled: nothing was removed; vultus list shows who is")
        if not yes and not session.console.confirm(f"Remove {user}?"):
            session.console.result({"user": user, "removed": False}, "nothing was removed")
            return ExitCode.NO
        templates.remove(user)
    session.console.result({"user": user, "removed": True}, f"{paint('green', 'removed')} {paint('bold', user)}")
    return ExitCode.YES
