"""Pipeline: one frame set through the stages in their order; the only module that knows it.

preprocess -> detect -> landmarks -> register -> assess -> align -> embed -> relief -> liveness. What fails is absent, never guessed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.colour_only import ColourOnly
from vultus.geometry import Relief, Surface, same_place
from vultus.graphs import open_graph
from vultus.manifest import Manifest
from vultus.stages import liveness as live
from vultus.stages import relief as depth_relief
from vultus.stages.align import align_nir, align_rgb
from vultus.stages.assess import assess, exposed, level_of
from vultus.stages.detect import Detector, Region, foremost, rivals
from vultus.stages.embed import Recogniser
from vultus.stages.landmarks import Landmarks
from vultus.stages.likeness import Likeness
from vultus.stages.register import transfer
from vultus.stages.surface import Surfaces
from vultus.types import F32, U16, Crop, Embedding, Face, Frame, FrameSet, Hint, Liveness, Modality, Quality, Source, Stream

_EYES_MM: Final = 63.0
"""Mean adult distance between the eyes (ISO/TR 7250-2); gives a first distance before depth is looked up."""
_TRACK_NS: Final = 1_000_000_000
_MOTION_NS: Final = 200_000_000
"""Frame sets farther apart are not two moments of one movement: six at 30 a second."""
_TRACKED: Final = 5
"""Frame sets in a row that may look only near the last face; then the whole frame is searched for a second face."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """What one frame set gave: evidence for a decision, or a sample for enrolment.

    `faces` is the largest count over the streams; `embeddings` holds the usable modalities only; `modalities` says for each stream "used",
    "missing" or "rejected: why".
    """

    source: Source
    skew_ms: float
    faces: int
    quality: Quality | None
    liveness: Liveness | None
    embeddings: Mapping[Modality, Embedding] = field(repr=False)
    hints: tuple[Hint, ...]
    modalities: Mapping[str, str]
    latency_ms: Mapping[str, float] = field(repr=False)
    found: Mapping[Stream, Face] = field(repr=False)


@dataclass(slots=True)
class _Work:
    """What the stages of one frame set leave for each other."""

    nir: npt.NDArray[Any] | None = None
    luma: npt.NDArray[np.uint8] | None = None
    faces: dict[Stream, Face] = field(default_factory=dict)
    qualities: dict[Stream, Quality] = field(default_factory=dict)
    count: int = 0
    moved: bool = False
    relief: Relief | None = None
    latency: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a stage in milliseconds."""
        start = time.perf_counter_ns()
        yield
        self.latency[stage] = self.latency.get(stage, 0.0) + (time.perf_counter_ns() - start) / 1e6


