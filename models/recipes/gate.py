"""Measures what ships against the float graph on LFW and rap3df-2017 and keeps the figures for the manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from models.recipes.build import FIGURES, MODELS, NORMALISER
from models.recipes.crops import F32, Faces, data_folder, lfw_faces, rap3df_faces
from models.recipes.layers import read_network
from models.recipes.metrics import compare, read_pairs, ten_fold, unit
from models.recipes.normaliser import TRAINED, read_trained
from models.recipes.recogniser import build_float, float_graph
from models.recipes.source import SFACE, Member

COMMAND: Final = "python -m models.recipes gate"
Figure = dict[str, Any]
LEAST: Final = {"ten-fold accuracy": 0.993, "TAR at FAR 1e-4": 0.972}
"""What the shipped graph must reach on LFW, whatever the float graph does."""
_NIR: Final = ("NIR-NIR TAR at FAR 1e-4", "RGB-NIR TAR at FAR 1e-4")
"""Measured through the normaliser, as NIR goes."""
_LOSS: Final = {
    "ten-fold accuracy": 0.001,
    "TAR at FAR 1e-4": 0.004,
    "TAR at FAR 1e-5": 0.01,
    "RGB-RGB TAR at FAR 1e-4": 0.01,
    "NIR-NIR TAR at FAR 1e-4": 0.01,
    "RGB-NIR TAR at FAR 1e-4": 0.01,
}
"""How much of the float graph's figure may be lost."""


def run_gate(weights: dict[Member, bytes]) -> list[Figure]:
    """Measure the committed recogniser and normaliser, write models/figures.json and return one row a figure; about ten minutes on one core."""
    from vultus.graphs import open_graph, open_stem
    from vultus.manifest import load_manifest

    manifest = load_manifest(MODELS)
    detector, recogniser = open_graph(manifest.entry("detector")), open_graph(manifest.entry("recogniser"))
    lfw, rap = lfw_faces(detector), rap3df_faces(detector)
    float_session = open_session(build_float(weights[SFACE]))
    rows = []
    shipped = [embed_graph(recogniser, faces) for faces in (lfw, rap)]
    exact = [embed_session(float_session, faces) for faces in (lfw, rap)]
    measured, reference = (verification(lfw, rap, *e) for e in (shipped, exact))
    for name, (value, count, data_set) in measured.items():
        if name in _NIR:
            continue
        row: Figure = {"set": data_set, "measure": name, "value": round(value, 5), "float": round(reference[name][0], 5), "count": count}
        if name in LEAST:
            row["least"] = LEAST[name]
        if name in _LOSS:
            row["loss_allowed"] = _LOSS[name]
        rows.append({**row, "command": COMMAND})
    agreement = [float(np.mean(np.sum(a * b, 1))) for a, b in zip(shipped, exact, strict=True)]
    for data_set, faces, cosine in zip(("lfw", "rap3df-2017"), (lfw, rap), agreement, strict=True):
        row = {
            "set": data_set,
            "measure": "mean cosine with the float graph",
            "value": round(cosine, 5),
            "count": f"{len(faces.people)} faces",
        }
        rows.append({**row, "command": COMMAND})
    found = [
        {
            "set": data_set,
            "measure": "pictures in which a face is found at score 0.6",
            "value": round(len(faces.people) / faces.pictures, 5),
            "count": f"{faces.pictures} pictures",
            "command": COMMAND,
        }
        for data_set, faces in (("lfw", lfw), ("rap3df-2017", rap))
    ]
    stem = open_stem(manifest.entry("normaliser"))
    through = _normalised(rap, (shipped[1], exact[1]), (lambda faces: embed_graph(recogniser, faces, stem)), weights[SFACE])
    kept = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.is_file() else {}
    others = {entry.sha256: kept[entry.sha256] for entry in manifest.entries if entry.sha256 in kept}
    document = {**others, recogniser.sha256: rows, manifest.entry("normaliser").sha256: through, detector.sha256: found}
    FIGURES.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return [*rows, *through]


