"""Fits the vote over colour alone: from where a grid counts, what a fetched network's score means on one camera, and limits of its live faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus.errors import CalibrationError
from vultus.fitting import fit_log_lr
from vultus.stages.colour import GRID, MOTION, NETWORK, ColourVote, Term

F64 = npt.NDArray[np.float64]
Values = Sequence[Mapping[str, float | None]]

UNSURE: Final = 0.02
REFUSED: Final = 0.005
"""Shares of live samples below whose ratio the vote abstains and fails."""
LEAST_PEOPLE: Final = 20
LEAST_LIVE: Final = 100
LEAST_ATTACKS: Final = 30
"""Presentations of attacks without which the score's meaning is left as it was."""
SURE: Final = 6.0
"""Nats that one cue may say at most: a few hundred samples cannot speak of rarer things."""
_PULL: Final = 2.0
_GRID_SLOPE: Final = -3.0
"""Nats a nat above that: a line of a spectrum that is twenty times its surroundings settles it; chosen, not fitted."""
_PASS, _FAIL = -0.7, -2.3
"""Without any evidence the ratio is 0. The vote passes while an attack is at most twice as likely as a live face, and fails at ten times."""
_MOTION: Final = Term(-10.0, 1.5, -2.0, 0.0)
"""Says nothing until the face's movement explains its surroundings better than none by 0.15, since hair moves with a head; chosen, not fitted.
It asks for another frame set and never refuses by itself: a hand or somebody behind a live face did as much in 2 of 16 sequences of nuaa-dev."""


def first_vote(live: Values) -> ColourVote:
    """Return a vote from live samples alone: a grid counts from what one live sample in two hundred has.

    Raises CalibrationError on too few samples.
    """
    grids = known(live, GRID)
    if len(grids) < LEAST_LIVE:
        raise CalibrationError(f"{len(grids)} live samples; a colour vote takes {LEAST_LIVE}")
    least = float(np.quantile(grids, 1 - REFUSED))
    return ColourVote({GRID: Term(_GRID_SLOPE, -_GRID_SLOPE * least, -SURE, 0.0), MOTION: _MOTION}, _PASS, _FAIL)


def device_vote(base: ColourVote, live: Values, people: Sequence[str], attacks: Values) -> ColourVote:
    """Return the vote of one camera: its limits from its own live faces, its meaning from attacks before it where there are enough.

    Raises CalibrationError on too few live samples or people.
    """
    names = len(set(people))
    if names < LEAST_PEOPLE or len(known(live, GRID)) < LEAST_LIVE:
        raise CalibrationError(
            f"{len(known(live, GRID))} live samples of {names} people; a liveness calibration needs {LEAST_LIVE} of {LEAST_PEOPLE} people"
        )
    return refitted(base, live, attacks)


def refitted(base: ColourVote, live: Values, attacks: Values) -> ColourVote:
    """Return the base's vote with the limits of these samples, and a term for the network where it saw enough of both, however few people."""
    enough = len(known(attacks, NETWORK)) >= LEAST_ATTACKS and len(known(live, NETWORK)) >= LEAST_ATTACKS
    terms = {**base.terms, NETWORK: _network(live, attacks)} if enough else base.terms
    return limited(replace(base, terms=terms), live)


def limited(vote: ColourVote, live: Values) -> ColourVote:
    """Return the vote with the limits that live samples set."""
    ratios = np.sort(np.array([r for values in live if (r := vote.log_lr(values)) is not None], np.float64))
    if not ratios.size:
        raise CalibrationError("no live sample shows a face that can be judged by its colour")
    good, bad = (float(np.quantile(ratios, share)) for share in (UNSURE, REFUSED))
    # A camera whose live faces never look like an attack still owes one that looks twice, or ten times, more like an attack an answer.
    return replace(vote, pass_llr=min(good, _PASS), fail_llr=min(bad, _FAIL), live=ratios)


def known(samples: Values, name: str) -> F64:
    """Return the values of a cue where it was measured."""
    return np.array([v for s in samples if (v := s.get(name)) is not None], np.float64)


def _network(live: Values, attacks: Values) -> Term:
    slope, offset = fit_log_lr(known(live, NETWORK), known(attacks, NETWORK), _PULL)
    # It may lower the ratio and never raise it: nobody knows what it was trained on.
    return Term(max(slope, 0.0), offset if slope > 0 else 0.0, -SURE, 0.0)
