"""Protocol "pad": every sample is a presentation; the label says whether it is bona fide or which species of attack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.devices.index import BONA_FIDE
from vultus.errors import RecordingError
from vultus.evaluate.ablation import gate_ablation
from vultus.evaluate.extraction import Task, hash_files
from vultus.evaluate.features import Features
from vultus.evaluate.liveness_calibration import bona_fide
from vultus.evaluate.metrics.intervals import RULE_OF_THREE, Estimate
from vultus.evaluate.metrics.pad import PadRates, apcer_at_bpcer, bona_fide_rates, equal_error, rates, worst_first
from vultus.evaluate.samples import DataSet, Problem, Sample
from vultus.evaluate.setting import FORMAT, Outcome, Setting, listed
from vultus.evaluate.spoil import spoilt
from vultus.types import Verdict

BPCER_TARGETS: Final[Mapping[str, float]] = {"1e-2": 1e-2, "5e-2": 5e-2, "1e-1": 1e-1}
_ENOUGH: Final = 150
"""Presentations of a species in a laboratory's first-level test (iBeta); fewer are reported with a warning."""
_BINS: Final = 60

Scores = Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class PadOptions:
    """What is stated beside the rates: each cue left out in turn, at most `corrupt` bona fide triplets spoilt in every way, BPCER by a column."""

    ablate: bool = False
    corrupt: int = 0
    group: str | None = None

    def __post_init__(self) -> None:
        if self.corrupt < 0:
            raise ValueError("corrupt must not be negative")


def run_pad(data: DataSet, setting: Setting, options: PadOptions | None = None) -> Outcome:
    """Return the error rates of the liveness gates on an index.

    Raises RecordingError without any row, or where nothing can be spoilt, ModelError, CalibrationError.
    """
    options = options or PadOptions()
    if not data.samples:
        raise RecordingError(f"{data.name}: the index has no row that can be used")
    hashes = hash_files(data, setting.progress)
    tasks = [Task(s, i) for i, s in enumerate(data.samples)]
    features = [f.voted(setting.calibration) for f in setting.extract(tasks, hashes)]
    found = pad_figures(data.samples, features)
    unread = [Problem(s.line, f.problem) for s, f in zip(data.samples, features, strict=True) if f.problem is not None]
    attacks = sum(not s.bona_fide for s in data.samples)
    document = {
        "format": FORMAT,
        "kind": "pad",
        "dataset": data.name,
        "protocol": {"decision": "liveness gates and the calibration's votes", "species": sorted({s.label for s in data.samples} - {BONA_FIDE})},
        "counts": {
            "people": len({s.person for s in data.samples}),
            "samples": len(data.samples),
            "genuine": len(data.samples) - attacks,
            "impostor": attacks,
            "failed_to_acquire": sum(f.liveness is None for f in features),
            "bad_rows": data.bad_rows,
        },
        **found,
        "ablation": gate_ablation(data.samples, features) if options.ablate else None,
        "spoilt": _spoilt(data, setting, options.corrupt) if options.corrupt else None,
        "groups": None if options.group is None else bona_fide_groups(
            [(s, verdict_of(f)) for s, f in zip(data.samples, features, strict=True)], options.group
        ),
        "problems": listed(*data.problems, *unread),
        "provenance": setting.provenance(data, hashes),
    }  # fmt: skip
    return Outcome(document)


def _spoilt(data: DataSet, setting: Setting, limit: int) -> dict[str, Any]:
    """Return what the gates say of spoilt bona fide triplets."""
    _, origins = bona_fide(data, setting)
    return spoilt(origins, (), limit, None, setting)


def bona_fide_groups(rows: Iterable[tuple[Sample, Verdict | None]], column: str) -> dict[str, Any]:
    """Return BPCER and BPNRR by the values of a column."""
    by: dict[str, list[Verdict | None]] = {}
    for sample, verdict in rows:
        if sample.bona_fide:
            by.setdefault(sample.column(column) or "not stated", []).append(verdict)
    return {"column": column, "rows": {name: bona_fide_rates(found) for name, found in sorted(by.items())}}


def pad_figures(samples: Sequence[Sample], features: Sequence[Features]) -> dict[str, Any]:
    """Return the rates by species, those at a score where the gates give one, and each cue by itself."""
    by_label: dict[str, list[int]] = {}
    for i, s in enumerate(samples):
        by_label.setdefault(s.label, []).append(i)
    species = {
        label: found for label, rows in by_label.items()
        if label != BONA_FIDE and (found := rates([verdict_of(features[i]) for i in rows], attack=True)) is not None
    }  # fmt: skip
    live = rates([verdict_of(features[i]) for i in by_label.get(BONA_FIDE, [])], attack=False)
    ordered = worst_first(species)
    scores = {label: np.array([v for i in rows if (v := _score(features[i])) is not None]) for label, rows in by_label.items()}
    return {
        "apcer": {name: r.error.to_dict() for name, r in ordered},
        "apnrr": {name: r.no_response.to_dict() for name, r in ordered},
        "apcer_worst": {"species": ordered[0][0], **ordered[0][1].error.to_dict()} if ordered else None,
        "bpcer": _plain(live.error if live is not None else None),
        "bpnrr": _plain(live.no_response if live is not None else None),
        **score_figures(scores),
        "cues": _cues(by_label, features),
        "signs": {label: _signs(features[i] for i in rows) for label, rows in by_label.items()},
        "warnings": _warnings(by_label, samples, live, species, scores),
    }


