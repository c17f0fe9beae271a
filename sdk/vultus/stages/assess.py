"""Assess: measure the quality of a detected face and say what the user can do about it.

Component names and the 0..100 scale follow ISO/IEC 29794-5 where it has them. Pose comes from five landmarks and is coarse
(about 8 degrees); it serves to ask for a frontal face, not to measure one.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vultus import _native
from vultus.geometry import MAX_TURN, face_rect, pose_of
from vultus.types import Face, Frame, Grey, Hint, Quality

MIN_EYE_DISTANCE: Final = 20.0
"""Pixels between the eyes, as if seen from the front, below which detection and recognition fall off: a head 50 pixels wide."""
_MAX_ROLL: Final = 35.0
_DARK, _BRIGHT = 28.0, 225.0
_CLIPPED_SHARE: Final = 0.25
"""Share of the face at full scale from which its texture is lost; NIR detection falls to 15 % when most of it clips."""
_SHARP_HALF: Final = 0.004
"""Laplacian variance over intensity variance at which the sharpness component is 50, for the face as captured."""
_ROUNDING: Final = 20.0 / 12.0
"""Laplacian variance of the rounding to 8 bits alone: 4 * 4 + 4 * 1 * 1 times the variance 1/12 of a rounding error; without taking it off
a face blurred until no edge is left looks sharp."""


def assess(face: Face, image: Grey, faces: int, *, nir: bool) -> Quality:
    """Measure one face in its luma (uint8) or NIR (uint8 or uint16) picture; `faces` is how many were found in it."""
    top = 255 if image.dtype == np.uint8 else 65535
    height, width = image.shape
    rect = face_rect(face, width, height)
    if rect is None:
        return Quality({}, (Hint.NO_FACE,), usable=False)
    sums = _native.image_sums(image, rect, top // 255, top - top // 64)
    pose = pose_of(face.landmarks)
    level = 255.0 * sums.total / sums.n / top
    variance = max(sums.total_squares / sums.n - (sums.total / sums.n) ** 2, 1e-9)
    edges = sums.laplacian_squares / sums.n_laplacian - (sums.laplacian / sums.n_laplacian) ** 2
    edges = max(edges - (_ROUNDING if top == 255 else 0.0), 0.0)
    sharp = edges / variance
    clipped = sums.n_high / sums.n
    dim = level < (_DARK / 4 if nir else _DARK)
    components: dict[str, int | None] = {
        "single_face_present": 100 if faces == 1 else 0,
        "inter_eye_distance": _percent(face.eye_distance / 90.0),
        "sharpness": _percent(sharp / (sharp + _SHARP_HALF)),
        "under_exposure_prevention": _percent(level / (16.0 if nir else 64.0)),
        "over_exposure_prevention": _percent(1.0 - clipped / _CLIPPED_SHARE),
        "head_pose_yaw": _percent(np.cos(np.radians(pose.yaw)) ** 2),
        "head_pose_pitch": _percent(np.cos(np.radians(pose.pitch)) ** 2),
        "head_pose_roll": _percent(np.cos(np.radians(pose.roll)) ** 2),
    }
    bright = clipped >= _CLIPPED_SHARE or (not nir and level > _BRIGHT)
    turned = max(abs(pose.yaw), abs(pose.pitch)) > MAX_TURN or abs(pose.roll) > _MAX_ROLL
    small = face.eye_distance / max(np.cos(np.radians(pose.yaw)), 0.7) < MIN_EYE_DISTANCE
    blurred = sharp < _SHARP_HALF / 4
    hints: list[Hint] = [h for h, on in ((Hint.MULTIPLE_FACES, faces > 1), (Hint.TOO_FAR, small), (Hint.NOT_FRONTAL, turned)) if on]
    hints += [Hint.NIR_TOO_DIM if nir else Hint.TOO_DARK] if dim else []
    hints += [Hint.NIR_SATURATED if nir else Hint.TOO_BRIGHT] if bright else []
    hints += [Hint.BLURRED] if blurred else []
    placement, cut = _placement(face, width, height)
    return Quality(components, (*hints, *placement), usable=not (dim or bright or turned or small or blurred or cut))


def _placement(face: Face, width: int, height: int) -> tuple[tuple[Hint, ...], bool]:
    """Return where to move, in the user's own directions (the picture is not mirrored), and whether the face is cut by the border."""
    x, y, w, h = face.box
    hints = []
    margin = 0.12
    if x < -margin * w:
        hints.append(Hint.MOVE_LEFT)
    if x + w > width + margin * w:
        hints.append(Hint.MOVE_RIGHT)
    if y < -margin * h:
        hints.append(Hint.MOVE_DOWN)
    if y + h > height + margin * h:
        hints.append(Hint.MOVE_UP)
    marks = face.landmarks
    cut = bool((marks < 0).any() or (marks[:, 0] > width - 1).any() or (marks[:, 1] > height - 1).any())
    if w > 0.9 * width or h > 1.1 * height:
        hints.append(Hint.TOO_CLOSE)
    return tuple(hints), cut


def _percent(x: float) -> int:
    return round(100.0 * min(1.0, max(0.0, float(x))))


def exposed(face: Face | None, frame: Frame | None) -> bool:
    """Say whether the lit NIR picture is neither dim nor clipped where the face should be."""
    if face is None or frame is None:
        return False
    return not {Hint.NIR_TOO_DIM, Hint.NIR_SATURATED, Hint.NO_FACE} & set(assess(face, frame.data, 1, nir=True).hints)


def level_of(face: Face, image: Grey) -> float | None:
    """Return the mean level of the inner face in the picture's unit; None when the face is outside or black."""
    rect = face_rect(face, image.shape[1], image.shape[0])
    if rect is None:
        return None
    sums = _native.image_sums(image, rect, 0, 255 if image.dtype == np.uint8 else 65535)
    bright = sums.n - sums.n_low
    return sums.total / bright if bright > 0 and sums.total > 0 else None
