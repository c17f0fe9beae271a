"""Counts simulated attacks on real triplets that pass the secure tier: gates alone, with each network, with and without a fitted vote.

Every network and every vote judges the same presentations. Each half of the people is judged with a vote, and with limits of the network,
that were fitted on the other half; each species with a vote that never saw it. A network stands beside the vote, which does not weigh it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime
from models.recipes.crops import data_folder
from models.recipes.liveness_network import Weights, build_integer
from models.training.liveness.crops import Crops
from models.training.liveness.samples import LIVE, look

from vultus.evaluate.calibrated import load_calibration
from vultus.evaluate.extraction import ShippedPipeline
from vultus.evaluate.liveness_calibration import bona_fide, frames_of, presentations
from vultus.evaluate.metrics.intervals import Estimate, proportion
from vultus.evaluate.progress import progress_bar
from vultus.evaluate.samples import Sample, frame_set, index_samples
from vultus.evaluate.setting import Setting
from vultus.frames import Stream
from vultus.policy import Tier, live_reason
from vultus.simulation.attacks import SPECIES, TESTS, TRAINING
from vultus.simulation.triplets import Triplet
from vultus.stages.vote import Vote
from vultus.types import Cue, Liveness, Reason, Verdict
from vultus.vote_fitting import fit_votes

SET: Final = "rap3df-2017"
NETWORK: Final = "triplet_network"
_UNSURE, _REFUSED = 0.02, 0.01
"""Shares of live samples that a limit of the sensor's own tells to try again, and refuses."""
_FITTED: Final = 60
"""Attacks of each species, from the other half of the people and from the training ranges, that a vote is fitted on."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One presentation: species or bona_fide, the victim, which half of the people, whether it is for fitting, and what was seen of it."""

    species: str
    person: str
    half: int
    fitting: bool
    liveness: Liveness | None
    planes: npt.NDArray[np.float16] | None


