"""Vote: what all cues say together, as a log-likelihood ratio fitted on one sensor's own people and on attacks simulated from them.

Live faces are one normal cloud of cue values, its middle moving with the turn of the head; each species of attack is a cloud of its own,
because one cue alone gives most of them away, and for species that nobody simulated there is a cloud for each cue that is anyhow off.
The ratio is that of the live cloud over the weighed mean of the attacks' clouds.
It can only deny. A cue that was not measured says nothing; which cues must pass is the policy's business. Heads turned too far are not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus.geometry import MAX_TURN
from vultus.types import Cue, Liveness, SpoofKind, Verdict

F64 = npt.NDArray[np.float64]
NAME: Final = "vote"
CUES: Final = (
    "depth_relief", "nose", "nir_face", "nir_likeness", "head_outline", "nir_structure", "nir_contrast", "nir_falloff",
    "nir_gain", "eye_sockets", "depth_turn", "same_face", "nir_detail", "eye_detail",
)  # fmt: skip
"""Cues that the vote weighs, in the order of its clouds' columns."""
POSE: Final = ("face_yaw", "face_pitch")
NOISE: Final = "nir_noise"
ALONE: Final[Mapping[str, float]] = {"nir_detail": 0.12}
"""Cues that need no simulated attack to be judged by: what does not belong together is uncorrelated, with about this deviation. The ratio is
never better than what one of them says alone."""
_LEAST_DEVIATION: Final = 0.05
_LOGARITHMIC: Final = {"depth_relief": 0.3, "nir_face": 0.02, "nir_contrast": 0.01, "nir_gain": 0.02}
"""Cues whose values are ratios of lengths or of light: their logarithms are weighed, from the least value on."""
_FAR: Final = 6.0
"""Standard deviations beyond which a value counts no more: one wild number must not decide by its size."""
_HALF: Final = len(CUES) // 2
_RULE_OF_THREE: Final = 3.0
"""None of n seen bounds a rate by 3 / n at 95 %; a rate below that is not supported."""
_KINDS: Final[Mapping[str, SpoofKind]] = {
    "depth_relief": SpoofKind.BENT, "head_outline": SpoofKind.WRONG_SIZE, "eye_sockets": SpoofKind.FLAT,
}  # fmt: skip

