"""Camera calibrations: files that say how a device's cameras see and stand, and frames brought to what the rest of the SDK takes.

Everything behind a device takes a pinhole camera. A lens whose distortion moves some pixel by more than a quarter of a pixel is therefore
undone in the picture: colour and infrared are resampled bilinearly, depth takes the nearest pixel, what the lens did not see is 0.
Below that the picture stays as it is. Either way the frame then carries intrinsics, and extrinsics to RGB where they are known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import pictures
from vultus.documents import digest
from vultus.errors import CalibrationError
from vultus.frames import DeviceIdentity, Extrinsics, Frame, FrameSet, Intrinsics, Source, Stream
from vultus.types import F32

FORMAT: Final = "vultus.cameras 1"
STRAIGHT_PX: Final = 0.25
"""Largest move of a pixel by its lens that is left as it is: a quarter of what registration may be off by."""
MAX_BYTES: Final = 1 << 20
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Camera:
    """One stream's camera: a pinhole, OpenCV's k1, k2, p1, p2, and where it stands; None = it is the RGB camera, or registered to it."""

    intrinsics: Intrinsics
    distortion: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    extrinsics: Extrinsics | None = None

    def seen_at(self, columns: Array, rows: Array) -> tuple[F32, F32]:
        """Return where in the taken picture the pixels of a grid of the straight picture lie, float32 (rows, columns) each."""
        i, (k1, k2, p1, p2) = self.intrinsics, self.distortion
        x, y = np.meshgrid((columns - i.cx) / i.fx, (rows - i.cy) / i.fy)
        r2 = x * x + y * y
        bend = 1 + r2 * (k1 + k2 * r2)
        u = (x * bend + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)) * i.fx + i.cx
        v = (y * bend + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y) * i.fy + i.cy
        return u.astype(np.float32), v.astype(np.float32)

    def bend_px(self) -> float:
        """Return the largest distance by which the lens moves a pixel, from a grid of 65 x 65."""
        columns, rows = np.linspace(0, self.intrinsics.width - 1, 65), np.linspace(0, self.intrinsics.height - 1, 65)
        u, v = self.seen_at(columns, rows)
        return float(np.hypot(u - columns, v - rows[:, None]).max())


class Cameras:
    """The cameras of one device; `apply` brings its frames to pinhole cameras whose places are known."""

    def __init__(self, path: Path, device: DeviceIdentity, streams: Mapping[Stream, Camera]) -> None:
        self.path, self.device, self.streams = path, device, dict(streams)
        self._bent = frozenset(s for s, c in streams.items() if c.bend_px() > STRAIGHT_PX)
        self._maps: dict[Stream, tuple[F32, F32]] = {}

    def holds_for(self, identity: DeviceIdentity) -> bool:
        """Say whether the file was made for a device."""
        own = self.device
        return (own.kind, own.model) == (identity.kind, identity.model) and own.serial in ("", identity.serial)

    def apply(self, frame_set: FrameSet) -> FrameSet:
        """Return the frame set with straight pictures and known cameras; raises CalibrationError for pictures of another size."""
        changed: dict[str, Any] = {f.stream.value: self._frame(f) for f in frame_set.frames()}
        return replace(frame_set, **changed).timed(frame_set.timing)

    def _frame(self, frame: Frame) -> Frame:
        stream = Stream.NIR if frame.stream is Stream.NIR_AMBIENT else frame.stream
        camera = self.streams.get(stream)
        if camera is None:
            return frame
        i = camera.intrinsics
        if (frame.width, frame.height) != (i.width, i.height):
            raise CalibrationError(
                f"{self.path} is for {stream} of {i.width} x {i.height}, the device gives {frame.width} x {frame.height}; "
                "calibrate at that size, or remove the file"
            )
        data = frame.data
        if stream in self._bent:
            if stream not in self._maps:
                self._maps[stream] = camera.seen_at(np.arange(i.width), np.arange(i.height))
            data = _straight(data, *self._maps[stream], nearest=stream is Stream.DEPTH)
        return replace(frame, data=data, intrinsics=i, extrinsics=camera.extrinsics)


def _straight(data: Array, u: F32, v: F32, *, nearest: bool) -> Array:
    if not nearest:
        return pictures.sample(data, u, v, outside=0.0)
    x, y = np.rint(u).astype(np.intp), np.rint(v).astype(np.intp)
    inside = (x >= 0) & (x < data.shape[1]) & (y >= 0) & (y < data.shape[0])
    return np.where(inside, data[np.clip(y, 0, data.shape[0] - 1), np.clip(x, 0, data.shape[1] - 1)], 0).astype(data.dtype)


def document(device: DeviceIdentity, streams: Mapping[Stream, Camera], made: Mapping[str, Any]) -> dict[str, Any]:
    """Return a calibration as a document with its hash; `made` says how it came about and is not read again."""
    body: dict[str, Any] = {
        "format": FORMAT,
        "device": {"kind": device.kind, "model": device.model, "serial": device.serial, "source": device.source.value},
        "streams": {s.value: _written(c) for s, c in streams.items()},
        "made": dict(made),
    }
    return body | {"sha256": digest(body)}


def _written(camera: Camera) -> dict[str, Any]:
    i, e = camera.intrinsics, camera.extrinsics
    place = None if e is None else {"rotation": list(e.rotation), "translation_mm": list(e.translation_mm)}
    return {"size": [i.width, i.height], "lens": [i.fx, i.fy, i.cx, i.cy], "distortion": list(camera.distortion), "extrinsics": place}


def load(path: Path) -> Cameras:
    """Read a calibration file; raises CalibrationError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        found = json.loads(data[:MAX_BYTES])
    except FileNotFoundError:
        raise CalibrationError(f"no camera calibration at {path}; make one: vultus calibrate-camera") from None
    except (OSError, ValueError, RecursionError) as problem:
        raise CalibrationError(f"{path} is not a readable camera calibration ({type(problem).__name__}); make it again") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise CalibrationError(f"{path} is not a camera calibration of format {FORMAT!r}; make it again: vultus calibrate-camera")
    try:
        if found.get("sha256") != digest(found):
            raise CalibrationError(f"{path} was altered after it was made; make it again: vultus calibrate-camera")
        d = found["device"]
        device = DeviceIdentity(str(d["kind"]), str(d["model"]), str(d["serial"]), Source(d["source"]))
        streams = {Stream(name): _read(raw) for name, raw in found["streams"].items()}
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as problem:
        raise CalibrationError(f"{path} lacks or garbles a field ({problem}); make it again: vultus calibrate-camera") from None
    return Cameras(path, device, streams)


