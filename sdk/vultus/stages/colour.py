"""Colour alone: what a frame set shows of a print or a screen where there is neither NIR nor depth to look at.

Blocks, as far as the model card measures it: halftone dots and pixel grids that the camera resolves (grid), and where a network that does not
ship was fetched and calibrated, what it knows. A sheet that carries its surroundings along (`vultus.stages.sheet`) is sent back, not refused, for
that alone.
Does not block: a print without visible dots held still, a fine screen, any mask. It can only deny, and only the vote over its cues passes or
fails: a single cue states its number and abstains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.graphs import Graph, Manifest, open_graph
from vultus.products import between
from vultus.types import F32, U8, Cue, Face, Liveness, SpoofKind, Verdict

F64 = npt.NDArray[np.float64]
NETWORK: Final = "colour_network"
GRID: Final = "colour_grid"
MOTION: Final = "colour_motion"
VOTE: Final = "colour"
CUES: Final = (NETWORK, GRID, MOTION)
ROLE: Final = "recapture"
SIDE: Final = 128
_SURROUNDINGS: Final = 2.7
"""Side of the network's view in face boxes, as its publisher crops it."""
LEAST_EYES: Final = 20.0
"""Pixels between the eyes below which nothing is measured: the view would be made up by enlarging."""
_PATCH: Final = 128
_LEAST_PATCH: Final = 64
_NEAR: Final = 6
"""Cells each way around a cell of the spectrum that it is compared with."""
_LOW, _HIGH = 0.12, 0.5
"""Cycles a pixel between which dots and pixels are looked for: slower ones are features of a face."""
_AXIS: Final = 2
"""Cells beside the axes that are left out: blocks of JPEG and rows of a sensor lie there."""


class Colours:
    """Measures the cues of one colour picture; the network, where it was fetched, is opened when first needed."""

    def __init__(self, manifest: Manifest, threads: int = 1) -> None:
        self._manifest, self._threads = manifest, threads
        self._graph: Graph | None = None

    def measure(self, rgb: U8, luma: U8, face: Face) -> dict[str, float | None]:
        """Return the network's score in nats, positive for live, and the strength of the strongest grid in nats; None = not measured.

        Raises ModelError when a network that was fetched is altered.
        """
        if face.eye_distance < LEAST_EYES:
            return {NETWORK: None, GRID: None}
        return {NETWORK: self._score(rgb, face), GRID: grid_of(luma, face)}

    def _score(self, rgb: U8, face: Face) -> float | None:
        """Return the log-odds of the network's first class, which is live."""
        if self._graph is None:
            entry = next((e for e in self._manifest.entries if e.role == ROLE), None)
            if entry is None:
                return None
            self._graph = open_graph(entry, self._threads)
        view(rgb, face, self._graph.input[0])
        live, *others = self._graph.run()[0][0].astype(np.float64).tolist()
        score = float(live - np.logaddexp.reduce(others))
        return score if np.isfinite(score) else None


def view(rgb: U8, face: Face, out: F32) -> None:
    """Write the face with its surroundings into `out`, float32 (3, 128, 128), B, G and R planes of 0..255.

    The view is 2.7 face boxes wide and high, less where the picture is smaller, and is moved to lie in the picture.
    """
    height, width = rgb.shape[:2]
    x, y, w, h = face.box
    share = min(_SURROUNDINGS, (width - 1) / w, (height - 1) / h)
    left = min(max(x + w / 2 - w * share / 2, 0.0), width - 1 - w * share)
    top = min(max(y + h / 2 - h * share / 2, 0.0), height - 1 - h * share)
    # From the first pixel's centre to the last one's: half a pixel farther lies outside a picture that the view fills.
    matrix = np.array([[(w * share - 1) / (SIDE - 1), 0.0, left], [0.0, (h * share - 1) / (SIDE - 1), top]])
    _native.warp_rgb(rgb, matrix, out, bgr=True, scale=1.0, offset=0.0)


def grid_of(luma: U8, face: Face) -> float | None:
    """Return the strength of the strongest grid on a face in nats; None where the face is too small to tell."""
    for side in (_PATCH, _LEAST_PATCH):
        patch = _middle(luma, face, side)
        if patch is not None:
            return grid_strength(patch)
    return None


