"""Protocol "pad" on simulated attacks: each species made from an index's bona fide triplets, judged by one tier of the policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from vultus.evaluate.extraction import hash_files
from vultus.evaluate.features import Features
from vultus.evaluate.liveness_calibration import Origin, Presented, attacked, bona_fide
from vultus.evaluate.presentation import pad_figures
from vultus.evaluate.samples import DataSet
from vultus.evaluate.setting import FORMAT, Outcome, Setting, listed
from vultus.policy import Tier, live_reason
from vultus.simulation.attacks import SPECIES
from vultus.stages.vote import Vote
from vultus.types import Reason, Verdict
from vultus.vote_fitting import fit_vote

PREFIX: Final = "simulated "
_TRAINED: Final = 60
"""Presentations of each species that a held-out vote is fitted on, in each half of the people."""
_VERDICTS: Final[Mapping[Reason, Verdict]] = {Reason.ACCEPTED: Verdict.PASS, Reason.SPOOF: Verdict.FAIL}


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """How many presentations of each species, the seed that draws them, the tier that judges, and whether a held-out vote counts.

    fitted: each half of the people is judged with the vote fitted on the other half, and each species with one that never saw it.
    """

    each: int = 500
    seed: int = 1
    tier: Tier = Tier.SECURE
    fitted: bool = False

    def __post_init__(self) -> None:
        if self.each < 1 or self.seed < 0:
            raise ValueError("each must be at least 1 and seed not negative")


def run_simulated(data: DataSet, options: SimulationOptions, setting: Setting) -> Outcome:
    """Return the error rates of the gates on an index's own triplets and on attacks simulated from them.

    Raises RecordingError when fewer than two people have a registered triplet with a face, CalibrationError on too few for a vote.
    """
    live, origins = bona_fide(data, setting)
    if options.fitted:
        judged_rows = [row for half in (0, 1) for row in _half(live, origins, half, options, setting)]
    else:
        shown = attacked(origins, options.each, options.seed, setting, training=False, prefix=PREFIX, what="simulated attacks")
        judged_rows = [(p, None) for p in (*live, *shown)]
    samples = [p.sample for p, _ in judged_rows]
    features = [judged(p, options.tier, vote) for p, vote in judged_rows]
    hashes = hash_files(data)
    attacks = len(samples) - sum(s.bona_fide for s in samples)
    figures = pad_figures(samples, features)
    figures["warnings"] = [*figures["warnings"], "every attack here is simulated: the rates are no certificate"]
    by = "cues and a vote fitted without the people and the species judged" if options.fitted else "liveness cues"
    document: dict[str, Any] = {
        "format": FORMAT,
        "kind": "pad",
        "dataset": data.name,
        "protocol": {
            "decision": f"{by} of the {options.tier} tier; attacks simulated with seed {options.seed}",
            "species": [PREFIX + name for name in sorted(SPECIES)],
        },
        "counts": {
            "people": len({s.person for s in samples}),
            "samples": len(samples),
            "genuine": len(samples) - attacks,
            "impostor": attacks,
            "failed_to_acquire": sum(f.liveness is None for f in features),
            "bad_rows": data.bad_rows,
        },
        **figures,
        "problems": listed(*data.problems),
        "provenance": setting.provenance(data, hashes),
    }
    return Outcome(document)


def judged(presented: Presented, tier: Tier, vote: Vote | None) -> Features:
    """Return features whose verdict is the tier's, the vote counted where there is one."""
    if presented.probe is None:
        return Features.unreadable(presented.problem or "unreadable")
    if presented.liveness is None:
        return Features.of(presented.probe)
    liveness = presented.liveness if vote is None else vote.cast(presented.liveness)
    verdict = _VERDICTS.get(live_reason(liveness, tier), Verdict.ABSTAIN)
    return Features.of(replace(presented.probe, liveness=replace(liveness, verdict=verdict)))


def _half(
    live: Sequence[Presented], origins: Sequence[Origin], half: int, options: SimulationOptions, setting: Setting
) -> list[tuple[Presented, Vote | None]]:
    """Judge one half of the people with votes fitted on the other, each species with one that was fitted without it."""
    people = sorted({p.sample.person for p in live})
    mine = set(people[half::2])
    fit = [p for p in live if p.sample.person not in mine and p.liveness is not None]
    what = f"simulated attacks, half {half + 1} of 2"
    others = [o for o in origins if o.sample.person not in mine]
    trained = [
        p for p in attacked(others, _TRAINED, options.seed + 1, setting, training=True, prefix=PREFIX, what=f"{what}, to fit") if p.liveness
    ]
    own = [o for o in origins if o.sample.person in mine]
    each = max(1, options.each // 2)
    shown = list(attacked(own, each, options.seed, setting, training=False, prefix=PREFIX, what=f"{what}, to judge"))
    votes = {name: _vote(fit, [p for p in trained if p.sample.label != name]) for name in ("", *(PREFIX + s for s in SPECIES))}
    return [(p, votes["" if p.sample.bona_fide else p.sample.label]) for p in (*(p for p in live if p.sample.person in mine), *shown)]


def _vote(live: Sequence[Presented], attacks: Sequence[Presented]) -> Vote:
    shown = [p.sample for p in attacks]
    return fit_vote(
        [p.values() for p in live], [p.sample.person for p in live], [p.values() for p in attacks],
        [s.person for s in shown], [s.label for s in shown],
    )  # fmt: skip
