"""Calibration: from comparison scores to false-match rates, thresholds with intervals and log-likelihood ratios.

A calibration is a table of the impostor scores of one pair of modalities, with how many people and comparisons stand behind it. A device
calibration carries a base table over to one sensor by the mean and the deviation of impostor scores measured there: the few people who
can be asked on a new sensor fix the centre of the distribution, the base supplies the shape of its tail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.calibration_document import read_document
from vultus.errors import CalibrationError
from vultus.stages.colour import ColourVote
from vultus.stages.liveness import Limits
from vultus.stages.match import compare
from vultus.stages.space import Space
from vultus.stages.vote import CUES, Vote
from vultus.types import F32, DeviceIdentity, Embedding, Liveness, Modality, PairScore, Source

F64 = npt.NDArray[np.float64]
OUTVOTED: Final = 10.0
"""How many times a merged rate the largest of its parts may be: a picture that looks like a stranger is not outvoted by the other, however sure that one
is. Without this, colour of the claimed person lets one NIR picture of another person in a hundred through at a target of 1e-4."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Score from which `fmr` is met; `low`..`high` is the 95 % interval over people; `supported` False means extrapolated."""

    value: float
    low: float
    high: float
    fmr: float
    supported: bool
    comparisons: int
    people: int


@dataclass(frozen=True, slots=True, eq=False)
class PairTable:
    """Impostor scores of one pair of modalities.

    `scores` rises; `fmr` and its 95 % bounds over people `fmr_low`, `fmr_high` fall. `genuine` holds evenly spaced quantiles of
    the genuine scores of this very sensor, rising (empty = not measured), `genuine_people` how many people gave them (0 = unknown, and
    next to nothing is rejected by them). `simulated` says that the NIR side was
    rendered from colour photographs. `llr` is (slope, intercept) in nats at the base's scores. `mean` and `deviation` are
    those of the base's impostor scores. `shift`, `scale` take a device's score to the base's: base = shift + scale * score; `margin` widens
    the upper bound for the few people behind them.
    """

    pair: tuple[Modality, Modality]
    scores: F64
    fmr: F64
    fmr_low: F64
    fmr_high: F64
    llr: tuple[float, float]
    people: int
    comparisons: int
    genuine: F64
    simulated: bool
    mean: float
    deviation: float
    extrapolated: bool = False
    shift: float = 0.0
    scale: float = 1.0
    margin: float = 0.0
    genuine_people: int = 0

    @property
    def floor(self) -> float:
        """Smallest false-match rate that the comparisons can speak of: the rule of three, 3 / n."""
        return 3.0 / self.comparisons

    def rate(self, score: float) -> tuple[float, float]:
        """Return the false-match rate expected at `score` and its upper 95 % bound; neither falls below the floor."""
        if not math.isfinite(score):
            return 1.0, 1.0
        at = self.shift + self.scale * score
        value = _interpolate(at, self.scores, self.fmr)
        upper = _interpolate(at - self.margin, self.scores, self.fmr_high)
        return max(value, self.floor), max(value, upper, self.floor)

    def miss_rate(self, score: float) -> float | None:
        """Return the share of genuine comparisons that score this low or lower, a conformal p-value; None where none were measured.

        People, not comparisons, are exchangeable: the new person counts as one more who scores below everybody, so that 31 people never
        state less than 1/32. Counting comparisons instead let 5.6 % be rejected at a risk of 5 % on people held out (rap3df-2017, RGB-NIR).
        """
        n, people = self.genuine.size, max(self.genuine_people, 1)
        if n == 0:
            return None
        share = float(np.searchsorted(self.genuine, score, side="right")) / n
        return max((people * share + 1.0) / (people + 1.0), (n * share + 1.0) / (n + 1.0))

    def log_lr(self, score: float) -> float:
        """Return the natural-log likelihood ratio of same person against different people."""
        return self.llr[0] * (self.shift + self.scale * score) + self.llr[1]

    def threshold_for(self, fmr: float) -> Threshold:
        """Return the threshold for a target false-match rate; `supported` is False below 3 / comparisons or on a carried-over table."""
        if not 0.0 < fmr < 1.0:
            raise ValueError("a false-match rate lies between 0 and 1")
        tables = ((self.fmr, 0.0), (self.fmr_low, -self.margin), (self.fmr_high, self.margin))
        edges = [(_invert(fmr, self.scores, rates) + margin - self.shift) / self.scale for rates, margin in tables]
        supported = fmr >= self.floor and not self.extrapolated
        return Threshold(edges[0], min(edges), max(edges), fmr, supported, self.comparisons, self.people)


def _interpolate(at: float, scores: F64, rates: F64) -> float:
    """Interpolate log10 of a falling rate; below the table the rate is 1, above it the last value."""
    if at <= scores[0]:
        return 1.0
    return float(10.0 ** np.interp(at, scores, np.log10(rates)))


