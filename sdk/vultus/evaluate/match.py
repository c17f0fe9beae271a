"""Protocol "match": every sample of an index against every other, or the pairs of a list."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.errors import DeviceNotFound, RecordingError
from vultus.evaluate.calibrated import LogLrFusion, check_graph, log_lr_of, table_for, target_figures
from vultus.evaluate.comparisons import Comparisons, Pairs, compare_all
from vultus.evaluate.crossed import Crossed, cross, crossed_figures
from vultus.evaluate.extraction import Task
from vultus.evaluate.features import Features
from vultus.evaluate.groups import group_figures
from vultus.evaluate.identification import identify
from vultus.evaluate.robustness import Clean, robustness_figures
from vultus.evaluate.samples import DataSet, Problem, Sample, where
from vultus.evaluate.scoring import Scorer, Side, modalities_of
from vultus.evaluate.setting import FORMAT, Acquired, Outcome, Setting, acquire, acquisition, listed
from vultus.evaluate.verification import TARGETS, Measured, counts, figures, worst
from vultus.geometry import pose_of
from vultus.types import Modality, Stream

_COLUMNS: Final = ("reference_person", "reference_sample", "probe_person", "probe_sample")

I32 = npt.NDArray[np.int32]
Step = Callable[[int, int], None] | None


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """What is compared: each side rgb, nir or fused; rows of a side may be limited to COLUMN=VALUE; `pairs` names a list of pairs.

    max_turn: degrees up to which a head may be turned to take part. held_out: how often the people are split into halves, each judged by
    the device calibration of the other; or folds: into how many parts they are split, of which every two are judged by the calibration of all
    the others. `whiten` and `fusion` (see `crossed.FUSIONS`) say how.
    """

    reference: str = "rgb"
    probe: str = "rgb"
    pairs: Path | None = None
    group: str | None = None
    reference_where: str | None = None
    probe_where: str | None = None
    corrupt: bool = False
    corrupt_probes: int = 300
    max_turn: float | None = None
    held_out: int = 0
    folds: int = 0
    fusion: str | None = None
    whiten: bool = False


def run_match(data: DataSet, options: MatchOptions, setting: Setting) -> Outcome:
    """Compare the bona fide samples of an index and return every figure of the report.

    Raises RecordingError for data that cannot be compared, ValueError for options that do not fit it, ModelError, CalibrationError.
    """
    graphs = setting.maker.graphs()
    if setting.calibration is not None:
        check_graph(setting.calibration, graphs)
    mine = [s for s in data.samples if s.bona_fide]
    got = acquire(data, mine, setting)
    fused = len(modalities_of(options.reference)) + len(modalities_of(options.probe)) > 2
    turned = turns(got.features)
    facing = np.ones(len(turned), bool) if options.max_turn is None else turned <= options.max_turn
    reference = _side(got, options.reference, where(got.samples, options.reference_where) & facing)
    probe = _side(got, options.probe, where(got.samples, options.probe_where) & facing)
    crossed = _crossed(got, reference, probe, options, setting, fused=fused)
    fusion = LogLrFusion.of(setting.calibration) if fused and not crossed else None
    scorer = Scorer(got.vectors, reference, probe, fusion)
    problems: list[Problem] = []
    step = setting.step("comparing")
    comparisons = crossed[0].comparisons if crossed else _compare(got, scorer, options.pairs, problems, step)
    measured = Measured.of(comparisons)
    table = None if fusion is not None or crossed else table_for(setting.calibration, probe.modalities, reference.modalities)
    how = (options.fusion or "joint") if fused and crossed else None
    due = reference.due | probe.due
    failed = int(np.count_nonzero((reference.due & ~scorer.reference_usable) | (probe.due & ~scorer.probe_usable)))
    document = {
        "format": FORMAT,
        "kind": "match",
        "dataset": data.name,
        "protocol": _protocol(options, _score(how, fusion, fused=fused, crossed=bool(crossed)), setting.maker.gate),
        "counts": {
            **counts(measured, int(due.sum()), failed),
            "bad_rows": data.bad_rows,
            "attacks_left_out": len(data.samples) - len(mine),
        },
        **figures(
            measured, _as_it_is if crossed and how != "merge" else log_lr_of(table), setting.replicates, setting.step("resampling people")
        ),
        "held_out": crossed_figures(crossed, how, whiten=options.whiten, replicates=setting.replicates, folds=options.folds)
        if crossed
        else None,
        "pose": None if options.max_turn is None else _pose(turned, options.max_turn),
        "identification": identify(scorer, got.person) if options.pairs is None and not crossed else None,
        "acquisition": acquisition(got, {m: _due(m, reference, probe, got) for m in {*reference.modalities, *probe.modalities}}),
        "targets": target_figures(measured, table, setting.replicates),
        "groups": groups(measured, got, options.group),
        "robustness": robust(measured, got, reference, probe, scorer, options, setting),
        "problems": listed(*got.problems, *problems),
        "provenance": setting.provenance(data, got.hashes),
    }
    return Outcome(document, worst_pairs(measured, got.samples))


def turns(features: Sequence[Features]) -> npt.NDArray[np.float64]:
    """Return how far each head is turned: the larger of yaw and pitch in degrees from the five landmarks, colour first; NaN without a face.

    Five landmarks tell a turn to about 8 degrees; a head bent down by 45 degrees can pass for 17.
    """
    found = [f.found.get(Stream.RGB) or f.found.get(Stream.NIR) for f in features]
    poses = [None if face is None else pose_of(np.asarray(face["landmarks"], np.float32)) for face in found]
    return np.array([np.nan if p is None else max(abs(p.yaw), abs(p.pitch)) for p in poses])


def _pose(turned: npt.NDArray[np.float64], most: float) -> dict[str, Any]:
    """Say how many samples were left out for their pose; one without a face has none and is left out too."""
    return {
        "max_turn": most,
        "kept": int((turned <= most).sum()),
        "turned": int((turned > most).sum()),
        "unknown": int(np.isnan(turned).sum()),
    }


def _crossed(got: Acquired, reference: Side, probe: Side, options: MatchOptions, setting: Setting, *, fused: bool) -> list[Crossed]:
    """Return the splits of the people that were asked for, none as a rule; raises ValueError for options that do not go together."""
    if not options.held_out and not options.folds:
        if options.whiten or options.fusion is not None:
            raise ValueError("--whiten and --fusion need --held-out or --folds: both are fitted on other people of the data set")
        return []
    if options.held_out and options.folds:
        raise ValueError("--held-out splits the people into halves and --folds into more parts: give one of them")
    if options.pairs is not None or options.corrupt:
        raise ValueError("--held-out and --folds compare everyone with everyone, as they are: they take neither --pairs nor --corrupt")
    if options.fusion is not None and not fused:
        raise ValueError("--fusion is for sides of several modalities: give --reference fused --probe fused")
    base = setting.calibration
    if base is None or base.device is not None:
        raise ValueError("--held-out and --folds make device calibrations on top of the installed one: leave --calibration out")
    how = options.fusion or "joint"
    return cross(got, base, reference, probe, setting, splits=options.held_out, fusion=how, whiten=options.whiten, folds=options.folds)


def _score(how: str | None, fusion: LogLrFusion | None, *, fused: bool, crossed: bool) -> str:
    """Name the score in the document."""
    if crossed:
        return {"merge": "minus logarithm of the merged false-match rate", "joint": "log-likelihood ratio of the joint score"}.get(
            how or "", "mean log-likelihood ratio" if fused else "log-likelihood ratio"
        )
    return "cosine" if not fused else "mean log-likelihood ratio" if fusion is not None else "mean cosine"


def _as_it_is(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return scores that are log-likelihood ratios already."""
    return scores


