"""Spoil bona fide triplets on purpose, all three streams together as one cause would, and count how many are then called a spoof.

The causes are simulated on real triplets; strengths and reflectances are chosen, not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.evaluate.ablation import Half, cast
from vultus.evaluate.liveness_calibration import Origin, Presented, frames_of
from vultus.evaluate.metrics.pad import bona_fide_rates
from vultus.evaluate.samples import frame_set
from vultus.evaluate.setting import Setting
from vultus.policy import Tier
from vultus.simulation.triplets import Triplet, residuals
from vultus.types import Verdict

F64 = npt.NDArray[np.float64]
Cause = Callable[[Triplet, float, np.random.Generator], Triplet]

STRENGTHS: Final[Mapping[str, tuple[float, ...]]] = {
    "sunlight": (10.0, 100.0),
    "dim strobe": (0.25, 0.05),
    "dark skin": (0.5, 0.25),
    "glasses": (0.0, 12.0),
    "beard": (0.7, 0.4),
    "motion blur": (0.1, 0.25),
    "missing depth": (0.15, 0.4),
}
UNITS: Final[Mapping[str, str]] = {
    "sunlight": "times the lamp's light, taken off with an ambient frame: its shot noise stays, in NIR and depth",
    "dim strobe": "share of the lamp's light, read noise of 0.5 % of the face's level added",
    "dark skin": "share of the visible light that skin sends back; its root in NIR, where melanin absorbs less",
    "glasses": "mm by which depth sees the lenses instead of the eyes; dark frames and lenses clear in NIR and colour",
    "beard": "share of the visible light below the nose; its root in NIR; depth 4 mm nearer, a fifth of it missing",
    "motion blur": "length in eye distances, in colour and NIR",
    "missing depth": "share of the depth lost, in patches",
}
_GAMMA: Final = 2.2


def _axes(triplet: Triplet) -> tuple[F64, F64]:
    """Return eye distances right and down of the middle between the eyes, along the line of the eyes."""
    h, w = triplet.depth.shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    left, right = triplet.landmarks[:2].astype(np.float64)
    along = (right - left) / triplet.eye_distance**2
    x, y = x - (left + right)[0] / 2, y - (left + right)[1] / 2
    return x * along[0] + y * along[1], y * along[0] - x * along[1]


def _level(triplet: Triplet) -> float:
    lit = triplet.nir[triplet.nir > 0]
    return float(np.median(lit)) if lit.size else 1.0


def _dimmed(triplet: Triplet, where: F64, rgb: float, nir: float) -> Triplet:
    """Return the triplet with only a share of the light where `where` is 1."""
    linear = (triplet.rgb / 255.0) ** _GAMMA * (1 - where * (1 - rgb))[..., None]
    light = triplet.nir * (1 - where * (1 - nir))
    return replace(triplet, rgb=np.rint(255.0 * linear ** (1 / _GAMMA)).astype(np.uint8), nir=np.rint(light).astype(np.uint16))


def _noisy(triplet: Triplet, nir: F64 | float, rng: np.random.Generator) -> Triplet:
    """Return the triplet with noise of a deviation in the unit of its NIR; what was not measured stays so."""
    shown = np.clip(triplet.nir + rng.standard_normal(triplet.nir.shape) * nir, 1, 65535)
    return replace(triplet, nir=np.where(triplet.nir > 0, shown, 0).astype(np.uint16))


def _moved(triplet: Triplet, nearer: npt.NDArray[np.floating[Any]], lost: npt.NDArray[np.bool_]) -> Triplet:
    z = np.clip(np.rint(triplet.depth - nearer), 1, 65535)
    return replace(triplet, depth=np.where((triplet.depth > 0) & ~lost, z, 0).astype(np.uint16))


def _sunlight(triplet: Triplet, strength: float, rng: np.random.Generator) -> Triplet:
    """Lamp alone: noise of 1 % of the light. With the sun, the root of all the light, twice as two frames are taken."""
    noise = 0.01 * np.sqrt(1.0 + 2.0 * strength)
    jitter = rng.choice(residuals(triplet.depth), triplet.depth.shape) * np.sqrt(noise / 0.01 - 1.0)
    return _noisy(_moved(triplet, jitter, np.zeros(triplet.depth.shape, bool)), noise * _level(triplet), rng)


def _dim(triplet: Triplet, strength: float, rng: np.random.Generator) -> Triplet:
    dim = replace(triplet, nir=np.maximum(np.rint(triplet.nir * strength), triplet.nir > 0).astype(np.uint16))
    return _noisy(dim, 0.005 * _level(triplet), rng)


def _dark_skin(triplet: Triplet, strength: float, rng: np.random.Generator) -> Triplet:
    x, y = _axes(triplet)
    skin = np.clip(4.0 * (1.15 - np.hypot(x / 1.0, (y - 0.45) / 1.35)), 0, 1)
    for eye in (-0.5, 0.5):
        skin *= 1.0 - np.exp(-((x - eye) ** 2 / 0.06 + y**2 / 0.015))
    return _noisy(_dimmed(triplet, skin, strength, strength**0.5), 0.005 * _level(triplet), rng)


def _glasses(triplet: Triplet, strength: float, _: np.random.Generator) -> Triplet:
    x, y = _axes(triplet)
    out = np.maximum(np.abs(np.abs(x) - 0.5) / 0.42, np.abs(y - 0.03) / 0.32)
    rim = (
        ((out > 0.85) & (out <= 1.0))
        | ((np.abs(y) < 0.05) & (np.abs(x) < 0.1))
        | ((np.abs(y) < 0.06) & (np.abs(x) > 0.9) & (np.abs(x) < 1.3))
    )
    return _moved(_dimmed(triplet, rim.astype(np.float64), 0.05, 0.2), strength * (out <= 1.0), np.zeros(x.shape, bool))


def _beard(triplet: Triplet, strength: float, rng: np.random.Generator) -> Triplet:
    x, y = _axes(triplet)
    mouth = np.hypot(x / 0.38, (y - 1.15) / 0.13) < 1.0
    where = ((np.hypot(x / 0.95, (y - 0.6) / 1.35) < 1.0) & (y > 0.8) & ~mouth).astype(np.float64) * rng.uniform(0.6, 1.0, x.shape)
    return _moved(_dimmed(triplet, where, strength, strength**0.5), 4.0 * (where > 0), (where > 0) & (rng.random(x.shape) < 0.2))


def _blurred(triplet: Triplet, strength: float, _: np.random.Generator) -> Triplet:
    from scipy.ndimage import uniform_filter1d

    length = max(1, round(strength * triplet.eye_distance))
    rgb = uniform_filter1d(triplet.rgb.astype(np.float64), length, axis=1)
    nir = uniform_filter1d(triplet.nir.astype(np.float64), length, axis=1)
    return replace(triplet, rgb=np.rint(rgb).astype(np.uint8), nir=np.where(triplet.nir > 0, np.rint(nir), 0).astype(np.uint16))


def _holes(triplet: Triplet, strength: float, rng: np.random.Generator) -> Triplet:
    from scipy.ndimage import gaussian_filter

    rough = gaussian_filter(rng.standard_normal(triplet.depth.shape), 2.0)
    return _moved(triplet, np.zeros(triplet.depth.shape), np.asarray(rough < np.quantile(rough, strength), np.bool_))


CAUSES: Final[Mapping[str, Cause]] = {
    "sunlight": _sunlight,
    "dim strobe": _dim,
    "dark skin": _dark_skin,
    "glasses": _glasses,
    "beard": _beard,
    "motion blur": _blurred,
    "missing depth": _holes,
}


def spoilt(origins: Sequence[Origin], halves: Sequence[Half], limit: int, tier: Tier | None, setting: Setting) -> dict[str, Any]:
    """Return BPCER and BPNRR of at most `limit` triplets, spread over the people, clean and spoilt in each way.

    Where there are votes, each person is judged by that of the other half of the people; without a tier the gates alone judge.
    """
    pipeline, step = setting.maker(), setting.step("spoilt presentations")
    chosen = _spread(origins, limit)
    votes = [(half.people, half.votes(("",))[""]) for half in halves]
    kinds = [("clean", 0.0), *((cause, strength) for cause, found in STRENGTHS.items() for strength in found)]
    out: dict[str, Any] = {}
    for done, (cause, strength) in enumerate(kinds):
        verdicts: list[Verdict | None] = []
        for i, origin in enumerate(chosen):
            rng = np.random.default_rng((11, done, i))
            shown = origin.triplet if cause == "clean" else CAUSES[cause](origin.triplet, strength, rng)
            presented = Presented(origin.sample, pipeline.process(frame_set(frames_of(shown, i), i)))
            vote = next((v for people, v in votes if origin.sample.person in people), None)
            liveness = cast(presented, tier, vote)
            verdicts.append(None if liveness is None else liveness.verdict)
            if step is not None:
                step(done * len(chosen) + i + 1, len(kinds) * len(chosen))
        entry = out.setdefault(cause, {"unit": UNITS.get(cause, ""), "points": []})
        entry["points"].append({"strength": strength, **bona_fide_rates(verdicts)})
    return out


def _spread(origins: Sequence[Origin], limit: int) -> list[Origin]:
    """Return at most `limit` triplets, one person after the other so that all are heard."""
    seen: dict[str, int] = {}
    ranked = []
    for i, origin in enumerate(origins):
        turn = seen[origin.sample.person] = seen.get(origin.sample.person, -1) + 1
        ranked.append((turn, i))
    return [origins[i] for _, i in sorted(ranked)[:limit]]
