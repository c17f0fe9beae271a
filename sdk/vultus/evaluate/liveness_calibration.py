"""Gathers live faces and simulated attacks of an index, fits a sensor's vote on them, and checks it on people and species held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Final

import numpy as np

from vultus import pictures
from vultus.errors import RecordingError
from vultus.evaluate.extraction import Maker, PipelineLike, Task, read_frames
from vultus.evaluate.samples import DataSet, Sample, frame_set, time_of
from vultus.evaluate.setting import Setting
from vultus.frames import Frame, Stream
from vultus.simulation.attacks import SPECIES, TESTS, TRAINING, Ranges, attack
from vultus.simulation.triplets import Triplet
from vultus.types import Liveness
from vultus.vote_fitting import fit_vote, vote_document

STREAMS: Final = (Stream.RGB, Stream.NIR, Stream.DEPTH)
_SEED: Final = 7


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A bona fide row with its pictures, from which attacks are made."""

    sample: Sample
    triplet: Triplet


@dataclass(frozen=True, slots=True, eq=False)
class Presented:
    """One presentation: the row or the attack's name, and the probe's liveness and face boxes; `probe` is None where it was unreadable."""

    sample: Sample
    probe: Any
    problem: str | None = None

    @property
    def liveness(self) -> Liveness | None:
        """What the gates said; None where no face was found or nothing could be read."""
        found: Liveness | None = None if self.probe is None else self.probe.liveness
        return found

    def values(self) -> dict[str, float | None]:
        """Return the cues' values by name."""
        return {} if self.liveness is None else {c.name: c.value for c in self.liveness.cues}


def bona_fide(data: DataSet, setting: Setting) -> tuple[list[Presented], list[Origin]]:
    """Run each live triplet of an index. Raises RecordingError when fewer than two people have one that shows a face in registered pictures."""
    pipeline = setting.maker()
    seen, origins = [], []
    for i, sample in enumerate(s for s in data.samples if s.bona_fide and set(STREAMS) <= set(s.files)):
        presented, origin = _row(pipeline, sample, i)
        seen.append(presented)
        origins += [origin] if origin is not None else []
    if len({o.sample.person for o in origins}) < 2:
        raise RecordingError(
            f"{data.name}: attacks and spoilt presentations are made from registered rgb, nir and depth of at least two people"
        )
    return seen, origins


def attacked(
    origins: Sequence[Origin], each: int, seed: int, setting: Setting, *, training: bool, prefix: str, what: str
) -> Iterator[Presented]:
    """Run every species of attack made from `origins`, `each` times, in `setting.workers` processes; the order does not depend on them."""
    step, total = setting.step(what), each * len(SPECIES)
    plan = _Plan(setting.maker, tuple(origins), each, seed, TRAINING if training else TESTS, prefix)
    for done, presented in enumerate(_presented(plan, setting.workers)):
        yield presented
        if step is not None:
            step(done + 1, total)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What a process needs to make attacks and run them."""

    maker: Maker
    origins: tuple[Origin, ...]
    each: int
    seed: int
    ranges: Ranges
    prefix: str


def _presented(plan: _Plan, workers: int) -> Iterator[Presented]:
    if workers == 1:
        _start(plan)
        yield from (p for species in SPECIES for p in _of_species(species))
        return
    # Spawned, not forked: a fork would inherit the locks of ONNX Runtime.
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (plan,)) as pool:
        for found in pool.map(_of_species, SPECIES):
            yield from found


_held: list[tuple[_Plan, PipelineLike]] = []
"""The plan and the pipeline of this process; a pool gives its workers no other place for them."""


def _start(plan: _Plan) -> None:
    _held[:] = [(plan, plan.maker())]


def _of_species(species: str) -> list[Presented]:
    plan, pipeline = _held[0]
    out = []
    for done, (sample, shown) in enumerate(presentations(plan.origins, plan.each, plan.seed, plan.ranges, plan.prefix, species)):
        out.append(Presented(sample, pipeline.process(frame_set(frames_of(shown, done), done))))
    return out


def frames_of(shown: Triplet, sequence: int) -> dict[Stream, Frame]:
    """Return the pictures of a presentation as frames of one moment."""
    made = {Stream.RGB: shown.rgb, Stream.NIR: shown.nir, Stream.DEPTH: shown.depth}
    return {s: Frame(s, np.ascontiguousarray(picture), time_of(sequence)) for s, picture in made.items()}


def presentations(
    origins: Sequence[Origin], each: int, seed: int, ranges: Ranges, prefix: str, species: str
) -> Iterator[tuple[Sample, Triplet]]:
    """Yield every attack of a species, each from its own generator, so that one species never shifts another's draws."""
    number = list(SPECIES).index(species)
    for i in range(each):
        rng = np.random.default_rng((seed, number, i))
        victim = origins[int(rng.integers(len(origins)))]
        others = [o for o in origins if o.sample.person != victim.sample.person]
        other = others[int(rng.integers(len(others)))]
        shown = attack(species, victim.triplet, _fitted(other.triplet, victim.triplet), rng, ranges)
        yield Sample(0, victim.sample.person, f"{species} {i}", {}, prefix + species), shown


