"""Fits the vote of a sensor on its own people and on attacks simulated from them, and sets its limits on people held out of the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.errors import CalibrationError
from vultus.stages.vote import CUES, Vote, enough, frontal, of_pose, rows_of, standard

F64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]
Values = Sequence[Mapping[str, float | None]]

MIN_PEOPLE: Final = 20
MIN_SAMPLES: Final = 100
"""Live samples without which a quantile of one in a hundred says nothing."""
FOLDS: Final = 5
LEAST_SPECIES: Final = 3
"""Species without which none can be held out of a mixture."""
LEAST_OF_SPECIES: Final = 10
"""Presentations without which a species makes no cloud."""
RIDGE: Final = 1e-3
WIDER: Final = 0.1
"""Added to the variance of every cloud, in squared deviations of live faces."""
UNSURE: Final = 0.02
REFUSED: Final = 0.01
"""Shares of live samples, of people held out of the fit, below whose ratio the vote abstains and fails."""


def fit_vote(live: Values, people: Sequence[str], attacks: Values, attacked: Sequence[str], species: Sequence[str]) -> Vote:
    """Return the vote. `people` names who is seen in each live sample, `attacked` whose pictures each attack shows, `species` its species.

    Heads turned too far are left out. Limits are quantiles of the ratios that each fifth of the people gets from a fit on the others; the
    ratios are brought to scale on those and on attacks of people and species held out, which the vote keeps for a policy to look rates up.
    Raises CalibrationError on too few.
    """
    x, y = _Rows.of(live, people, [""] * len(live)), _Rows.of(attacks, attacked, species)
    names = sorted(set(x.who))
    if len(names) < MIN_PEOPLE or len(x.who) < MIN_SAMPLES:
        raise CalibrationError(
            f"{len(x.who)} live samples of {len(names)} people; a liveness calibration needs {MIN_SAMPLES} of {MIN_PEOPLE} people"
        )
    if len(y.who) < len(x.who) or len(set(y.kind)) < LEAST_SPECIES:
        raise CalibrationError(
            f"{len(y.who)} simulated attacks of {len(set(y.kind))} species; a liveness calibration needs as many as live samples, "
            f"{len(x.who)}, of {LEAST_SPECIES} species"
        )
    fold = {name: i % FOLDS for i, name in enumerate(names)}
    mine, theirs = np.array([fold[p] for p in x.who]), np.array([fold.get(p, FOLDS) for p in y.who])
    ratios = np.empty(len(x.who))
    for k in range(FOLDS):
        ratios[mine == k] = _ratios(_clouds(x.where(mine != k), y.where(theirs != k)), x.where(mine == k))
    held = _held_out(x, mine, y, theirs)
    slope, offset = _scale(ratios, held)
    tables = {name: np.sort(slope * r + offset) for name, r in held.items()}
    live_ratios = np.sort(slope * ratios + offset)
    limits = float(np.quantile(live_ratios, UNSURE)), float(np.quantile(live_ratios, REFUSED))
    return replace(_clouds(x, y), pass_llr=limits[0], fail_llr=limits[1], slope=slope, offset=offset, live=live_ratios, attacks=tables)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Cue values (m, n), poses (m, 2), and whose and of which species each is."""

    values: F64
    poses: F64
    who: Texts
    kind: Texts

    @classmethod
    def of(cls, values: Values, who: Sequence[str], kind: Sequence[str]) -> _Rows:
        """Return the rows of those whose heads are turned little enough and of whom enough was measured."""
        rows, poses = rows_of(values)
        kept = np.array([frontal(p) for p in poses], bool) & enough(rows)
        return cls(rows[kept], poses[kept], np.array(who, str)[kept], np.array(kind, str)[kept])

    def where(self, kept: Mask) -> _Rows:
        """Return some of the rows."""
        return _Rows(self.values[kept], self.poses[kept], self.who[kept], self.kind[kept])


