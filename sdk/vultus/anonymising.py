"""Take the faces out of a recording, or keep nothing but embeddings of them.

Every picture of every frame set is searched for faces, whole and in four overlapping parts, at a lower score than for signing in. What is
found in one stream is taken out of all of them, and so is what was found half a second before or after. A head becomes one colour: that of
its surroundings, with noise, so that nothing there depends on the face; its depth becomes one distance. Fails closed: a frame set in which no
face was found, in which a face cannot be carried to a stream where it was not found, or in which one is still found afterwards is left out.

What it does not take out: hair, clothes and hands beyond the head, the room, the way somebody moves, faces that the detector cannot find
(smaller than about 15 pixels between the eyes, turned away) beside one that it finds. Who knows the person may still know them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import _native
from vultus.frames import DeviceIdentity, Frame, FrameSet, Stream
from vultus.graphs import open_graph
from vultus.manifest import Manifest
from vultus.stages.detect import Detector
from vultus.stages.register import transfer
from vultus.types import F32, Face

Array = npt.NDArray[Any]
_LEAST: Final = 0.3
"""Detection score from which something is taken for a face here: half of what signing in asks for; a piece of wall too many does no harm."""
_AROUND_NS: Final = 500_000_000
"""How long before and after a finding its place stays covered: a blink of the detector."""
_SIDES, _UP, _DOWN = 0.55, 0.75, 0.45
"""How far a head reaches beyond the box of its face, in box sides: ears and hair, the crown, the chin."""
_RIM: Final = 0.15
"""Width of the surroundings that give the colour, in box sides."""
_NOISE: Final = 6.0
"""Deviation of the noise, in levels of 255, so that no edge of the cover looks like something seen."""
_PART: Final = 0.6
"""Side of each of four parts, in sides of the picture: they overlap by a fifth, so that no small face lies on a seam."""
_EYES_MM: Final = 63.0
"""Mean adult distance between the eyes (ISO/TR 7250-2), which gives the distance of a face."""

Rect = tuple[int, int, int, int]


@dataclass(slots=True)
class Counts:
    """What became of the frame sets; faces counts covered places over all streams."""

    kept: int = 0
    without_face: int = 0
    not_carried: int = 0
    still_seen: int = 0
    faces: int = 0

    @property
    def left_out(self) -> int:
        """Return how many frame sets were left out."""
        return self.without_face + self.not_carried + self.still_seen


@dataclass(frozen=True, slots=True)
class _Searched:
    """A frame set and where its heads are by stream; None = it must be left out."""

    frame_set: FrameSet
    heads: dict[Stream, list[Rect]] | None


class Anonymiser:
    """Covers the faces of frame sets. Not thread-safe."""

    def __init__(self, manifest: Manifest, threads: int = 1) -> None:
        self._detector = Detector(open_graph(manifest.entry("detector"), threads), open_graph(manifest.entry("detector_near"), threads))
        self._rng = np.random.default_rng()
        self.counts = Counts()

    def anonymise(self, frame_sets: Iterable[FrameSet], device: DeviceIdentity) -> Iterator[FrameSet]:
        """Yield the frame sets as `device` with every face covered, without those that must be left out; at most a second is held."""
        before: deque[_Searched] = deque()
        ahead: deque[_Searched] = deque()
        for frame_set in frame_sets:
            ahead.append(self._search(frame_set))
            while ahead[-1].frame_set.time_ns - ahead[0].frame_set.time_ns > _AROUND_NS:
                yield from self._next(before, ahead, device)
        while ahead:
            yield from self._next(before, ahead, device)

    def _next(self, before: deque[_Searched], ahead: deque[_Searched], device: DeviceIdentity) -> Iterator[FrameSet]:
        now = ahead.popleft()
        while before and now.frame_set.time_ns - before[0].frame_set.time_ns > _AROUND_NS:
            before.popleft()
        if now.heads is not None:
            near = [s.heads for s in (*before, now, *ahead) if s.heads is not None]
            covered = self._cover(now.frame_set, {s: [r for heads in near for r in heads.get(s, ())] for s in Stream}, device)
            if covered is not None:
                self.counts.kept += 1
                yield covered
        before.append(now)

    def _search(self, frame_set: FrameSet) -> _Searched:
        """Find every head in every stream; decide whether the frame set can be kept."""
        found = self._found(frame_set)
        if not any(found.values()):
            self.counts.without_face += 1
            return _Searched(frame_set, None)
        heads: dict[Stream, list[Rect]] = {}
        for frame in frame_set.frames():
            marks = [(f.landmarks, f.box) for f in found.get(frame.stream, [])]
            carried = [_carried(face, frame_set, frame) for s, faces in found.items() if s is not frame.stream for face in faces]
            apart = None in carried  # what was found elsewhere must then have been found here too
            if apart and len(_distinct(found.get(frame.stream, []))) < max(len(_distinct(f)) for f in found.values()):
                self.counts.not_carried += 1
                return _Searched(frame_set, None)
            boxes = [box for _, box in marks] + [c for c in carried if c is not None]
            heads[frame.stream] = [_head(box, frame) for box in boxes]
        return _Searched(frame_set, heads)

    def _found(self, frame_set: FrameSet) -> dict[Stream, list[Face]]:
        return {f.stream: self._faces(f, _picture(f, frame_set)) for f in frame_set.frames() if f.stream is not Stream.DEPTH}

    def _faces(self, frame: Frame, picture: Array) -> list[Face]:
        """Return the faces of a picture, looked for in it whole and in its parts."""
        faces = self._detector.find(picture, frame.stream, least=_LEAST)
        height, width = picture.shape[:2]
        rows, columns = int(height * _PART), int(width * _PART)
        for top in (0, height - rows):
            for left in (0, width - columns):
                part = np.ascontiguousarray(picture[top : top + rows, left : left + columns])
                for face in self._detector.find(part, frame.stream, least=_LEAST):
                    x, y, w, h = face.box
                    marks = face.landmarks + np.array([left, top], np.float32)
                    faces.append(replace(face, box=(x + left, y + top, w, h), landmarks=marks))
        return faces

    def _cover(self, frame_set: FrameSet, heads: dict[Stream, list[Rect]], device: DeviceIdentity) -> FrameSet | None:
        """Cover the heads; what the detector still finds is covered too, and when that does not end, None."""
        out = frame_set
        for _ in range(3):
            changed: dict[str, Any] = {}
            for frame in out.frames():
                rects = heads[frame.stream]
                self.counts.faces += len(rects)
                data = frame.data.copy()
                for rect in rects:
                    self._fill(data, rect, depth=frame.stream is Stream.DEPTH)
                changed[frame.stream.value] = replace(frame, data=data)
            out = replace(out, device=device, **changed).timed(frame_set.timing)
            left = self._found(out)
            if not any(left.values()):
                return out
            heads = {f.stream: [_head(face.box, f) for face in left.get(f.stream, [])] for f in out.frames()}
        self.counts.still_seen += 1
        return None

    def _fill(self, data: Array, rect: Rect, *, depth: bool) -> None:
        """Overwrite a rectangle in place by what surrounds it."""
        x0, y0, x1, y1 = rect
        if x1 <= x0 or y1 <= y0:
            return
        if depth:
            seen = data[y0:y1, x0:x1]
            known = seen[seen > 0]
            seen[...] = int(np.median(known)) if known.size else 0
            return
        rim = max(2, int(_RIM * (x1 - x0)))
        around = data[max(0, y0 - rim) : y1 + rim, max(0, x0 - rim) : x1 + rim]
        outside = np.ones(around.shape[:2], bool)
        top, left = y0 - max(0, y0 - rim), x0 - max(0, x0 - rim)
        outside[top : top + y1 - y0, left : left + x1 - x0] = False
        channels = data.shape[2:] or (1,)
        colour = around[outside].reshape(-1, *channels).mean(0) if outside.any() else np.full(channels, np.iinfo(data.dtype).max / 2)
        scale = np.iinfo(data.dtype).max / 255
        noise = self._rng.normal(0, _NOISE * scale, (y1 - y0, x1 - x0, 1))
        filled = np.clip(np.rint(colour + noise), 0, np.iinfo(data.dtype).max).astype(data.dtype)
        data[y0:y1, x0:x1] = filled if data.ndim == 3 else filled[..., 0]


def _distinct(faces: list[Face]) -> list[Face]:
    """Return one finding a face: those of the whole picture and of its parts lie on each other."""
    out: list[Face] = []
    for face in faces:
        middle = face.landmarks.mean(0)
        if all(np.hypot(*(middle - f.landmarks.mean(0))) > 0.5 * max(face.eye_distance, f.eye_distance) for f in out):
            out.append(face)
    return out


def _picture(frame: Frame, frame_set: FrameSet) -> Array:
    """Return what faces are looked for in: lit NIR without the ambient light, as signing in does, else the frame itself."""
    if frame.stream is Stream.NIR and frame_set.nir_ambient is not None:
        lit = np.empty_like(frame.data)
        _native.difference(np.ascontiguousarray(frame.data), np.ascontiguousarray(frame_set.nir_ambient.data), lit)
        return lit
    return np.ascontiguousarray(frame.data)


def _carried(face: Face, frame_set: FrameSet, target: Frame) -> tuple[float, float, float, float] | None:
    """Return the box of a face in another stream; None when the two cannot be related."""
    source: Frame = getattr(frame_set, face.stream.value)
    distance = _EYES_MM * source.intrinsics.fx / max(face.eye_distance, 1.0) if source.intrinsics is not None else None
    x, y, w, h = face.box
    corners: F32 = np.array([[x, y], [x + w, y + h]], np.float32)
    there = transfer(corners, source, target, distance)
    if there is None:
        return None
    (x0, y0), (x1, y1) = there.min(0), there.max(0)
    return float(x0), float(y0), float(x1 - x0), float(y1 - y0)


def _head(box: tuple[float, float, float, float], frame: Frame) -> Rect:
    """Return the rectangle of a head, clipped to the frame: x0, y0, x1, y1."""
    x, y, w, h = box
    side = max(w, h)
    x0, y0 = x + w / 2 - side * (0.5 + _SIDES), y - side * _UP
    x1, y1 = x + w / 2 + side * (0.5 + _SIDES), y + h + side * _DOWN
    return max(0, int(x0)), max(0, int(y0)), min(frame.width, int(x1) + 1), min(frame.height, int(y1) + 1)
