"""Judges real prints and screens by several scorers together, calibrated on half of nuaa-dev's people and tested on the other half and elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from models.recipes.build import MODELS
from models.recipes.liveness_network import Weights
from models.training.liveness.recaptures import CHANGES, SETS, cell, rate, scored

from vultus.calibration import load
from vultus.colour_fitting import SURE, UNSURE
from vultus.evaluate.metrics.intervals import clopper_pearson
from vultus.evaluate.samples import Sample
from vultus.fitting import fit_log_lr
from vultus.stages.colour import GRID as GRID_CUE
from vultus.stages.colour import Term

F64 = npt.NDArray[np.float64]
Scores = Mapping[str, Mapping[str, F64]]
"""By scorer, then by change, a score of each sample; NaN where no face was found."""
OWN: Final = "own network"
GRID: Final = "grid"
SECOND: Final = "vendor, surroundings"
JOINED: Final[Mapping[str, tuple[str, ...]]] = {
    "own network": (OWN,),
    "own network + grid": (OWN, GRID),
    "vendor": (SECOND,),
    "own network + grid + vendor": (OWN, GRID, SECOND),
}
_PULL: Final = 2.0
_PLAIN: Final = next(iter(CHANGES))


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """Terms fitted on some people of nuaa-dev as it is, and the ratio below which 2 % of their live samples lie."""

    terms: Mapping[str, Term]
    limit: float
    people: tuple[str, ...]

    def ratios(self, scores: Scores, change: str) -> F64:
        """Return the log-likelihood ratio of each sample; NaN where no face was found."""
        parts = [np.array([term(v) if np.isfinite(v) else np.nan for v in scores[n][change]]) for n, term in self.terms.items()]
        return np.asarray(np.sum(parts, axis=0), np.float64)


def halves(samples: Sequence[Sample], scores: Scores, names: tuple[str, ...], grid: Term) -> tuple[Half, Half]:
    """Return the fits on the odd and on the even people, in the order of their numbers."""
    numbers = {p: i for i, p in enumerate(sorted({s.person for s in samples}), 1)}
    odd, even = ({p for p, i in numbers.items() if i % 2 == rest} for rest in (1, 0))
    return _fit(samples, scores, names, grid, odd), _fit(samples, scores, names, grid, even)


def _fit(samples: Sequence[Sample], scores: Scores, names: tuple[str, ...], grid: Term, people: set[str]) -> Half:
    terms = {}
    rows = [i for i, s in enumerate(samples) if s.person in people]
    live = [i for i in rows if samples[i].bona_fide]
    shown = [i for i in rows if not samples[i].bona_fide]
    for name in names:
        values = scores[name][_PLAIN]
        if name == GRID:
            terms[name] = grid
            continue
        slope, offset = fit_log_lr(values[live][np.isfinite(values[live])], values[shown][np.isfinite(values[shown])], _PULL)
        # A second opinion may lower the ratio and never raise it; alone it is all there is.
        high = 0.0 if name == SECOND and len(names) > 1 else SURE
        terms[name] = Term(max(slope, 0.0), offset if slope > 0 else 0.0, -SURE, high)
    half = Half(terms, 0.0, tuple(sorted(people)))
    return Half(terms, float(np.nanquantile(half.ratios(scores, _PLAIN)[live], UNSURE)), half.people)


def crossed(samples: Sequence[Sample], scores: Scores, pair: tuple[Half, Half]) -> tuple[dict[str, Any], str]:
    """Return the error rates of each half of the people under the other half's fit, and the cells of a table's row."""
    species = min({s.label for s in samples} - {"bona_fide"})
    out: dict[str, Any] = {}
    for change in CHANGES:
        ratios, under = np.full(len(samples), np.nan), np.zeros(len(samples), bool)
        for half in pair:
            found = half.ratios(scores, change)
            rows = [i for i, s in enumerate(samples) if s.person not in half.people]
            ratios[rows], under[rows] = found[rows], found[rows] < half.limit
        live = np.array([s.bona_fide for s in samples])
        out[change] = {
            **rate(list(samples), ratios, species),
            "live_refused": int((under & live).sum()), "attacks_passed": int((~under & ~live & np.isfinite(ratios)).sum()),
        }  # fmt: skip
    return out, " | ".join(f"{cell(r)}; {r['live_refused']} of {r['live']}, {r['attacks_passed']} of {r['attacks']}" for r in out.values())


def carried(samples: Sequence[Sample], scores: Scores, pair: tuple[Half, Half]) -> tuple[dict[str, Any], str]:
    """Return how many samples of another set lie on the wrong side of each half's limit, worse half first counted; as it is."""
    out: dict[str, Any] = {}
    for label in sorted({s.label for s in samples}):
        rows = [i for i, s in enumerate(samples) if s.label == label]
        wrong = []
        for half in pair:
            ratios = half.ratios(scores, _PLAIN)[rows]
            wrong.append(int((ratios < half.limit).sum() if label == "bona_fide" else (ratios >= half.limit).sum()))
        low, high = clopper_pearson(max(wrong), len(rows))
        out[label] = {"wrong": wrong, "of": len(rows), "low": low, "high": high}
    text = " | ".join(
        f"{r['wrong'][0]} and {r['wrong'][1]} of {r['of']} ({100 * r['low']:.0f} to {100 * r['high']:.0f})" for r in out.values()
    )
    return out, text


def report(weights: Weights, vendor: Path | None) -> tuple[dict[str, Any], list[str]]:
    """Return every figure and the lines of two Markdown tables. Raises as `recaptures.scored` does, CalibrationError without the shipped vote."""
    colour = load(MODELS / "calibration").colour
    grid = None if colour is None else colour.terms.get(GRID_CUE)
    if grid is None:
        raise ValueError("the shipped vote over colour alone weighs no grid")
    turned = Term(-grid.slope, grid.offset, grid.low, grid.high)
    sets = {name: scored({OWN: weights}, name, vendor)[:2] for name in SETS}
    samples, scores = sets["nuaa-dev"]
    usable = {name: parts for name, parts in JOINED.items() if set(parts) <= set(scores)}
    document: dict[str, Any] = {}
    first = ["| nuaa-dev | " + " | ".join(CHANGES) + " |", "|---" * (len(CHANGES) + 1) + "|"]
    second = ["", "| print-screen, limits of nuaa-dev | live | print | screen |", "|---|---|---|---|"]
    for name, parts in usable.items():
        pair = halves(samples, scores, parts, turned)
        (mine, row), (theirs, other) = crossed(samples, scores, pair), carried(*sets["print-screen"], pair)
        document[name] = {"nuaa-dev": mine, "print-screen": theirs, "terms": [{n: str(t) for n, t in half.terms.items()} for half in pair]}
        first.append(f"| {name} | {row} |")
        second.append(f"| {name} | {other} |")
    return document, [*first, *second]
