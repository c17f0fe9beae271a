"""Run the shipped pipeline over samples, in several processes if asked, taking what the cache already has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from vultus import pictures
from vultus.evaluate.cache import FeatureCache
from vultus.evaluate.corrupt import Corruption
from vultus.evaluate.features import Features, feature_key
from vultus.evaluate.samples import DataSet, Sample, frame_set, time_of
from vultus.frames import Frame, Stream

_COMMIT: Final = 32
"""Rows written at once: an interrupted run loses at most about a second of work."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done and how much there is."""


class PipelineLike(Protocol):
    """The part of `vultus.pipeline.Pipeline` that evaluation uses."""

    def process(self, frame_set: Any) -> Any:
        """Return the probe of a frame set."""
        ...


class Maker(Protocol):
    """Makes a pipeline in the process that will use it; must pickle."""

    def __call__(self) -> PipelineLike:
        """Return a new pipeline."""
        ...

    def graphs(self) -> Mapping[str, str]:
        """Return the sha256 of each graph by role."""
        ...

    @property
    def gate(self) -> bool:
        """Say whether a face of too poor quality is refused, as in the shipped pipeline."""
        ...


@dataclass(frozen=True, slots=True)
class ShippedPipeline:
    """The installed graphs and limits, or those in `models`; without `gate` faces of any quality are embedded."""

    models: Path | None = None
    gate: bool = True

    def __call__(self) -> PipelineLike:
        """Open the graphs with one thread: several processes share the cores better than one process's threads do."""
        from vultus import calibration
        from vultus.manifest import load_manifest
        from vultus.pipeline import Pipeline

        manifest = load_manifest(self.models)
        limits = calibration.load(manifest.root / "calibration").limits
        if self.gate:
            return Pipeline(manifest, limits, 1)
        from vultus.evaluate.ungated import UngatedPipeline

        return UngatedPipeline(manifest, limits, 1)

    def graphs(self) -> dict[str, str]:
        """Return the sha256 of each graph by role, and as "embedding" the hash that embeddings carry."""
        from vultus.manifest import load_manifest

        manifest = load_manifest(self.models)
        return {**{entry.role: entry.sha256 for entry in manifest.entries}, "embedding": manifest.graph}


@dataclass(frozen=True, slots=True)
class Task:
    """One sample to run, with what to do to its pictures first.

    middle: the share of each side that is the frame, 1 = all. change: how to spoil its pictures; those not named are left out.
    """

    sample: Sample
    sequence: int
    middle: float = 1.0
    change: Mapping[Stream, Corruption] | None = None

    def key(self, graphs: Mapping[str, str], hashes: Mapping[Path, str], *, gate: bool) -> str:
        """Return the cache key."""
        streams = {stream: hashes.get(path, "absent") for stream, path in self.sample.files.items()}
        change = ";".join(f"{s.value}={c.name}" for s, c in sorted((self.change or {}).items()))
        change = change if self.middle == 1.0 else f"middle={self.middle:g};{change}"
        return feature_key(graphs, streams, change if gate else f"ungated;{change}")


def hash_files(data: DataSet, progress: Progress | None = None) -> dict[Path, str]:
    """Return the sha256 of every file that can be read."""
    paths = sorted({p for s in data.samples for p in s.files.values()})
    out = {}
    for i, path in enumerate(paths):
        try:
            with path.open("rb") as file:
                out[path] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            continue
        if progress is not None:
            progress("reading files", i + 1, len(paths))
    return out


