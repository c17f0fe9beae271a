"""Fits the vote of a sensor on its own people and on attacks simulated from them, and sets its limits on people held out of the fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.errors import CalibrationError
from vultus.stages.liveness import MAX_NOISE
from vultus.stages.vote import CUES, NOISE, Vote, anyhow_off, enough, frontal, of_pose, rows_of, standard

F64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]
_Clouds = tuple[Vote, list[str]]
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
UNKNOWN: Final = 0.1
"""Share of attacks that are of no simulated species; chosen, not measured."""
WIDER: Final = 0.1
"""Added to the variance of every cloud, in squared deviations of live faces."""
NOISIER: Final = 1.2
"""Times the noise that one in a hundred live samples exceeds: noise that the vote was not fitted on."""
UNSURE: Final = 0.05
REFUSED: Final = 0.01
"""Shares of live samples, of people held out of the fit, below whose ratio the vote abstains and fails. Of 130 samples, as half of 62 people have, one in
twenty are six pictures and one in fifty were three: with so few, one man in dark spectacles set the limit (models/liveness)."""
EVEN: Final = 0.0
"""Nats below which the vote abstains whatever live samples there were: what an attack makes more likely than a live face is not let through."""


def fit_vote(live: Values, people: Sequence[str], attacks: Values, attacked: Sequence[str], species: Sequence[str]) -> Vote:
    """Return the vote. `people` names who is seen in each live sample, `attacked` whose pictures each attack shows, `species` its species.

    Heads turned too far are left out. Limits are quantiles of the ratios that each fifth of the people gets from a fit on the others; the
    ratios are brought to scale on those and on attacks of people and species held out, which the vote keeps for a policy to look rates up.
    Raises CalibrationError on too few.
    """
    return fit_votes(live, people, attacks, attacked, species, ("",))[""]


def fit_votes(
    live: Values, people: Sequence[str], attacks: Values, attacked: Sequence[str], species: Sequence[str], without: Iterable[str]
) -> dict[str, Vote]:
    """Return as `fit_vote` does one vote for each name in `without`, fitted without the attacks of that species ("" leaves none out).

    The scale of the ratios is that of all species, each held out of its own.
    """
    x, y = _Rows.of(live, people, [""] * len(live)), _Rows.of(attacks, attacked, species)
    _check(x, y)
    fold = {name: i % FOLDS for i, name in enumerate(sorted(set(x.who)))}
    mine, theirs = np.array([fold[p] for p in x.who]), np.array([fold.get(p, FOLDS) for p in y.who])
    whole = _clouds(x, y)
    parts = [(_clouds(x.where(mine != k), y.where(theirs != k)), x.where(mine == k)) for k in range(FOLDS)]
    slope, offset, tables = _scale(np.concatenate([_ratios(vote, rows) for (vote, _), rows in parts]), _held_out(x, mine, y, theirs))
    out, noisy = {}, _noisy(live)
    for name in without:
        ratios = np.sort(slope * np.concatenate([_ratios(_without(clouds, name), rows) for clouds, rows in parts]) + offset)
        good, bad = float(np.quantile(ratios, UNSURE)), float(np.quantile(ratios, REFUSED))
        vote = replace(_without(whole, name), pass_llr=max(good, EVEN), fail_llr=bad, slope=slope, offset=offset, noisy=noisy)
        out[name] = replace(vote, live=ratios, attacks={k: v for k, v in tables.items() if k != name})
    return out


def _noisy(live: Values) -> float:
    """Return the noise above which the vote is not cast: a little more than nearly all live samples have."""
    found = [v for row in live if (v := row.get(NOISE)) is not None]
    return NOISIER * float(np.quantile(found, 1 - REFUSED)) if found else MAX_NOISE


def _check(x: _Rows, y: _Rows) -> None:
    """Raise CalibrationError on too few live samples, people, attacks or species."""
    names, kinds = len(set(x.who)), len(set(y.kind))
    if names < MIN_PEOPLE or len(x.who) < MIN_SAMPLES:
        raise CalibrationError(
            f"{len(x.who)} live samples of {names} people; a liveness calibration needs {MIN_SAMPLES} of {MIN_PEOPLE} people"
        )
    if len(y.who) < len(x.who) or kinds < LEAST_SPECIES:
        raise CalibrationError(
            f"{len(y.who)} simulated attacks of {kinds} species; a liveness calibration needs as many as live samples, "
            f"{len(x.who)}, of {LEAST_SPECIES} species"
        )


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


def _clouds(live: _Rows, attacks: _Rows) -> _Clouds:
    """Fit the course of live faces over their pose, and a shrunk normal cloud to them and to each species (Ledoit and Wolf 2004).

    The vote has neither scale nor limits yet; the names are those of its species.
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
    names = [str(name) for name in sorted(set(attacks.kind)) if (attacks.kind == name).sum() >= LEAST_OF_SPECIES]
    groups = [live, *(attacks.where(attacks.kind == name) for name in names)]
    fits = [LedoitWolf().fit(standard(g.values, g.poses, course, deviation)) for g in groups]
    means, spreads = np.stack([f.location_ for f in fits]), np.stack([f.covariance_ for f in fits])
    # A species that the simulator makes alike is wider than it looks, and a cue that was never measured has no width at all.
    spreads = spreads + WIDER * np.eye(means.shape[1])
    unknown, wide = anyhow_off(means[0], spreads[0])
    shares = np.concatenate([np.full(len(names), (1 - UNKNOWN) / len(names)), np.full(len(unknown), UNKNOWN / len(unknown))])
    return Vote(course, deviation, np.concatenate([means, unknown]), np.concatenate([spreads, wide]), shares, 0.0, 0.0), names


