"""What every protocol is given and gives back, and the samples with their features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.calibration import Calibration
from vultus.errors import RecordingError
from vultus.evaluate.cache import FeatureCache
from vultus.evaluate.extraction import Maker, Progress, Task, extract, hash_files
from vultus.evaluate.features import Features
from vultus.evaluate.metrics.bootstrap import REPLICATES
from vultus.evaluate.provenance import provenance
from vultus.evaluate.samples import DataSet, Problem, Sample, people_of
from vultus.types import Modality

FORMAT: Final = "vultus-evaluation/1"

I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Setting:
    """What every protocol needs: the pipeline, the calibration, the cache, how many processes, who watches, and what to write down."""

    maker: Maker
    calibration: Calibration | None
    cache: FeatureCache | None
    arguments: Sequence[str]
    now: datetime
    workers: int = 1
    progress: Progress | None = None
    replicates: int = REPLICATES

    def provenance(self, data: DataSet, hashes: Mapping[Path, str]) -> dict[str, Any]:
        """Return what the figures were made with."""
        calibration = self.calibration.id if self.calibration is not None else None
        return provenance(self.maker.graphs(), calibration, data.digest(hashes), self.arguments, self.now)

    def step(self, what: str) -> Callable[[int, int], None] | None:
        """Return what shows the progress of one step, or None when nobody watches."""
        progress = self.progress
        return None if progress is None else lambda done, total: progress(what, done, total)

    def extract(self, tasks: Sequence[Task], hashes: Mapping[Path, str], what: str = "features") -> list[Features]:
        """Run the pipeline over tasks."""
        return extract(tasks, self.maker, self.cache, hashes, workers=self.workers, progress=self.progress, what=what)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The JSON document, and for the page with faces the samples of the worst errors."""

    document: dict[str, Any]
    worst: Mapping[str, Sequence[tuple[Sample, Sample, float]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Acquired:
    """The bona fide samples with features, as matrices, and every problem met on the way."""

    samples: tuple[Sample, ...]
    people: tuple[str, ...]
    person: I32
    features: list[Features]
    vectors: Mapping[Modality, npt.NDArray[np.float32]]
    hashes: Mapping[Path, str]
    problems: tuple[Problem, ...]
    middle: float = 1.0


def acquire(data: DataSet, samples: Sequence[Sample], setting: Setting, middle: float = 1.0) -> Acquired:
    """Run the pipeline on the `middle` share of each side of the samples' pictures. Raises RecordingError when none of them gave features."""
    hashes = hash_files(data, setting.progress)
    tasks = [Task(s, i, middle) for i, s in enumerate(samples)]
    features = setting.extract(tasks, hashes)
    length = next((v.size for f in features for v in f.vectors.values()), 0)
    if not length:
        first = next(
            (f.problem or f"{s.name}: {f.modalities}" for s, f in zip(samples, features, strict=True)), "it has no row that can be used"
        )
        raise RecordingError(f"{data.name}: no sample gave a face to compare; {first}")
    none = np.zeros(length, np.float32)
    vectors = {m: np.stack([f.vectors.get(m, none) for f in features]) for m in Modality if any(m in f.vectors for f in features)}
    space = setting.calibration.space if setting.calibration is not None else None
    if space is not None:
        # A row without an embedding stays zero: it is nobody, wherever the mean lies.
        vectors = {m: space.rows(m, v) * (np.abs(v).max(1, keepdims=True) > 0) for m, v in vectors.items() if m in space.means}
    people, person = people_of(samples)
    unread = tuple(Problem(s.line, f.problem) for s, f in zip(samples, features, strict=True) if f.problem is not None)
    return Acquired(tuple(samples), people, person, features, vectors, hashes, (*data.problems, *unread), middle)


def acquisition(got: Acquired, due: Mapping[Modality, npt.NDArray[np.bool_]]) -> dict[str, int]:
    """Count why due samples gave no embedding, by modality: the hint or the problem that stood in the way."""
    out: dict[str, int] = {}
    for modality, rows in due.items():
        for row in np.flatnonzero(rows):
            features = got.features[row]
            why = "unreadable" if features.problem is not None else features.why_not(modality)
            if why is not None:
                name = f"{modality.value}: {why.removeprefix('rejected: ')}"
                out[name] = out.get(name, 0) + 1
    return dict(sorted(out.items(), key=lambda item: -item[1]))


def listed(*problems: Problem) -> list[dict[str, Any]]:
    """Return problems JSON-ready."""
    return [{"line": p.line, "message": p.message} for p in problems]
