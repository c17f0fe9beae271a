"""Frames: what a device hands over, one picture a stream and one set a moment.

Coordinates are pixels of the frame that they belong to, x right, y down, the centre of the top-left pixel at (0, 0).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

U16 = npt.NDArray[np.uint16]

MAX_SIDE: Final = 8192
"""Largest frame side in pixels; twice a 4K camera's. Larger is refused before any work."""
MIN_SIDE: Final = 16
"""Smallest frame side in pixels; no sensor has fewer and no face fits."""


class Stream(enum.StrEnum):
    """A stream of one frame set."""

    RGB = "rgb"
    NIR = "nir"
    NIR_AMBIENT = "nir_ambient"
    DEPTH = "depth"


class Source(enum.StrEnum):
    """Where frame sets come from; a policy names those that it accepts. `VIRTUAL` is a camera that software makes up."""

    LIVE = "live"
    RECORDING = "recording"
    IMAGES = "images"
    SIMULATED = "simulated"
    VIRTUAL = "virtual"


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole camera: focal lengths and principal point in pixels of a `width` x `height` frame."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if not (np.isfinite([self.fx, self.fy, self.cx, self.cy]).all() and self.fx > 0 and self.fy > 0):
            raise ValueError("intrinsics need finite numbers and positive focal lengths")


@dataclass(frozen=True, slots=True)
class Extrinsics:
    """A rigid motion that takes a point of this camera to the RGB camera's frame.

    `rotation` is row-major 3 x 3; `translation_mm` is in millimetres.
    """

    rotation: tuple[float, float, float, float, float, float, float, float, float]
    translation_mm: tuple[float, float, float]

    def __post_init__(self) -> None:
        r = np.asarray(self.rotation, np.float64)
        if r.shape != (9,) or len(self.translation_mm) != 3 or not np.isfinite([*self.rotation, *self.translation_mm]).all():
            raise ValueError("extrinsics need nine rotation and three translation numbers, all finite")
        if np.abs(r).max() > 1.01 or not np.allclose(r.reshape(3, 3) @ r.reshape(3, 3).T, np.eye(3), atol=1e-3):
            raise ValueError("the rotation is not orthonormal")


