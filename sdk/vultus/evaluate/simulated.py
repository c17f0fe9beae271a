"""Protocol "pad" on simulated attacks: each species made from an index's bona fide triplets, judged by one tier of the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from vultus.evaluate.ablation import Half, ablation, cast
from vultus.evaluate.extraction import hash_files
from vultus.evaluate.features import Features
from vultus.evaluate.liveness_calibration import Origin, Presented, attacked, bona_fide
from vultus.evaluate.metrics.likelihood import cllr, reliability
from vultus.evaluate.presentation import bona_fide_groups, pad_figures
from vultus.evaluate.samples import DataSet
from vultus.evaluate.setting import FORMAT, Outcome, Setting, listed
from vultus.evaluate.spoil import spoilt
from vultus.policy import Tier
from vultus.simulation.attacks import SPECIES
from vultus.types import Liveness

PREFIX: Final = "simulated "
_TRAINED: Final = 60
"""Presentations of each species that a held-out vote is fitted on, in each half of the people."""


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """How many presentations of each species, the seed that draws them, the tier that judges, and whether a held-out vote counts.

    fitted: each half of the people is judged with the vote fitted on the other half, and each species with one that never saw it.
    ablate: judge again without each cue in turn. corrupt: spoil that many of the bona fide triplets in every way (0 = none). group: column
    by whose values BPCER is stated.
    """

    each: int = 500
    seed: int = 1
    tier: Tier = Tier.SECURE
    fitted: bool = False
    ablate: bool = False
    corrupt: int = 0
    group: str | None = None

    def __post_init__(self) -> None:
        if self.each < 1 or self.seed < 0 or self.corrupt < 0:
            raise ValueError("each must be at least 1, seed and corrupt not negative")
        if self.ablate and not self.fitted:
            raise ValueError("a cue is left out of a vote: ablate takes fitted")


def run_simulated(data: DataSet, options: SimulationOptions, setting: Setting) -> Outcome:
    """Return the error rates of the gates on an index's own triplets and on attacks simulated from them.

    Raises RecordingError when fewer than two people have a registered triplet with a face, CalibrationError on too few for a vote.
    """
    live, origins = bona_fide(data, setting)
    if options.fitted:
        halves = [_half(live, origins, half, options, setting) for half in (0, 1)]
        rows = [(p, liveness) for half in halves for p, liveness in half.judged(options.tier)]
    else:
        halves = []
        shown = attacked(origins, options.each, options.seed, setting, training=False, prefix=PREFIX, what="simulated attacks")
        rows = [(p, cast(p, options.tier, None)) for p in (*live, *shown)]
    samples = [p.sample for p, _ in rows]
    features = [_features(p, liveness) for p, liveness in rows]
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
            "decision": f"{by} of the {options.tier} tier, of usable quality; attacks simulated with seed {options.seed}",
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
        "reliability": _reliability(rows),
        "ablation": ablation(halves, options.tier) if options.ablate else None,
        "spoilt": spoilt(origins, halves, options.corrupt, options.tier, setting) if options.corrupt else None,
        "groups": None
        if options.group is None
        else bona_fide_groups([(p.sample, None if liveness is None else liveness.verdict) for p, liveness in rows], options.group),
        "problems": listed(*data.problems),
        "provenance": setting.provenance(data, hashes),
    }
    return Outcome(document)


def _features(presented: Presented, liveness: Liveness | None) -> Features:
    """Return features whose verdict is that of the tier."""
    if presented.probe is None:
        return Features.unreadable(presented.problem or "unreadable")
    return Features.of(replace(presented.probe, liveness=liveness))


def _half(live: Sequence[Presented], origins: Sequence[Origin], half: int, options: SimulationOptions, setting: Setting) -> Half:
    """Gather what judges one half of the people: votes are fitted on the other, each species with one that was fitted without it."""
    people = sorted({p.sample.person for p in live})
    mine = frozenset(people[half::2])
    what = f"simulated attacks, half {half + 1} of 2"
    others, own = ([o for o in origins if (o.sample.person in mine) is inside] for inside in (False, True))
    trained = attacked(others, _TRAINED, options.seed + 1, setting, training=True, prefix=PREFIX, what=f"{what}, to fit")
    fit = [p for p in trained if p.liveness is not None]
    each = max(1, options.each // 2)
    shown = list(attacked(own, each, options.seed, setting, training=False, prefix=PREFIX, what=f"{what}, to judge"))
    inside, outside = ([p for p in live if (p.sample.person in mine) is there] for there in (True, False))
    return Half(mine, [p for p in outside if p.liveness is not None], fit, [*inside, *shown])


def _reliability(rows: Sequence[tuple[Presented, Liveness | None]]) -> dict[str, Any] | None:
    """Return whether the stated ratios of held-out presentations mean what they say, every species counting alike; None without a vote."""
    scored = [(p, liveness.log_lr) for p, liveness in rows if liveness is not None and liveness.log_lr is not None]
    ratios = np.array([r for _, r in scored], np.float64)
    real = np.array([p.sample.bona_fide for p, _ in scored], np.float64)
    labels = np.array([p.sample.label for p, _ in scored], str)
    fake = np.zeros(len(scored))
    for name in set(labels[real == 0]):
        fake[labels == name] = 1.0 / (labels == name).sum()
    found, cost = reliability(ratios, real, fake), cllr(ratios, real, fake)
    if found is None or cost is None:
        return None
    bins = [
        {"stated": float(s), "observed": float(o), "weight": float(w)}
        for s, o, w in zip(found.stated, found.observed, found.weight, strict=True)
    ]
    return {"cllr": cost, "ece": found.ece, "bins": bins}
