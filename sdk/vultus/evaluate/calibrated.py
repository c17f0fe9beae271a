"""Look at scores through the shipped calibration: likelihood ratios, and what its thresholds really do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vultus.calibration import Calibration, PairTable, carry, load
from vultus.errors import CalibrationError
from vultus.evaluate.metrics.bootstrap import REPLICATES, percentile_interval, resample, widen_at_ends
from vultus.evaluate.metrics.curves import F64
from vultus.evaluate.metrics.intervals import clopper_pearson
from vultus.evaluate.scoring import ModalityPair
from vultus.evaluate.verification import TARGETS, Measured, evidence_of
from vultus.frames import Source
from vultus.types import Modality

F32 = npt.NDArray[np.float32]


def load_calibration(models: Path | None, device: Path | None) -> Calibration:
    """Return the installed calibration, or with `device` the one that was made for a sensor. Raises CalibrationError, ModelError."""
    from vultus.manifest import load_manifest

    base = load(load_manifest(models).root / "calibration")
    return base if device is None else carry(base, device)


def table_for(calibration: Calibration | None, probe: tuple[Modality, ...], reference: tuple[Modality, ...]) -> PairTable | None:
    """Return the table of a single pair of modalities; None for several pairs or where none holds for real pictures."""
    if calibration is None or len(probe) != 1 or len(reference) != 1:
        return None
    return calibration.table(probe[0], reference[0], Source.IMAGES)


def log_lr_of(table: PairTable | None) -> Callable[[F64], F64] | None:
    """Return a table's likelihood ratio as a function of many scores."""
    if table is None:
        return None
    found = table

    def log_lr(scores: F64) -> F64:
        return np.fromiter((found.log_lr(s) for s in scores.tolist()), np.float64, scores.size)

    return log_lr


@dataclass(frozen=True, slots=True, eq=False)
class LogLrFusion:
    """Mean of the calibrated log-likelihood ratios, which is what `Match.log_lr` states."""

    tables: Mapping[ModalityPair, PairTable]
    span: tuple[float, float]

    @classmethod
    def of(cls, calibration: Calibration | None) -> LogLrFusion | None:
        """Return the fusion when all pairs have a table; otherwise their scores have no common scale and None is returned."""
        if calibration is None:
            return None
        pairs = [(p, r) for p in Modality for r in Modality]
        tables = {pair: calibration.table(*pair, Source.IMAGES) for pair in pairs}
        found = {pair: table for pair, table in tables.items() if table is not None}
        if len(found) < len(pairs):
            return None
        ends = [table.log_lr(end) for table in found.values() for end in (-1.0, 1.0)]
        return cls(found, (min(ends), max(ends)))

    def __call__(self, parts: Mapping[ModalityPair, F32]) -> F32:
        """Return the mean over the parts that are not NaN."""
        total = np.zeros(next(iter(parts.values())).shape, np.float32)
        count = np.zeros(total.shape, np.float32)
        for pair, scores in parts.items():
            # The map is a straight line; two points give it for a whole matrix.
            zero, one = self.tables[pair].log_lr(0.0), self.tables[pair].log_lr(1.0)
            there = np.isfinite(scores)
            total[there] += np.float32(one - zero) * scores[there] + np.float32(zero)
            count += there
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def target_figures(m: Measured, table: PairTable | None, replicates: int = REPLICATES) -> dict[str, Any]:
    """Return for each target rate the threshold that the calibration gives and the rates that it really has here.

    {} without a calibration; a target that the calibration's table does not reach is null. `supported` False means that the
    calibration extrapolates, which a policy has to allow; `measurable` False means that this data set cannot check the rate.
    """
    if table is None or not m.curve.genuine_total or not m.curve.impostor_total:
        return {}
    given = {name: table.threshold_for(fmr) for name, fmr in TARGETS.items()}
    usable = {name: t for name, t in given.items() if np.isfinite(t.value)}
    drawn = resample(evidence_of(m.comparisons), np.zeros(0), np.array([t.value for t in usable.values()]), replicates)
    out: dict[str, Any] = dict.fromkeys(TARGETS)
    for k, (name, threshold) in enumerate(usable.items()):
        wrong, missed = m.curve.at(threshold.value)
        value, exact = wrong / m.curve.impostor_total, clopper_pearson(wrong, m.curve.impostor_total)
        people = m.support(TARGETS[name]).people_pairs
        low, high = percentile_interval(drawn.fmr_fixed[:, k]) or exact
        low, high = widen_at_ends(value, low, high, min(people, m.curve.impostor_total))
        out[name] = {
            "threshold": threshold.value,
            "fmr": {"value": value, "low": low, "high": high, "false_matches": wrong},
            "supported": threshold.supported,
            "fnmr": missed / m.curve.genuine_total,
            "measurable": m.support(TARGETS[name]).supported,
        }
    return out


def check_graph(calibration: Calibration, graphs: Mapping[str, str]) -> None:
    """Raise CalibrationError when a calibration belongs to another recogniser."""
    if calibration.graph != graphs.get("embedding", graphs["recogniser"]):
        raise CalibrationError("the calibration was made with another recogniser; reinstall vultus or run 'vultus calibrate' again")
