"""Liveness: physical cues from measured depth, the NIR strobe and the agreement of the streams.

Blocks: flat, tilted and bent prints and any screen (depth relief); self-lit pictures (strobe); a face shown to one camera
only, or different scenes in front of two (agreement); a NIR picture computed from the colour picture (likeness); miniatures and
posters (head size); most depth of something else, or of a head elsewhere in the picture, behind a near-frontal face (nose); sheets wider
than a head (outline); NIR that is even, or brightest where the depth turns away from the lamp, or unlike the colour picture (surface);
depth turned otherwise than the picture, or without eye sockets by more than any glasses (shape); another person's face in one of the
two pictures (same face). What lies between a cue's limits counts in the vote of a calibrated sensor alone.
Does not block: a mask or bust with a head's shape and reflectance, a print cut and creased into the relief of a face, a twin, coercion,
or frames injected behind the camera. Without depth only self-lit and one-stream attacks are blocked: a NIR-reflective print passes.
A cue that cannot be measured abstains; which cues must pass is the policy's business (`vultus.policy.Tier`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vultus import _native
from vultus.geometry import MAX_TURN, Relief, Surface, face_rect, pose_of
from vultus.types import Cue, Embedding, Face, Frame, Intrinsics, Liveness, SpoofKind, Verdict

RELIEF, HEAD_SIZE, NOSE, STROBE = "depth_relief", "head_size", "nose", "strobe"
NIR_FACE, NIR_LIKENESS = "nir_face", "nir_likeness"
FALLOFF, GAIN, SOCKETS, TURN, SAME_FACE = "nir_falloff", "nir_gain", "eye_sockets", "depth_turn", "same_face"
YAW, PITCH = "face_yaw", "face_pitch"
OUTLINE, STRUCTURE, CONTRAST = "head_outline", "nir_structure", "nir_contrast"
DETAIL, EYE_DETAIL, NOISE = "nir_detail", "eye_detail", "nir_noise"
MAX_NOISE = 1.0
"""Nats of noise at which light says nothing at all; a sensor's own calibration knows a lower limit."""
_KINDS: Mapping[str, SpoofKind] = {
    RELIEF: SpoofKind.FLAT,
    HEAD_SIZE: SpoofKind.WRONG_SIZE,
    NOSE: SpoofKind.STREAMS_DISAGREE,
    STROBE: SpoofKind.SELF_LIT,
    NIR_FACE: SpoofKind.STREAMS_DISAGREE,
    NIR_LIKENESS: SpoofKind.STREAMS_DISAGREE,
    OUTLINE: SpoofKind.WRONG_SIZE,
    STRUCTURE: SpoofKind.STREAMS_DISAGREE,
    CONTRAST: SpoofKind.STREAMS_DISAGREE,
    FALLOFF: SpoofKind.STREAMS_DISAGREE,
    GAIN: SpoofKind.STREAMS_DISAGREE,
    SOCKETS: SpoofKind.FLAT,
    TURN: SpoofKind.STREAMS_DISAGREE,
    SAME_FACE: SpoofKind.STREAMS_DISAGREE,
    DETAIL: SpoofKind.STREAMS_DISAGREE,
    EYE_DETAIL: SpoofKind.STREAMS_DISAGREE,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Where each cue passes and fails; between the two it abstains. Values and their origin are data (`calibration/liveness.json`)."""

    relief_pass_mm: float
    relief_fail_mm: float
    bent_plane_mm: float
    strobe_pass: float
    strobe_fail: float
    agreement_pass: float
    agreement_fail: float
    eye_distance_low_mm: float
    eye_distance_high_mm: float
    nose_pass_mm: float
    nose_fail_mm: float
    nose_turn: float
    likeness_pass: float
    likeness_fail: float
    outline_pass: float
    outline_fail: float
    structure_pass: float
    structure_fail: float
    contrast_pass: float
    contrast_fail: float
    falloff_pass: float
    falloff_fail: float
    gain_pass: float
    gain_fail: float
    detail_pass: float
    detail_fail: float
    eye_detail_pass: float
    eye_detail_fail: float
    sockets_pass_mm: float
    sockets_fail_mm: float
    turn_pass: float
    turn_fail: float
    turn_share: float
    same_pass: float
    same_fail: float


def relief_cue(relief: Relief | None, limits: Limits) -> Cue:
    """Judge how far the depth stands off the best bent sheet, the sensor's own noise taken out in quadrature."""
    if relief is None:
        return Cue(RELIEF, None, "mm", limits.relief_pass_mm, Verdict.ABSTAIN)
    value = float(np.sqrt(max(relief.sheet_mm**2 - relief.noise_mm**2, 0.0)))
    return _judge(RELIEF, value, "mm", limits.relief_pass_mm, limits.relief_fail_mm)


def head_size_cue(face: Face, intrinsics: Intrinsics | None, relief: Relief | None, limits: Limits) -> Cue:
    """Judge the distance between the eyes in millimetres, corrected for the turn of the head."""
    if intrinsics is None or relief is None:
        return Cue(HEAD_SIZE, None, "mm", limits.eye_distance_low_mm, Verdict.ABSTAIN)
    turn = max(float(np.cos(np.radians(pose_of(face.landmarks).yaw))), 0.7)
    value = face.eye_distance * relief.distance_mm / intrinsics.fx / turn
    good = limits.eye_distance_low_mm <= value <= limits.eye_distance_high_mm
    limit = limits.eye_distance_low_mm if value < limits.eye_distance_low_mm else limits.eye_distance_high_mm
    return Cue(HEAD_SIZE, value, "mm", limit, Verdict.PASS if good else Verdict.FAIL)


def nose_cue(face: Face, relief: Relief | None, limits: Limits) -> Cue:
    """Judge whether the depth has a nose where the picture has one: its tip before both cheeks. Depth of another place has none there.

    Abstains on a head turned by more than `limits.nose_turn` degrees, which hides a cheek, and where nose or cheeks were not measured.
    """
    pose = pose_of(face.landmarks)
    if relief is None or relief.nose_mm is None or max(abs(pose.yaw), abs(pose.pitch)) > limits.nose_turn:
        return Cue(NOSE, None, "mm", limits.nose_pass_mm, Verdict.ABSTAIN)
    return _judge(NOSE, relief.nose_mm, "mm", limits.nose_pass_mm, limits.nose_fail_mm)


def strobe_cue(lit: Frame | None, ambient: Frame | None, face: Face | None, limits: Limits) -> Cue:
    """Judge which share of the NIR light on the face came from the device's own lamp: (lit - ambient) / lit."""
    empty = Cue(STROBE, None, "ratio", limits.strobe_pass, Verdict.ABSTAIN)
    if lit is None or ambient is None or face is None:
        return empty
    rect = face_rect(face, lit.width, lit.height)
    if rect is None:
        return empty
    top = 255 if lit.data.dtype == np.uint8 else 65535
    sums = _native.strobe_sums(lit.data, ambient.data, rect, top - top // 64)
    if sums.n < 0.5 * rect[2] * rect[3] or sums.lit <= 0:
        return empty
    return _judge(STROBE, (sums.lit - sums.ambient) / sums.lit, "ratio", limits.strobe_pass, limits.strobe_fail)


def nir_face_cue(
    rgb_in_nir: np.ndarray | None, nir_face: Face | None, *, expected: bool, usable: Callable[[], bool], limits: Limits
) -> Cue:
    """Judge whether the NIR camera sees the same face in the same place.

    `rgb_in_nir` holds the RGB landmarks as NIR pixels, or None when there is no RGB face; the value is the mean distance of the two
    sets in eye distances. `expected` says that RGB shows a usable face there, `usable`, asked only where NIR shows none, that the NIR
    picture is neither dim nor clipped.
    """
    if nir_face is None:
        lost = expected and usable()
        return Cue(NIR_FACE, None, "eye distances", limits.agreement_pass, Verdict.FAIL if lost else Verdict.ABSTAIN)
    if rgb_in_nir is None:
        return Cue(NIR_FACE, None, "eye distances", limits.agreement_pass, Verdict.PASS)
    gap = float(np.hypot(*(rgb_in_nir - nir_face.landmarks).T).mean()) / max(nir_face.eye_distance, 1.0)
    cue = _judge(NIR_FACE, -gap, "eye distances", -limits.agreement_pass, -limits.agreement_fail)
    return Cue(NIR_FACE, gap, cue.unit, limits.agreement_pass, cue.verdict)


def likeness_cue(value: float | None, limits: Limits) -> Cue:
    """Judge how far the NIR picture repeats the detail of the colour picture; None means that the two could not be compared."""
    if value is None:
        return Cue(NIR_LIKENESS, None, "correlation", limits.likeness_pass, Verdict.ABSTAIN)
    cue = _judge(NIR_LIKENESS, -value, "correlation", -limits.likeness_pass, -limits.likeness_fail)
    return Cue(NIR_LIKENESS, value, cue.unit, -cue.limit, cue.verdict)


def outline_cue(face: Face, value: float | None, limits: Limits) -> Cue:
    """Judge how wide the thing is that carries the face, in eye distances corrected for the turn of the head."""
    if value is None:
        return Cue(OUTLINE, None, "eye distances", limits.outline_pass, Verdict.ABSTAIN)
    wide = value * max(float(np.cos(np.radians(pose_of(face.landmarks).yaw))), 0.7)
    cue = _judge(OUTLINE, -wide, "eye distances", -limits.outline_pass, -limits.outline_fail)
    return Cue(OUTLINE, wide, cue.unit, -cue.limit, cue.verdict)


def surface_cues(surface: Surface | None, limits: Limits) -> tuple[Cue, ...]:
    """Judge the NIR light on the face against its depth, against the colour picture, and by itself; and state its noise.

    The noise is judged by nobody: above its limit, which a calibrated sensor sets, the vote waits for better light.
    """
    found: tuple[float | None, ...] = (None,) * 7
    if surface is not None:
        found = (surface.structure, surface.contrast, surface.falloff, surface.gain, surface.detail, surface.eye_detail, surface.noise)
    return (
        _measured(STRUCTURE, found[0], "correlation", limits.structure_pass, limits.structure_fail),
        _measured(CONTRAST, found[1], "nats", limits.contrast_pass, limits.contrast_fail),
        _measured(FALLOFF, found[2], "correlation", limits.falloff_pass, limits.falloff_fail),
        _measured(GAIN, found[3], "ratio", limits.gain_pass, limits.gain_fail),
        _measured(DETAIL, found[4], "correlation", limits.detail_pass, limits.detail_fail),
        _measured(EYE_DETAIL, found[5], "correlation", limits.eye_detail_pass, limits.eye_detail_fail),
        Cue(NOISE, found[6], "nats", MAX_NOISE, Verdict.ABSTAIN),
    )


def shape_cues(face: Face, relief: Relief | None, limits: Limits) -> tuple[Cue, ...]:
    """Judge whether the depth has eye sockets where the picture has eyes, and is turned as the picture's head is; and state that turn.

    The turn itself is judged by nobody: it never passes or fails.
    """
    pose = pose_of(face.landmarks)
    sockets = None if relief is None else relief.sockets_mm
    apart = None if relief is None or relief.turn is None else relief.turn + limits.turn_share * pose.yaw
    turn = _measured(TURN, None if apart is None else -abs(apart), "degrees", -limits.turn_pass, -limits.turn_fail)
    return (
        _measured(SOCKETS, sockets, "mm", limits.sockets_pass_mm, limits.sockets_fail_mm),
        Cue(TURN, apart, turn.unit, -turn.limit, turn.verdict),
        Cue(YAW, pose.yaw, "degrees", MAX_TURN, Verdict.ABSTAIN),
        Cue(PITCH, pose.pitch, "degrees", MAX_TURN, Verdict.ABSTAIN),
    )


def same_face_cue(rgb: Embedding | None, nir: Embedding | None, limits: Limits) -> Cue:
    """Judge whether the colour and the NIR picture of one moment show one person, by the cosine of their embeddings."""
    value = None if rgb is None or nir is None else float(rgb.vector @ nir.vector)
    return _measured(SAME_FACE, value, "cosine", limits.same_pass, limits.same_fail)


def conclude(cues: tuple[Cue, ...], relief: Relief | None, limits: Limits) -> Liveness:
    """Join the cues: one failure fails, all abstaining abstains. No cue can outvote a failed one."""
    failed = next((c for c in cues if c.verdict is Verdict.FAIL), None)
    if failed is not None:
        kind = _KINDS[failed.name]
        if failed.name == RELIEF and relief is not None and relief.plane_mm >= limits.bent_plane_mm:
            kind = SpoofKind.BENT
        return Liveness(Verdict.FAIL, cues, kind)
    passed = any(c.verdict is Verdict.PASS for c in cues)
    return Liveness(Verdict.PASS if passed else Verdict.ABSTAIN, cues)


def _measured(name: str, value: float | None, unit: str, good: float, bad: float) -> Cue:
    return Cue(name, None, unit, good, Verdict.ABSTAIN) if value is None else _judge(name, value, unit, good, bad)


def _judge(name: str, value: float, unit: str, good: float, bad: float) -> Cue:
    """Pass from `good` up, fail below `bad`, abstain between."""
    verdict = Verdict.PASS if value >= good else Verdict.FAIL if value < bad else Verdict.ABSTAIN
    return Cue(name, value, unit, good if verdict is Verdict.PASS else bad, verdict)
