"""Measures normalisers on rap3df-2017 against showing the crop as it is, with and without what a device's own people can teach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from models.recipes.crops import Faces
from models.recipes.metrics import unit
from models.training.normaliser.recogniser import Recogniser, embed
from models.training.normaliser.variants import Normaliser

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
PAIRS: Final = (("rgb", "rgb"), ("nir", "nir"), ("rgb", "nir"))
RATES: Final = (1e-4, 1e-3)
_DRAWS: Final = 400
CENTRING: Final = 0.7
WHITENING: Final = 1.0
"""Share of a modality's mean taken away, and what is added to the spread within people, in units of its mean: set once, near the middle of
what the literature uses."""


def table(recogniser: Recogniser, faces: Faces, inputs: F32, models: dict[str, Normaliser]) -> Iterator[str]:
    """Yield a Markdown row a normaliser and a treatment of its embeddings: genuine share accepted with intervals over people."""
    nir = faces.modalities == "nir"
    plain = embed(recogniser, faces.tensors)
    yield "| normaliser | embeddings | " + " | ".join(f"{a.upper()}-{b.upper()} at {r:g}" for a, b in PAIRS for r in RATES) + " |"
    yield "|---" * (2 + len(PAIRS) * len(RATES)) + "|"
    for name, model in models.items():
        vectors = plain.copy()
        vectors[nir] = embed(lambda x, m=model: recogniser(m(x), m.enters), inputs[nir])
        for how, treat in TREATMENTS.items():
            done = treat(vectors, faces)
            yield f"| {name} | {how} | " + " | ".join(_cell(done, faces, pair, rate) for pair in PAIRS for rate in RATES) + " |"


def centred(vectors: F32, faces: Faces) -> F32:
    """Take most of each modality's mean away, the mean being that of the other half of the people."""
    return _crossed(vectors, faces, _no_turn)


def whitened(vectors: F32, faces: Faces) -> F32:
    """Take each modality's mean away and shrink the directions in which one person varies, both learnt from the other half of the people."""

    def fit(x: F32, who: npt.NDArray[np.str_]) -> tuple[float, npt.NDArray[np.float64]]:
        inner = np.concatenate([x[who == p] - x[who == p].mean(0) for p in np.unique(who)])
        spread = inner.T @ inner / max(len(x) - len(np.unique(who)), 1)
        spread = spread + WHITENING * np.trace(spread) / len(spread) * np.eye(len(spread))
        return 1.0, np.linalg.inv(np.linalg.cholesky(spread)).T

    return _crossed(vectors, faces, fit)


def _crossed(vectors: F32, faces: Faces, fit: Callable[[F32, npt.NDArray[np.str_]], tuple[float, npt.NDArray[np.float64]]]) -> F32:
    out = np.zeros_like(vectors)
    names = np.unique(faces.people)
    first = np.isin(faces.people, np.random.default_rng(0).permutation(names)[: len(names) // 2])
    for half in (first, ~first):
        means = {m: vectors[~half & (faces.modalities == m)].mean(0) for m in ("rgb", "nir")}
        flat = vectors - np.stack([means[m] for m in faces.modalities.tolist()])
        share, turn = fit(flat[~half], faces.people[~half])
        moved = vectors - share * np.stack([means[m] for m in faces.modalities.tolist()])
        out[half] = (moved @ turn)[half]
    return unit(out)


def _no_turn(x: F32, _: npt.NDArray[np.str_]) -> tuple[float, npt.NDArray[np.float64]]:
    return CENTRING, np.eye(x.shape[1])


def _same(vectors: F32, _: Faces) -> F32:
    return vectors


def _cell(vectors: F32, faces: Faces, pair: tuple[str, str], rate: float) -> str:
    """Return the share accepted at the score that this share of all impostor comparisons exceeds, with a 95 % interval over people."""
    hit, all_ = accepted(vectors, faces, pair, rate)
    draws = _people_drawn(len(all_))
    low, high = np.percentile(hit[draws].sum(1) / all_[draws].sum(1), (2.5, 97.5))
    return f"{100 * hit.sum() / all_.sum():.1f} ({100 * low:.1f} to {100 * high:.1f})"


def accepted(vectors: F32, faces: Faces, pair: tuple[str, str], rate: float) -> tuple[F64, F64]:
    """Return how many genuine comparisons of each person are accepted, and how many there are."""
    left, right = (np.flatnonzero(faces.modalities == m) for m in pair)
    scores = vectors[left] @ vectors[right].T
    wanted = faces.samples[left][:, None] != faces.samples[right][None]
    mates = faces.people[left][:, None] == faces.people[right][None]
    # A sample's name is unique within its person only.
    wanted |= ~mates
    if pair[0] == pair[1]:
        wanted &= np.triu(np.ones_like(wanted), 1)
    highest = np.sort(scores[~mates & wanted])[::-1]
    hit = scores > highest[int(rate * len(highest))]
    who = faces.people[left]
    right_, all_ = (np.array([(m & mates & wanted)[who == n].sum() for n in np.unique(who)], float) for m in (hit, np.ones_like(hit)))
    return right_, all_


def gain(ours: F32, plain: F32, faces: Faces, pair: tuple[str, str], rate: float) -> tuple[float, float, float]:
    """Return how many more genuine comparisons in a hundred are accepted than with `plain`, and the 95 % interval over the same people."""
    (hit, all_), (base, _) = accepted(ours, faces, pair, rate), accepted(plain, faces, pair, rate)
    draws = _people_drawn(len(all_))
    low, high = np.percentile(100 * (hit - base)[draws].sum(1) / all_[draws].sum(1), (2.5, 97.5))
    return 100 * float((hit - base).sum() / all_.sum()), float(low), float(high)


def _people_drawn(count: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(0).integers(count, size=(_DRAWS, count))


def measure(recogniser: Recogniser, model: Normaliser, faces: Faces, inputs: F32) -> list[tuple[str, str, float, float, float]]:
    """Return for every treatment and pair the gain at FAR 1e-4 over the crop as it is, with its interval, treated alike."""
    nir = faces.modalities == "nir"
    plain = embed(recogniser, faces.tensors)
    vectors = plain.copy()
    vectors[nir] = embed(lambda x: recogniser(model(x), model.enters), inputs[nir])
    rows = []
    for how, treat in TREATMENTS.items():
        ours, base = treat(vectors, faces), treat(plain, faces)
        rows += [(how, f"{a.upper()}-{b.upper()}", *gain(ours, base, faces, (a, b), RATES[0])) for a, b in PAIRS[1:]]
    return rows


def clearly_better(rows: list[tuple[str, str, float, float, float]]) -> bool:
    """Say whether a normaliser earns its place: with whitened embeddings, the best that is known without one, it is surely better on one pair of
    modalities and not surely worse on the other.
    """
    whitened_rows = [row for row in rows if row[0] == "whitened"]
    return any(low > 0 for *_, low, _ in whitened_rows) and all(high > 0 for *_, high in whitened_rows)


TREATMENTS: Final[dict[str, Callable[[F32, Faces], F32]]] = {"as they are": _same, "centred": centred, "whitened": whitened}
"""What is done with embeddings before they are compared."""
