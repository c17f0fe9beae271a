"""Fits the vote of a sensor on its own people and on attacks simulated from them, and sets its limits on people held out of the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.errors import CalibrationError
from vultus.stages.vote import Vote, rows_of, spread, standard

F64 = npt.NDArray[np.float64]
Values = Sequence[Mapping[str, float | None]]

MIN_PEOPLE: Final = 20
MIN_SAMPLES: Final = 100
"""Live samples without which a quantile of one in a hundred says nothing."""
FOLDS: Final = 5
LEAST_SPECIES: Final = 2
"""Species without which none can be held out."""
STRENGTH: Final = 0.05
"""Inverse weight of the weights' squares in the logistic fit: strong, for 45 weights and a few hundred live samples."""
UNSURE: Final = 0.02
REFUSED: Final = 0.01
"""Shares of live samples, of people held out of the fit, below whose ratio the vote abstains and fails."""


def fit_vote(live: Values, people: Sequence[str], attacks: Values, attacked: Sequence[str], species: Sequence[str] = ()) -> Vote:
    """Return the vote. `people` names who is seen in each live sample, `attacked` whose pictures each attack shows, `species` its species.

    Limits are quantiles of the ratios that each fifth of the people gets from a fit on the others. With `species` the vote also holds the
    ratios that a policy's rates are looked up in, and its ratios are brought to scale on them. Raises CalibrationError on too few.
    """
    names = sorted(set(people))
    if len(names) < MIN_PEOPLE or len(live) < MIN_SAMPLES:
        raise CalibrationError(
            f"{len(live)} live samples of {len(names)} people; a liveness calibration needs {MIN_SAMPLES} of {MIN_PEOPLE} people"
        )
    if len(attacks) < len(live):
        raise CalibrationError(f"{len(attacks)} simulated attacks; a liveness calibration needs as many as live samples, {len(live)}")
    x, y = rows_of(live), rows_of(attacks)
    fold = {name: i % FOLDS for i, name in enumerate(names)}
    mine, theirs = np.array([fold[p] for p in people]), np.array([fold.get(p, FOLDS) for p in attacked])
    ratios = np.empty(len(x))
    for k in range(FOLDS):
        mean, deviation, weights = _weights(x[mine != k], y[theirs != k])
        ratios[mine == k] = spread(standard(x[mine == k], mean, deviation)) @ weights
    mean, deviation, weights = _weights(x, y)
    held = _held_out(x, mine, y, theirs, species)
    slope, offset = _scale(ratios, held)
    weights = slope * weights
    weights[0] += offset
    live_ratios = np.sort(slope * ratios + offset)
    limits = (float(np.quantile(live_ratios, UNSURE)), float(np.quantile(live_ratios, REFUSED)))
    return Vote(mean, deviation, weights, *limits, live_ratios, {name: np.sort(slope * r + offset) for name, r in held.items()})


def _held_out(x: F64, mine: F64, y: F64, theirs: F64, species: Sequence[str]) -> dict[str, F64]:
    """Return the ratios of each species' attacks from fits without that species, each half of the people's from a fit without them."""
    kinds = np.array(species)
    out: dict[str, F64] = {}
    if len(set(species)) < LEAST_SPECIES:
        return out
    for name in sorted(set(species)):
        found = np.empty(int((kinds == name).sum()))
        for half in (0, 1):
            own = theirs[kinds == name] % 2 == half
            if own.any():
                mean, deviation, weights = _weights(x[mine % 2 != half], y[(kinds != name) & (theirs % 2 != half)])
                found[own] = spread(standard(y[kinds == name][own], mean, deviation)) @ weights
        out[name] = found
    return out


def _scale(live: F64, attacks: Mapping[str, F64]) -> tuple[float, float]:
    """Return slope and offset that make held-out ratios mean what they say, every species counting alike; (1, 0) without attacks."""
    if not attacks:
        return 1.0, 0.0
    from sklearn.linear_model import LogisticRegression

    ratios = np.concatenate([live, *attacks.values()])
    truth = np.concatenate([np.ones(live.size), np.zeros(ratios.size - live.size)])
    share = [np.full(live.size, 0.5 / live.size), *(np.full(a.size, 0.5 / a.size / len(attacks)) for a in attacks.values())]
    model = LogisticRegression(C=1e6, max_iter=2000).fit(ratios[:, None], truth, sample_weight=np.concatenate(share) * ratios.size)
    slope = float(model.coef_[0, 0])
    # A slope of nought or less would mean that the vote knows nothing; it is kept as it is and the rates of the tables say so.
    return (slope, float(model.intercept_[0])) if slope > 0 else (1.0, 0.0)


def _weights(live: F64, attacks: F64) -> tuple[F64, F64, F64]:
    """Return the live faces' means and deviations and the weights of a logistic fit with equal priors."""
    from sklearn.linear_model import LogisticRegression

    known = np.isfinite(live)
    counts = np.maximum(known.sum(0), 1)
    mean = np.where(known, live, 0.0).sum(0) / counts
    deviation = np.sqrt(np.where(known, (live - mean) ** 2, 0.0).sum(0) / counts)
    deviation = np.where(deviation > 1e-6, deviation, 1.0)
    x = spread(standard(np.concatenate([live, attacks]), mean, deviation))
    y = np.concatenate([np.ones(len(live)), np.zeros(len(attacks))])
    share = np.where(y == 1, 0.5 / len(live), 0.5 / len(attacks)) * len(y)
    model = LogisticRegression(C=STRENGTH, max_iter=2000).fit(x[:, 1:], y, sample_weight=share)
    return mean, deviation, np.concatenate([model.intercept_, model.coef_[0]])


def vote_document(vote: Vote, *, people: int, live: int, attacks: Mapping[str, int]) -> dict[str, Any]:
    """Return the vote as a calibration file holds it, with what it was fitted on."""
    return {
        "mean": vote.mean.tolist(),
        "deviation": vote.deviation.tolist(),
        "weights": vote.weights.tolist(),
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
