"""Nose and likeness: what the two cues measure, on pictures whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.calibration import load
from vultus.geometry import TARGET, Relief
from vultus.manifest import load_manifest
from vultus.stages.likeness import Likeness
from vultus.stages.liveness import likeness_cue, nose_cue
from vultus.stages.relief import GRID, measure
from vultus.types import F32, Face, Stream, Verdict

MARKS: F32 = (TARGET + 150.0).astype(np.float32)
LIMITS = load(load_manifest().root / "calibration").limits


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 200, (400, 400)).astype(np.uint8)


def face(marks: F32 = MARKS) -> Face:
    return Face(Stream.RGB, (140.0, 140.0, 120.0, 130.0), marks, 0.9)


def head(shift_mm: float = 0.0, nose_mm: float = 25.0) -> Relief | None:
    """Measure a round face with a nose, its depth moved sideways against the picture."""
    y, x = np.mgrid[0:GRID, 0:GRID].astype(float)
    mm = 63.0 / 15.1
    u, v = (x - TARGET[2][0] * GRID / 112) * mm - shift_mm, (y - TARGET[2][1] * GRID / 112) * mm
    z = 600 + (u**2 + 0.5 * v**2) / 120 - nose_mm * np.exp(-(u**2) / (2 * 9**2) - v**2 / (2 * 16**2))
    return measure(np.rint(z).astype(np.uint16))


@pytest.mark.parametrize(("gain", "offset", "noise"), [(1.0, 0.0, 0.0), (0.6, 10.0, 0.0), (1.1, 0.0, 2.0)])
def test_a_copy_is_a_copy(gain: float, offset: float, noise: float) -> None:
    """A picture made from the other by gain, offset and a little noise is called a copy."""
    rng = np.random.default_rng(9)
    one = picture(1)
    other = np.clip(gain * one + offset + rng.normal(0, noise, one.shape), 0, 255).astype(np.uint8)
    value = Likeness().measure(one, MARKS, other, MARKS, float(other.mean()))
    assert value is not None
    assert value > 0.95
    assert likeness_cue(value, LIMITS).verdict is Verdict.FAIL


def test_a_copy_a_little_aside_is_still_found() -> None:
    """Landmarks that lie two cells of the crop beside each other hide no copy."""
    moved = MARKS + np.float32([3.5, -1.75])
    value = Likeness().measure(picture(1), MARKS, picture(1), moved, 100.0)
    assert value is not None
    assert value > 0.95


def test_two_pictures_are_no_copies() -> None:
    """Pictures with detail of their own pass."""
    value = Likeness().measure(picture(1), MARKS, picture(2), MARKS, 100.0)
    assert likeness_cue(value, LIMITS).verdict is Verdict.PASS


def test_an_empty_picture_says_nothing() -> None:
    """A picture without detail cannot be compared, and the cue abstains."""
    blank = np.full((400, 400), 80, np.uint8)
    assert Likeness().measure(picture(1), MARKS, blank, MARKS, 80.0) is None
    cue = likeness_cue(None, LIMITS)
    assert cue.verdict is Verdict.ABSTAIN
    assert cue.value is None


@given(st.floats(-1, 1))
def test_the_likeness_cue_falls_in_one_direction(value: float) -> None:
    """The nearer to a copy, the worse the verdict, and the limit shown is the one that decided."""
    order = [Verdict.PASS, Verdict.ABSTAIN, Verdict.FAIL]
    cue, worse = likeness_cue(value, LIMITS), likeness_cue(min(1.0, value + 0.05), LIMITS)
    assert order.index(worse.verdict) >= order.index(cue.verdict)
    assert cue.limit == (LIMITS.likeness_pass if cue.verdict is Verdict.PASS else LIMITS.likeness_fail)


def test_a_nose_where_the_picture_has_one_passes() -> None:
    """Depth of a head at the place of the face has its nose before both cheeks."""
    relief = head()
    assert relief is not None
    assert relief.nose_mm == pytest.approx(30.0, abs=6.0)
    assert nose_cue(face(), relief, LIMITS).verdict is Verdict.PASS


def test_depth_of_a_head_elsewhere_has_no_nose_there() -> None:
    """The same head moved by half the distance between the eyes has a cheek before the place of the nose."""
    relief = head(shift_mm=30.0)
    assert relief is not None
    cue = nose_cue(face(), relief, LIMITS)
    assert cue.verdict is Verdict.FAIL
    assert cue.value is not None
    assert cue.value < LIMITS.nose_fail_mm


def test_a_turned_head_is_not_judged_by_its_nose() -> None:
    """Beyond the stated turn the cue abstains, whatever the depth says."""
    turned = MARKS.copy()
    turned[2, 0] += 22.0
    relief = head(shift_mm=30.0)
    assert nose_cue(face(turned), relief, LIMITS).verdict is Verdict.ABSTAIN
    assert nose_cue(face(), None, LIMITS).verdict is Verdict.ABSTAIN
