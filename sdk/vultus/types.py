"""Frozen values that the stages hand to each other: frames in (`vultus.frames`, named here too), a decision out.

Coordinates are pixels of the frame that they belong to, x right, y down, the centre of the top-left pixel at (0, 0).
Left and right in hints are the user's own. Scores, log-likelihood ratios and qualities are higher-is-better.
No repr here shows an embedding, a score or an image.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from vultus.frames import DeviceIdentity, Extrinsics, Frame, FrameSet, Intrinsics, Source, Stream

__all__ = [
    "F32",
    "U8",
    "U16",
    "Crop",
    "Cue",
    "Decision",
    "DeviceIdentity",
    "Embedding",
    "Extrinsics",
    "Face",
    "Frame",
    "FrameSet",
    "Grey",
    "Hint",
    "Intrinsics",
    "Liveness",
    "Match",
    "Modality",
    "Outcome",
    "PairScore",
    "Quality",
    "Reason",
    "Source",
    "SpoofKind",
    "Stream",
    "Verdict",
]

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
F32 = npt.NDArray[np.float32]
Grey = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class Modality(enum.StrEnum):
    """What an embedding was made from."""

    RGB = "rgb"
    NIR = "nir"


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
        if not self.vector.size or np.abs(self.vector).max() > 1.01 or abs(float(self.vector @ self.vector) - 1.0) > 1e-3:
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
    REPEATED = "repeated"
    STALE = "stale"
    NO_FACE = "no_face"
    MULTIPLE_FACES = "multiple_faces"
    POOR_QUALITY = "poor_quality"
    SPOOF = "spoof"
    LIVENESS_UNDECIDED = "liveness_undecided"
    LIVENESS_MISSING = "liveness_missing"
    NO_MATCH = "no_match"
    UNSURE = "unsure"
    MATCH_MISSING = "match_missing"
    NOT_CALIBRATED = "not_calibrated"
    NOT_ENROLLED = "not_enrolled"
    OTHER_DEVICE = "other_device"
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
    RECAPTURED = "recaptured"


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
    `miss_rate` is the share of genuine attempts with this or less, None = not measured. `score` and the `threshold` are the first pair's, or joint.
    """

    score: float = field(repr=False)
    log_lr: float = field(repr=False)
    fmr: float = field(repr=False)
    fmr_upper: float = field(repr=False)
    threshold: float
    target_fmr: float
    pairs: tuple[PairScore, ...] = field(repr=False)
    miss_rate: float | None = field(default=None, repr=False)


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
        return {k: full[k] for k in ("outcome", "accepted", "user", "reason", "hints")}


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
    return value.item() if isinstance(value, (np.floating, np.integer)) else value
