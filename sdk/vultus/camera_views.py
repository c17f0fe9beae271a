"""Gather views of a calibration board from a device, a recording or folders of pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import pictures
from vultus.boards import Board, Found
from vultus.camera_calibration import Camera, document
from vultus.camera_fitting import Lens, Motion, fit_lens, fit_motion
from vultus.errors import CalibrationError, RecordingError
from vultus.frames import DeviceIdentity, FrameSet, Stream

Pictures = Mapping[Stream, npt.NDArray[Any]]
_STREAMS: Final = (Stream.RGB, Stream.NIR)
_NEW: Final = 0.04
"""Share of the picture's width by which the board must have moved to be a new view."""
_STILL_PX: Final = 0.3
"""How far the board may move between the frames of one set: a third of the error that is allowed."""
_PERIOD_NS: Final = 100_000_000
"""Time between two frame sets that are looked at: people do not move a board faster than that to a new place."""
_ENDINGS: Final = frozenset({".png", ".jpg", ".jpeg"})


@dataclass(slots=True)
class Views:
    """What was seen of the board, by moment; sizes of the streams. `tried` counts the moments that were looked at."""

    board: Board
    seen: list[dict[Stream, Found]] = field(default_factory=list)
    sizes: dict[Stream, tuple[int, int]] = field(default_factory=dict)
    tried: int = 0
    moving: int = 0
    alike: int = 0
    _last: tuple[int, dict[Stream, Found]] | None = None

    def look(self, taken: Pictures, *, time_ns: int | None = None, skew_ns: int = 0) -> bool:
        """Look for the board in the pictures of one moment; True when it makes a new view. time_ns None: pictures that stand alone.

        Raises CalibrationError when a stream changes its size.
        """
        self.tried += 1
        found: dict[Stream, Found] = {}
        for stream in _STREAMS:
            if stream in taken:
                size = (taken[stream].shape[1], taken[stream].shape[0])
                if self.sizes.setdefault(stream, size) != size:
                    raise CalibrationError(f"{stream} pictures have two sizes, {self.sizes[stream]} and {size}; give those of one size")
                corners = self.board.find(taken[stream])
                if corners is not None:
                    found[stream] = corners
        if not found:
            return False
        before, self._last = self._last, (time_ns or 0, found)
        if time_ns is not None and before is not None and self._moved(before, time_ns, found, skew_ns):
            self.moving += 1
            return False
        if time_ns is not None and any(self._near(found, old) for old in self.seen):
            self.alike += 1
            return False
        self.seen.append(found)
        return True

    def _moved(self, before: tuple[int, dict[Stream, Found]], time_ns: int, found: dict[Stream, Found], skew_ns: int) -> bool:
        """Say whether the board moves so fast that the frames of one set show it in different places."""
        passed = time_ns - before[0]
        shifts = [_shift(found[s], before[1][s]) for s in found if s in before[1]]
        return 0 < passed < 5 * _PERIOD_NS and any(s is not None and s / passed * skew_ns > _STILL_PX for s in shifts)

    def _near(self, found: dict[Stream, Found], old: dict[Stream, Found]) -> bool:
        """Say whether a view adds nothing to an older one: no camera that saw either sees the board elsewhere."""
        if set(found) - set(old):
            return False
        return all((s := _shift(found[k], old[k])) is not None and s < _NEW * self.sizes[k][0] for k in found)


def _shift(a: Found, b: Found) -> float | None:
    """Return the root mean square distance in pixels of the corners that both show; None when they share none."""
    _, i, j = np.intersect1d(a.ids, b.ids, return_indices=True)
    return float(np.sqrt(((a.points[i] - b.points[j]) ** 2).sum(1).mean())) if len(i) else None


def from_device(views: Views, frame_sets: Iterable[FrameSet], wanted: int, on_view: Callable[[int], None]) -> None:
    """Look at a device's frame sets until `wanted` views were found or they end."""
    next_ns, last_ns = 0, -1
    for frame_set in frame_sets:
        if len(views.seen) >= wanted:
            return
        if last_ns < frame_set.time_ns < next_ns:
            continue
        last_ns, next_ns = frame_set.time_ns, frame_set.time_ns + _PERIOD_NS
        alone = frame_set.device.kind == "images"
        taken = {f.stream: f.data for f in frame_set.frames()}
        if views.look(taken, time_ns=None if alone else frame_set.time_ns, skew_ns=frame_set.skew_ns):
            on_view(len(views.seen))