_LAYOUT: Final[Mapping[Stream, tuple[int, tuple[type[np.generic], ...], str]]] = MappingProxyType(
    {
        Stream.RGB: (3, (np.uint8,), "uint8 (height, width, 3), colours in the order R, G, B"),
        Stream.NIR: (2, (np.uint8, np.uint16), "uint8 or uint16 (height, width)"),
        Stream.NIR_AMBIENT: (2, (np.uint8, np.uint16), "uint8 or uint16 (height, width)"),
        Stream.DEPTH: (2, (np.uint16,), "uint16 (height, width) in millimetres, 0 = no return; see depth_from_metres()"),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one stream, as a read-only view of the caller's array (nothing is copied).

    data: RGB uint8 (h, w, 3); NIR and ambient NIR uint8 or uint16 (h, w), linear in light for uint16;
    depth uint16 (h, w) in millimetres, 0 = no return. `time_ns` is the start of exposure on the device's clock.
    `intrinsics` None means unknown; `extrinsics` None means registered to RGB pixel by pixel when the sizes agree.
    Raises TypeError for a wrong type or dtype, ValueError for a wrong shape or a side outside MIN_SIDE..MAX_SIDE.
    """

    stream: Stream
    data: npt.NDArray[Any] = field(repr=False)
    time_ns: int
    intrinsics: Intrinsics | None = None
    extrinsics: Extrinsics | None = None

    def __post_init__(self) -> None:
        dims, dtypes, layout = _LAYOUT[self.stream]
        if not isinstance(self.data, np.ndarray) or self.data.dtype.type not in dtypes or not self.data.dtype.isnative:
            got = self.data.dtype if isinstance(self.data, np.ndarray) else type(self.data).__name__
            raise TypeError(f"a {self.stream} frame must be {layout}; got {got}")
        if not self.data.flags.aligned:
            raise ValueError(f"a {self.stream} frame must lie at an address that its dtype allows; copy the array")
        shape = self.data.shape
        if len(shape) != dims or (dims == 3 and shape[2] != 3):
            raise ValueError(f"a {self.stream} frame must be {layout}; got shape {shape}")
        if not (min(shape[:2]) >= MIN_SIDE and max(shape[:2]) <= MAX_SIDE):
            raise ValueError(f"frame sides must be {MIN_SIDE} to {MAX_SIDE} pixels; got {shape[1]} x {shape[0]}")
        if isinstance(self.time_ns, bool) or not isinstance(self.time_ns, int) or not 0 <= self.time_ns < 2**63:
            raise ValueError("time_ns must be a non-negative integer number of nanoseconds")
        i = self.intrinsics
        if i is not None and (i.height, i.width) != shape[:2]:
            raise ValueError(f"the intrinsics are for {i.width} x {i.height}, the frame is {shape[1]} x {shape[0]}")
        view = self.data.view()
        view.flags.writeable = False
        object.__setattr__(self, "data", view)

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.data.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.data.shape[0])


def depth_from_metres(depth_m: npt.NDArray[np.floating[Any]]) -> U16:
    """Convert a float depth picture in metres to the SDK's uint16 millimetres; NaN, infinite, negative and far become 0 (no return)."""
    if not isinstance(depth_m, np.ndarray) or depth_m.dtype.kind != "f" or depth_m.ndim != 2:
        raise TypeError("depth in metres must be a float array (height, width)")
    mm = depth_m.astype(np.float64) * 1000.0
    valid = np.isfinite(mm) & (mm > 0) & (mm < 65535)
    return np.where(valid, np.rint(np.where(valid, mm, 0.0)), 0).astype(np.uint16)


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Who took the frames: `kind` is the URL scheme, `serial` tells one unit from another ("" = unknown)."""

    kind: str
    model: str
    serial: str
    source: Source


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """What became of one stream's frames since the device was opened.

    lost: gaps in the sensor's own rhythm, in frames. refused: out of order or from an impossible time. `offset_ns` takes the sensor's
    clock to the host's; 0 when they are the same.
    """

    received: int
    used: int
    lost: int
    refused: int
    offset_ns: int


@dataclass(frozen=True, slots=True)
class Timing:
    """How the frame sets of a device were put together from its streams, up to this one.

    unmatched: moments that made no set, because a stream had no frame near enough. stale: sets that waited too long to be handed over.
    """

    streams: Mapping[Stream, StreamTiming]
    sets: int
    unmatched: int
    stale: int
    mean_skew_ns: int
    worst_skew_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class FrameSet:
    """Frames of one moment; any stream may be absent, but not all of them. `timing` None: the device hands the streams over together.

    Raises TypeError or ValueError when a frame stands under another stream's name or NIR lit and ambient differ in shape or dtype.
    """

    device: DeviceIdentity
    sequence: int
    rgb: Frame | None = None
    nir: Frame | None = None
    nir_ambient: Frame | None = None
    depth: Frame | None = None
    timing: Timing | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        for stream in Stream:
            frame = getattr(self, stream.value)
            if frame is not None and not isinstance(frame, Frame):
                raise TypeError(f"{stream} must be a Frame or None; got {type(frame).__name__}")
            if frame is not None and frame.stream is not stream:
                raise ValueError(f"a {frame.stream} frame was given as {stream}")
        if self.rgb is None and self.nir is None and self.depth is None:
            raise ValueError("a frame set needs at least one of rgb, nir and depth")
        if self.nir_ambient is not None:
            if self.nir is None:
                raise ValueError("nir_ambient without nir means nothing; give both or neither")
            a, b = self.nir.data, self.nir_ambient.data
            if a.shape != b.shape or a.dtype != b.dtype:
                raise ValueError("nir and nir_ambient must have one shape and one dtype")
        if isinstance(self.sequence, bool) or not isinstance(self.sequence, int) or self.sequence < 0:
            raise ValueError("sequence must be a non-negative integer")

    def timed(self, timing: Timing | None) -> FrameSet:
        """Return the same frame set with how it was put together."""
        timed = replace(self)
        object.__setattr__(timed, "timing", timing)
        return timed

    def frames(self) -> Iterator[Frame]:
        """Yield the frames that are present, in the order rgb, nir, nir_ambient, depth."""
        for stream in Stream:
            frame: Frame | None = getattr(self, stream.value)
            if frame is not None:
                yield frame

    @property
    def time_ns(self) -> int:
        """The latest time stamp in the set."""
        return max(f.time_ns for f in self.frames())

    @property
    def skew_ns(self) -> int:
        """Distance between the first and the last time stamp."""
        times = [f.time_ns for f in self.frames()]
        return max(times) - min(times)
