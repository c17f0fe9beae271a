"""Puts trained networks beside the shipped graphs in a folder of their own, for `vultus evaluate ... --models FOLDER`; nothing is shipped by it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from models.recipes.build import MODELS
from models.recipes.liveness_network import INPUTS, OUTPUTS, Weights, build_integer
from models.recipes.toml import dump

from vultus.calibration import read_document
from vultus.fitting import seal_document

_PARTS: Final = ("artefacts", "calibration")


def export(networks: Mapping[str, tuple[Weights, Mapping[str, float]]], into: Path) -> None:
    """Write a models folder with the shipped graphs and calibration, these networks, and limits for their cues.

    networks: by name, weights and limits "pass" and "fail". Raises ValueError for two of one kind, OSError when it cannot be written.
    """
    kinds = [weights.kind for weights, _ in networks.values()]
    if len(set(kinds)) != len(kinds):
        raise ValueError("a models folder holds one network of each kind")
    for part in _PARTS:
        shutil.copytree(MODELS / part, into / part, dirs_exist_ok=True)
    manifest = tomllib.loads((MODELS / "manifest.toml").read_text("utf-8"))
    calibration = read_document(MODELS / "calibration" / "liveness.json")
    for name, (weights, limits) in networks.items():
        graph, role = build_integer(weights), f"{weights.kind}_network"
        (into / "artefacts" / f"{role}.onnx").write_bytes(graph)
        manifest["graph"].append(_entry(name, role, graph, weights.kind))
        for verdict in ("pass", "fail"):
            limit = {"value": limits[verdict], "unit": "nats", "origin": f"simulated live samples of people kept aside, run {name}"}
            calibration["limits"][f"{weights.kind}_{verdict}"] = limit
    calibration["id"] = f"{calibration['id']}+{'+'.join(networks)}"
    (into / "manifest.toml").write_text(dump(manifest), "utf-8")
    (into / "calibration" / "liveness.json").write_text(json.dumps(seal_document(calibration), indent=1, sort_keys=True) + "\n", "utf-8")


def _entry(name: str, role: str, graph: bytes, kind: str) -> dict[str, Any]:
    shapes = ({"input": INPUTS[kind]}, OUTPUTS)
    inputs, outputs = ([{"name": n, "dtype": "float32", "shape": list(s)} for n, s in part.items()] for part in shapes)
    return {
        "role": role, "file": f"artefacts/{role}.onnx", "sha256": hashlib.sha256(graph).hexdigest(), "bytes": len(graph),
        "licence": "Apache-2.0", "recipe": "models/recipes/liveness_network.py", "inputs": inputs, "outputs": outputs,
        "preprocessing": {"channels": "RGB", "mean": 0.0, "scale": 1.0}, "source": {"run": name},
    }  # fmt: skip