def _side(got: Acquired, name: str, wanted: npt.NDArray[np.bool_]) -> Side:
    """Mark the wanted rows that state a picture for the side at all; a row without the stream is no failure to acquire."""
    modalities = modalities_of(name)
    stated = np.array([any(m.value in s.files for m in modalities) for s in got.samples], bool)
    if not (wanted & stated).any():
        raise ValueError(f"no row with a {name} picture")
    return Side(wanted & stated, modalities)


def _due(modality: Modality, reference: Side, probe: Side, got: Acquired) -> npt.NDArray[np.bool_]:
    """Mark the rows that state a picture of a modality which one of the sides wants."""
    wanted = np.zeros(len(got.samples), bool)
    for side in (reference, probe):
        if modality in side.modalities:
            wanted |= side.due
    stated = np.array([modality.value in s.files for s in got.samples], bool)
    both: npt.NDArray[np.bool_] = wanted & stated
    return both


def _protocol(options: MatchOptions, score: str, gate: bool) -> dict[str, Any]:
    """Describe the protocol in the document."""
    return {
        "reference": options.reference, "probe": options.probe, "score": score, "pairs": options.pairs is not None,
        "quality_gate": gate,
        "reference_where": options.reference_where, "probe_where": options.probe_where,
    }  # fmt: skip