def _without(clouds: _Clouds, species: str) -> Vote:
    """Return the vote without the cloud of a species."""
    vote, names = clouds
    if species not in names:
        return vote
    gone = names.index(species)
    means, spreads, shares = np.delete(vote.means, 1 + gone, 0), np.delete(vote.spreads, 1 + gone, 0), np.delete(vote.shares, gone)
    return replace(vote, means=means, spreads=spreads, shares=shares / shares.sum())


def _ratios(vote: Vote, rows: _Rows) -> F64:
    return np.array([vote.ratio(values, pose) for values, pose in zip(rows.values, rows.poses, strict=True)], np.float64)


def _held_out(x: _Rows, mine: Ints, y: _Rows, theirs: Ints) -> dict[str, F64]:
    """Return the ratios of each species' attacks without that species' cloud, each half of the people's from a fit without them."""
    names = [str(name) for name in sorted(set(y.kind))]
    out = {name: np.empty(int((y.kind == name).sum())) for name in names}
    for half in (0, 1):
        clouds = _clouds(x.where(mine % 2 != half), y.where(theirs % 2 != half))
        for name in names:
            own = theirs[y.kind == name] % 2 == half
            out[name][own] = _ratios(_without(clouds, name), y.where(y.kind == name).where(own))
    return out


def _scale(live: F64, attacks: Mapping[str, F64]) -> tuple[float, float, dict[str, F64]]:
    """Return slope and offset that make held-out ratios mean what they say, every species counting alike, and the attacks' so scaled."""
    from sklearn.linear_model import LogisticRegression

    ratios = np.concatenate([live, *attacks.values()])
    truth = np.concatenate([np.ones(live.size), np.zeros(ratios.size - live.size)])
    share = [np.full(live.size, 0.5 / live.size), *(np.full(a.size, 0.5 / a.size / len(attacks)) for a in attacks.values())]
    model = LogisticRegression(C=1e6, max_iter=2000).fit(ratios[:, None], truth, sample_weight=np.concatenate(share) * ratios.size)
    # A slope of nought or less would mean that the vote knows nothing; it is kept as it is and the rates of the tables say so.
    rising = bool(model.coef_[0, 0] > 0)
    slope, offset = (float(model.coef_[0, 0]), float(model.intercept_[0])) if rising else (1.0, 0.0)
    return slope, offset, {name: np.sort(slope * found + offset) for name, found in attacks.items()}


def vote_document(vote: Vote, *, people: int, live: int, attacks: Mapping[str, int]) -> dict[str, Any]:
    """Return the vote as a calibration file holds it, with what it was fitted on."""
    return {
        "cues": list(CUES),
        "course": vote.course.tolist(),
        "deviation": vote.deviation.tolist(),
        "means": vote.means.tolist(),
        "spreads": vote.spreads.tolist(),
        "shares": vote.shares.tolist(),
        "slope": vote.slope,
        "offset": vote.offset,
        "noisy": vote.noisy,
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
