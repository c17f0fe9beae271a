"""Light against depth at full resolution, eye sockets, the depth's own turn, and one face in both pictures, on faces whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.calibration import load
from vultus.geometry import TARGET, Relief, Surface, pose_of
from vultus.manifest import load_manifest
from vultus.stages.liveness import same_face_cue, shape_cues, surface_cues
from vultus.stages.relief import GRID, measure
from vultus.stages.surface import Surfaces
from vultus.types import F32, Cue, Embedding, Face, Modality, Stream, Verdict

MARKS: F32 = (TARGET + 150.0).astype(np.float32)
FACE = Face(Stream.RGB, (140.0, 140.0, 120.0, 130.0), MARKS, 0.9)
LIMITS = load(load_manifest().root / "calibration").limits
MM = 63.0 / 35.24
RANK = {Verdict.FAIL: 0, Verdict.ABSTAIN: 1, Verdict.PASS: 2}


def shape(x: np.ndarray, y: np.ndarray, sockets: float = 8.0, turn: float = 0.0) -> np.ndarray:
    """Return the depth of a head in mm at millimetres right and down of the nose tip; `turn` in degrees slopes it from left to right."""
    nose = 25 * np.exp(-(x**2) / (2 * 9**2) - y**2 / (2 * 16**2))
    eyes = sum(np.exp(-((x - side) ** 2 + (y + 36) ** 2) / (2 * 9**2)) for side in (-31.5, 31.5))
    return 700 + (x**2 + 0.5 * y**2) / 120 - nose + sockets * eyes + np.tan(np.radians(turn)) * x


def frame(seed: int = 0, noise: float = 1.0, **how: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a depth picture, uint16 (400, 400) around MARKS, and the same head as a lamp beside the camera lights it, uint8."""
    v, u = np.mgrid[0:400, 0:400].astype(float)
    z = shape((u - MARKS[2][0]) * MM, (v - MARKS[2][1]) * MM, **how)
    dy, dx = np.gradient(z, MM)
    light = 150 / np.sqrt(1 + dx**2 + dy**2) * (700 / z) ** 2
    rng = np.random.default_rng(seed)
    return np.rint(z + noise * rng.standard_normal(z.shape)).astype(np.uint16), np.clip(
        light + rng.standard_normal(z.shape), 0, 255
    ).astype(np.uint8)


def fall(depth: np.ndarray, nir: np.ndarray) -> tuple[float, float]:
    """Measure the fall-off of light over depth."""
    found = Surfaces().shaded(Surface(None, 0.2), depth, MARKS, nir, MARKS, float(nir[150:280, 150:280].mean()))
    assert found.falloff is not None
    assert found.gain is not None
    return found.falloff, found.gain


def relief(**how: float) -> Relief:
    """Measure the aligned depth of a head."""
    v, u = np.mgrid[0:GRID, 0:GRID].astype(float)
    cell = MM * 112 / GRID
    z = shape((u - TARGET[2][0] * GRID / 112) * cell, (v - TARGET[2][1] * GRID / 112) * cell, **how)
    found = measure(np.rint(z).astype(np.uint16))
    assert found is not None
    return found


def test_a_lit_head_falls_off_as_its_depth_foretells() -> None:
    """Without noise the light of a matt head is what its depth foretells, with a gain near 1; another head's depth foretells it worse."""
    depth, nir = frame(noise=0.0)
    correlation, gain = fall(depth, nir)
    assert correlation > 0.8
    assert 0.6 < gain < 1.3
    other, _ = frame(noise=0.0, sockets=-8.0)
    assert fall(np.roll(other, 14, axis=1), nir)[0] < correlation - 0.3


def test_squeezed_contrast_has_a_smaller_gain() -> None:
    """A picture of the same light with half of its contrast correlates alike and has about half of the gain, as ink on paper has."""
    depth, nir = frame(noise=0.0)
    print_of = (float(nir.mean()) ** 0.5 * nir.astype(float) ** 0.5).astype(np.uint8)
    (whole, gain), (same, less) = fall(depth, nir), fall(depth, print_of)
    assert same == pytest.approx(whole, abs=0.1)
    assert less < 0.65 * gain


def test_light_that_rises_where_it_must_fall_fails() -> None:
    """The negative of a head's own light is a failed cue."""
    depth, nir = frame(noise=0.0)
    correlation, _ = fall(depth, (255 - nir.astype(int)).clip(1, 255).astype(np.uint8))
    assert correlation < LIMITS.falloff_fail


