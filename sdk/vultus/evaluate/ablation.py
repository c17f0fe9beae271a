"""Judges presentations with votes fitted on other people and without their species, whole or with a cue left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from vultus.evaluate.liveness_calibration import Presented
from vultus.evaluate.metrics.pad import rates, worst_first
from vultus.policy import REQUIRED_CUES, Tier, live_reason
from vultus.stages.vote import CUES, Vote
from vultus.types import Cue, Liveness, Reason, Verdict
from vultus.vote_fitting import fit_votes

_VERDICTS: Final[Mapping[Reason, Verdict]] = {Reason.ACCEPTED: Verdict.PASS, Reason.SPOOF: Verdict.FAIL}


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """Half of the people, with what is shown of them, and what their votes are fitted on: live faces and attacks of the others."""

    people: frozenset[str]
    live: Sequence[Presented]
    attacks: Sequence[Presented]
    shown: Sequence[Presented]

    def judged(self, tier: Tier, without: str | None = None) -> Iterator[tuple[Presented, Liveness | None]]:
        """Yield what is shown with the tier's verdict, `without` naming a cue to leave out of the gates and of the vote."""
        labels = {p.sample.label for p in self.shown if not p.sample.bona_fide}
        votes = self.votes(("", *sorted(labels)), without)
        for p in self.shown:
            yield p, cast(p, tier, votes["" if p.sample.bona_fide else p.sample.label], without)

    def votes(self, species: Sequence[str], without: str | None = None) -> dict[str, Vote]:
        """Fit a vote without each of the species, "" being none, and if asked without a cue."""
        live, fakes = ([_values(p, without) for p in rows] for rows in (self.live, self.attacks))
        of = [p.sample for p in self.attacks]
        return fit_votes(live, [p.sample.person for p in self.live], fakes, [s.person for s in of], [s.label for s in of], species)


def cast(presented: Presented, tier: Tier, vote: Vote | None, without: str | None = None) -> Liveness | None:
    """Return the liveness whose verdict is the tier's, the vote counted where there is one.

    A presentation of unusable quality does not pass: a sign-in would ask for another frame set.
    """
    liveness = presented.liveness
    if liveness is None:
        return None
    if without is not None:
        liveness = _left_out(liveness, without, tier)
    liveness = liveness if vote is None else vote.cast(liveness)
    verdict = _VERDICTS.get(live_reason(liveness, tier), Verdict.ABSTAIN)
    quality = presented.probe.quality
    if verdict is Verdict.PASS and (quality is None or not quality.usable):
        verdict = Verdict.ABSTAIN
    return replace(liveness, verdict=verdict)


def ablation(halves: Sequence[Half], tier: Tier) -> dict[str, Any]:
    """Return the rates without each cue in turn: the mean and the worst of the species' APCER, and BPCER."""
    return {name or "none": _rates([v for half in halves for v in half.judged(tier, name)]) for name in (None, *CUES)}


def _rates(rows: Sequence[tuple[Presented, Liveness | None]]) -> dict[str, Any]:
    by: dict[str, list[Verdict | None]] = {}
    for p, liveness in rows:
        by.setdefault("" if p.sample.bona_fide else p.sample.label, []).append(None if liveness is None else liveness.verdict)
    real = rates(by.pop("", []), attack=False)
    species = worst_first({name: found for name, verdicts in by.items() if (found := rates(verdicts, attack=True)) is not None})
    return {
        "apcer_mean": sum(r.error.value for _, r in species) / max(len(species), 1),
        "apcer_worst": {"species": species[0][0], **species[0][1].error.to_dict()} if species else None,
        "apcer": {name: r.error.value for name, r in species if r.error.value > 0},
        "bpcer": None if real is None else real.error.to_dict(),
        "bpnrr": None if real is None else real.no_response.to_dict(),
    }


def _values(presented: Presented, without: str | None) -> dict[str, float | None]:
    return {name: None if name == without else value for name, value in presented.values().items()}


def _left_out(liveness: Liveness, name: str, tier: Tier) -> Liveness:
    """Return the liveness without what a cue said; one that the tier asks for passes without a value, or nothing would."""
    silent = Verdict.PASS if name in REQUIRED_CUES[tier] else Verdict.ABSTAIN
    cues = tuple(Cue(c.name, None, c.unit, c.limit, silent) if c.name == name else c for c in liveness.cues)
    said = {c.verdict for c in cues}
    joined = Verdict.FAIL if Verdict.FAIL in said else Verdict.PASS if Verdict.PASS in said else Verdict.ABSTAIN
    return Liveness(joined, cues, liveness.spoof_kind if joined is Verdict.FAIL else None)
