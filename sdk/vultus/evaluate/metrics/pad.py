"""Error rates of presentation-attack detection in the terms of ISO/IEC 30107-3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vultus.evaluate.metrics.curves import ScoreTable
from vultus.evaluate.metrics.intervals import Estimate, proportion
from vultus.evaluate.metrics.verification import equal_error_rate
from vultus.types import Verdict


@dataclass(frozen=True, slots=True)
class PadRates:
    """Rates of one kind of presentation, an attack species or bona fide.

    error: attacks that passed (APCER) or bona fide that failed (BPCER). no_response: neither passed nor failed (APNRR, BPNRR):
    no face found, or the gates could not measure. Both have all presentations below the line.
    """

    error: Estimate
    no_response: Estimate


def rates(verdicts: Sequence[Verdict | None], *, attack: bool) -> PadRates | None:
    """Count one kind of presentation; None stands for no response at all. None without presentations."""
    wrong = Verdict.PASS if attack else Verdict.FAIL
    n = len(verdicts)
    error = proportion(sum(v is wrong for v in verdicts), n)
    silent = proportion(sum(v is None or v is Verdict.ABSTAIN for v in verdicts), n)
    return PadRates(error, silent) if error is not None and silent is not None else None


def bona_fide_rates(verdicts: Sequence[Verdict | None]) -> dict[str, Any]:
    """Return BPCER and BPNRR of bona fide presentations as a document holds them; null without any."""
    found = rates(verdicts, attack=False)
    return {
        "bpcer": None if found is None else found.error.to_dict(),
        "bpnrr": None if found is None else found.no_response.to_dict(),
    }


def worst_first(species: Mapping[str, PadRates]) -> list[tuple[str, PadRates]]:
    """Order species by falling APCER, at equal ones by the upper bound: the less tested is the worse."""
    return sorted(species.items(), key=lambda item: (-item[1].error.value, -item[1].error.high, item[0]))


def equal_error(bona_fide: npt.NDArray[Any], attack: npt.NDArray[Any]) -> float | None:
    """Return the rate at which bona fide below and attacks at or above a liveness score are equal; None without both."""
    return equal_error_rate(ScoreTable.from_scores(bona_fide, attack).curve())


def apcer_at_bpcer(bona_fide: npt.NDArray[Any], species: Mapping[str, npt.NDArray[Any]], target: float) -> tuple[float, str, float] | None:
    """Return the worst species' APCER at the highest threshold whose BPCER does not exceed `target`, its name and the threshold.

    A presentation without a score belongs to no array. None without scores of both kinds.
    """
    attacks = {name: scores for name, scores in species.items() if scores.size}
    if not bona_fide.size or not attacks:
        return None
    ordered = np.sort(bona_fide)
    threshold = float(ordered[min(int(np.floor(target * len(ordered) * (1 + 1e-12))), len(ordered) - 1)])
    apcer = {name: float(np.mean(scores >= threshold)) for name, scores in attacks.items()}
    worst = max(apcer, key=lambda name: (apcer[name], name))
    return apcer[worst], worst, threshold