Parts = tuple[npt.NDArray[np.intp], F64, F64, F64]


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """The clouds, and the ratios in nats below which the vote abstains and fails.

    `course` float64 (4, n) is where live faces lie by pose (`of_pose`), `deviation` (n,) how far one deviates. `means` (1 + k, n) and
    `spreads` (1 + k, n, n) are the clouds in deviations from there, live faces first; `shares` (k,) weigh the attacks' and sum to 1.
    `slope`, `offset` bring the ratio to scale. Above `noisy` nats of noise in the light the vote is not cast.
    `live` are the ratios of live faces, of people held out of the fit, and `attacks` by species those of simulated attacks, of people and
    species held out: what a rate is looked up in. Empty where they were not measured.
    """

    course: F64
    deviation: F64
    means: F64
    spreads: F64
    shares: F64
    pass_llr: float
    fail_llr: float
    slope: float = 1.0
    offset: float = 0.0
    noisy: float = 1.0
    live: F64 = field(default_factory=lambda: np.zeros(0))
    attacks: Mapping[str, F64] = field(default_factory=dict)
    _held: dict[bytes, Parts] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        n, k = len(CUES), len(self.means)
        if self.course.shape != (4, n) or self.deviation.shape != (n,) or self.means.shape != (k, n) or self.spreads.shape != (k, n, n):
            raise ValueError(f"a vote weighs {n} cues")
        if self.shares.shape != (k - 1,) or (self.shares <= 0).any() or abs(float(self.shares.sum()) - 1.0) > 1e-6:
            raise ValueError("the shares of a vote's clouds are positive and sum to 1")
        numbers = (self.course, self.deviation, self.means, self.spreads, self.live, *self.attacks.values())
        limits = (self.pass_llr, self.fail_llr, self.slope, self.offset, self.noisy)
        finite = all(bool(np.isfinite(v).all()) for v in numbers) and bool(np.isfinite(limits).all())
        if not finite or k < 2 or (self.deviation <= 0).any() or min(self.slope, self.noisy) <= 0 or self.fail_llr > self.pass_llr:
            raise ValueError("a vote's numbers are finite, deviations, slope and noise positive, and it fails below where it abstains")
        if not np.allclose(self.spreads, np.swapaxes(self.spreads, 1, 2)):
            raise ValueError("a vote's clouds are symmetric")
        np.linalg.cholesky(self.spreads)

    def aimed(self, iapar: float | None, bpcer: float | None, *, beyond: bool = False) -> Vote | None:
        """Return this vote with limits for a policy's rates; None where its tables cannot support one of them (unless `beyond`).

        iapar: largest share of attacks of the worst species that passes. bpcer: largest share of live faces that fails. None keeps the
        limit that the calibration came with. A rate takes at least 3 / rate presentations (the rule of three).
        """
        if iapar is None and bpcer is None:
            return self
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
        """Return the log-likelihood ratio of live over attack, in nats.

        None when fewer than half of the cues were measured, the head is turned by more than `MAX_TURN` degrees or nobody knows how far, or
        the light has more noise than `noisy`.
        """
        found, pose = row(values), pose_row(values)
        return self.ratio(found, pose) if frontal(pose) and enough(found[None])[0] and not self.dazzled(values) else None

    def dazzled(self, values: Mapping[str, float | None]) -> bool:
        """Say whether the light is too noisy to be judged, as in strong sun: live faces and attacks then look alike."""
        noise = values.get(NOISE)
        return noise is not None and noise > self.noisy

    def ratio(self, found: F64, pose: F64) -> float:
        """Return the log-likelihood ratio of a `row` and a `pose_row`."""
        known = np.flatnonzero(np.isfinite(found))
        z = standard(found[None], pose[None], self.course, self.deviation)[0, known]
        _, means, inverses, norms = self._parts(known)
        off = z - means
        logs = norms - 0.5 * np.einsum("ki,kij,kj->k", off, inverses, off)
        top = float(logs[1:].max())
        ratio = float(logs[0]) - top - float(np.log(self.shares @ np.exp(logs[1:] - top)))
        return self.slope * min(ratio, self._alone(found, pose)) + self.offset

    def _alone(self, found: F64, pose: F64) -> float:
        """Return the least ratio of the cues that are judged alone: live faces of this pose against what does not belong together."""
        usual, least = of_pose(pose[None])[0] @ self.course, np.inf
        for name, apart in ALONE.items():
            i = CUES.index(name)
            if np.isfinite(found[i]):
                wide = max(float(self.deviation[i]), _LEAST_DEVIATION)
                short, over = max(min(found[i] - usual[i], 0.0) / wide, -_FAR), min(max(found[i], 0.0), 1.0) / apart
                least = min(least, 0.5 * (over**2 - short**2) + float(np.log(apart / wide)))
        return float(least)

    def _parts(self, known: npt.NDArray[np.intp]) -> Parts:
        """Return the clouds over the measured cues alone: their means, inverses and the logarithms of their heights."""
        key = known.tobytes()
        if key not in self._held:
            spreads = self.spreads[:, known][:, :, known]
            norms = np.asarray(-0.5 * np.linalg.slogdet(spreads)[1], np.float64)
            self._held[key] = known, np.asarray(self.means[:, known], np.float64), np.asarray(np.linalg.inv(spreads), np.float64), norms
        return self._held[key]

    def cast(self, liveness: Liveness) -> Liveness:
        """Return the liveness with the vote as one more cue, its probability at equal priors, and what incriminates most."""
        values = {c.name: c.value for c in liveness.cues}
        cues = tuple(replace(c, limit=self.noisy) if c.name == NOISE else c for c in liveness.cues)
        liveness, ratio = replace(liveness, cues=cues), self.log_lr(values)
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
    """Return the cues' values in order, logarithms where they are weighed so, NaN where not measured; float64 (n,)."""
    out = np.full(len(CUES), np.nan)
    for i, name in enumerate(CUES):
        value = values.get(name)
        if value is not None:
            out[i] = np.log(max(value, _LOGARITHMIC[name])) if name in _LOGARITHMIC else value
    return out


def pose_row(values: Mapping[str, float | None]) -> F64:
    """Return yaw and pitch in degrees, NaN where unknown; float64 (2,)."""
    return np.array([np.nan if (v := values.get(name)) is None else v for name in POSE])


def frontal(pose: F64) -> bool:
    """Say whether a head is turned little enough to be judged; one whose pose is unknown is not."""
    return bool((np.abs(pose) <= MAX_TURN).all())


def enough(rows: F64) -> npt.NDArray[np.bool_]:
    """Say of which rows half of the cues were measured; (m,)."""
    return np.asarray(np.isfinite(rows).sum(1) >= _HALF, np.bool_)


def of_pose(pose: F64) -> F64:
    """Return 1, yaw, yaw squared and pitch of (m, 2) poses in units of 20 and 10 degrees: what cues of live faces move with; (m, 4)."""
    yaw, pitch = pose[:, 0] / 20.0, pose[:, 1] / 10.0
    return np.stack([np.ones_like(yaw), yaw, yaw**2, pitch], axis=1)


def anyhow_off(mean: F64, spread: F64) -> tuple[F64, F64]:
    """Return the clouds of live faces with one cue that may be anything, for each cue; (n, n) and (n, n, n)."""
    n = len(mean)
    return np.repeat(mean[None], n, axis=0), spread + _FAR**2 * np.einsum("ij,ik->ijk", np.eye(n), np.eye(n))


def standard(rows: F64, poses: F64, course: F64, deviation: F64) -> F64:
    """Return deviations from live faces of the same pose, at most `_FAR`, 0 where not measured; (m, n)."""
    off = (rows - of_pose(poses) @ course) / deviation
    return np.asarray(np.clip(np.where(np.isfinite(off), off, 0.0), -_FAR, _FAR), np.float64)


def rows_of(values: Sequence[Mapping[str, float | None]]) -> tuple[F64, F64]:
    """Return `row` and `pose_row` of each presentation, (m, n) and (m, 2)."""
    return np.array([row(v) for v in values]).reshape(-1, len(CUES)), np.array([pose_row(v) for v in values]).reshape(-1, 2)