def test_fall_off_waits_for_depth_and_light() -> None:
    """Missing depth, an unlit picture and an even depth give no number, nothing else is lost, and the cues abstain."""
    depth, nir = frame()
    surfaces = Surfaces()
    for z, n in ((np.zeros_like(depth), nir), (depth, np.zeros_like(nir)), (np.full_like(depth, 700), nir)):
        found = surfaces.shaded(Surface(0.5, 0.2), z, MARKS, n, MARKS, 100.0)
        assert (found.structure, found.contrast) == (0.5, 0.2)
        assert (found.falloff, found.gain, found.detail, found.eye_detail) == (None,) * 4
    assert {c.verdict for c in surface_cues(None, LIMITS)} == {Verdict.ABSTAIN}


def test_sockets_lie_behind_brow_and_cheek_and_flat_eyes_do_not() -> None:
    """Sockets twice as deep measure deeper; eyes on a strip before the face are before brow and cheek."""
    deep, shallow, before = (relief(sockets=mm).sockets_mm for mm in (12.0, 4.0, -14.0))
    assert deep is not None
    assert shallow is not None
    assert before is not None
    assert deep > shallow + 3.0 > before + 6.0
    assert before < 0


def test_the_depth_turns_with_the_head() -> None:
    """A head turned by twenty degrees slopes by about as much, and one that its landmarks show from the front is then too far apart to pass."""
    straight, turned = relief(), relief(turn=20.0)
    assert straight.turn == pytest.approx(0.0, abs=1.5)
    assert turned.turn == pytest.approx(20.0, abs=3.0)
    cues = [shape_cues(FACE, found, LIMITS)[1] for found in (straight, turned)]
    assert [c.verdict for c in cues] == [Verdict.PASS, Verdict.ABSTAIN]
    assert shape_cues(FACE, replace(straight, turn=80.0), LIMITS)[1].verdict is Verdict.FAIL


def test_the_pose_is_stated_and_judges_nothing() -> None:
    """Yaw and pitch have numbers and neither pass nor fail, whatever they are."""
    _, _, yaw, pitch = shape_cues(FACE, None, LIMITS)
    pose = pose_of(MARKS)
    assert (yaw.value, pitch.value) == (pose.yaw, pose.pitch)
    assert {yaw.verdict, pitch.verdict} == {Verdict.ABSTAIN}


def embedding(modality: Modality, cosine: float) -> Embedding:
    """Return a vector with a cosine to the first axis."""
    vector = np.zeros(128, np.float32)
    vector[0], vector[1] = cosine, (1 - cosine**2) ** 0.5
    return Embedding(modality, vector, "0" * 64)


@pytest.mark.parametrize(("cosine", "expected"), [(0.6, Verdict.PASS), (0.1, Verdict.ABSTAIN), (0.0, Verdict.FAIL), (-0.3, Verdict.FAIL)])
def test_both_pictures_show_one_face(cosine: float, expected: Verdict) -> None:
    """The cosine of both embeddings is the number; strangers fail, and without one of the two the cue abstains."""
    rgb, nir = embedding(Modality.RGB, 1.0), embedding(Modality.NIR, cosine)
    cue = same_face_cue(rgb, nir, LIMITS)
    assert cue.value == pytest.approx(cosine, abs=1e-6)
    assert cue.verdict is expected
    assert same_face_cue(rgb, None, LIMITS).verdict is same_face_cue(None, nir, LIMITS).verdict is Verdict.ABSTAIN


@given(value=st.floats(-40, 40), worse=st.floats(0.01, 30))
def test_less_socket_or_more_turn_never_judges_better(value: float, worse: float) -> None:
    """Each cue is monotonic, states its number and the limit that it was held against, and moves with its own number alone."""
    base = Relief(1500, 700.0, 5.0, 4.0, 20.0, 1.0, value, 0.0)
    sockets, turn, *_ = shape_cues(FACE, base, LIMITS)
    lower, same, *_ = shape_cues(FACE, replace(base, sockets_mm=value - worse), LIMITS)
    assert RANK[lower.verdict] <= RANK[sockets.verdict]
    assert (same.value, same.verdict) == (turn.value, turn.verdict)
    off = abs(turn.value or 0.0)
    farther = shape_cues(FACE, replace(base, turn=float(np.copysign(off + worse, turn.value or 1.0)) - (turn.value or 0.0)), LIMITS)[1]
    assert RANK[farther.verdict] <= RANK[turn.verdict]
    for cue in (sockets, lower):
        assert held(cue)


def held(cue: Cue) -> bool:
    """Say whether the verdict follows from the number and the limit that stand beside it."""
    assert cue.value is not None
    return (
        cue.value >= cue.limit
        if cue.verdict is Verdict.PASS
        else cue.value < cue.limit
        if cue.verdict is Verdict.FAIL
        else cue.value >= cue.limit
    )