def _middle(luma: U8, face: Face, side: int) -> U8 | None:
    """Return a square of the picture's own pixels about the middle of the face; None where it does not fit into picture and face."""
    height, width = luma.shape
    x, y = (int(v) for v in np.rint(face.landmarks.mean(0)) - side // 2)
    x, y = min(max(x, 0), width - side), min(max(y, 0), height - side)
    fits = x >= 0 and y >= 0 and side <= 3.0 * face.eye_distance
    return luma[y : y + side, x : x + side] if fits else None


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What every patch of one side needs: its window, the means as matrices, and the cells of the spectrum that are looked at."""

    window: F32
    wide: F32
    line: tuple[F32, F32]
    near: tuple[F32, F32]
    looked: npt.NDArray[np.intp]


@lru_cache(maxsize=2)
def _plan(n: int) -> _Plan:
    rows, columns = np.abs(np.fft.fftfreq(n))[:, None], np.fft.rfftfreq(n)[None]
    reach = np.hypot(rows, columns)
    looked = (reach > _LOW) & (reach < _HIGH) & (rows > _AXIS / n) & (columns > _AXIS / n)
    half = n // 2 + 1
    window = np.outer(np.hanning(n), np.hanning(n)).astype(np.float32)
    line, near = ((_means(n, reach), np.ascontiguousarray(_means(half, reach).T)) for reach in (1, _NEAR))
    return _Plan(window, _means(n, 3), line, near, np.flatnonzero(looked))


def _means(side: int, reach: int) -> F32:
    """Return the matrix (side, side) that takes a column to its means over the cells up to `reach` away; the border repeats."""
    out = np.zeros((side, side), np.float32)
    for step in range(-reach, reach + 1):
        np.add.at(out, (np.arange(side), np.clip(np.arange(side) + step, 0, side - 1)), 1 / (2 * reach + 1))
    return out


def grid_strength(patch: U8) -> float:
    """Return by how many nats the strongest line of the spectrum (n, n) stands above its surroundings: dots and pixels repeat, faces do not."""
    plan = _plan(patch.shape[0])
    light = patch.astype(np.float32)
    spectrum = np.fft.rfft2((light - between(plan.wide, light, plan.wide.T)) * plan.window)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    logs = np.log(between(plan.line[0], power, plan.line[1]) + np.float32(1.0))
    above = logs - between(plan.near[0], logs, plan.near[1])
    return float(above.ravel().take(plan.looked).max())


def cues_of(values: Mapping[str, float | None]) -> tuple[Cue, ...]:
    """Return the measurements as cues that state a number and abstain: what they say together is the vote's business."""
    units = {NETWORK: "nats", GRID: "nats", MOTION: "correlation"}
    return tuple(Cue(name, values.get(name), units[name], 0.0, Verdict.ABSTAIN) for name in CUES)


@dataclass(frozen=True, slots=True)
class Term:
    """What one cue adds to the ratio: slope * value + offset in nats, within low..high. A cue that can only deny has high = 0."""

    slope: float
    offset: float
    low: float
    high: float

    def __call__(self, value: float) -> float:
        """Return the nats of a value."""
        return min(max(self.slope * value + self.offset, self.low), self.high)


@dataclass(frozen=True, slots=True, eq=False)
class ColourVote:
    """The terms by cue and the ratios in nats below which the vote abstains and fails. The grid's term is required, and so is the network's
    number where a calibration weighs it: taking the network away leaves such a camera without an answer.

    `live` are ratios of live faces that the limits were taken from, empty where they are not kept.
    """

    terms: Mapping[str, Term]
    pass_llr: float
    fail_llr: float
    live: F64 = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        numbers = [v for t in self.terms.values() for v in (t.slope, t.offset, t.low, t.high)]
        if GRID not in self.terms or not set(self.terms) <= set(CUES):
            raise ValueError(f"a colour vote weighs {GRID} and may weigh {', '.join(c for c in CUES if c != GRID)}")
        if not np.isfinite([*numbers, self.pass_llr, self.fail_llr, *self.live]).all() or self.fail_llr > self.pass_llr:
            raise ValueError("a colour vote's numbers are finite and it fails below where it abstains")
        if any(t.low > t.high for t in self.terms.values()):
            raise ValueError("a term's low is not above its high")

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave. Raises KeyError, TypeError or ValueError for anything else."""
        terms = {str(name): Term(*(float(t[k]) for k in ("slope", "offset", "low", "high"))) for name, t in raw["terms"].items()}
        return cls(terms, float(raw["pass_llr"]), float(raw["fail_llr"]), np.asarray(raw.get("live", ()), np.float64))

    def to_dict(self) -> dict[str, Any]:
        """Return the vote as a calibration holds it."""
        terms = {name: {"slope": t.slope, "offset": t.offset, "low": t.low, "high": t.high} for name, t in self.terms.items()}
        return {"terms": terms, "pass_llr": self.pass_llr, "fail_llr": self.fail_llr, "live": self.live.tolist()}

    def log_lr(self, values: Mapping[str, float | None]) -> float | None:
        """Return the log-likelihood ratio of live over attack in nats; None where the grid, or a network that is weighed, was not measured."""
        if any(name in self.terms and values.get(name) is None for name in (GRID, NETWORK)):
            return None
        return sum(term(v) for name, term in self.terms.items() if (v := values.get(name)) is not None)

    def worst(self, values: Mapping[str, float | None]) -> str:
        """Return the cue that incriminates most."""
        said = {name: term(v) for name, term in self.terms.items() if (v := values.get(name)) is not None}
        return min(said, key=lambda name: said[name], default=GRID)

    def cast(self, liveness: Liveness) -> Liveness:
        """Return the liveness with the vote as one more cue; unchanged where colour was not looked at. It never turns a failure into a pass."""
        values = {c.name: c.value for c in liveness.cues}
        if GRID not in values:
            return liveness
        ratio = self.log_lr(values)
        if ratio is None:
            return replace(liveness, cues=(*liveness.cues, Cue(VOTE, None, "nats", self.pass_llr, Verdict.ABSTAIN)))
        verdict = Verdict.PASS if ratio >= self.pass_llr else Verdict.FAIL if ratio < self.fail_llr else Verdict.ABSTAIN
        cue = Cue(VOTE, ratio, "nats", self.pass_llr if verdict is Verdict.PASS else self.fail_llr, verdict)
        cues = (*liveness.cues, cue)
        if liveness.verdict is Verdict.FAIL:
            return replace(liveness, cues=cues)
        kind = _KINDS[self.worst(values)] if verdict is Verdict.FAIL else None
        return Liveness(verdict, cues, kind, float(1 / (1 + np.exp(-np.clip(ratio, -50, 50)))), ratio)


_KINDS: Final[Mapping[str, SpoofKind]] = {NETWORK: SpoofKind.RECAPTURED, GRID: SpoofKind.RECAPTURED, MOTION: SpoofKind.FLAT}
