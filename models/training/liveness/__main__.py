"""Trains and measures liveness networks: `python -m models.training.liveness train RUN.toml --out FOLDER`, then `attacks` or `recapture`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from models.recipes.build import MODELS
from models.recipes.crops import data_folder
from models.recipes.liveness_network import Weights
from models.training.liveness import attacks, colour_vote, joined, recaptures
from models.training.liveness.cache import makers, material
from models.training.liveness.config import read_run
from models.training.liveness.networks import parameters, products
from models.training.liveness.train import train, watch
from models.training.liveness.weights import folded, limits_of, save
from models.training.normaliser.train import Processes

from vultus.errors import VultusError
from vultus.graphs import open_graph
from vultus.manifest import load_manifest


def main() -> int:
    """Run one command and return the exit status: 0 done, 2 an error."""
    parser = argparse.ArgumentParser(prog="python -m models.training.liveness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("train", help="train one run; start it again to go on after a stop; under torchrun on several processes")
    one.add_argument("run", type=Path, help="a TOML file such as models/training/liveness/runs/triplet.toml")
    one.add_argument("--out", type=Path, required=True, help="folder of its checkpoint, metrics.csv and network.weights")
    one.add_argument("--cache", type=Path, default=Path("build/training"), help="folder of simulated samples (default: build/training)")
    many = commands.add_parser("attacks", help="count simulated attacks that pass with each network beside the gates, as a Markdown table")
    many.add_argument("folders", type=Path, nargs="*", help="folders of finished triplet runs; their limits come from simulation")
    many.add_argument("--each", type=int, default=500, help="attacks of each species (default: 500)")
    many.add_argument("--seed", type=int, default=1, help="what the attacks are drawn from (default: 1)")
    vote = commands.add_parser("vote", help="write the shipped vote over colour alone, from simulated live faces")
    vote.add_argument("run", type=Path, help="the run whose people kept aside are simulated")
    vote.add_argument("--out", type=Path, default=MODELS / "calibration" / "colour.json", help="default: models/calibration/colour.json")
    real = commands.add_parser("recapture", help="equal error rates on real prints and screens, as a Markdown table")
    real.add_argument("folders", type=Path, nargs="*", help="folders of finished colour runs")
    real.add_argument("--vendor", type=Path, help="fr_liveness.onnx of the npm package faceplugin-face-recognition-js 0.0.1")
    real.add_argument("--set", default="nuaa-dev", choices=recaptures.SETS, help="default: nuaa-dev")
    both = commands.add_parser(
        "join", help="several scorers together, fitted on half of nuaa-dev's people and tested on the others and on print-screen"
    )
    both.add_argument("folder", type=Path, help="folder of a finished colour run")
    both.add_argument("--vendor", type=Path, help="as for recapture")
    for command in (many, real, both):
        command.add_argument("--json", type=Path, help="write every figure, with counts, as JSON too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        if arguments.command == "train":
            return _train(arguments)
        if arguments.command == "vote":
            return _vote(arguments)
        if arguments.command == "join":
            document, rows = joined.report(Weights.unpacked((arguments.folder / "network.weights").read_bytes()), arguments.vendor)
            return _tell(document, rows, arguments.json)
        networks = {f.name: Weights.unpacked((f / "network.weights").read_bytes()) for f in arguments.folders}
        limits = {f.name: json.loads((f / "limits.json").read_text("utf-8")) for f in arguments.folders}
        if arguments.command == "attacks":
            document, rows = attacks.measure(networks, limits, arguments.each, arguments.seed)
        else:
            document, rows = recaptures.measure(networks, arguments.set, arguments.vendor)
    except (VultusError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return _tell(document, rows, arguments.json)


def _tell(document: object, rows: list[str], path: Path | None) -> int:
    print(*rows, sep="\n")
    if path is not None:
        path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    run = read_run(arguments.run)
    entry = load_manifest().entry("detector")
    found = material(data_folder(), arguments.cache, open_graph(entry), entry.sha256, run)
    model = train(run, found, arguments.out)
    if Processes.joined().rank == 0:
        save(arguments.out / "network.weights", folded(model, found.train.seen))
        told = {"run": run.digest(), "material": found.digest, **watch(model, found.watch), **limits_of(model, found.watch)}
        (arguments.out / "limits.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
        print(
            f"{run.kind}: {len(found.train.seen)} simulated samples, {parameters(model)} parameters, "
            f"{products(run.kind) / 1e6:.1f} million products; {json.dumps(told)}"
        )
    return 0


def _vote(arguments: argparse.Namespace) -> int:
    _, watched = makers(data_folder(), open_graph(load_manifest().entry("detector")), read_run(arguments.run))
    made = colour_vote.document(list(colour_vote.simulated(watched)))
    colour_vote.write(arguments.out, made)
    print(json.dumps({k: made["colour"][k] for k in ("terms", "pass_llr", "fail_llr")}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
