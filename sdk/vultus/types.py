"""Frozen values that the stages hand to each other: frames in, a decision out.

Coordinates are pixels of the frame that they belong to, x right, y down, the centre of the top-left pixel at (0, 0).
Left and right in hints are the user's own. Scores, log-likelihood ratios and qualities are higher-is-better.
No repr here shows an embedding, a score or an image.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
F32 = npt.NDArray[np.float32]

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


class Modality(enum.StrEnum):
    """What an embedding was made from."""

    RGB = "rgb"
    NIR = "nir"


class Source(enum.StrEnum):
    """Where frame sets come from; a policy names those that it accepts."""

    LIVE = "live"
    RECORDING = "recording"
    IMAGES = "images"
    SIMULATED = "simulated"


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
        if not np.allclose(r.reshape(3, 3) @ r.reshape(3, 3).T, np.eye(3), atol=1e-3):
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
        shape = self.data.shape
        if len(shape) != dims or (dims == 3 and shape[2] != 3):
            raise ValueError(f"a {self.stream} frame must be {layout}; got shape {shape}")
        if not (MIN_SIDE <= min(shape[:2]) and max(shape[:2]) <= MAX_SIDE):
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


@dataclass(frozen=True, slots=True, eq=False)
class FrameSet:
    """Frames of one moment; any stream may be absent, but not all of them.

    Raises TypeError or ValueError when a frame stands under another stream's name or NIR lit and ambient differ in shape or dtype.
    """

    device: DeviceIdentity
    sequence: int
    rgb: Frame | None = None
    nir: Frame | None = None
    nir_ambient: Frame | None = None
    depth: Frame | None = None

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


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A detected face: `box` is (x, y, width, height); `landmarks` is float32 (5, 2) in image order
    left eye, right eye, nose tip, left mouth corner, right mouth corner (left = smaller x for an upright face); `score` in 0..1.
    """

    stream: Stream
    box: tuple[float, float, float, float]
    landmarks: F32 = field(repr=False)
    score: float

    @property
    def eye_distance(self) -> float:
        """Distance between the eye centres in pixels (inter-eye distance of ISO/IEC 29794-5)."""
        return float(np.hypot(*(self.landmarks[1] - self.landmarks[0])))


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """An aligned face as the recogniser's input tensor: float32 (1, 3, 112, 112), RGB planes, 0..255. Valid until the next frame set."""

    modality: Modality
    tensor: F32 = field(repr=False)
    matrix: npt.NDArray[np.float64] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A unit-length float32 vector made by the graph whose sha256 is `graph`; comparable only with the same graph's."""

    modality: Modality
    vector: F32 = field(repr=False)
    graph: str

    def __post_init__(self) -> None:
        if self.vector.dtype != np.float32 or self.vector.ndim != 1 or not np.isfinite(self.vector).all():
            raise ValueError("an embedding is one finite float32 vector")
        if abs(float(self.vector @ self.vector) - 1.0) > 1e-3:
            raise ValueError("an embedding has unit length")


class Hint(enum.StrEnum):
    """What the user can do to be recognised; advice, never a verdict. Directions are the user's own."""

    NO_FACE = "no_face"
    MULTIPLE_FACES = "multiple_faces"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    NIR_TOO_DIM = "nir_too_dim"
    NIR_SATURATED = "nir_saturated"
    TOO_CLOSE = "too_close"
    TOO_FAR = "too_far"
    MOVE_LEFT = "move_left"
    MOVE_RIGHT = "move_right"
    MOVE_UP = "move_up"
    MOVE_DOWN = "move_down"
    NOT_FRONTAL = "not_frontal"
    HOLD_STILL = "hold_still"
    BLURRED = "blurred"
    DEPTH_MISSING = "depth_missing"
    SENSOR_MISSING = "sensor_missing"


class Outcome(enum.StrEnum):
    """ACCEPT only when every gate passed; UNDECIDED asks for another frame set and never opens anything."""

    ACCEPT = "accept"
    REJECT = "reject"
    UNDECIDED = "undecided"


class Reason(enum.StrEnum):
    """The first gate that did not pass; ACCEPTED when all did."""

    ACCEPTED = "accepted"
    SOURCE_NOT_ALLOWED = "source_not_allowed"
    STREAM_MISSING = "stream_missing"
    STALE = "stale"
    NO_FACE = "no_face"
    MULTIPLE_FACES = "multiple_faces"
    POOR_QUALITY = "poor_quality"
    SPOOF = "spoof"
    LIVENESS_UNDECIDED = "liveness_undecided"
    LIVENESS_MISSING = "liveness_missing"
    NO_MATCH = "no_match"
    MATCH_MISSING = "match_missing"
    NOT_CALIBRATED = "not_calibrated"
    NOT_ENROLLED = "not_enrolled"
    LOCKED = "locked"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


