"""Protocol "lfw": the 6000 pairs of Labeled Faces in the Wild in ten folds, and all pairs of its pictures."""

from __future__ import annotations

from typing import Final

import numpy as np

from vultus.evaluate.calibrated import check_graph, log_lr_of, table_for, target_figures
from vultus.evaluate.comparisons import compare_all
from vultus.evaluate.identification import identify
from vultus.evaluate.match import MatchOptions, robust, worst_pairs
from vultus.evaluate.metrics.intervals import clopper_pearson
from vultus.evaluate.metrics.verification import fold_accuracy
from vultus.evaluate.samples import DataSet, lfw_pairs
from vultus.evaluate.scoring import Scorer, Side
from vultus.evaluate.setting import FORMAT, Outcome, Setting, acquire, acquisition, listed
from vultus.evaluate.verification import Measured, counts, figures
from vultus.types import Modality

_RGB = (Modality.RGB,)
MIDDLE: Final = 0.7
"""Share of each side of the picture that is the frame. LFW names the person in the middle; bystanders stand at the edges, and the
detector that made the set put its face box on the middle 0.45 of each side."""


def run_lfw(data: DataSet, setting: Setting, *, corrupt: bool = False, corrupt_probes: int = 300) -> Outcome:
    """Return the ten-fold accuracy and all-pairs figures of LFW. Raises RecordingError, ModelError, CalibrationError."""
    graphs = setting.maker.graphs()
    if setting.calibration is not None:
        check_graph(setting.calibration, graphs)
    got = acquire(data, data.samples, setting, MIDDLE)
    everyone = Side(np.ones(len(got.samples), bool), _RGB)
    scorer = Scorer(got.vectors, everyone, everyone)
    measured = Measured.of(compare_all(scorer, got.person, progress=setting.step("comparing")))
    table = table_for(setting.calibration, _RGB, _RGB)
    options = MatchOptions(corrupt=corrupt, corrupt_probes=corrupt_probes)
    failed = int(np.count_nonzero(~scorer.probe_usable))
    document = {
        "format": FORMAT,
        "kind": "lfw",
        "dataset": data.name,
        "protocol": {
            "reference": "rgb", "probe": "rgb", "score": "cosine", "pairs": False, "quality_gate": setting.maker.gate,
            "reference_where": None, "probe_where": None, "middle": MIDDLE,
        },
        "counts": {**counts(measured, len(got.samples), failed), "bad_rows": data.bad_rows},
        "accuracy_10fold": ten_folds(data, scorer),
        **figures(measured, log_lr_of(table), setting.replicates, setting.step("resampling people")),
        "identification": identify(scorer, got.person),
        "acquisition": acquisition(got, {Modality.RGB: everyone.due}),
        "targets": target_figures(measured, table, setting.replicates),
        "groups": None,
        "robustness": robust(measured, got, everyone, everyone, scorer, options, setting),
        "problems": listed(*got.problems),
        "provenance": setting.provenance(data, got.hashes),
    }  # fmt: skip
    return Outcome(document, worst_pairs(measured, got.samples))


def ten_folds(data: DataSet, scorer: Scorer) -> dict[str, float | int]:
    """Return the accuracy over the folds of pairs.txt; a pair without a score counts as "different people"."""
    place = {(s.person, int(s.name)): i for i, s in enumerate(data.samples)}
    pairs = lfw_pairs(data.index)
    rows = np.array([place[a] for a, _, _, _ in pairs], np.int64)
    columns = np.array([place[b] for _, b, _, _ in pairs], np.int64)
    usable = scorer.reference_usable[rows] & scorer.probe_usable[columns]
    scores = np.full(len(pairs), -np.inf, np.float32)
    if usable.any():
        scores[usable] = scorer.pairs(rows[usable], columns[usable])
    same, fold = np.array([s for _, _, s, _ in pairs]), np.array([f for _, _, _, f in pairs], np.int64)
    found = fold_accuracy(scores, same, fold)
    low, high = clopper_pearson(round(found.mean * len(pairs)), len(pairs))
    return {
        "mean": found.mean, "sd": found.sd, "low": low, "high": high, "pairs": len(pairs),
        "failed_pairs": int(np.count_nonzero(~usable)), "threshold": float(np.mean(found.thresholds)),
    }  # fmt: skip
