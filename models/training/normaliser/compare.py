"""Measures normalisers on rap3df-2017 against showing the crop as it is, with and without what a device's own people can teach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from models.matching.faces import Embedded
from models.matching.measure import RATES, SCORES, SPLITS, accepted, gained
from models.recipes.crops import Faces
from models.training.normaliser.recogniser import Recogniser, embed
from models.training.normaliser.variants import Normaliser

F32 = npt.NDArray[np.float32]
Row = tuple[str, str, float, float, float]
_NAMES: Final = {False: "as they are", True: "whitened"}
_GAINS: Final = ("NIR-NIR", "RGB-NIR", "fused")


def table(recogniser: Recogniser, faces: Faces, inputs: F32, models: dict[str, Normaliser]) -> Iterator[str]:
    """Yield a Markdown row a normaliser and a treatment of its embeddings: genuine share accepted, and the gain over the first at FAR 1e-4.

    Means over halvings of the people, whitened by the other half; intervals over people (models.matching).
    """
    yield f"Means over {SPLITS} halvings; the gains are those at FAR {RATES[0]:g}, in points."
    yield ""
    heads = [f"{name} at {rate:g}" for name in SCORES for rate in RATES] + [f"gain, {name}" for name in _GAINS]
    yield f"| normaliser | embeddings | {' | '.join(heads)} |"
    yield "|---" * (2 + len(heads)) + "|"
    first: Embedded | None = None
    for name, model in models.items():
        vectors, people = embedded(recogniser, model, faces, inputs)
        for whitened, how in _NAMES.items():
            cells = [str(rate) for weights in SCORES.values() for rate in accepted(vectors, people, weights, whitened=whitened)]
            cells += ["" if first is None else str(gained(vectors, first, people, SCORES[g], whitened=whitened)[0]) for g in _GAINS]
            yield f"| {name} | {how} | {' | '.join(cells)} |"
        first = first or vectors


def embedded(recogniser: Recogniser, model: Normaliser, faces: Faces, inputs: F32) -> tuple[Embedded, npt.NDArray[np.int64]]:
    """Return the embeddings of all frame sets by modality, those of NIR through a normaliser, and the number of each one's person."""
    names = np.char.add(np.char.add(faces.people, "/"), faces.samples)
    sets, place = np.unique(names, return_inverse=True)
    people = np.zeros(len(sets), np.int64)
    people[place] = np.unique(faces.people, return_inverse=True)[1]
    vectors = {}
    for name in ("rgb", "nir"):
        own = faces.modalities == name
        vectors[name] = np.zeros((len(sets), 128), np.float32)
        found = embed(lambda x: recogniser(model(x), model.enters), inputs[own]) if name == "nir" else embed(recogniser, faces.tensors[own])
        vectors[name][place[own]] = found
    return Embedded.alike(vectors), people


def measure(recogniser: Recogniser, model: Normaliser, direct: Normaliser, faces: Faces, inputs: F32) -> list[Row]:
    """Return for every treatment and pair the gain at FAR 1e-4 over the crop as it is, in points, with its interval, treated alike."""
    (ours, people), (plain, _) = (embedded(recogniser, m, faces, inputs) for m in (model, direct))
    rows = []
    for whitened, how in _NAMES.items():
        for name in _GAINS:
            gain = gained(ours, plain, people, SCORES[name], whitened=whitened)[0]
            rows.append((how, name, 100 * gain.value, 100 * gain.low, 100 * gain.high))
    return rows


def clearly_better(rows: list[Row]) -> bool:
    """Say whether a normaliser earns its place: with whitened embeddings, as devices are calibrated, it is surely better on one pair of modalities
    with NIR and not surely worse on any.
    """
    whitened = [row for row in rows if row[0] == _NAMES[True]]
    return any(low > 0 for _, name, _, low, _ in whitened if name != "fused") and all(high > 0 for *_, high in whitened)