class Pipeline:
    """The stages with their graphs and buffers, allocated once. Not thread-safe: one a thread."""

    def __init__(self, manifest: Manifest, limits: live.Limits, threads: int = 1) -> None:
        self._recogniser = Recogniser(manifest, threads)
        self.graph = manifest.graph
        """The hash of what makes embeddings, which calibrations carry."""
        self._detector = Detector(open_graph(manifest.entry("detector"), threads), open_graph(manifest.entry("detector_near"), threads))
        self._landmarks = Landmarks(open_graph(manifest.entry("landmarks"), threads))
        self._limits = limits
        self._grid: U16 = np.zeros((depth_relief.GRID, depth_relief.GRID), np.uint16)
        self._likeness, self._surfaces = Likeness(), Surfaces()
        self._colour = ColourOnly(manifest, threads)
        self._buffers: dict[str, npt.NDArray[Any]] = {}
        self._last: tuple[int, str, Face] | None = None
        self._tracked = 0

    @property
    def forms(self) -> Mapping[Modality, str]:
        """By modality the hash of what makes embeddings, which templates carry."""
        return self._recogniser.forms

    def process(self, frame_set: FrameSet, *, with_embeddings: bool = True) -> Probe:
        """Run every stage on a frame set; frames are read in place and not kept."""
        work = _Work()
        with work.timed("preprocess"):
            self._preprocess(frame_set, work)
        with work.timed("detect"):
            self._detect(frame_set, work)
        with work.timed("assess"):
            self._assess(work)
        embeddings: dict[Modality, Embedding] = {}
        for stream, modality in ((Stream.RGB, Modality.RGB), (Stream.NIR, Modality.NIR)):
            if with_embeddings and stream in work.faces and work.qualities[stream].usable:
                with work.timed("align"):
                    crop = self._align(frame_set, work, stream)
                if crop is not None:
                    with work.timed(f"embed_{modality}"):
                        embedding = self._recogniser.embed(crop)
                    if embedding is not None:
                        embeddings[modality] = embedding
        liveness: Liveness | None = None
        if work.faces:
            with work.timed("liveness"):
                liveness = self._liveness(frame_set, work, embeddings)
        quality, hints = _summary(work, frame_set)
        return Probe(
            frame_set.device.source, frame_set.skew_ns / 1e6, work.count, quality, liveness, embeddings, hints,
            _modalities(work, frame_set), work.latency, work.faces,
        )  # fmt: skip

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        held = self._buffers.get(name)
        if held is None or held.shape != shape or held.dtype != dtype:
            held = self._buffers[name] = np.empty(shape, dtype)
        return held

    def _preprocess(self, fs: FrameSet, work: _Work) -> None:
        if fs.rgb is not None:
            work.luma = self._buffer("luma", fs.rgb.data.shape[:2], np.dtype(np.uint8))
            _native.luma(fs.rgb.data, work.luma)
        if fs.nir is not None:
            work.nir = fs.nir.data
            if fs.nir_ambient is not None:
                work.nir = self._buffer("nir", fs.nir.data.shape, fs.nir.data.dtype)
                _native.difference(fs.nir.data, fs.nir_ambient.data, work.nir)

    def _detect(self, fs: FrameSet, work: _Work) -> None:
        rgb: list[Face] = []
        if fs.rgb is not None:
            region = self._tracked_region(fs)
            rgb = self._detector.find(fs.rgb.data, Stream.RGB, region) if region is not None else []
            if not rgb:
                self._tracked = 0
                rgb = self._detector.search(fs.rgb.data, Stream.RGB)
            if rgb:
                work.faces[Stream.RGB] = self._landmarks.closer(fs.rgb.data, foremost(rgb, fs.rgb.data))
                work.moved = self._moved(fs, work.faces[Stream.RGB])
                self._last = (fs.time_ns, fs.device.serial, work.faces[Stream.RGB])
        nir: list[Face] = []
        if fs.nir is not None and work.nir is not None:
            there = self._carried(fs, work.faces.get(Stream.RGB), fs.nir)
            nir = self._detector.find(work.nir, Stream.NIR, Region.around_landmarks(there)) if there is not None else []
            nir = nir or self._detector.search(work.nir, Stream.NIR)
            if nir:
                work.faces[Stream.NIR] = foremost(nir, work.nir)
        work.count = max(rivals(rgb), rivals(nir))

    def _moved(self, fs: FrameSet, face: Face) -> bool:
        """Say whether the face moved by more than a third of its eye distance since the frame set before."""
        if self._last is None or self._last[1] != fs.device.serial or not 0 < fs.time_ns - self._last[0] <= _MOTION_NS:
            return False
        return float(np.abs(face.landmarks.mean(0) - self._last[2].landmarks.mean(0)).max()) > face.eye_distance / 3

    def _tracked_region(self, fs: FrameSet) -> Region | None:
        if self._last is None or self._tracked >= _TRACKED:
            return None
        when, serial, face = self._last
        if serial != fs.device.serial or not 0 < fs.time_ns - when <= _TRACK_NS:
            return None
        self._tracked += 1
        return Region.around(face)

    def _carried(self, fs: FrameSet, face: Face | None, target: Frame) -> F32 | None:
        """Return the landmarks of an RGB or NIR face in another stream; the distance is guessed from the eyes unless depth was fitted."""
        source = None if face is None else fs.rgb if face.stream is Stream.RGB else fs.nir
        if face is None or source is None:
            return None
        distance = _EYES_MM * source.intrinsics.fx / max(face.eye_distance, 1.0) if source.intrinsics is not None else None
        return transfer(face.landmarks, source, target, distance)

    def _assess(self, work: _Work) -> None:
        for stream, image in ((Stream.RGB, work.luma), (Stream.NIR, work.nir)):
            if stream in work.faces and image is not None:
                work.qualities[stream] = assess(work.faces[stream], image, work.count, nir=stream is Stream.NIR)

    def _liveness(self, fs: FrameSet, work: _Work, embeddings: Mapping[Modality, Embedding]) -> Liveness:
        rgb, nir = work.faces.get(Stream.RGB), work.faces.get(Stream.NIR)
        face, source = next(iter(work.faces.values())), fs.rgb if rgb is not None else fs.nir
        wide: float | None = None
        there = self._carried(fs, face, fs.depth) if fs.depth is not None else None
        if fs.depth is not None and there is not None:
            depth_relief.sample(fs.depth.data, there, self._grid)
            work.relief = depth_relief.measure(self._grid)
            wide = self._surfaces.outline(fs.depth.data, there)
        limits, in_nir = self._limits, self._carried(fs, rgb, fs.nir) if fs.nir is not None else None
        seen = rgb is not None and work.qualities[Stream.RGB].usable
        where = nir or (Face(Stream.NIR, rgb.box, in_nir, rgb.score) if rgb is not None and in_nir is not None else None)
        level = level_of(where, work.nir) if where is not None and work.nir is not None else None
        cues = (
            live.relief_cue(work.relief, limits),
            live.head_size_cue(face, source.intrinsics if source is not None else None, work.relief, limits),
            live.nose_cue(face, work.relief, limits),
            live.strobe_cue(fs.nir, fs.nir_ambient, where, limits),
            live.nir_face_cue(in_nir, nir, expected=seen and in_nir is not None, usable=lambda: exposed(where, fs.nir), limits=limits),
            live.likeness_cue(self._alike(rgb, in_nir, level, work), limits),
            live.outline_cue(face, wide, limits),
            *live.surface_cues(self._surface(rgb, where, in_nir, level, fs.depth, there, work), limits),
            *live.shape_cues(face, work.relief, limits),
            live.same_face_cue(embeddings.get(Modality.RGB), embeddings.get(Modality.NIR), limits),
            *self._colour.cues(fs, work.luma, rgb),
        )
        return live.conclude(cues, work.relief, limits)

    def _alike(self, rgb: Face | None, in_nir: F32 | None, level: float | None, work: _Work) -> float | None:
        if rgb is None or in_nir is None or level is None or work.luma is None or work.nir is None:
            return None
        return self._likeness.measure(work.luma, rgb.landmarks, work.nir, in_nir, level)

    def _surface(
        self,
        rgb: Face | None,
        nir: Face | None,
        in_nir: F32 | None,
        level: float | None,
        depth: Frame | None,
        there: F32 | None,
        work: _Work,
    ) -> Surface | None:
        if nir is None or work.nir is None or level is None:
            return None
        marks = nir.landmarks if in_nir is None else in_nir
        found = self._surfaces.measure(work.nir, marks, level, work.luma, None if rgb is None else rgb.landmarks)
        return found if depth is None or there is None else self._surfaces.shaded(found, depth.data, there, work.nir, marks, level)

    def _marks(self, fs: FrameSet, work: _Work, stream: Stream) -> F32:
        """Return the landmarks to cut a face out at: in NIR those of a colour picture that shows it in the same place, or of a closer look."""
        face = work.faces[stream]
        if stream is Stream.NIR and fs.rgb is not None and fs.nir is not None and Stream.RGB in work.faces:
            carried = transfer(work.faces[Stream.RGB].landmarks, fs.rgb, fs.nir, None)
            if carried is not None and same_place(carried, face.landmarks):
                return carried
        return face.landmarks if stream is Stream.RGB or work.nir is None else self._landmarks.closer(work.nir, face).landmarks

    def _align(self, fs: FrameSet, work: _Work, stream: Stream) -> Crop | None:
        to, marks = self._recogniser, self._marks(fs, work, stream)
        if stream is Stream.RGB and fs.rgb is not None:
            return align_rgb(fs.rgb, marks, to.input, mean=to.mean, scale=to.scale)
        if work.nir is None or (level := level_of(work.faces[stream], work.nir)) is None:
            return None
        return align_nir(work.nir, marks, level, to.input, mean=to.mean, scale=to.scale)


