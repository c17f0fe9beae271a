"""Writes the model card of a run: what it was made of, under which terms, what was measured, and what it cannot do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from models.training.normaliser.config import Run
from models.training.normaliser.data import Material
from models.training.normaliser.export import Form
from models.training.normaliser.variants import Normaliser, parameters

_SOURCES: Final = {
    "london": "DeBruine, L., and Jones, B. (2017), Face Research Lab London Set, version 5, doi.org/10.6084/m9.figshare.5047666.v5, CC BY 4.0",
    "canada": "DeBruine, L., and Jones, B. (2017), Young Adult White Faces with Manipulated Versions, version 1, "
    "doi.org/10.6084/m9.figshare.4220517.v1, CC BY 4.0",
}
_ALWAYS: Final = (
    "ICT-FaceKit, head model, MIT",
    "SFace 2021dec of OpenCV Zoo, the frozen recogniser, Apache-2.0; its training data are not documented by its authors",
)
_LIMITS: Final = (
    "Trained on simulated NIR and depth alone: no real NIR picture was used for training, choosing or stopping.",
    "For NIR crops only; colour goes past it, so colour embeddings and stored templates are unchanged.",
    "Not shown on 940 nm sensors, dark skin, children, beards, or glasses: the real set does not name them.",
    "Simulated lamps lie near the lens and cast no shadows.",
)
_OF_PHOTOGRAPHS: Final = "The photographed people are volunteers of two laboratories, most of them young; those of Canada are all White."


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """What a run led to. forms: the written graphs. real: rows of `compare.measure`; None where the real set was not there."""

    forms: Mapping[str, Form]
    chosen: str
    real: list[tuple[str, str, float, float, float]] | None
    ships: bool


def write_card(folder: Path, run: Run, model: Normaliser, found: Material, recogniser: str, measured: Measured) -> None:
    """Write card.md for people and card.json for programs into `folder`."""
    sources = [*(_SOURCES[name] for name in run.sets), *_ALWAYS]
    counts = {
        "people trained on": len(found.people),
        "people watched": len(found.watched),
        "views": len(found.pool.people),
        "colour crops": len(found.colour),
        "parameters trained": parameters(model),
    }
    hashes = {"run": run.digest(), "material": found.digest, "views": found.pool.digest, "recogniser": recogniser}
    curve = _curve(folder / "metrics.csv")
    document: dict[str, Any] = {
        "variant": run.variant,
        "ships": measured.ships,
        "sources": sources,
        "counts": counts,
        "hashes": hashes,
        "configuration": dataclasses.asdict(run),
        "training": curve,
        "graphs": {name: dataclasses.asdict(form) for name, form in measured.forms.items()},
        "chosen": measured.chosen,
        "real": measured.real,
        "limits": [*_LIMITS, *([_OF_PHOTOGRAPHS] if run.sets else [])],
    }
    (folder / "card.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (folder / "card.md").write_text("\n".join(_lines(document)) + "\n", encoding="utf-8")


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [f"# Normaliser `{told['variant']}`", "", f"Ships: {'yes' if told['ships'] else 'no'}."]
    lines += ["", "## Made of", "", *(f"- {s}" for s in told["sources"]), ""]
    lines += [f"- {name}: {count}" for name, count in told["counts"].items()]
    lines += ["", "## Hashes", "", *(f"- {name}: `{value}`" for name, value in told["hashes"].items())]
    lines += ["", "## Training, simulated crops", "", *(f"- {name}: {value}" for name, value in told["training"].items())]
    lines += [
        "",
        "## Graphs",
        "",
        "| graph | bytes | largest difference from PyTorch | mean cosine | cost, of the recogniser's time |",
        "|---" * 5 + "|",
    ]
    for name, form in told["graphs"].items():
        exact = "" if form["difference"] is None else f"{form['difference']:.1e}"
        lines.append(
            f"| {name}{' (chosen)' if name == told['chosen'] else ''} | {form['bytes']} | {exact} | {form['cosine']:.4f} | {form['cost']:.3f} |"
        )
    lines += ["", "## Real NIR, rap3df-2017, 62 people", ""]
    if told["real"] is None:
        lines.append("Not measured: the set was not there.")
    else:
        lines += [
            "Genuine comparisons in a hundred accepted at FAR 1e-4 beyond the crop as it is, treated alike, with 95 % intervals over people:",
            "",
        ]
        lines += ["| embeddings | pair | gain |", "|---|---|---|"]
        lines += [f"| {how} | {pair} | {mean:+.1f} ({low:+.1f} to {high:+.1f}) |" for how, pair, mean, low, high in told["real"]]
    return [*lines, "", "## Limits", "", *(f"- {limit}" for limit in told["limits"])]


def _curve(path: Path) -> dict[str, float | int | None]:
    """Return the beginning and the end of a run's figures."""
    rows = np.genfromtxt(path, delimiter=",", names=True, dtype=float) if path.is_file() else None
    if rows is None or rows.size == 0:
        return {"steps": 0}
    rows = np.atleast_1d(rows)
    looked = rows[~np.isnan(rows["watch_own"])]
    tenth = max(len(rows) // 10, 1)
    out: dict[str, float | int | None] = {"steps": int(rows["step"][-1])}
    out |= {
        "loss of the first tenth": round(float(rows["loss"][:tenth].mean()), 4),
        "loss of the last tenth": round(float(rows["loss"][-tenth:].mean()), 4),
    }
    for name, said in (
        ("watch_own", "mean cosine to the own prototype, people kept aside"),
        ("watch_first", "own prototype nearest, people kept aside"),
    ):
        if len(looked):
            out |= {f"{said}, after the first step": float(looked[name][0]), f"{said}, at the end": float(looked[name][-1])}
    return out
