"""Say hints, reasons and states in plain words; the only place where they become sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from vultus.types import Hint, Reason

_HINTS: Final = {
    "no_face": "Look at the camera",
    "multiple_faces": "One person only, please",
    "too_dark": "More light on your face",
    "too_bright": "Less light on your face",
    "nir_too_dim": "Come closer, out of strong sunlight",
    "nir_saturated": "Move back a little",
    "too_close": "Move back",
    "too_far": "Come closer",
    "move_left": "Move to your left",
    "move_right": "Move to your right",
    "move_up": "Move up",
    "move_down": "Move down",
    "not_frontal": "Face the camera",
    "hold_still": "Hold still",
    "blurred": "Hold still; wipe the lens if it stays blurred",
    "depth_missing": "Come into the range of the depth sensor",
    "sensor_missing": "A sensor gives no picture: run vultus doctor",
}
_REASONS: Final = {
    "accepted": "recognised",
    "source_not_allowed": "frames from this kind of source are not allowed",
    "stream_missing": "a sensor that the user enrolled with is missing",
    "repeated": "the same pictures were shown before: a frozen camera, or frames put in again",
    "stale": "the frames of one set were not taken at one time",
    "no_face": "no face was seen",
    "multiple_faces": "more than one face was seen",
    "poor_quality": "the face was not seen well enough",
    "spoof": "this does not look like a living face",
    "liveness_undecided": "not enough evidence of a living face",
    "liveness_missing": "a sensor that proves a living face is missing",
    "no_match": "not recognised",
    "unsure": "not recognised for certain",
    "match_missing": "nothing could be compared",
    "not_calibrated": "a calibration that this decision needs is missing",
    "not_enrolled": "not enrolled",
    "other_device": "enrolled with another camera",
    "locked": "locked after too many failed attempts",
    "timeout": "the time is over",
    "cancelled": "cancelled",
}
_REMEDIES: Final = {
    "source_not_allowed": "allow it by name: --allow-recordings, --allow-simulated or --allow-virtual",
    "liveness_missing": "use a device with NIR and depth, or choose a weaker --tier by name",
    "stream_missing": "use the sensors that the user enrolled with, or enrol again without them",
    "not_calibrated": "put the sensor's calibration back, or choose a --target-fmr that it supports, or --allow-extrapolation by name",
    "not_enrolled": "enrol first: vultus enroll NAME",
    "other_device": "enrol with this camera, or --allow-other-devices by name",
    "repeated": "unplug the camera and plug it in again",
}


def hint_words(hint: Hint) -> str:
    """Return what to tell the person."""
    return _HINTS[hint.value]


def reason_words(reason: Reason) -> str:
    """Return why, for the person and the operator."""
    return _REASONS[reason.value]


def remedy_words(reason: Reason) -> str | None:
    """Return what the operator can change, or None when only the person can do something."""
    return _REMEDIES.get(reason.value)
