"""Writes the artefacts and the manifest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.recipes import landmarks, recapture, recogniser
from models.recipes.detector import anchors, build_detector
from models.recipes.layers import MEAN, SCALE
from models.recipes.source import PACKAGE, SFACE, VERSION, YUNET, Member
from models.recipes.toml import dump

MODELS: Final = Path(__file__).resolve().parents[1]
SCHEMA: Final = 1
LANDMARKS: Final = f"artefacts/landmarks_{landmarks.SIDE}x{landmarks.SIDE}.onnx"
FIGURES: Final = MODELS / "figures.json"
"""What the gate measured, by the sha256 of the graph: figures of another graph never reach the manifest."""


@dataclass(frozen=True, slots=True)
class Built:
    """One graph as the recipe makes it."""

    role: str
    file: str
    data: bytes
    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]
    preprocessing: dict[str, Any]
    source: dict[str, str]
    recipe: str
    licence: str

    @property
    def sha256(self) -> str:
        """The hash of the graph's bytes."""
        return hashlib.sha256(self.data).hexdigest()


def build_all(weights: dict[Member, bytes]) -> list[Built]:
    """Make every graph from the published weights, and the landmark network's from its own; the same bytes every time.

    Raises FileNotFoundError when the landmark network was never trained.
    """
    raw = {"channels": "BGR", "mean": 0.0, "scale": 1.0}
    normalised = {"channels": "RGB", "mean": MEAN, "scale": SCALE}
    graphs = []
    for role, width, height in (("detector", 320, 256), ("detector_near", 160, 128)):
        data = build_detector(weights[YUNET], width, height)
        count = anchors(width, height)
        outputs: dict[str, tuple[int, ...]] = {"scores": (count, 1), "boxes": (count, 4), "points": (count, 10)}
        file = f"artefacts/yunet_{width}x{height}.onnx"
        graphs.append(
            Built(
                role,
                file,
                data,
                {"input": (1, 3, height, width)},
                outputs,
                raw,
                published(YUNET),
                "models/recipes/detector.py",
                YUNET.licence,
            )
        )
    graphs.append(trained(raw))
    data = recogniser.build_split(weights[SFACE])
    file, recipe = "artefacts/sface_int8.onnx", "models/recipes/recogniser.py"
    graphs.append(Built("recogniser", file, data, recogniser.INPUT, recogniser.OUTPUT, normalised, published(SFACE), recipe, SFACE.licence))
    return graphs


def published(member: Member) -> dict[str, str]:
    """Return where the weights of a file come from."""
    return {"package": PACKAGE, "version": VERSION, "member": member.name, "sha256": member.sha256, "upstream": member.upstream}


def trained(preprocessing: dict[str, Any]) -> Built:
    """Write the landmark network's graph around the weights that lie in it: its numbers come from training, all else from the recipe."""
    path = MODELS / LANDMARKS
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; it comes with the repository, or from `python -m models.training.landmarks make`")
    data = landmarks.build_landmarks(landmarks.read_weights(path.read_bytes()))
    source = {**published(YUNET), "training": "models/training/landmarks/runs/made.toml"}
    return Built(
        "landmarks", LANDMARKS, data, landmarks.INPUT, landmarks.OUTPUT, preprocessing, source, "models/recipes/landmarks.py", YUNET.licence
    )


def write_all(graphs: list[Built], folder: Path) -> None:
    """Write the graphs and the manifest that lists them into `folder`."""
    (folder / "artefacts").mkdir(parents=True, exist_ok=True)
    for graph in graphs:
        (folder / graph.file).write_bytes(graph.data)
    (folder / "manifest.toml").write_text(manifest(graphs), encoding="utf-8")


def manifest(graphs: list[Built]) -> str:
    """Return the manifest's text, with the figures that were measured with these very bytes."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.is_file() else {}
    tables = []
    for graph in graphs:
        table: dict[str, Any] = {
            "role": graph.role,
            "file": graph.file,
            "sha256": graph.sha256,
            "bytes": len(graph.data),
            "licence": graph.licence,
            "recipe": graph.recipe,
            "inputs": _tensors(graph.inputs),
            "outputs": _tensors(graph.outputs),
            "preprocessing": graph.preprocessing,
            "source": graph.source,
        }
        if graph.sha256 in figures:
            table["gate"] = figures[graph.sha256]
        tables.append(table)
    tables.append(recapture.ENTRY)
    note = "# Written by `python -m models.recipes build`; do not edit.\n"
    return note + dump({"schema": SCHEMA, "graph": tables})


def _tensors(tensors: dict[str, tuple[int, ...]]) -> list[dict[str, Any]]:
    return [{"name": name, "dtype": "float32", "shape": list(shape)} for name, shape in tensors.items()]