def calibrate_liveness(data: DataSet, setting: Setting, each: int) -> dict[str, Any]:
    """Return the "vote" entry of a device calibration. Raises RecordingError and CalibrationError on too few people or samples."""
    seen, origins = bona_fide(data, setting)
    live = [p for p in seen if p.liveness is not None]
    attacks = list(attacked(origins, each, _SEED, setting, training=True, prefix="", what="simulated attacks"))
    faced = [p for p in attacks if p.liveness is not None]
    vote = fit_vote([p.values() for p in live], _people(live), [p.values() for p in faced], _people(faced), [p.sample.label for p in faced])
    return vote_document(vote, people=len(set(_people(live))), live=len(live), attacks=_counts(faced))


def _people(presented: Sequence[Presented]) -> list[str]:
    return [p.sample.person for p in presented]


def _counts(presented: Sequence[Presented]) -> Mapping[str, int]:
    return {name: sum(p.sample.label == name for p in presented) for name in sorted({p.sample.label for p in presented})}


def _fitted(triplet: Triplet, like: Triplet) -> Triplet:
    """Return the triplet resized to the other's size: streams that are mixed must agree in size."""
    h, w = like.depth.shape
    if triplet.depth.shape == (h, w):
        return triplet
    th, tw = triplet.depth.shape
    pick = np.ix_(np.arange(h) * th // h, np.arange(w) * tw // w)
    scale = np.array([w / tw, h / th], np.float32)
    return Triplet(triplet.rgb[pick], triplet.nir[pick], triplet.depth[pick], ((triplet.landmarks + 0.5) * scale - 0.5).astype(np.float32))


def _row(pipeline: PipelineLike, sample: Sample, sequence: int) -> tuple[Presented, Origin | None]:
    """Run a row as it is; it can be attacked when its colour face was found and its pictures are registered."""
    try:
        frames = read_frames(Task(sample, sequence))
        probe = pipeline.process(frame_set(frames, sequence))
    except (OSError, ValueError, TypeError) as error:
        return Presented(sample, None, f"{sample.name}: {error}".splitlines()[0]), None
    face = probe.found.get(Stream.RGB)
    if face is None or len({frames[s].data.shape[:2] for s in STREAMS}) > 1:
        return Presented(sample, probe), None
    nir = pictures.read(sample.files[Stream.NIR], Stream.NIR).astype(np.uint16)
    triplet = Triplet(frames[Stream.RGB].data, nir, frames[Stream.DEPTH].data, np.array(face.landmarks, np.float32))
    return Presented(sample, probe), Origin(sample, triplet)