def _clouds(live: _Rows, attacks: _Rows) -> Vote:
    """Fit the course of live faces over their pose, and a shrunk normal cloud to them and to each species (Ledoit and Wolf 2004).

    The vote has neither scale nor limits yet.
    """
    from sklearn.covariance import LedoitWolf

    known = np.isfinite(live.values)
    middle = np.where(known, live.values, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    design = of_pose(live.poses)
    normal = design.T @ design + RIDGE * np.eye(design.shape[1])
    course = np.asarray(np.linalg.solve(normal, design.T @ np.where(known, live.values - middle, 0.0)), np.float64)
    course[0] += middle
    off = np.where(known, live.values - design @ course, 0.0)
    deviation = np.sqrt((off**2).sum(0) / np.maximum(known.sum(0), 1))
    deviation = np.asarray(np.where(deviation > 1e-6, deviation, 1.0), np.float64)
    groups = [live, *(attacks.where(attacks.kind == name) for name in sorted(set(attacks.kind)))]
    fits = [LedoitWolf().fit(standard(g.values, g.poses, course, deviation)) for g in groups if len(g.who) >= LEAST_OF_SPECIES]
    means, spreads = np.stack([f.location_ for f in fits]), np.stack([f.covariance_ for f in fits])
    # A species that the simulator makes alike is wider than it looks, and a cue that was never measured has no width at all.
    return Vote(course, deviation, means, spreads + WIDER * np.eye(means.shape[1]), 0.0, 0.0)


def _ratios(vote: Vote, rows: _Rows) -> F64:
    return np.array([vote.ratio(values, pose) for values, pose in zip(rows.values, rows.poses, strict=True)], np.float64)


def _held_out(x: _Rows, mine: Ints, y: _Rows, theirs: Ints) -> dict[str, F64]:
    """Return the ratios of each species' attacks from fits without that species, each half of the people's from a fit without them."""
    out = {}
    for name in sorted(set(y.kind)):
        found = np.empty(int((y.kind == name).sum()))
        for half in (0, 1):
            own = theirs[y.kind == name] % 2 == half
            if own.any():
                clouds = _clouds(x.where(mine % 2 != half), y.where((y.kind != name) & (theirs % 2 != half)))
                found[own] = _ratios(clouds, y.where(y.kind == name).where(own))
        out[str(name)] = found
    return out


def _scale(live: F64, attacks: Mapping[str, F64]) -> tuple[float, float]:
    """Return slope and offset that make held-out ratios mean what they say, every species counting alike."""
    from sklearn.linear_model import LogisticRegression

    ratios = np.concatenate([live, *attacks.values()])
    truth = np.concatenate([np.ones(live.size), np.zeros(ratios.size - live.size)])
    share = [np.full(live.size, 0.5 / live.size), *(np.full(a.size, 0.5 / a.size / len(attacks)) for a in attacks.values())]
    model = LogisticRegression(C=1e6, max_iter=2000).fit(ratios[:, None], truth, sample_weight=np.concatenate(share) * ratios.size)
    slope = float(model.coef_[0, 0])
    # A slope of nought or less would mean that the vote knows nothing; it is kept as it is and the rates of the tables say so.
    return (slope, float(model.intercept_[0])) if slope > 0 else (1.0, 0.0)


def vote_document(vote: Vote, *, people: int, live: int, attacks: Mapping[str, int]) -> dict[str, Any]:
    """Return the vote as a calibration file holds it, with what it was fitted on."""
    return {
        "cues": list(CUES),
        "course": vote.course.tolist(),
        "deviation": vote.deviation.tolist(),
        "means": vote.means.tolist(),
        "spreads": vote.spreads.tolist(),
        "slope": vote.slope,
        "offset": vote.offset,
        "pass_llr": vote.pass_llr,
        "fail_llr": vote.fail_llr,
        "people": people,
        "live_samples": live,
        "simulated_attacks": dict(attacks),
        "tables": {"live": _quantiles(vote.live), "attacks": {name: _quantiles(found) for name, found in vote.attacks.items()}},
    }


def _quantiles(ratios: F64) -> list[float]:
    """Return the ratios in rising order, rounded: they belong to nobody any more."""
    return [round(float(r), 3) for r in np.sort(ratios)]