def _invert(rate: float, scores: F64, rates: F64) -> float:
    """Return the lowest score whose rate is at most `rate`; above every score when the table does not reach it."""
    logs = np.log10(rates)
    if math.log10(rate) < logs[-1]:
        return float("inf")
    return float(np.interp(-math.log10(rate), -logs, scores))


def merge(rates: Sequence[float]) -> float:
    """Merge false-match rates of several comparisons of one attempt without assuming that they are independent.

    e times the geometric mean is a valid p-value under any dependence (Vovk and Wang, Biometrika 107, 2020), so that a
    correlated RGB and NIR face can never make the stated rate too small; it is not below a tenth of the largest (OUTVOTED). One rate is
    returned as it is.
    """
    if not rates:
        return 1.0
    if len(rates) == 1:
        return rates[0]
    return min(1.0, max(math.e * math.exp(sum(math.log(r) for r in rates) / len(rates)), max(rates) / OUTVOTED))


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """One score of several pairs of one attempt: their mean by `weights`, which add up to 1, and the table of that score on this sensor."""

    weights: Mapping[tuple[Modality, Modality], float]
    table: PairTable

    def score(self, pairs: Sequence[PairScore]) -> float | None:
        """Return the joint score; None unless the pairs are those of the weights, neither fewer nor others."""
        found = {(p.probe, p.reference): p.score for p in pairs}
        return sum(w * found[k] for k, w in self.weights.items()) if found.keys() == self.weights.keys() else None


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Tables by pair, the device they hold for (None = any), the recogniser they were made with, and the limits of the cues."""

    id: str
    graph: str
    tables: Mapping[tuple[Modality, Modality], PairTable]
    limits: Limits
    device: DeviceIdentity | None = None
    vote: Vote | None = None
    space: Space | None = None
    joint: Joint | None = None
    colour: ColourVote | None = None

    def scores(self, probes: Sequence[Embedding], references: Mapping[Modality, F32]) -> tuple[PairScore, ...]:
        """Compare probes with references where the tables were fitted: in the sensor's own space, or as the recogniser gave them."""
        if self.space is None:
            return compare(probes, references)
        return compare(self.space.probes(probes), self.space.references(references))

    def voted(
        self, liveness: Liveness | None, iapar: float | None = None, bpcer: float | None = None, *, beyond: bool = False
    ) -> Liveness | None:
        """Return the liveness with the vote over colour alone and the sensor's own, aimed at a policy's rates, where a face was judged.

        Without a vote, or for rates that it cannot support (unless `beyond`), no vote is added: a policy that asks for one then refuses.
        """
        aimed = None if self.vote is None else self.vote.aimed(iapar, bpcer, beyond=beyond)
        if liveness is not None and self.colour is not None:
            liveness = self.colour.cast(liveness)
        return liveness if liveness is None or aimed is None else aimed.cast(liveness)

    def table(self, probe: Modality, reference: Modality, source: Source) -> PairTable | None:
        """Return the table of a pair, or None where there is none: a table made from simulated NIR serves simulated sensors alone."""
        found = self.tables.get((probe, reference)) or self.tables.get((reference, probe))
        usable = found is not None and (source is Source.SIMULATED or not found.simulated)
        return found if usable else None

    def calibrated(self, pairs: Sequence[PairScore], source: Source) -> list[tuple[PairScore, PairTable]]:
        """Return the pairs that have a table; the others are no evidence."""
        found = [(p, self.table(p.probe, p.reference, source)) for p in pairs]
        return [(p, t) for p, t in found if t is not None]

    def holds_for(self, identity: DeviceIdentity) -> bool:
        """Say whether this calibration may be used for a device."""
        own = self.device
        return own is None or ((own.kind, own.model) == (identity.kind, identity.model) and own.serial in ("", identity.serial))


def load(folder: Path) -> Calibration:
    """Read the shipped calibration from `folder`: match.json, liveness.json and colour.json; raises CalibrationError."""
    match, live = read_document(folder / "match.json"), read_document(folder / "liveness.json")
    try:
        tables = {t.pair: t for t in (_table(raw) for raw in match["pairs"])}
        limits = Limits(**{k: float(v["value"]) for k, v in live["limits"].items()})
        colour = ColourVote.from_dict(read_document(folder / "colour.json")["colour"])
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CalibrationError(f"the calibration in {folder} lacks or garbles a field ({error}); reinstall vultus") from None
    return Calibration(f"{match['id']}+{live['id']}", match["graph"], tables, limits, colour=colour)