def measure(
    networks: Mapping[str, Weights], limits: Mapping[str, Mapping[str, float]], each: int, seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Return every count and the lines of a Markdown table."""
    shown = list(_presented(each, seed))
    scores = {name: _scores(w, shown) for name, w in networks.items()}
    rows = {
        "gates": _rates(shown, [s.liveness for s in shown], fitted=False),
        "gates and vote": _rates(shown, [s.liveness for s in shown], fitted=True),
    }
    for name, found in scores.items():
        given = limits[name]["pass"], limits[name]["fail"]
        own = [_own_limits(shown, found, half) for half in (0, 1)]
        rows[f"{name}, limit simulated"] = _rates(shown, _with(shown, found, lambda _, g=given: g), fitted=False)
        own_cues = _with(shown, found, lambda s, o=own: o[s.half])
        rows[f"{name}, limit of the sensor"] = _rates(shown, own_cues, fitted=False)
        rows[f"{name}, limit of the sensor, and vote"] = _rates(shown, own_cues, fitted=True)
    document = {
        "set": SET, "each": each, "seed": seed, "people": len({s.person for s in shown}),
        "rates": {name: {species: e.to_dict() for species, e in found.items()} for name, found in rows.items()},
        "alone": {name: _alone(shown, found) for name, found in scores.items()},
    }  # fmt: skip
    names = [LIVE, *sorted(SPECIES)]
    lines = ["| species, simulated | " + " | ".join(rows) + " |", "|---" * (len(rows) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(_cell(found[name]) for found in rows.values()) + " |" for name in names]
    return document, lines


def _cell(rate: Estimate) -> str:
    return f"{100 * rate.value:.1f} ({100 * rate.low:.1f} to {100 * rate.high:.1f})"


def _presented(each: int, seed: int) -> Iterator[Shown]:
    """Yield live triplets and attacks, from each half of the people, to judge and to fit on."""
    data = index_samples(data_folder() / SET / "index.csv")
    with progress_bar() as progress:
        setting = Setting(ShippedPipeline(), load_calibration(None, None), None, [], datetime.now(UTC), 1, progress)
        live, origins = bona_fide(data, setting)
        people = sorted({p.sample.person for p in live})
        half = {name: i % 2 for i, name in enumerate(people)}
        by_name = {(o.sample.person, o.sample.name): o.triplet for o in origins}
        crops = Crops()
        for p in live:
            triplet = by_name.get((p.sample.person, p.sample.name))
            planes = None if triplet is None else look(crops, triplet)
            yield Shown(LIVE, p.sample.person, half[p.sample.person], False, p.liveness, planes)
        pipeline = setting.maker()
        for fitting in (False, True):
            for h in (0, 1):
                own = [o for o in origins if half[o.sample.person] == h]
                count, ranges = (_FITTED, TRAINING) if fitting else (max(1, each // 2), TESTS)
                step = setting.step(f"attacks of half {h + 1}, to {'fit' if fitting else 'judge'}")
                made = (shown for species in SPECIES for shown in presentations(own, count, seed + fitting, ranges, "", species))
                for done, (sample, triplet) in enumerate(made):
                    yield _run(pipeline, crops, sample, triplet, done, h, fitting)
                    if step is not None:
                        step(done + 1, count * len(SPECIES))


def _run(pipeline: Any, crops: Crops, sample: Sample, triplet: Triplet, number: int, half: int, fitting: bool) -> Shown:
    probe = pipeline.process(frame_set(frames_of(triplet, number), number))
    face = next(iter(probe.found.values()), None)
    planes = look(crops, replace(triplet, landmarks=face.landmarks)) if face is not None else None
    if planes is not None and Stream.RGB not in probe.found:
        planes[3] = 0
    return Shown(sample.label, sample.person, half, fitting, probe.liveness, planes)


def _scores(weights: Weights, shown: Sequence[Shown]) -> npt.NDArray[np.float64]:
    """Return the 8-bit network's score of each presentation, NaN where there was nothing to look at."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(build_integer(weights), options, providers=["CPUExecutionProvider"])
    return np.array(
        [np.nan if s.planes is None else session.run(["score"], {"input": s.planes.astype(np.float32)[None]})[0][0, 0] for s in shown]
    )


def _own_limits(shown: Sequence[Shown], scores: npt.NDArray[np.float64], half: int) -> tuple[float, float]:
    """Return limits that 2 % and 1 % of the live samples of the other half's people do not reach, as the vote's are."""
    live = scores[[s.species == LIVE and s.half != half for s in shown]]
    live = live[np.isfinite(live)]
    return float(np.quantile(live, _UNSURE)), float(np.quantile(live, _REFUSED))


def _with(shown: Sequence[Shown], scores: npt.NDArray[np.float64], limits: Any) -> list[Liveness | None]:
    """Return each liveness with the network's cue."""
    out: list[Liveness | None] = []
    for s, score in zip(shown, scores.tolist(), strict=True):
        good, bad = limits(s)
        value = None if np.isnan(score) else score
        verdict = Verdict.ABSTAIN if value is None or bad <= value < good else Verdict.PASS if value >= good else Verdict.FAIL
        cue = Cue(NETWORK, value, "nats", bad, verdict)
        out.append(None if s.liveness is None else replace(s.liveness, cues=(*s.liveness.cues, cue)))
    return out


def _rates(shown: Sequence[Shown], liveness: Sequence[Liveness | None], *, fitted: bool) -> dict[str, Estimate]:
    """Return the share of each species that the secure tier lets through, and under bona_fide the share of live faces refused as a spoof."""
    votes = {h: _votes(shown, liveness, h) for h in (0, 1)} if fitted else None
    counts: dict[str, list[bool]] = {}
    for s, found in zip(shown, liveness, strict=True):
        if s.fitting:
            continue
        voted = found if found is None or votes is None else votes[s.half]["" if s.species == LIVE else s.species].cast(found)
        reason = live_reason(voted, Tier.SECURE)
        counts.setdefault(s.species, []).append(reason is (Reason.SPOOF if s.species == LIVE else Reason.ACCEPTED))
    out = {}
    for name, wrong in counts.items():
        rate = proportion(sum(wrong), len(wrong))
        if rate is not None:
            out[name] = rate
    return out


def _votes(shown: Sequence[Shown], liveness: Sequence[Liveness | None], half: int) -> dict[str, Vote]:
    """Fit votes on the other half of the people, one without each species."""
    rows = [(s, f) for s, f in zip(shown, liveness, strict=True) if s.half != half and f is not None]
    live = [(s, f) for s, f in rows if s.species == LIVE]
    attacks = [(s, f) for s, f in rows if s.fitting]
    values = [[{c.name: c.value for c in f.cues} for _, f in part] for part in (live, attacks)]
    people = [[s.person for s, _ in part] for part in (live, attacks)]
    return fit_votes(values[0], people[0], values[1], people[1], [s.species for s, _ in attacks], ("", *SPECIES))


def _alone(shown: Sequence[Shown], scores: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return the share of each species whose score reaches what 98 % of all live samples reach: how well the network separates by itself."""
    label = np.array([s.species for s in shown])
    known = np.isfinite(scores) & ~np.array([s.fitting for s in shown])
    limit = float(np.quantile(scores[known & (label == LIVE)], _UNSURE))
    return {name: float((scores[known & (label == name)] >= limit).mean()) for name in SPECIES if (known & (label == name)).any()}
