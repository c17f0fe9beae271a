"""Surface: shading, outline, structure and contrast on faces whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.calibration import load
from vultus.geometry import TARGET, Surface
from vultus.manifest import load_manifest
from vultus.stages.liveness import outline_cue, surface_cues
from vultus.stages.surface import GRID, Surfaces
from vultus.types import F32, Face, Stream, Verdict

MARKS: F32 = (TARGET + 150.0).astype(np.float32)
LIMITS = load(load_manifest().root / "calibration").limits
FACE = Face(Stream.RGB, (140.0, 140.0, 120.0, 130.0), MARKS, 0.9)


def head(side: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return depth in mm (48, 48) on the aligned grid and the same head lit from the camera, uint8 (400, 400) around MARKS."""

    def shape(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 600 + (x**2 + 0.5 * y**2) / 120 - 25 * np.exp(-(x**2) / (2 * 9**2) - y**2 / (2 * 16**2))

    v, u = np.mgrid[0:GRID, 0:GRID].astype(float)
    cell = 63.0 / 15.1
    x, y = (u - TARGET[2][0] * GRID / 112) * cell, (v - TARGET[2][1] * GRID / 112) * cell
    grid = np.rint(shape(x - side, y)).astype(np.uint16)
    mm = 63.0 / 35.24
    v, u = np.mgrid[0:400, 0:400].astype(float)
    z = shape((u - MARKS[2][0]) * mm, (v - MARKS[2][1]) * mm)
    dy, dx = np.gradient(z, mm)
    return grid, np.clip(150 / np.sqrt(1 + dx**2 + dy**2), 0, 255).astype(np.uint8)


def features(seed: int) -> np.ndarray:
    """Return blobs as large as brows and eyes."""
    coarse = np.random.default_rng(seed).uniform(60, 200, (50, 50))
    return np.kron(coarse, np.ones((8, 8))).astype(np.uint8)


def measured(grid: np.ndarray | None, nir: np.ndarray, luma: np.ndarray | None = None) -> Surface:
    return Surfaces().measure(grid, nir, MARKS, float(nir.mean()), luma, MARKS)


def test_depth_foretells_the_light_on_the_head_that_it_belongs_to() -> None:
    """The head's own depth foretells its shading; that of a head 40 mm aside does so worse, and a plane not at all."""
    grid, nir = head()
    own, aside = measured(grid, nir).shading, measured(head(40.0)[0], nir).shading
    assert own is not None
    assert own > 0.75
    assert aside is not None
    assert aside < own - 0.3
    plane = measured(np.full((GRID, GRID), 600, np.uint16), nir).shading
    assert plane is None or abs(plane) < 0.1


def test_light_that_brightens_what_turns_away_fails() -> None:
    """A negative of the head's own shading is called a mismatch of the streams."""
    grid, nir = head()
    surface = measured(grid, (255 - nir.astype(int)).clip(1, 255).astype(np.uint8))
    cue = surface_cues(surface, LIMITS)[0]
    assert cue.value is not None
    assert cue.value < -0.5
    assert cue.verdict is Verdict.FAIL


def test_shading_waits_for_depth() -> None:
    """Without depth, or with most of it missing, shading is not measured and its cue abstains."""
    grid, nir = head()
    grid[:, 10:] = 0
    for depth in (None, grid):
        surface = measured(depth, nir)
        assert surface.shading is None
        assert surface_cues(surface, LIMITS)[0].verdict is Verdict.ABSTAIN


def test_two_pictures_of_one_thing_share_structure_and_two_things_do_not() -> None:
    """Detail common to NIR and colour passes; detail of two different things does not."""
    same = measured(None, features(1), features(1)).structure
    other = measured(None, features(1), features(2)).structure
    assert same is not None
    assert same > 0.95
    assert other is not None
    assert abs(other) < 0.25


def test_an_even_picture_has_no_structure_to_judge() -> None:
    """An even or wholly blurred NIR picture has a contrast near nought, and neither cue calls that an attack."""
    surface = measured(None, np.full((400, 400), 90, np.uint8), features(1))
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
    """Shading and structure are monotonic: taking correlation away never improves the verdict."""
    order = {Verdict.FAIL: 0, Verdict.ABSTAIN: 1, Verdict.PASS: 2}
    better = surface_cues(Surface(value, value, 0.2), LIMITS)
    worse = surface_cues(Surface(value - less, value - less, 0.2), LIMITS)
    assert all(order[w.verdict] <= order[b.verdict] for w, b in zip(worse, better, strict=True))
