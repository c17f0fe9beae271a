"""Scrutiny: what the networks are shown, that they only deny, and that none can be taken away unnoticed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.calibration import load
from vultus.errors import ModelMissing
from vultus.geometry import TARGET
from vultus.manifest import load_manifest
from vultus.pipeline import Pipeline
from vultus.stages.liveness import conclude, network_cues
from vultus.stages.scrutiny import COLOUR_SIDE, LOOK, PLANES, SIDE, Crops, Scrutiny, colour_crop
from vultus.types import Cue, Verdict

MANIFEST = load_manifest()
LIMITS = replace(load(MANIFEST.root / "calibration").limits, triplet_pass=1.0, triplet_fail=-1.0, colour_pass=2.0, colour_fail=0.0)
MARKS = (TARGET + 60.0).astype(np.float32)


class Scored:
    """A network that gives the mean of what it is shown."""

    def __init__(self, planes: int, side: int) -> None:
        self.input = np.zeros((1, planes, side, side), np.float32)

    def run(self) -> tuple[np.ndarray, ...]:
        return (self.input.mean((1, 2, 3))[:, None],)


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return depth, NIR and luma (240, 240): a sphere before a wall, with texture."""
    y, x = np.mgrid[0:240, 0:240].astype(float)
    r = np.hypot(x - MARKS[2, 0], y - MARKS[2, 1])
    depth = np.where(r < 60, 700 - 0.8 * np.sqrt(np.maximum(60**2 - r**2, 0)), 1500).astype(np.uint16)
    light = np.random.default_rng(0).uniform(60, 180, (240, 240))
    return depth, (light * 200).astype(np.uint16), light.astype(np.uint8)


def planes(depth: np.ndarray, nir: np.ndarray, luma: np.ndarray | None, level: float) -> np.ndarray:
    out = np.empty((PLANES, SIDE, SIDE), np.float32)
    assert Crops().planes(out, depth, MARKS, nir, MARKS, level, luma, None if luma is None else MARKS)
    return out


def test_depth_is_shown_from_the_middle_of_the_face() -> None:
    """Moved 200 mm away the depth planes are the same, the wall stays at the end of the range, and a hole is nought in both planes."""
    depth, nir, luma = scene()
    near = planes(depth, nir, luma, 24000.0)
    far = planes(depth + 200, nir, luma, 24000.0)
    assert np.array_equal(near[:2], far[:2])
    assert near[0].min() == -3.0
    depth[100:110, 100:110] = 0
    holed = planes(depth, nir, luma, 24000.0)
    x, y = np.rint(np.linalg.solve(_linear(), np.array([105.0, 105.0]) - _shift())).astype(int)
    assert holed[0, y, x] == holed[1, y, x] == 0


def _linear() -> np.ndarray:
    from vultus.geometry import similarity

    return similarity(MARKS, LOOK)[:, :2]


def _shift() -> np.ndarray:
    from vultus.geometry import similarity

    return similarity(MARKS, LOOK)[:, 2]


@given(st.sampled_from([0.25, 0.5, 1.0, 1.5]))
def test_the_exposure_of_nir_does_not_count(gain: float) -> None:
    """NIR with more or less light, its level with it, is shown alike, to the rounding of its steps."""
    depth, nir, luma = scene()
    level = float(nir.mean())
    shown = planes(depth, (nir * gain).astype(np.uint16), luma, level * gain)
    assert np.abs(shown[2] - planes(depth, nir, luma, level)[2]).max() < 0.02


def test_no_colour_picture_is_an_empty_plane_and_no_depth_is_no_score() -> None:
    """Without colour the plane is 0; with a wall of holes where the face is nothing is scored."""
    depth, nir, _ = scene()
    assert not planes(depth, nir, None, 24000.0)[3].any()
    network = Scored(PLANES, SIDE)
    assert Scrutiny(network, None).together(depth, MARKS, nir, MARKS, 24000.0, None, None) is not None
    assert Scrutiny(network, None).together(np.zeros_like(depth), MARKS, nir, MARKS, 24000.0, None, None) is None


def test_the_colour_crop_holds_the_face_alone() -> None:
    """The crop's values are those of the pixels about the landmarks, and what is beside the face does not change it."""
    rgb = np.random.default_rng(1).integers(0, 255, (240, 240, 3), np.uint8)
    first, second = (np.empty((3, COLOUR_SIDE, COLOUR_SIDE), np.float32) for _ in range(2))
    colour_crop(rgb, MARKS, first)
    other = rgb.copy()
    other[:, :60] = 0
    other[:60] = 0
    colour_crop(other, MARKS, second)
    assert np.array_equal(first, second)
    assert np.abs(first).max() <= 1


@given(st.floats(-9, 9), st.floats(-9, 9))
def test_a_network_fails_below_its_limit_and_never_makes_a_pass(together: float, colour: float) -> None:
    """However good the scores, a liveness whose other cues abstain abstains, and one below its limit fails."""
    abstaining = Cue("depth_relief", None, "mm", 3.0, Verdict.ABSTAIN)
    found = conclude((abstaining, *network_cues(together, colour, LIMITS)), None, LIMITS)
    refused = together < -1.0 or colour < 0.0
    assert found.verdict is (Verdict.FAIL if refused else Verdict.ABSTAIN)


def test_a_failed_cue_is_not_outvoted_by_a_network() -> None:
    """A flat face with the best scores of both networks is refused."""
    flat = Cue("depth_relief", 0.5, "mm", 2.4, Verdict.FAIL)
    assert conclude((flat, *network_cues(9.0, 9.0, LIMITS)), None, LIMITS).verdict is Verdict.FAIL


def test_a_network_that_the_calibration_counts_on_cannot_be_left_out() -> None:
    """With limits for a network that the manifest lacks, no pipeline opens; without limits none is asked for and no cue is made."""
    without = replace(MANIFEST, entries=tuple(e for e in MANIFEST.entries if not e.role.endswith("_network")))
    with pytest.raises(ModelMissing, match="triplet_network"):
        Pipeline(without, replace(LIMITS, colour_pass=None, colour_fail=None))
    none = replace(LIMITS, triplet_pass=None, triplet_fail=None, colour_pass=None, colour_fail=None)
    assert Scrutiny.opened(without, triplet=False, colour=False).colour(np.zeros((9, 9, 3), np.uint8), MARKS) is None
    assert network_cues(None, None, none) == ()