def extract(
    tasks: Sequence[Task],
    maker: Maker,
    cache: FeatureCache | None,
    hashes: Mapping[Path, str],
    *,
    workers: int = 1,
    progress: Progress | None = None,
    what: str = "features",
) -> list[Features]:
    """Return the features of every task, in order; a sample that cannot be read has features that say why.

    Finished rows are in the cache even when this is interrupted. Raises ModelError, CalibrationError.
    """
    graphs = maker.graphs()
    keys = [task.key(graphs, hashes, gate=maker.gate) for task in tasks]
    known = cache.load(dict.fromkeys(keys)) if cache is not None else {}
    missing = {key: task for key, task in zip(keys, tasks, strict=True) if key not in known}
    fresh: dict[str, Features] = {}
    done = len(keys) - len(missing)
    try:
        for key, features in _run(missing, maker, workers):
            known[key] = fresh[key] = features
            done += 1
            if cache is not None and len(fresh) >= _COMMIT:
                cache.store(fresh)
                fresh = {}
            if progress is not None:
                progress(what, done, len(keys))
    finally:
        if cache is not None and fresh:
            cache.store(fresh)
    return [known[key] for key in keys]


def _run(tasks: Mapping[str, Task], maker: Maker, workers: int) -> Iterator[tuple[str, Features]]:
    """Yield the features of each task as they come, here or in worker processes."""
    left = dict(tasks)
    if workers > 1 and len(left) >= 2 * workers:
        try:
            for key, features in _run_in_workers(tasks, maker, workers):
                del left[key]
                yield key, features
        except BrokenProcessPool:
            # The system ended a worker, for want of memory as a rule: one process needs the least, so the rest is done here.
            pass
    if left:
        pipeline = maker()
        for key, task in left.items():
            yield key, features_of(task, pipeline)


def _run_in_workers(tasks: Mapping[str, Task], maker: Maker, workers: int) -> Iterator[tuple[str, Features]]:
    """Yield the features of each task in order; raises BrokenProcessPool when a worker is ended from outside."""
    with _pool(workers, maker) as pool:
        waiting: dict[Future[Features], str] = {}
        rest = iter(tasks.items())
        while True:
            # A few tasks ahead keep the workers busy without holding the whole queue in memory.
            for key, task in islice(rest, 4 * workers - len(waiting)):
                waiting[pool.submit(_work, task)] = key
            if not waiting:
                return
            first = next(iter(waiting))
            yield waiting.pop(first), first.result()


@contextmanager
def _pool(workers: int, maker: Maker) -> Iterator[ProcessPoolExecutor]:
    """Start processes afresh: forked ones would inherit the locks of ONNX Runtime and OpenCV."""
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (maker,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


_held: list[PipelineLike] = []
"""The pipeline of a worker process; a pool gives its workers no other place for it."""


def _begin(maker: Maker) -> None:
    """Open the graphs once in a worker."""
    _held.append(maker())


def _work(task: Task) -> Features:
    """Run one task in a worker."""
    return features_of(task, _held[0])


def features_of(task: Task, pipeline: PipelineLike) -> Features:
    """Read, spoil if asked, and process one sample."""
    try:
        frames = read_frames(task)
        together = frame_set(frames, task.sequence)
    except (OSError, ValueError, TypeError) as error:
        return Features.unreadable(_reason(error, task.sample))
    return Features.of(pipeline.process(together))


def read_frames(task: Task) -> dict[Stream, Frame]:
    """Decode a task's files. Raises OSError or ValueError for one that is missing, damaged or not of its stream's kind."""
    frames = {}
    for stream, path in task.sample.files.items():
        picture = _middle(pictures.read(path, stream), task.middle)
        if task.change is not None:
            # Depth no longer fits a spoilt picture, and embeddings do not need it; nor a picture in which no face was found.
            if stream not in task.change:
                continue
            picture = task.change[stream].apply(picture)
        frames[stream] = Frame(stream, picture, time_of(task.sequence))
    return frames


def _middle(picture: pictures.Array, share: float) -> pictures.Array:
    """Cut out the middle share of each side."""
    top, left = (round(n * (1 - share) / 2) for n in picture.shape[:2])
    return picture if share == 1.0 else np.ascontiguousarray(picture[top : picture.shape[0] - top, left : picture.shape[1] - left])


def _reason(error: Exception, sample: Sample) -> str:
    """Say in one line what was wrong, without the machine's paths."""
    what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{sample.name}: {what}".splitlines()[0]
