"""Fits the vote of a sensor on its own people and on attacks simulated from them, and sets its limits on people held out of the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.errors import CalibrationError
from vultus.stages.vote import CUES, NETWORK, WITH_NETWORK, Vote, rows_of, spread, standard

F64 = npt.NDArray[np.float64]
Values = Sequence[Mapping[str, float | None]]

MIN_PEOPLE: Final = 20
MIN_SAMPLES: Final = 100
"""Live samples without which a quantile of one in a hundred says nothing."""
FOLDS: Final = 5
STRENGTH: Final = 0.05
"""Inverse weight of the weights' squares in the logistic fit: strong, for 45 or 55 weights and a few hundred live samples."""
UNSURE: Final = 0.02
REFUSED: Final = 0.01
"""Shares of live samples, of people held out of the fit, below whose ratio the vote abstains and fails."""


def fit_vote(live: Values, people: Sequence[str], attacks: Values, attacked: Sequence[str]) -> Vote:
    """Return the vote. `people` names who is seen in each live sample, `attacked` whose pictures each attack shows.

    Limits are quantiles of the ratios that each fifth of the people gets from a fit on the others. Raises CalibrationError on too few.
    """
    names = sorted(set(people))
    if len(names) < MIN_PEOPLE or len(live) < MIN_SAMPLES:
        raise CalibrationError(
            f"{len(live)} live samples of {len(names)} people; a liveness calibration needs {MIN_SAMPLES} of {MIN_PEOPLE} people"
        )
    if len(attacks) < len(live):
        raise CalibrationError(f"{len(attacks)} simulated attacks; a liveness calibration needs as many as live samples, {len(live)}")
    cues = WITH_NETWORK if any(NETWORK in v for v in live) else CUES
    x, y = rows_of(live, cues), rows_of(attacks, cues)
    fold = {name: i % FOLDS for i, name in enumerate(names)}
    mine, theirs = np.array([fold[p] for p in people]), np.array([fold.get(p, FOLDS) for p in attacked])
    ratios = np.empty(len(x))
    for k in range(FOLDS):
        mean, deviation, weights = _weights(x[mine != k], y[theirs != k])
        ratios[mine == k] = spread(standard(x[mine == k], mean, deviation)) @ weights
    mean, deviation, weights = _weights(x, y)
    return Vote(mean, deviation, weights, float(np.quantile(ratios, UNSURE)), float(np.quantile(ratios, REFUSED)), cues)


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
        "cues": list(vote.cues),
        "mean": vote.mean.tolist(),
        "deviation": vote.deviation.tolist(),
        "weights": vote.weights.tolist(),
        "pass_llr": vote.pass_llr,
        "fail_llr": vote.fail_llr,
        "people": people,
        "live_samples": live,
        "simulated_attacks": dict(attacks),
    }