def _summary(work: _Work, fs: FrameSet) -> tuple[Quality | None, tuple[Hint, ...]]:
    """Return the quality of the best usable modality, RGB first, and the hints that would make the probe usable."""
    if not work.faces:
        return None, (Hint.NO_FACE,)
    order = [work.qualities[s] for s in (Stream.RGB, Stream.NIR) if s in work.qualities]
    chosen = next((q for q in order if q.usable), order[0])
    hints = list(chosen.hints)
    if work.count > 1 and Hint.MULTIPLE_FACES not in hints:
        hints.insert(0, Hint.MULTIPLE_FACES)
    if work.moved:
        hints.append(Hint.HOLD_STILL)
    if fs.depth is None or fs.nir is None:
        hints.append(Hint.SENSOR_MISSING)
    elif work.relief is None:
        hints.append(Hint.DEPTH_MISSING)
    return chosen, tuple(dict.fromkeys(hints))


def _modalities(work: _Work, fs: FrameSet) -> dict[str, str]:
    out = {}
    for stream in (Stream.RGB, Stream.NIR):
        quality = work.qualities.get(stream)
        if getattr(fs, stream.value) is None:
            out[stream.value] = "missing"
        elif quality is None:
            out[stream.value] = "rejected: no_face"
        else:
            out[stream.value] = "used" if quality.usable else "rejected: " + (quality.hints[0].value if quality.hints else "at the border")
    out["nir_ambient"] = "used" if fs.nir_ambient is not None else "missing"
    out["depth"] = "missing" if fs.depth is None else "used" if work.relief is not None else "rejected: too few points on the face"
    return out
