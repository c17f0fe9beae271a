"""Writes the artefacts and the manifest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.recipes import landmarks, normaliser, recapture, recogniser
from models.recipes.detector import anchors, build_detector
from models.recipes.layers import MEAN, SCALE, read_network
from models.recipes.source import PACKAGE, SFACE, VERSION, YUNET, Member
from models.recipes.toml import dump

MODELS: Final = Path(__file__).resolve().parents[1]
SCHEMA: Final = 1
LANDMARKS: Final = f"artefacts/landmarks_{landmarks.SIDE}x{landmarks.SIDE}.onnx"
NORMALISER: Final = "artefacts/nir_stem.onnx"
FIGURES: Final = MODELS / "figures.json"
"""What the gate measured, by the sha256 of the graph: figures of another graph never reach the manifest."""


@dataclass(frozen=True, slots=True)
class Built:
    """One graph as the recipe makes it. gives: dtype of its outputs."""

    role: str
    file: str
    data: bytes
    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]
    preprocessing: dict[str, Any]
    source: dict[str, str]
    recipe: str
    licence: str
    gives: str = "float32"

    @property
    def sha256(self) -> str:
        """The hash of the graph's bytes."""
        return hashlib.sha256(self.data).hexdigest()


def build_all(weights: dict[Member, bytes]) -> list[Built]:
    """Make every graph from the published weights, the landmark network's and the normaliser's with their own; the same bytes every time.

    Raises FileNotFoundError when one of those was never trained.
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
    graphs += [trained_landmarks(raw), trained_normaliser(weights[SFACE], normalised)]
    data = recogniser.build_split(weights[SFACE])
    file, recipe = "artefacts/sface_int8.onnx", "models/recipes/recogniser.py"
    graphs.append(Built("recogniser", file, data, recogniser.INPUT, recogniser.OUTPUT, normalised, published(SFACE), recipe, SFACE.licence))
    return graphs


def published(member: Member) -> dict[str, str]:
    """Return where the weights of a file come from."""
    return {"package": PACKAGE, "version": VERSION, "member": member.name, "sha256": member.sha256, "upstream": member.upstream}


def trained_landmarks(preprocessing: dict[str, Any]) -> Built:
    """Write the landmark network's graph around the weights that lie in it: its numbers come from training, all else from the recipe."""
    data = landmarks.build_landmarks(landmarks.read_weights(_committed(LANDMARKS, "landmarks")))
    source = {**published(YUNET), "training": "models/training/landmarks/runs/made.toml"}
    return Built(
        "landmarks", LANDMARKS, data, landmarks.INPUT, landmarks.OUTPUT, preprocessing, source, "models/recipes/landmarks.py", YUNET.licence
    )


def trained_normaliser(sface: bytes, preprocessing: dict[str, Any]) -> Built:
    """Write the normaliser's graph around the weights that lie in it, as `trained_landmarks` does."""
    network = read_network(sface)
    data = normaliser.build_normaliser(network, normaliser.read_trained(_committed(NORMALISER, "normaliser"), network))
    source = {**published(SFACE), "training": "models/training/normaliser/runs/stem-half-made.toml"}
    recipe = "models/recipes/normaliser.py"
    return Built("normaliser", NORMALISER, data, recogniser.INPUT, normaliser.OUTPUT, preprocessing, source, recipe, SFACE.licence, "uint8")


def _committed(file: str, training: str) -> bytes:
    path = MODELS / file
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; it comes with the repository, or from `python -m models.training.{training} make`")
    return path.read_bytes()


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
            "inputs": _tensors(graph.inputs, "float32"),
            "outputs": _tensors(graph.outputs, graph.gives),
            "preprocessing": graph.preprocessing,
            "source": graph.source,
        }
        if graph.sha256 in figures:
            table["gate"] = figures[graph.sha256]
        tables.append(table)
    tables.append(recapture.ENTRY)
    note = "# Written by `python -m models.recipes build`; do not edit.\n"
    return note + dump({"schema": SCHEMA, "graph": tables})


def _tensors(tensors: dict[str, tuple[int, ...]], dtype: str) -> list[dict[str, Any]]:
    return [{"name": name, "dtype": dtype, "shape": list(shape)} for name, shape in tensors.items()]