def carry(base: Calibration, path: Path) -> Calibration:
    """Read a device calibration made on top of `base`; raises CalibrationError when it was made on another base."""
    document = read_document(path)
    try:
        if document["base_graph"] != base.graph:
            raise CalibrationError(f"{path} was made with another recogniser; run 'vultus calibrate' again")
        source = base.tables[Modality.RGB, Modality.RGB]
        tables = {t.pair: t for t in (_carried(source, raw) for raw in document["pairs"])}
        d = document["device"]
        identity = DeviceIdentity(d["kind"], d["model"], d["serial"], Source(d["source"]))
        vote = _vote(document["vote"]) if "vote" in document else None
        space = _space(document["space"]) if "space" in document else None
        joint = _joint(source, document["joint"]) if "joint" in document else None
        colour = ColourVote.from_dict(document["colour"]) if "colour" in document else base.colour
        name = f"{base.id}+{document['id']}"
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CalibrationError(f"{path} lacks or garbles a field ({error}); run 'vultus calibrate' again") from None
    return Calibration(name, base.graph, tables, base.limits, identity, vote, space, joint, colour)


def _carried(source: PairTable, raw: Mapping[str, Any]) -> PairTable:
    if not (0 < raw["scale"] < math.inf and 0 <= raw["margin"] < math.inf and all(map(math.isfinite, (raw["shift"], *raw["llr"])))):
        raise ValueError("scale must be positive, margin, shift and likelihood ratio finite")
    return PairTable(
        _pair(raw["pair"]), source.scores, source.fmr, source.fmr_low, source.fmr_high, (float(raw["llr"][0]), float(raw["llr"][1])),
        source.people, source.comparisons, _genuine(raw), simulated=False, mean=source.mean, deviation=source.deviation, extrapolated=True,
        shift=float(raw["shift"]), scale=float(raw["scale"]), margin=float(raw["margin"]), genuine_people=int(raw["people"]),
    )  # fmt: skip


def _pair(raw: Sequence[str]) -> tuple[Modality, Modality]:
    probe, reference = raw
    return Modality(probe), Modality(reference)


def _joint(source: PairTable, raw: Mapping[str, Any]) -> Joint:
    weights = {_pair(part["pair"]): float(part["weight"]) for part in raw["parts"]}
    if not (all(w > 0 for w in weights.values()) and abs(sum(weights.values()) - 1.0) < 1e-6):
        raise ValueError("the weights of a joint score are positive and add up to 1")
    return Joint(weights, _carried(source, raw))


def _space(raw: Mapping[str, Any]) -> Space:
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, which a space refuses
        return Space({Modality(m): np.asarray(v, np.float32) for m, v in raw["means"].items()}, np.asarray(raw["turn"], np.float32))


def _vote(raw: Mapping[str, Any]) -> Vote:
    if tuple(raw["cues"]) != CUES:
        raise ValueError("the vote weighs other cues")
    course, deviation, means, spreads, shares = (
        np.asarray(raw[k], np.float64) for k in ("course", "deviation", "means", "spreads", "shares")
    )
    pass_llr, fail_llr, slope, offset, noisy = (float(raw[k]) for k in ("pass_llr", "fail_llr", "slope", "offset", "noisy"))
    live = np.asarray(raw["tables"]["live"], np.float64)
    attacks = {str(name): np.asarray(found, np.float64) for name, found in raw["tables"]["attacks"].items()}
    return Vote(course, deviation, means, spreads, shares, pass_llr, fail_llr, slope, offset, noisy, live, attacks)


def _genuine(raw: Mapping[str, Any]) -> F64:
    scores = np.asarray(raw["genuine_scores"], np.float64)
    if scores.ndim != 1 or scores.size == 1 or not np.isfinite(scores).all() or (np.diff(scores) < 0).any():
        raise ValueError("quantiles of genuine scores must rise")
    return scores


def _table(raw: Mapping[str, Any]) -> PairTable:
    scores, fmr, low, high = (np.asarray(raw[k], np.float64) for k in ("scores", "fmr", "fmr_low", "fmr_high"))
    falling = all((np.diff(a) <= 0).all() and (a > 0).all() for a in (fmr, low, high))
    rising = scores.ndim == 1 and scores.size >= 2 and bool((np.diff(scores) > 0).all())
    if not (rising and falling and scores.shape == fmr.shape == low.shape == high.shape):
        raise ValueError("scores must rise and rates must fall")
    slope, intercept = (float(x) for x in raw["llr"])
    if not (slope > 0 and math.isfinite(intercept)):
        raise ValueError("the likelihood ratio must rise with the score")
    return PairTable(
        (Modality(raw["pair"][0]), Modality(raw["pair"][1])), scores, fmr, low, high, (slope, intercept),
        int(raw["people"]), int(raw["comparisons"]), _genuine(raw), simulated=bool(raw["simulated"]),
        mean=float(raw["impostor_mean"]), deviation=float(raw["impostor_deviation"]), genuine_people=int(raw["people"]),
    )  # fmt: skip