def _plain(estimate: Estimate | None) -> dict[str, float | int] | None:
    return None if estimate is None else estimate.to_dict()


def verdict_of(features: Features) -> Verdict | None:
    """Return what the gates said; None where they did not run."""
    return None if features.liveness is None else Verdict(features.liveness["verdict"])


def _score(features: Features) -> float | None:
    """Return the calibrated liveness score: the log-likelihood ratio, else the probability's logit, else None."""
    if features.liveness is None:
        return None
    if features.liveness["log_lr"] is not None:
        return float(features.liveness["log_lr"])
    p = features.liveness["p_live"]
    return None if p is None else float(np.log(np.clip(p, 1e-12, 1 - 1e-12)) - np.log1p(-np.clip(p, 1e-12, 1 - 1e-12)))


def score_figures(scores: Scores) -> dict[str, Any]:
    """Return EER and the worst species' APCER at fixed BPCER; null where no score or too few bona fide scores support it."""
    live = scores.get(BONA_FIDE, np.zeros(0))
    species = {label: values for label, values in scores.items() if label != BONA_FIDE}
    attacks = np.concatenate([np.zeros(0), *species.values()])
    at: dict[str, Any] = {}
    for name, target in BPCER_TARGETS.items():
        found = apcer_at_bpcer(live, species, target) if len(live) * target >= RULE_OF_THREE - 1e-9 else None
        at[name] = None if found is None else {"value": found[0], "species": found[1], "threshold": found[2]}
    return {"eer": equal_error(live, attacks), "apcer_at_bpcer": at}


def _cues(by_label: Mapping[str, Sequence[int]], features: Sequence[Features]) -> dict[str, Any]:
    """Return for each cue how often it could be measured, its verdicts, and how well its value alone separates."""
    names = dict.fromkeys(name for f in features if f.liveness is not None for name in f.liveness["cues"])
    out: dict[str, Any] = {}
    for name in names:
        labels, scores, example = {}, {}, None
        for label, rows in by_label.items():
            seen = [f.liveness["cues"][name] for i in rows if (f := features[i]).liveness is not None and name in f.liveness["cues"]]
            example = seen[0] if seen else example
            values = np.array([c["value"] for c in seen if c["value"] is not None], np.float64)
            scores[label] = values
            verdicts = Counter(c["verdict"] for c in seen)
            labels[label] = {"n": len(rows), "measured": len(values), **{v.value: verdicts.get(v.value, 0) for v in Verdict}}
        about = {"unit": example["unit"], "limit": example["limit"]} if example is not None else {}
        out[name] = {**about, "labels": labels, "histogram": _histogram(scores), **score_figures(scores)}
    return out


def _histogram(scores: Scores) -> dict[str, Any]:
    """Return the share of each label's values in equal bins."""
    together = np.concatenate([np.zeros(0), *scores.values()])
    if not together.size:
        return {"edges": [], "labels": {}}
    low, high = float(together.min()), float(together.max())
    edges = np.linspace(low, high if high > low else low + 1e-6, _BINS + 1)
    return {
        "edges": edges.tolist(),
        "labels": {k: (np.histogram(v, edges)[0] / max(v.size, 1)).tolist() for k, v in scores.items() if v.size},
    }


def _signs(features: Any) -> dict[str, int]:
    """Count what a refusal pointed to, or why there was no verdict."""
    out: Counter[str] = Counter()
    for f in features:
        if f.problem is not None:
            out["unreadable"] += 1
        elif f.liveness is None:
            out["no face"] += 1
        elif f.liveness["verdict"] == Verdict.FAIL.value:
            out[f"fail: {f.liveness['spoof_kind'] or 'unnamed'}"] += 1
        else:
            out[f.liveness["verdict"]] += 1
    return dict(out.most_common())


def _warnings(
    by_label: Mapping[str, Sequence[int]], samples: Sequence[Sample], live: PadRates | None, species: Mapping[str, PadRates], scores: Scores
) -> list[str]:
    """Say what a reader must know before he believes a rate."""
    out = []
    for label, rows in by_label.items():
        people = len({samples[i].person for i in rows})
        if len(rows) < _ENOUGH or people * 10 < len(rows):
            out.append(f"{label}: {len(rows):,} presentations of {people:,} people; the intervals treat presentations as independent")
    if not species:
        out.append("the index holds no attacks; nothing is said about APCER")
    silent = [name for name, r in species.items() if r.no_response.value > 0.5]
    if silent:
        out.append(
            f"the gates gave no verdict on most of: {', '.join(silent)}; "
            "a low APCER there means that they could not measure, not that they saw the attack"
        )
    if live is not None and live.no_response.value > 0.5:
        out.append("the gates gave no verdict on most bona fide presentations; the streams that they need are not in this data set")
    if not any(v.size for v in scores.values()):
        out.append("the gates give verdicts, no score; EER and APCER at BPCER are stated for single cues only")
    return out