def _read(raw: Mapping[str, Any]) -> Camera:
    width, height = (int(n) for n in raw["size"])
    fx, fy, cx, cy = (float(n) for n in raw["lens"])
    k1, k2, p1, p2 = (float(n) for n in raw["distortion"])
    if not (min(width, height) >= 16 and max(width, height) <= 8192 and max(fx, fy, abs(cx), abs(cy)) < 1e6 and min(fx, fy) > 1):
        raise ValueError("a camera has 16 to 8192 pixels a side and a focal length above one pixel")
    if not all(abs(k) < 100 for k in (k1, k2, p1, p2)):
        raise ValueError("a lens does not bend like this")
    e, place = raw["extrinsics"], None
    if e is not None:
        place = motion(np.array(e["rotation"], np.float64), np.array(e["translation_mm"], np.float64))
    return Camera(Intrinsics(fx, fy, cx, cy, width, height), (k1, k2, p1, p2), place)


def motion(rotation: Array, translation_mm: Array) -> Extrinsics:
    """Return a rotation of nine numbers and a translation of three as extrinsics; raises ValueError for other shapes."""
    a, b, c, d, e, f, g, h, i = (float(n) for n in rotation.ravel())
    x, y, z = (float(n) for n in translation_mm.ravel())
    return Extrinsics((a, b, c, d, e, f, g, h, i), (x, y, z))


def of_device(folder: Path) -> Callable[[DeviceIdentity], Cameras | None]:
    """Return what finds the calibration of a live device among the files of a folder; one made for its serial before one for its model."""

    def find(identity: DeviceIdentity) -> Cameras | None:
        if identity.source is not Source.LIVE:
            return None  # a recording carries its own calibration, a simulator knows its cameras
        found = [c for c in map(load, sorted(folder.glob("*.json"))) if c.holds_for(identity)]
        return max(found, key=lambda c: c.device.serial != "", default=None)

    return find
