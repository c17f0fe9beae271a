"""Vote: what all cues say together, as a log-likelihood ratio fitted on one sensor's own people and on attacks simulated from them.

It can only deny. A cue that was not measured counts as an average live face would; which cues must pass is the policy's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus.types import Cue, Liveness, SpoofKind, Verdict

F64 = npt.NDArray[np.float64]
NAME: Final = "vote"
CUES: Final = ("depth_relief", "nose", "nir_face", "nir_likeness", "head_outline", "nir_shading", "nir_structure", "nir_contrast")
"""Cues that the vote weighs, in the order of its weights."""
_LOGARITHMIC: Final = frozenset({"depth_relief", "nir_face", "nir_contrast"})
"""Cues whose values are ratios of lengths or of light: their logarithms are weighed."""
_LEAST: Final = {"depth_relief": 0.3, "nir_face": 0.02, "nir_contrast": 0.01}
_FAR: Final = 5.0
"""Standard deviations beyond which a value counts no more: one wild number must not decide by its size."""
_RULE_OF_THREE: Final = 3.0
"""None of n seen bounds a rate by 3 / n at 95 %; a rate below that is not supported."""
_HALF: Final = len(CUES) // 2
_KINDS: Final[Mapping[str, SpoofKind]] = {"depth_relief": SpoofKind.BENT, "head_outline": SpoofKind.WRONG_SIZE}


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """Means and deviations of live faces, float64 (n,), weights, float64 (1 + n + n (n + 1) / 2,), and the ratios in nats below which it
    abstains and fails.

    `live` are the ratios of live faces, of people held out of the fit, and `attacks` by species those of simulated attacks, of people and
    species held out: what a rate is looked up in. Empty where they were not measured.
    """

    mean: F64
    deviation: F64
    weights: F64
    pass_llr: float
    fail_llr: float
    live: F64 = field(default_factory=lambda: np.zeros(0))
    attacks: Mapping[str, F64] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(CUES)
        if self.mean.shape != (n,) or self.deviation.shape != (n,) or self.weights.shape != (1 + n + n * (n + 1) // 2,):
            raise ValueError(f"a vote weighs {n} cues")
        numbers = (self.mean, self.deviation, self.weights, self.pass_llr, self.fail_llr, self.live, *self.attacks.values())
        finite = all(bool(np.isfinite(np.asarray(v, np.float64)).all()) for v in numbers)
        if not finite or (self.deviation <= 0).any() or self.fail_llr > self.pass_llr:
            raise ValueError("a vote's numbers are finite, deviations positive, and it fails below where it abstains")

    def aimed(self, iapar: float | None, bpcer: float | None, *, beyond: bool = False) -> Vote | None:
        """Return this vote with limits for a policy's rates; None where its tables cannot support one of them (unless `beyond`).

        iapar: largest share of attacks of the worst species that passes. bpcer: largest share of live faces that fails. None keeps the
        limit that the calibration came with. A rate takes at least 3 / rate presentations (the rule of three).
        """
        good, bad = self.pass_llr, self.fail_llr
        if bpcer is not None:
            if self.live.size == 0 or (self.live.size * bpcer < _RULE_OF_THREE and not beyond):
                return None
            bad = float(np.sort(self.live)[int(bpcer * self.live.size)])
        if iapar is not None:
            fewest = min((a.size for a in self.attacks.values()), default=0)
            if fewest == 0 or (fewest * iapar < _RULE_OF_THREE and not beyond):
                return None
            good = max(float(np.sort(a)[::-1][int(iapar * a.size)]) for a in self.attacks.values())
            good = float(np.nextafter(good, np.inf))
            bad = min(bad, good) if bpcer is None else bad
        return replace(self, pass_llr=max(good, bad), fail_llr=bad)

    def log_lr(self, values: Mapping[str, float | None]) -> float | None:
        """Return the log-likelihood ratio of live over attack, in nats; None when fewer than half of the cues were measured."""
        found = row(values)
        if int(np.isfinite(found).sum()) < _HALF:
            return None
        return float(spread(standard(found[None], self.mean, self.deviation))[0] @ self.weights)

    def cast(self, liveness: Liveness) -> Liveness:
        """Return the liveness with the vote as one more cue, its probability at equal priors, and what incriminates most."""
        values = {c.name: c.value for c in liveness.cues}
        ratio = self.log_lr(values)
        if ratio is None:
            return replace(liveness, cues=(*liveness.cues, Cue(NAME, None, "nats", self.pass_llr, Verdict.ABSTAIN)))
        verdict = Verdict.PASS if ratio >= self.pass_llr else Verdict.FAIL if ratio < self.fail_llr else Verdict.ABSTAIN
        cue = Cue(NAME, ratio, "nats", self.pass_llr if verdict is Verdict.PASS else self.fail_llr, verdict)
        joined, kind = liveness.verdict, liveness.spoof_kind
        if verdict is Verdict.FAIL and joined is not Verdict.FAIL:
            joined, kind = Verdict.FAIL, _KINDS.get(self.worst(values), SpoofKind.STREAMS_DISAGREE)
        elif verdict is Verdict.ABSTAIN and joined is Verdict.PASS:
            joined = Verdict.ABSTAIN
        return Liveness(joined, (*liveness.cues, cue), kind, float(1 / (1 + np.exp(-np.clip(ratio, -50, 50)))), ratio)

    def worst(self, values: Mapping[str, float | None]) -> str:
        """Return the cue without which the ratio would be highest."""
        without = {name: self.log_lr({**values, name: None}) for name in CUES if values.get(name) is not None}
        return max(without, key=lambda name: -np.inf if (v := without[name]) is None else v, default="")


def row(values: Mapping[str, float | None]) -> F64:
    """Return the cues' values in order, logarithms where they are weighed so, NaN where not measured; float64 (8,)."""
    out = np.full(len(CUES), np.nan)
    for i, name in enumerate(CUES):
        value = values.get(name)
        if value is not None:
            out[i] = np.log(max(value, _LEAST[name])) if name in _LOGARITHMIC else value
    return out


def standard(rows: F64, mean: F64, deviation: F64) -> F64:
    """Return deviations from the average live face, 0 where not measured, at most `_FAR`; (n, 8)."""
    return np.asarray(np.clip(np.where(np.isfinite(rows), (rows - mean) / deviation, 0.0), -_FAR, _FAR), np.float64)


def spread(z: F64) -> F64:
    """Return 1, every deviation and every product of two, which is what the weights weigh; (n, 45)."""
    i, j = np.triu_indices(z.shape[1])
    return np.concatenate([np.ones((len(z), 1)), z, z[:, i] * z[:, j]], axis=1)


def rows_of(values: Sequence[Mapping[str, float | None]]) -> F64:
    """Return `row` of each presentation, (n, 8)."""
    return np.array([row(v) for v in values]).reshape(-1, len(CUES))
