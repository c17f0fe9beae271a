"""`vultus models list|verify|optimise|build`."""

from __future__ import annotations

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import session_of

HELP = """Show, check and rebuild the graphs (detector, recogniser).

\b
Examples:
  vultus models list
  vultus models verify                           # every hash against the manifest
  vultus models optimise                         # once after installing: the first sign-in of a process starts sooner
  vultus models build                            # make them again, in a source checkout
"""
LIST_HELP = """List the graphs: role, file, hash, licence.

\b
Example:
  vultus models list --json
"""
VERIFY_HELP = """Check every graph file against the hash in the manifest.

\b
Example:
  vultus models verify && echo unaltered

\b
Exit code: 0 all as stated, 2 one is missing or altered.
"""
BUILD_HELP = """Make the graphs again from the pinned weights; needs a source checkout, the extra `recipes` and the network once.

\b
Example:
  vultus models build

\b
Exit code: 0 built, 2 error.
"""


OPTIMISE_HELP = """Prepare the graphs for this machine, so that a process opens them in less than half the time.

The result lies beside the graphs, with its hashes; it is passed over after an update of vultus or ONNX Runtime, or on another processor, until
this command is run again. It needs the right to write where vultus is installed.

\b
Example:
  sudo vultus models optimise

\b
Exit code: 0 done, 2 error.
"""


def list_graphs(ctx: typer.Context, json: options.Json = False) -> int:
    """List the graphs."""
    session = session_of(ctx, json=json)
    manifest = session.wiring.manifest()
    rows = [{"role": e.role, "file": str(e.path), "sha256": e.sha256, "licence": e.licence} for e in manifest.entries]
    width = max((len(row["role"]) for row in rows), default=0)
    lines = [f"{paint('bold', row['role'].ljust(width))}  {row['sha256'][:12]}  {row['licence']}  {literal(row['file'])}" for row in rows]
    session.console.result({"models": rows}, "\n".join(lines))
    return ExitCode.YES


def verify_graphs(ctx: typer.Context, json: options.Json = False) -> int:
    """Check the graphs."""
    session = session_of(ctx, json=json)
    states = session.wiring.manifest().verify()
    rows = [{"role": s.role, "ok": s.ok, "problem": s.problem} for s in states]
    lines = [f"{paint('green', 'ok')}    {s.role}" if s.ok else f"{paint('red', 'FAIL')}  {s.role}  {literal(s.problem)}" for s in states]
    session.console.result({"models": rows, "ok": all(s.ok for s in states)}, "\n".join(lines))
    return ExitCode.YES if all(s.ok for s in states) else ExitCode.ERROR


def build(ctx: typer.Context, json: options.Json = False) -> int:
    """Make the graphs again."""
    session = session_of(ctx, json=json)
    if session.wiring.build_graphs() != 0:
        return session.console.error("model.build", "the recipe failed; its own lines above say why, and the graphs are as they were")
    session.console.result({"built": True}, f"{paint('green', 'built')}  check with vultus models verify")
    return ExitCode.YES


def optimise(ctx: typer.Context, json: options.Json = False) -> int:
    """Prepare the graphs for this machine."""
    session = session_of(ctx, json=json)
    try:
        folder = session.wiring.optimise_graphs()
    except OSError as error:
        return session.console.error(
            "model.optimise", f"cannot write {error.filename}: {error.strerror}; run it as whoever installed vultus"
        )
    session.console.result({"optimised": str(folder)}, f"{paint('green', 'optimised')}  {literal(str(folder))}")
    return ExitCode.YES