def from_folder(views: Views, folder: Path, on_view: Callable[[int], None]) -> None:
    """Look at the pictures of a folder: rgb/ and nir/ in it, one name for one moment; without them the pictures themselves are RGB."""
    for taken in _read_folder(folder):
        if views.look(taken):
            on_view(len(views.seen))


def _read_folder(folder: Path) -> Iterator[Pictures]:
    places = {s: folder / s.value for s in _STREAMS if (folder / s.value).is_dir()} or {Stream.RGB: folder}
    names = sorted({p.name for place in places.values() for p in place.iterdir() if p.suffix.lower() in _ENDINGS})
    if not names:
        raise RecordingError(f"{folder} has no pictures: put .png or .jpg files into it, or into rgb/ and nir/ in it")
    for name in names:
        try:
            yield {s: pictures.read(place / name, s) for s, place in places.items() if (place / name).is_file()}
        except ValueError as problem:
            raise RecordingError(f"{folder}: {name}: {problem}") from problem


@dataclass(frozen=True, slots=True)
class Result:
    """The cameras that were found, the document that is written, and how well each fits."""

    document: dict[str, Any]
    lenses: Mapping[Stream, Lens]
    motion: Motion | None


def fit(views: Views, device: DeviceIdentity, made: Mapping[str, Any], *, depth_is_nir: bool = False) -> Result:
    """Fit every camera that saw the board, and where NIR stands; raises CalibrationError when something is missing for it.

    depth_is_nir: depth is measured in the NIR camera's own picture, of its size, so that one camera serves both.
    """
    lenses: dict[Stream, Lens] = {}
    for stream in _STREAMS:
        found = [v[stream] for v in views.seen if stream in v]
        if stream in views.sizes:
            lenses[stream] = fit_lens(views.board, found, *views.sizes[stream], stream.value)
    if not lenses:
        raise CalibrationError("no RGB and no NIR picture came; check the device")
    motion = None
    if len(lenses) == len(_STREAMS):
        pairs = [(v[Stream.NIR], v[Stream.RGB]) for v in views.seen if set(_STREAMS) <= set(v)]
        motion = fit_motion(views.board, pairs, lenses[Stream.NIR], lenses[Stream.RGB], "nir to rgb")
    streams = {s: Camera(lens.intrinsics, lens.distortion) for s, lens in lenses.items()}
    if motion is not None:
        streams[Stream.NIR] = Camera(lenses[Stream.NIR].intrinsics, lenses[Stream.NIR].distortion, motion.extrinsics)
    if depth_is_nir:
        if Stream.NIR not in streams:
            raise CalibrationError("depth is said to be the NIR camera's, but no NIR picture came")
        streams[Stream.DEPTH] = streams[Stream.NIR]
    board = views.board
    about = {"board": [board.kind, board.columns, board.rows, board.square_mm], **made, **summary(lenses, motion)}
    return Result(json.loads(json.dumps(document(device, streams, about))), lenses, motion)


def summary(lenses: Mapping[Stream, Lens], motion: Motion | None) -> dict[str, Any]:
    """Return how well everything fits, for the file, --json and people."""
    out: dict[str, Any] = {}
    for stream, lens in lenses.items():
        e = lens.error
        out[stream.value] = {
            "views": lens.views, "left_out": lens.left_out, "coverage": round(lens.coverage, 3), "tilt_deg": round(lens.tilt_deg, 1),
            "error_px": [round(x, 4) for x in (e.value, e.low, e.high)], "deviations_px": [round(x, 3) for x in lens.deviations],
            "bend_px": round(Camera(lens.intrinsics, lens.distortion).bend_px(), 2),
        }  # fmt: skip
    if motion is not None:
        e = motion.error
        out["nir_to_rgb"] = {
            "views": motion.views, "error_px": [round(x, 4) for x in (e.value, e.low, e.high)],
            "baseline_mm": [round(motion.baseline_mm, 3), round(motion.baseline_half_mm, 3)],
        }  # fmt: skip
    return out
