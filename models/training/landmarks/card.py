"""The card of a run: what it learnt from, what it reaches on people kept aside, and what it costs, written by the run itself."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import torch
from models.recipes.gate import open_session
from models.training.landmarks.config import Run
from models.training.landmarks.network import Landmarks
from models.training.landmarks.sources import Material
from models.training.landmarks.train import error, mirrored, watch
from torch import Tensor

from vultus.graphs import Graph
from vultus.stages.landmarks import EYES, TEMPLATE

_ROUNDS: Final = 60


def figures(run: Run, model: Landmarks, found: Material, graph: bytes, difference: float, detector: Graph) -> dict[str, Any]:
    """Return the figures of a run as plain values: errors in eye distances, cost as a ratio to the detector's large input."""
    looks = {}
    for name, faces in (("photographs", found.photographs), ("turned heads", found.turned)):
        crops, there = watch(faces)
        twice = torch.from_numpy(mirrored(model, crops))
        looks[name] = {
            "first look": _apart(torch.tensor(TEMPLATE, dtype=torch.float32).expand_as(there), there),
            "network": error(model, crops, there),
            "network and mirror image": _apart(twice, there),
        }
    return {
        "run": asdict(run),
        "digest": run.digest(),
        "material": found.digest,
        "pictures": len(found.train.pictures),
        "people": len(set(found.train.people.tolist())),
        "bytes": len(graph),
        "parameters": sum(p.numel() for p in model.parameters()),
        "difference from PyTorch, pixels": difference,
        "cost, runs of the detector": cost(graph, detector),
        "error": looks,
    }


def card(told: dict[str, Any]) -> str:
    """Return the card as Markdown."""
    lines = [
        f"# Landmark network, run {told['digest']}",
        "",
        f"{told['parameters']} numbers, {told['bytes']} bytes, {told['cost, runs of the detector']:.2f} of a run of the detector at 320 x 256.",
        (
            f"Learnt from {told['pictures']} pictures of {told['people']} people, {told['run']['crops']} crops of them, {told['run']['steps']} steps of "
            f"{told['run']['batch']}; photographs of London and Canada: {'yes' if told['run']['photographs'] else 'none'}."
        ),
        "",
        "Error in eye distances (root of the mean square of a crop's points, mean over crops), people kept aside, simulated first look:",
        "",
        "| look | photographs | turned heads |",
        "|---|---|---|",
    ]
    first, second = told["error"]["photographs"], told["error"]["turned heads"]
    return "\n".join([*lines, *(f"| {name} | {first[name]:.4f} | {second[name]:.4f} |" for name in first)]) + "\n"


def cost(graph: bytes, detector: Graph) -> float:
    """Return the processor time of a run as a ratio to the detector's, one thread, taking turns, medians."""
    session = open_session(graph)
    crop = np.random.default_rng(0).uniform(0, 255, session.get_inputs()[0].shape).astype(np.float32)
    detector.input[...] = 127.0
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(_ROUNDS):
        for spent, run in zip(times, (lambda: session.run(None, {"input": crop}), detector.run), strict=True):
            start = time.process_time_ns()
            run()
            spent.append(time.process_time_ns() - start)
    return statistics.median(times[0]) / statistics.median(times[1])


def _apart(found: Tensor, there: Tensor) -> float:
    return float((found - there).square().sum(2).mean(1).sqrt().mean()) / EYES
