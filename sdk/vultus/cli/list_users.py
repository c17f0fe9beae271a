"""`vultus list`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import Session, session_of

if TYPE_CHECKING:
    from vultus.store import Entry
    from vultus.types import Modality

HELP = """List who is enrolled, since when, and whose template needs renewal.

\b
Examples:
  vultus list
  vultus list --store kiosk.db --json

\b
Exit code: 0 listed (also when nobody is enrolled), 2 error, or when a record was altered.
"""


def list_users(ctx: typer.Context, store: options.Store = None, json: options.Json = False) -> int:
    """List the enrolled users."""
    session = session_of(ctx, json=json)
    path = session.store_path(store)
    from vultus.errors import NotEnrolled

    try:
        with session.wiring.open_store(path, create=False) as templates:
            entries = templates.entries()
    except NotEnrolled:
        entries = ()
    if not entries:
        session.console.result({"users": []}, f"nobody is enrolled in {literal(str(path))}")
        return ExitCode.YES
    current = _current_forms(session)
    rows = [_describe(entry, current) for entry in entries]
    session.console.result({"users": rows}, "\n".join(_lines(rows)))
    return ExitCode.ERROR if any(row["state"] == "altered" for row in rows) else ExitCode.YES


def _current_forms(session: Session) -> Mapping[Modality, str] | None:
    """Return by modality the hash that templates of the graphs in use carry; None when it cannot be told, which `vultus doctor` explains."""
    from vultus.errors import ModelError

    try:
        return session.wiring.manifest().forms()
    except ModelError:
        return None


def _describe(entry: Entry, current: Mapping[Modality, str] | None) -> dict[str, Any]:
    """Turn one record into what the listing shows."""
    from vultus.errors import StoreAltered, StoreError
    from vultus.templates import describe

    if isinstance(entry.content, StoreError):
        state = "altered" if isinstance(entry.content, StoreAltered) else "outdated"
        return {"record": entry.record, "user": None, "state": state, "problem": str(entry.content)}
    usable = entry.content if current is None else entry.content.usable(current)
    old = [] if usable is None else [m.value for m in entry.content.graphs if m not in usable.graphs]
    state = "outdated" if usable is None else "partly outdated" if old else "ready"
    return {"record": entry.record, **describe(entry.content), "state": state, "outdated": old}


def _lines(rows: list[dict[str, Any]]) -> list[str]:
    """Return aligned lines: name, since, samples, device, what to do."""
    width = max(len(row["user"] or "?") for row in rows)
    out = []
    for row in rows:
        if row["user"] is None:
            out.append(f"{'?':{width}}  {paint('red', row['state'])}: {literal(row['problem'])}")
            continue
        since = datetime.fromtimestamp(row["created_ns"] / 1e9, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        samples = ", ".join(f"{count} {modality.upper()}" for modality, count in row["embeddings"].items())
        device = literal(row["device"]["kind"]) if row["device"] else "unknown device"
        what = {"ready": "", "outdated": "outdated"}.get(row["state"], f"{', '.join(m.upper() for m in row['outdated'])} outdated")
        note = f"  {paint('yellow', f'{what}: enrol again with --replace')}" if what else ""
        name = paint("bold", f"{row['user']:{width}}")
        out.append(f"{name}  {since}  {samples}  {device}{note}")
    return out