class SpoofKind(enum.StrEnum):
    """What the failed cue points to; a guess about the species, not a measurement."""

    FLAT = "flat"
    BENT = "bent"
    SELF_LIT = "self_lit"
    STREAMS_DISAGREE = "streams_disagree"
    WRONG_SIZE = "wrong_size"


class Verdict(enum.StrEnum):
    """What one cue or one gate says."""

    PASS = "pass"
    FAIL = "fail"
    ABSTAIN = "abstain"


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of one probe: ISO/IEC 29794-5 component names to 0..100 (None = not measured), and what to do about it."""

    components: Mapping[str, int | None]
    hints: tuple[Hint, ...]
    usable: bool


@dataclass(frozen=True, slots=True)
class Cue:
    """One physical measurement of liveness: `value` in `unit`, judged against `limit`; None = could not be measured."""

    name: str
    value: float | None
    unit: str
    limit: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Liveness:
    """Verdict of the anti-spoof gates. `p_live` and `log_lr` are None while no calibration on real attacks backs them."""

    verdict: Verdict
    cues: tuple[Cue, ...]
    spoof_kind: SpoofKind | None = None
    p_live: float | None = None
    log_lr: float | None = None


@dataclass(frozen=True, slots=True)
class PairScore:
    """Comparison of one probe modality with one reference modality: `score` is the mean cosine over the references, -1..1."""

    probe: Modality
    reference: Modality
    score: float = field(repr=False)
    references: int


@dataclass(frozen=True, slots=True)
class Match:
    """Comparison of a probe with one enrolled user.

    `fmr` is the false-match rate expected at this evidence and `fmr_upper` its upper 95 % bound; `log_lr` is in nats.
    `threshold` is the score at which the first pair alone would reach `target_fmr`.
    """

    score: float = field(repr=False)
    log_lr: float = field(repr=False)
    fmr: float = field(repr=False)
    fmr_upper: float = field(repr=False)
    threshold: float
    target_fmr: float
    pairs: tuple[PairScore, ...] = field(repr=False)


_PUBLIC: Final = ("outcome", "accepted", "user", "reason", "hints")


@dataclass(frozen=True, slots=True)
class Decision:
    """What the SDK decided, why, and with what figures.

    `match` and `liveness` are None when they were not run, never 0. `modalities` says for each stream "used", "missing" or
    "rejected: why". `latency_ms` is by stage. Accepts are built in `vultus.policy` alone.
    """

    outcome: Outcome
    reason: Reason
    user: str | None = None
    hints: tuple[Hint, ...] = ()
    match: Match | None = field(default=None, repr=False)
    liveness: Liveness | None = field(default=None, repr=False)
    quality: Quality | None = field(default=None, repr=False)
    modalities: Mapping[str, str] = field(default_factory=dict)
    latency_ms: Mapping[str, float] = field(default_factory=dict, repr=False)
    versions: Mapping[str, str] = field(default_factory=dict, repr=False)
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        if (self.outcome is Outcome.ACCEPT) != (self.reason is Reason.ACCEPTED):
            raise ValueError("an accept has the reason ACCEPTED and nothing else has")

    @property
    def accepted(self) -> bool:
        """True only for ACCEPT."""
        return self.outcome is Outcome.ACCEPT

    def __bool__(self) -> NoReturn:
        raise TypeError("a Decision has three outcomes; test decision.accepted")

    def to_dict(self) -> dict[str, Any]:
        """Return every field as JSON-ready values, scores included; for the owner of the device, not for remote callers."""
        out: dict[str, Any] = _plain(self)
        out["accepted"] = self.accepted
        return out

    def to_json(self) -> str:
        """Return `to_dict()` as one line of JSON."""
        return json.dumps(self.to_dict(), allow_nan=False, sort_keys=True)

    def public(self) -> dict[str, Any]:
        """Return outcome, user, reason and hints without any score, which an attacker could climb."""
        full = self.to_dict()
        return {k: full[k] for k in _PUBLIC}


def _plain(value: Any) -> Any:
    """Turn a frozen value of this module into JSON-ready ones."""
    if isinstance(value, enum.Enum):
        return value.value
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, (np.floating, np.integer)):
        return value.item()
    return value