def _compare(got: Acquired, scorer: Scorer, pairs: Path | None, problems: list[Problem], step: Step) -> Comparisons:
    """Compare everyone with everyone, or a list; the list's bad rows go to `problems`."""
    if pairs is None:
        return compare_all(scorer, got.person, progress=step)
    rows = read_pairs(pairs, got.samples, problems)
    return compare_pairs(scorer, got.person, len(got.people), rows[:, 0], rows[:, 1])


def compare_pairs(scorer: Scorer, person: I32, people: int, reference: npt.NDArray[np.int64], probe: npt.NDArray[np.int64]) -> Comparisons:
    """Compare the rows at the same places; a pair of one person without a score is a failed genuine comparison."""
    same = person[reference] == person[probe]
    usable = scorer.reference_usable[reference] & scorer.probe_usable[probe]
    scores = np.zeros(len(reference), np.float32)
    if usable.any():
        scores[usable] = scorer.pairs(reference[usable], probe[usable])
    parts = [
        Pairs(scores[k], reference[k].astype(np.int32), probe[k].astype(np.int32), np.ones(int(k.sum())))
        for k in (same & usable, ~same & usable)
    ]
    failed = np.bincount(person[probe[same & ~usable]], minlength=people)
    return Comparisons(person, people, parts[0], failed, parts[1], len(parts[1].scores), np.zeros(0, np.int64), scorer.span, None)


def read_pairs(path: Path, samples: Sequence[Sample], problems: list[Problem]) -> npt.NDArray[np.int64]:
    """Read a CSV of pairs as rows (reference, probe); a row that names no sample, or a pair twice, goes to `problems`.

    Raises DeviceNotFound, and RecordingError when the columns are not there or no pair is left.
    """
    place = {(s.person, s.name): i for i, s in enumerate(samples)}
    out: dict[tuple[int, int], None] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not set(_COLUMNS) <= set(reader.fieldnames or ()):
                raise RecordingError(f"{path.name} lacks a column; it needs {', '.join(_COLUMNS)}")
            for row in reader:
                names = [(row[_COLUMNS[k]], row[_COLUMNS[k + 1]]) for k in (0, 2)]
                absent = [f"{person}/{sample}" for person, sample in names if (person, sample) not in place]
                pair = (place.get(names[0], -1), place.get(names[1], -1))
                if absent:
                    problems.append(Problem(reader.line_num, f"{path.name}: the index has no bona fide sample {absent[0]}"))
                elif pair in out or pair[0] == pair[1]:
                    problems.append(Problem(reader.line_num, f"{path.name}: a pair that stands there twice, or a sample with itself"))
                else:
                    out[pair] = None
    except OSError as error:
        raise DeviceNotFound(f"cannot read {path} ({error.strerror}); give a CSV with {', '.join(_COLUMNS)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path.name} is not a UTF-8 CSV file ({error})") from error
    if not out:
        raise RecordingError(f"{path.name} has no pair of samples of this index")
    return np.array(list(out), np.int64)


def groups(measured: Measured, got: Acquired, column: str | None) -> dict[str, Any] | None:
    """Return the group table; None when none was asked for or no threshold is supported."""
    if column is None:
        return None
    values = [s.column(column) for s in got.samples]
    if not any(values):
        raise ValueError(f"no row has a value in the column {column!r}")
    tables = [group_figures(measured, column, values, name, TARGETS[name], p.threshold) for name, p in measured.operating_points()]
    # The strictest rate that every group supports says the most; where there is none, the strictest that all together support.
    whole = [t for t in tables if all(r["fmr"] is not None for r in t["rows"].values())]
    return next(iter(whole or tables), None)


def robust(
    measured: Measured, got: Acquired, reference: Side, probe: Side, scorer: Scorer, options: MatchOptions, setting: Setting
) -> dict[str, Any] | None:
    """Return the robustness table; None when it was not asked for or no threshold is supported."""
    points = measured.operating_points()
    if not options.corrupt or not points:
        return None
    target, point = points[0]
    clean = Clean(got.samples, got.person, got.features, got.vectors, reference, probe, scorer, point.threshold, got.middle)

    def run(tasks: Sequence[Task], what: str) -> list[Features]:
        return setting.extract(tasks, got.hashes, what)

    return {"target": target, **robustness_figures(clean, run, options.corrupt_probes)}


def worst_pairs(measured: Measured, samples: Sequence[Sample]) -> dict[str, list[tuple[Sample, Sample, float]]]:
    """Return the samples of the worst errors at the operating point."""
    points = measured.operating_points()
    if not points:
        return {}
    rows = worst(measured, points[0][1].threshold)
    return {name: [(samples[i], samples[j], score) for i, j, score in listed] for name, listed in rows.items()}
