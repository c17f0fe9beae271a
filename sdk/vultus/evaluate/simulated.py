"""Protocol "pad" on simulated attacks: each species made from an index's bona fide triplets, judged by one tier of the policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from vultus import pictures
from vultus.errors import RecordingError
from vultus.evaluate.extraction import PipelineLike, Task, hash_files, read_frames
from vultus.evaluate.features import Features
from vultus.evaluate.presentation import pad_figures
from vultus.evaluate.samples import DataSet, Sample, frame_set, time_of
from vultus.evaluate.setting import FORMAT, Outcome, Setting, listed
from vultus.frames import Frame, Stream
from vultus.policy import REQUIRED_CUES, Tier
from vultus.simulation.attacks import SPECIES, attack
from vultus.simulation.triplets import Triplet
from vultus.types import Verdict

PREFIX: Final = "simulated "
_STREAMS: Final = (Stream.RGB, Stream.NIR, Stream.DEPTH)


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """How many presentations of each species, the seed that draws them, and the tier that judges."""

    each: int = 500
    seed: int = 1
    tier: Tier = Tier.SECURE

    def __post_init__(self) -> None:
        if self.each < 1 or self.seed < 0:
            raise ValueError("each must be at least 1 and seed not negative")


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A bona fide row with its pictures."""

    sample: Sample
    triplet: Triplet


def run_simulated(data: DataSet, options: SimulationOptions, setting: Setting) -> Outcome:
    """Return the error rates of the gates on an index's own triplets and on attacks simulated from them.

    Raises RecordingError when fewer than two people have a registered triplet with a face.
    """
    pipeline = setting.maker()
    samples: list[Sample] = []
    features: list[Features] = []
    sources = []
    for i, sample in enumerate(s for s in data.samples if s.bona_fide and set(_STREAMS) <= set(s.files)):
        found, source = _bona_fide(pipeline, sample, i)
        samples.append(sample)
        features.append(judged(found, options.tier))
        sources += [source] if source is not None else []
    if len({s.sample.person for s in sources}) < 2:
        raise RecordingError(f"{data.name}: attacks are simulated from registered rgb, nir and depth of at least two people")
    step = setting.step("simulated attacks")
    total = options.each * len(SPECIES)
    for done, (sample, picture) in enumerate(presentations(sources, options)):
        together = _frames(picture, len(samples))
        features.append(judged(Features.of(pipeline.process(frame_set(together, len(samples)))), options.tier))
        samples.append(sample)
        if step is not None:
            step(done + 1, total)
    hashes = hash_files(data)
    attacks = len(samples) - sum(s.bona_fide for s in samples)
    figures = pad_figures(samples, features)
    figures["warnings"] = [*figures["warnings"], "every attack here is simulated: the rates are no certificate"]
    document: dict[str, Any] = {
        "format": FORMAT,
        "kind": "pad",
        "dataset": data.name,
        "protocol": {
            "decision": f"liveness cues of the {options.tier} tier; attacks simulated with seed {options.seed}",
            "species": [PREFIX + name for name in sorted(SPECIES)],
        },
        "counts": {
            "people": len({s.person for s in samples}),
            "samples": len(samples),
            "genuine": len(samples) - attacks,
            "impostor": attacks,
            "failed_to_acquire": sum(f.liveness is None for f in features),
            "bad_rows": data.bad_rows,
        },
        **figures,
        "problems": listed(*data.problems),
        "provenance": setting.provenance(data, hashes),
    }
    return Outcome(document)


def judged(features: Features, tier: Tier) -> Features:
    """Return features whose verdict is the tier's: pass only when each required cue passed and none failed."""
    if features.liveness is None:
        return features
    verdicts = {name: Verdict(c["verdict"]) for name, c in features.liveness["cues"].items()}
    verdict = Verdict.ABSTAIN
    if Verdict.FAIL in verdicts.values():
        verdict = Verdict.FAIL
    elif all(verdicts.get(name) is Verdict.PASS for name in REQUIRED_CUES[tier]):
        verdict = Verdict.PASS
    return replace(features, liveness={**features.liveness, "verdict": verdict.value})


def presentations(sources: list[Origin], options: SimulationOptions) -> Iterator[tuple[Sample, Triplet]]:
    """Yield every attack, species by species, each from its own generator, so that one species never shifts another's draws."""
    for number, species in enumerate(SPECIES):
        for i in range(options.each):
            rng = np.random.default_rng((options.seed, number, i))
            victim = sources[int(rng.integers(len(sources)))]
            others = [s for s in sources if s.sample.person != victim.sample.person]
            other = others[int(rng.integers(len(others)))]
            shown = attack(species, victim.triplet, _fitted(other.triplet, victim.triplet), rng)
            yield Sample(0, victim.sample.person, f"{species} {i}", {}, PREFIX + species), shown


def _fitted(triplet: Triplet, like: Triplet) -> Triplet:
    """Return the triplet with pictures of the other's size, cropped or widened by nothing: streams that are mixed must agree in size."""
    h, w = like.depth.shape
    if triplet.depth.shape == (h, w):
        return triplet
    th, tw = triplet.depth.shape
    rows, columns = np.arange(h) * th // h, np.arange(w) * tw // w
    scale = np.array([w / tw, h / th], np.float32)
    pick = np.ix_(rows, columns)
    return Triplet(triplet.rgb[pick], triplet.nir[pick], triplet.depth[pick], ((triplet.landmarks + 0.5) * scale - 0.5).astype(np.float32))


def _bona_fide(pipeline: PipelineLike, sample: Sample, sequence: int) -> tuple[Features, Origin | None]:
    """Run a row as it is; it can be attacked when its colour face was found."""
    try:
        frames = read_frames(Task(sample, sequence))
        probe = pipeline.process(frame_set(frames, sequence))
    except (OSError, ValueError, TypeError) as error:
        return Features.unreadable(f"{sample.name}: {error}".splitlines()[0]), None
    face = probe.found.get(Stream.RGB)
    shapes = {frames[s].data.shape[:2] for s in _STREAMS}
    if face is None or len(shapes) > 1:
        return Features.of(probe), None
    nir = pictures.read(sample.files[Stream.NIR], Stream.NIR).astype(np.uint16)
    triplet = Triplet(frames[Stream.RGB].data, nir, frames[Stream.DEPTH].data, np.array(face.landmarks, np.float32))
    return Features.of(probe), Origin(sample, triplet)


def _frames(picture: Triplet, sequence: int) -> dict[Stream, Frame]:
    made = {Stream.RGB: picture.rgb, Stream.NIR: picture.nir, Stream.DEPTH: picture.depth}
    return {stream: Frame(stream, np.ascontiguousarray(data), time_of(sequence)) for stream, data in made.items()}
