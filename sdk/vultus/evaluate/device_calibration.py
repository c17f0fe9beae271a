"""Calibrate one sensor on people of one's own, and check it on people that the fit did not see."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.calibration import Calibration, carry
from vultus.device_fitting import MIN_PEOPLE, fit_device
from vultus.errors import CalibrationError
from vultus.evaluate.samples import DataSet
from vultus.evaluate.setting import Acquired, Setting, acquire
from vultus.space_fitting import Samples, placed
from vultus.types import DeviceIdentity, Modality

CHECKED: Final = (1e-2, 1e-3)
"""Target rates of the check; the few people of one sensor cannot speak of smaller ones."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A device calibration, the check of its kind on held-out people, and the rows that could not be used."""

    document: dict[str, Any]
    check: list[dict[str, Any]]
    problems: list[dict[str, Any]]


def samples_of(found: Acquired) -> dict[Modality, Samples]:
    """Return the embeddings of each modality with the numbers of person and frame set."""
    out = {}
    for modality, vectors in found.vectors.items():
        rows = np.flatnonzero(np.abs(vectors).sum(axis=1) > 0)
        out[modality] = (vectors[rows], found.person[rows].astype(np.int64), rows.astype(np.int64))
    return out


def calibrate(data: DataSet, identity: DeviceIdentity, base: Calibration, setting: Setting, *, whiten: bool = False) -> Fitted:
    """Fit a device calibration on all bona fide samples and check the method on two halves of the people, each with the other's fit.

    Raises CalibrationError below MIN_PEOPLE, RecordingError when no sample gave a face.
    """
    found = acquire(data, [s for s in data.samples if s.bona_fide], setting)
    samples = samples_of(found)
    origin = {**setting.provenance(data, found.hashes), "people": len(found.people), "samples": len(found.samples)}
    name = f"{identity.kind}-{len(found.people)}p"
    document = fit_device(base, samples, identity, name=name, origin=origin, whiten=whiten)
    people = np.arange(len(found.people))
    check = _halves(base, samples, identity, people, whiten=whiten) if len(people) >= 2 * MIN_PEOPLE else []
    problems = [{"line": p.line, "message": p.message} for p in found.problems]
    return Fitted(document, check, problems)


def _of(samples: Samples, rows: npt.NDArray[np.bool_]) -> Samples:
    return samples[0][rows], samples[1][rows], samples[2][rows]


def calibrated_on(
    base: Calibration, samples: Mapping[Modality, Samples], identity: DeviceIdentity, people: npt.NDArray[np.int64], *, whiten: bool = False
) -> Calibration:
    """Return the device calibration fitted on some of the people, as it is read back. Raises CalibrationError."""
    kept = {m: _of(s, np.isin(s[1], people)) for m, s in samples.items()}
    document = fit_device(base, kept, identity, name="half", origin={}, whiten=whiten)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "half.json"
        path.write_text(json.dumps(document), "utf-8")
        return carry(base, path)


def _halves(
    base: Calibration, samples: Mapping[Modality, Samples], identity: DeviceIdentity, people: npt.NDArray[np.int64], *, whiten: bool
) -> list[dict[str, Any]]:
    """Count false matches of each half of the people at thresholds fitted on the other half."""
    counts: dict[tuple[tuple[Modality, Modality], float], list[int]] = {}
    for fit in (people[::2], people[1::2]):
        held = {m: _of(s, ~np.isin(s[1], fit)) for m, s in samples.items()}
        try:
            device = calibrated_on(base, samples, identity, fit, whiten=whiten)
        except CalibrationError:
            return []
        held = held if device.space is None else placed(device.space, held)
        for pair, table in device.tables.items():
            a, b = held[pair[0]], held[pair[1]]
            impostor = (a[0] @ b[0].T)[a[1][:, None] != b[1][None]]
            for target in CHECKED:
                total = counts.setdefault((pair, target), [0, 0])
                total[0] += int((impostor >= table.threshold_for(target).value).sum())
                total[1] += impostor.size
    return [
        {"pair": [m.value for m in pair], "target_fmr": target, "false_matches": hits, "comparisons": n, "fmr": hits / n}
        for (pair, target), (hits, n) in counts.items()
    ]


def write_whole(path: Path, document: Mapping[str, Any]) -> None:
    """Write a calibration whole or not at all, readable by its owner only; raises CalibrationError when the disk refuses."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=1, sort_keys=True)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        partial.chmod(0o600)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CalibrationError(f"cannot write {path}: {error.strerror}; nothing was changed") from error
