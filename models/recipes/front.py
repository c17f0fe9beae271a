"""Measures forms of the recogniser against each other: time in one interleaved run, accuracy on LFW and rap3df-2017."""

from __future__ import annotations

import statistics
import time
from typing import Any, Final

import numpy as np
from models.recipes.build import MODELS
from models.recipes.crops import lfw_faces, rap3df_faces
from models.recipes.gate import embed_session, open_session, verification
from models.recipes.recogniser import SHIPPED, Form, build_float, build_recogniser
from models.recipes.source import SFACE, Member

FORMS: Final[dict[str, Form]] = {
    "all 8 bits, reach 7": Form(0, 7.0, 7.0),
    "all 8 bits, reach 9": Form(0, 9.0, 9.0),
    "all 8 bits, reach 11 and 8": Form(0),
    "4 layers in float": Form(4),
    "6 layers in float": SHIPPED,
    "8 layers in float": Form(8),
}
PUBLISHED: Final = "float, PRelu as published"
SPLIT: Final = "6 layers in float, run by the core (ships)"
_STRAIGHT: Final = "float, PRelu in two depthwise products"
_ROUNDS: Final = 100


def time_forms(weights: dict[Member, bytes]) -> dict[str, float]:
    """Return the median milliseconds of each form with one thread, the forms taking turns."""
    return _race(_sessions(weights))


def run_front(weights: dict[Member, bytes]) -> list[str]:
    """Return one line of a Markdown table for each form; takes about twenty minutes on one core."""
    from vultus.graphs import open_graph
    from vultus.manifest import load_manifest

    sessions = _sessions(weights)
    milliseconds = _race(sessions)
    detector = open_graph(load_manifest(MODELS).entry("detector"))
    sets = (lfw_faces(detector), rap3df_faces(detector))
    exact = None
    lines = []
    for name, session in sessions.items():
        embeddings = [embed_session(session, faces) for faces in sets]
        exact = exact or embeddings
        rates = [f"{100 * value:.2f}" for value, _, _ in verification(*sets, *embeddings).values()]
        cosines = [f"{float(np.mean(np.sum(a * b, 1))):.4f}" for a, b in zip(embeddings, exact, strict=True)]
        ratio = f"{milliseconds[name] / milliseconds[PUBLISHED]:.2f}"
        lines.append(f"| {' | '.join([name, ratio, *cosines, *rates])} |")
    return lines


def _sessions(weights: dict[Member, bytes]) -> dict[str, Any]:
    source = weights[SFACE]
    graphs = {PUBLISHED: build_float(source), _STRAIGHT: build_float(source, straight=True)}
    graphs |= {name: build_recogniser(source, form) for name, form in FORMS.items()}
    return {name: open_session(graph) for name, graph in graphs.items()} | {SPLIT: _Shipped()}


class _Shipped:
    """The committed recogniser, which the core begins, asked as a session is."""

    def __init__(self) -> None:
        from vultus.graphs import open_graph
        from vultus.manifest import load_manifest

        self._graph = open_graph(load_manifest(MODELS).entry("recogniser"))

    def run(self, _: None, feed: dict[str, Any]) -> list[Any]:
        """Return the embedding of one crop, as a copy."""
        self._graph.input[...] = feed["input"]
        return [self._graph.run()[0].copy()]


def _race(sessions: dict[str, Any]) -> dict[str, float]:
    crop = np.random.default_rng(0).normal(0, 0.5, (1, 3, 112, 112)).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(_ROUNDS):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(None, {"input": crop})
            times[name].append(1e3 * (time.perf_counter() - start))
    # The first tenth warms caches and arenas up.
    return {name: statistics.median(values[_ROUNDS // 10 :]) for name, values in times.items()}
