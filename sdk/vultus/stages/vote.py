"""Vote: what all cues say together, as a log-likelihood ratio fitted on one sensor's own people and on attacks simulated from them.

It can only deny. A cue that was not measured counts as an average live face would; which cues must pass is the policy's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus.types import Cue, Liveness, SpoofKind, Verdict

F64 = npt.NDArray[np.float64]
NAME: Final = "vote"
CUES: Final = ("depth_relief", "nose", "nir_face", "nir_likeness", "head_outline", "nir_shading", "nir_structure", "nir_contrast")
"""Physical cues that a vote weighs, in the order of its weights."""
NETWORK: Final = "triplet_network"
WITH_NETWORK: Final = (*CUES, NETWORK)
"""What a vote weighs where a network looks at the face too."""
_LOGARITHMIC: Final = frozenset({"depth_relief", "nir_face", "nir_contrast"})
"""Cues whose values are ratios of lengths or of light: their logarithms are weighed."""
_LEAST: Final = {"depth_relief": 0.3, "nir_face": 0.02, "nir_contrast": 0.01}
_FAR: Final = 5.0
"""Standard deviations beyond which a value counts no more: one wild number must not decide by its size."""
_KINDS: Final[Mapping[str, SpoofKind]] = {"depth_relief": SpoofKind.BENT, "head_outline": SpoofKind.WRONG_SIZE}


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """Means and deviations of live faces, float64 (n,), weights, float64 (1 + n + n (n + 1) / 2,), and the ratios below which it abstains
    and fails, in nats; n is the number of `cues`.
    """

    mean: F64
    deviation: F64
    weights: F64
    pass_llr: float
    fail_llr: float
    cues: tuple[str, ...] = CUES

    def __post_init__(self) -> None:
        n = len(self.cues)
        if self.cues not in (CUES, WITH_NETWORK):
            raise ValueError(f"a vote weighs {', '.join(CUES)} and at most {NETWORK}; got {', '.join(self.cues)}")
        if self.mean.shape != (n,) or self.deviation.shape != (n,) or self.weights.shape != (1 + n + n * (n + 1) // 2,):
            raise ValueError(f"a vote weighs {n} cues")
        finite = all(np.isfinite(v).all() for v in (self.mean, self.deviation, self.weights, self.pass_llr, self.fail_llr))
        if not finite or (self.deviation <= 0).any() or self.fail_llr > self.pass_llr:
            raise ValueError("a vote's numbers are finite, deviations positive, and it fails below where it abstains")

    def log_lr(self, values: Mapping[str, float | None]) -> float | None:
        """Return the log-likelihood ratio of live over attack, in nats.

        None when fewer than half of the cues were measured, or when a cue that the vote weighs is not among them at all: taken away, a
        network must not count as an average face.
        """
        found = row(values, self.cues)
        if int(np.isfinite(found).sum()) < len(self.cues) // 2 or (NETWORK in self.cues and NETWORK not in values):
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
        without = {name: self.log_lr({**values, name: None}) for name in self.cues if values.get(name) is not None}
        return max(without, key=lambda name: -np.inf if (v := without[name]) is None else v, default="")


def row(values: Mapping[str, float | None], cues: tuple[str, ...] = CUES) -> F64:
    """Return the cues' values in order, logarithms where they are weighed so, NaN where not measured; float64 (n,)."""
    out = np.full(len(cues), np.nan)
    for i, name in enumerate(cues):
        value = values.get(name)
        if value is not None:
            out[i] = np.log(max(value, _LEAST[name])) if name in _LOGARITHMIC else value
    return out


def standard(rows: F64, mean: F64, deviation: F64) -> F64:
    """Return deviations from the average live face, 0 where not measured, at most `_FAR`; (n, cues)."""
    return np.asarray(np.clip(np.where(np.isfinite(rows), (rows - mean) / deviation, 0.0), -_FAR, _FAR), np.float64)


def spread(z: F64) -> F64:
    """Return 1, every deviation and every product of two, which is what the weights weigh; (n, weights)."""
    i, j = np.triu_indices(z.shape[1])
    return np.concatenate([np.ones((len(z), 1)), z, z[:, i] * z[:, j]], axis=1)


def rows_of(values: Sequence[Mapping[str, float | None]], cues: tuple[str, ...] = CUES) -> F64:
    """Return `row` of each presentation, (n, cues)."""
    return np.array([row(v, cues) for v in values]).reshape(-1, len(cues))
