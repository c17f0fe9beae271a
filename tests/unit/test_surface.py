"""Surface: outline, structure and contrast on faces whose answer is known; the fall-off is tested in test_shape_and_light.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.calibration import load
from vultus.geometry import TARGET, Surface
from vultus.manifest import load_manifest
from vultus.stages.liveness import outline_cue, surface_cues
from vultus.stages.surface import Surfaces
from vultus.types import F32, Face, Stream, Verdict

MARKS: F32 = (TARGET + 150.0).astype(np.float32)
LIMITS = load(load_manifest().root / "calibration").limits
FACE = Face(Stream.RGB, (140.0, 140.0, 120.0, 130.0), MARKS, 0.9)


def features(seed: int) -> np.ndarray:
    """Return blobs as large as brows and eyes."""
    coarse = np.random.default_rng(seed).uniform(60, 200, (50, 50))
    return np.kron(coarse, np.ones((8, 8))).astype(np.uint8)


def measured(nir: np.ndarray, luma: np.ndarray | None = None) -> Surface:
    return Surfaces().measure(nir, MARKS, float(nir.mean()), luma, MARKS)


def test_two_pictures_of_one_thing_share_structure_and_two_things_do_not() -> None:
    """Detail common to NIR and colour passes; detail of two different things does not."""
    same = measured(features(1), features(1)).structure
    other = measured(features(1), features(2)).structure
    assert same is not None
    assert same > 0.95
    assert other is not None
    assert abs(other) < 0.25


def test_an_even_picture_has_no_structure_to_judge() -> None:
    """An even or wholly blurred NIR picture has a contrast near nought, and neither cue calls that an attack."""
    surface = measured(np.full((400, 400), 90, np.uint8), features(1))
    assert surface.structure is None
    assert surface.contrast < 0.01
    assert {c.verdict for c in surface_cues(surface, LIMITS)} == {Verdict.ABSTAIN}


@pytest.mark.parametrize(("width", "expected"), [(2.4, Verdict.PASS), (5.0, Verdict.FAIL), (3.0, Verdict.PASS)])
def test_the_outline_is_as_wide_as_what_carries_the_face(width: float, expected: Verdict) -> None:
    """A thing of a known width in front of a wall is measured within a cell, and one wider than a head fails."""
    depth = np.full((400, 400), 1400, np.uint16)
    half = width * 35.24 / 2
    middle = float(MARKS[:2, 0].mean())
    depth[:, round(middle - half) : round(middle + half)] = 700
    value = Surfaces().outline(depth, MARKS)
    assert value == pytest.approx(width, abs=0.2)
    assert outline_cue(FACE, value, LIMITS).verdict is expected


def test_holes_do_not_make_a_head_narrow() -> None:
    """A head with holes of a centimetre and a half in its depth is as wide as without, before a wall and before nothing."""
    half, middle = 2.4 * 35.24 / 2, float(MARKS[:2, 0].mean())
    for wall in (1400, 0):
        depth = np.full((400, 400), wall, np.uint16)
        depth[:, round(middle - half) : round(middle + half)] = 700
        whole = Surfaces().outline(depth, MARKS)
        rng = np.random.default_rng(5)
        for x, y in rng.integers(80, 320, (400, 2)):
            depth[y : y + 8, x : x + 8] = 0
        holed = Surfaces().outline(depth, MARKS)
        assert whole is not None
        assert holed == pytest.approx(whole, abs=0.35)


def test_no_depth_has_no_outline() -> None:
    """Holes have no outline, and the cue abstains."""
    assert Surfaces().outline(np.zeros((400, 400), np.uint16), MARKS) is None
    assert outline_cue(FACE, None, LIMITS).verdict is Verdict.ABSTAIN


@given(value=st.floats(-1, 1), less=st.floats(0.01, 0.5))
def test_a_lower_correlation_never_judges_better(value: float, less: float) -> None:
    """Structure and fall-off are monotonic: taking correlation away never improves the verdict."""
    order = {Verdict.FAIL: 0, Verdict.ABSTAIN: 1, Verdict.PASS: 2}
    better = surface_cues(Surface(value, 0.2, value, 0.5), LIMITS)
    worse = surface_cues(Surface(value - less, 0.2, value - less, 0.5), LIMITS)
    assert all(order[w.verdict] <= order[b.verdict] for w, b in zip(worse, better, strict=True))