def _normalised(rap: Faces, plain: tuple[F32, F32], shipped: Callable[[Faces], F32], weights: bytes) -> list[Figure]:
    """Return the figures of NIR through the normaliser: what ships against a float graph of the same layers, `plain` being both without it."""
    network = read_network(weights)
    layers = (*read_trained((MODELS / NORMALISER).read_bytes(), network), *network.layers[TRAINED:])
    session = open_session(float_graph(replace(network, layers=layers)))
    nir = rap.modalities == "nir"
    faces = replace(rap, tensors=rap.tensors[nir], people=rap.people[nir], samples=rap.samples[nir], modalities=rap.modalities[nir])
    vectors = [shipped(faces), embed_session(session, faces)]
    rates = []
    for own, base in zip(vectors, plain, strict=True):
        whole = base.copy()
        whole[nir] = own
        rates.append(_rap3df(rap, whole))
    without = _rap3df(rap, plain[0])
    rows: list[Figure] = []
    for name in _NIR:
        (value, count, data_set), exact = rates[0][name], rates[1][name][0]
        row = {"set": data_set, "measure": f"{name}, normalised", "value": round(value, 5), "float": round(exact, 5), "count": count}
        rows.append({**row, "loss_allowed": _LOSS[name], "without": round(without[name][0], 5), "command": COMMAND})
    cosine = float(np.mean(np.sum(vectors[0] * vectors[1], 1)))
    row = {"set": "rap3df-2017", "measure": "mean cosine with the float graph, normalised", "value": round(cosine, 5)}
    return [*rows, {**row, "least": 0.99, "count": f"{len(faces.people)} faces", "command": COMMAND}]


def verification(lfw: Faces, rap: Faces, of_lfw: F32, of_rap: F32) -> dict[str, tuple[float, str, str]]:
    """Return every rate by name, each with its counts and its set."""
    return {**_lfw(lfw, of_lfw), **_rap3df(rap, of_rap)}


def failures(rows: list[Figure]) -> list[str]:
    """Return a line for every figure that misses its least value or lost more than is allowed."""
    lines = []
    for row in rows:
        if row["value"] < row.get("least", -1.0):
            lines.append(f"{row['set']} {row['measure']}: {row['value']} is below {row['least']}")
        if "loss_allowed" in row and row["float"] - row["value"] > row["loss_allowed"]:
            lines.append(f"{row['set']} {row['measure']}: {row['value']} lost more than {row['loss_allowed']} of {row['float']}")
    return lines


def open_session(graph: bytes) -> Any:
    """Open a graph that is not in the manifest, with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def embed_graph(graph: Any, faces: Faces, stem: Any = None) -> F32:
    """Return unit embeddings by a graph of the manifest, with other first layers where `stem` is given."""
    out = []
    for tensor in faces.tensors:
        graph.input[0] = tensor
        out.append(graph.run(stem)[0][0].copy())
    return unit(np.stack(out))


def embed_session(session: Any, faces: Faces) -> F32:
    """Return unit embeddings by an open session."""
    return unit(np.concatenate([session.run(None, {"input": tensor[None]})[0] for tensor in faces.tensors]))


def lfw_pair_scores(faces: Faces, embeddings: F32, path: Path) -> tuple[F32, Any]:
    """Return the scores of LFW's pairs and which are genuine; a picture without a face scores -1 with everything."""
    place = {name: i for i, name in enumerate(faces.samples)}
    pairs = read_pairs(path)
    scores = [float(embeddings[place[a]] @ embeddings[place[b]]) if a in place and b in place else -1.0 for a, b, _ in pairs]
    return np.array(scores, np.float32), np.array([same for _, _, same in pairs])


def _lfw(faces: Faces, embeddings: F32) -> dict[str, tuple[float, str, str]]:
    scores, same = lfw_pair_scores(faces, embeddings, data_folder() / "lfw" / "pairs.txt")
    out = {"ten-fold accuracy": (ten_fold(scores, same), f"{len(scores)} pairs", "lfw")}
    rates = compare(embeddings, embeddings, (faces.people, faces.people), (faces.samples, faces.samples))
    count = f"{len(rates.genuine)} genuine, {rates.impostors} impostor pairs"
    for far in ("1e-4", "1e-5", "1e-6"):
        out[f"TAR at FAR {far}"] = (rates.accepted(float(far)), count, "lfw")
    return out


def _rap3df(faces: Faces, embeddings: F32) -> dict[str, tuple[float, str, str]]:
    names = np.char.add(np.char.add(faces.people, "/"), faces.samples)
    out = {}
    for left, right in (("rgb", "rgb"), ("nir", "nir"), ("rgb", "nir")):
        a = faces.modalities == left
        b = faces.modalities == right
        x = embeddings[a]
        y = x if left == right else embeddings[b]
        rates = compare(x, y, (faces.people[a], faces.people[b]), (names[a], names[b]), keep=-1.0)
        count = f"{len(rates.genuine)} genuine, {rates.impostors} impostor pairs"
        out[f"{left.upper()}-{right.upper()} TAR at FAR 1e-4"] = (rates.accepted(1e-4), count, "rap3df-2017")
    return out


def digest(data: bytes) -> str:
    """Return a graph's sha256."""
    return hashlib.sha256(data).hexdigest()
