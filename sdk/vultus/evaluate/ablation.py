"""Judges presentations with votes fitted on other people and without their species, whole or with a cue left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from vultus.evaluate.features import Features
from vultus.evaluate.liveness_calibration import Presented
from vultus.evaluate.metrics.pad import rates, worst_first
from vultus.evaluate.samples import Sample
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


def cast(presented: Presented, tier: Tier | None, vote: Vote | None, without: str | None = None) -> Liveness | None:
    """Return the liveness whose verdict is the tier's, the vote counted where there is one; without a tier what the gates said.

    To a tier a presentation of unusable quality does not pass: a sign-in would ask for another frame set.
    """
    liveness = presented.liveness
    if liveness is None or tier is None:
        return liveness
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
    found = {}
    for name in (None, *CUES):
        rows = [row for half in halves for row in half.judged(tier, name)]
        found[name or "none"] = _rates([(p.sample, None if liveness is None else liveness.verdict) for p, liveness in rows])
    return found


def gate_ablation(samples: Sequence[Sample], features: Sequence[Features]) -> dict[str, Any]:
    """Return the rates of the gates alone without each cue in turn."""
    names = dict.fromkeys(name for f in features if f.liveness is not None for name in f.liveness["cues"])
    return {
        name or "none": _rates([(s, _said(f, name)) for s, f in zip(samples, features, strict=True)]) for name in (None, *names)
    }  # fmt: skip


def _said(features: Features, without: str | None) -> Verdict | None:
    """Return what the gates say when a cue is left out; None where they did not run."""
    if features.liveness is None:
        return None
    if without is None:
        return Verdict(features.liveness["verdict"])
    return _joined({Verdict(c["verdict"]) for name, c in features.liveness["cues"].items() if name != without})


def _joined(said: set[Verdict]) -> Verdict:
    """Join cues as the gates do: one failure fails, all abstaining abstains."""
    return Verdict.FAIL if Verdict.FAIL in said else Verdict.PASS if Verdict.PASS in said else Verdict.ABSTAIN


def _rates(rows: Sequence[tuple[Sample, Verdict | None]]) -> dict[str, Any]:
    by: dict[str, list[Verdict | None]] = {}
    for sample, verdict in rows:
        by.setdefault("" if sample.bona_fide else sample.label, []).append(verdict)
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
    joined = _joined({c.verdict for c in cues})
    return Liveness(joined, cues, liveness.spoof_kind if joined is Verdict.FAIL else None)
