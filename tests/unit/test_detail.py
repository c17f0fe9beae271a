"""Detail: fine forms of depth and light, on made-up skins whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from vultus.calibration import load
from vultus.detail import SIDE, agreement, noise
from vultus.geometry import Surface
from vultus.manifest import load_manifest
from vultus.stages.liveness import surface_cues
from vultus.types import F32, U16, Verdict

LIMITS = load(load_manifest().root / "calibration").limits
UNLIT = 2.0


def skin(seed: int, roughness: float = 0.0, grain: float = 0.0) -> tuple[U16, F32]:
    """Return the depth of a head with folds of its own, some millimetres deep, and its light under a lamp beside the camera."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[0:SIDE, 0:SIDE] - SIDE / 2
    folds = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 1.3)
    z = 700 + (u**2 + 0.5 * v**2) / 12 + 3.0 * folds / folds.std()
    dy, dx = np.gradient(z, 2.8)
    hollows = np.gradient(np.gradient(z, 2.8, axis=1), 2.8, axis=1) + np.gradient(np.gradient(z, 2.8, axis=0), 2.8, axis=0)
    light = 64 / np.sqrt(1 + dx**2 + dy**2) * np.exp(0.5 * hollows + grain * rng.standard_normal(z.shape))
    return np.rint(z + roughness * rng.standard_normal(z.shape)).astype(np.uint16), light.astype(np.float32)


@pytest.mark.parametrize("roughness", [0.0, 1.5])
def test_a_head_shows_its_own_folds_and_not_anothers(roughness: float) -> None:
    """Light agrees with the depth that it was lit on, also under a camera's noise, and with that of another head by chance alone."""
    depth, light = skin(1, roughness)
    for own in agreement(depth, light, UNLIT):
        assert own is not None
        assert own > 0.35
    for other in agreement(skin(2, roughness)[0], light, UNLIT):
        assert other is not None
        assert abs(other) < 0.15


def test_a_negative_disagrees_and_fails() -> None:
    """Light that is bright where depth has hollows fails the cue of the face and that of the eyes."""
    depth, light = skin(1)
    detail, eyes = agreement(depth, (64 * 64 / light).astype(np.float32), UNLIT)
    cues = {c.name: c.verdict for c in surface_cues(Surface(None, 0.2, None, None, detail, eyes), LIMITS)}
    assert cues["nir_detail"] is Verdict.FAIL
    assert cues["eye_detail"] is Verdict.FAIL


def test_another_heads_eyes_are_seen_though_the_rest_agrees() -> None:
    """Another head's forms in the strip of the eyes take their agreement away and leave the face's."""
    depth, light = skin(1)
    strip = np.s_[int(SIDE * 12 / 48) : int(SIDE * 26 / 48)]
    depth[strip] = skin(2)[0][strip]
    face, eyes = agreement(depth, light, UNLIT)
    assert face is not None
    assert eyes is not None
    assert face > 0.2
    assert eyes < 0.15


def test_dark_frames_of_spectacles_hide_little_of_the_face() -> None:
    """Dark rings about the eyes, which depth does not see, cost the face's agreement less than half, as few cells are clipped."""
    depth, light = skin(1)
    whole, _ = agreement(depth, light, UNLIT)
    v, u = np.mgrid[0:SIDE, 0:SIDE]
    for x in (24, 48):
        light[np.abs(np.hypot(u - x, v - 28) - 8) < 1.2] *= 0.2
    worn, _ = agreement(depth, light, UNLIT)
    assert whole is not None
    assert worn is not None
    assert worn > 0.5 * whole


@given(lost=st.floats(0.9, 1.0), seed=st.integers(0, 5))
def test_missing_depth_or_light_says_nothing(lost: float, seed: int) -> None:
    """With nine tenths of depth or light missing, or an even light, there is no number, and the cues abstain."""
    depth, light = skin(1)
    gone = np.random.default_rng(seed).random(depth.shape) < lost
    even = np.full_like(light, 64.0)
    for z, n in ((np.where(gone, 0, depth).astype(np.uint16), light), (depth, np.where(gone, 0, light).astype(np.float32)), (depth, even)):
        found = agreement(z, n, UNLIT)
        assert found == (None, None)
        verdicts = {c.name: c.verdict for c in surface_cues(Surface(None, 0.2, None, None, *found), LIMITS)}
        assert verdicts["nir_detail"] is verdicts["eye_detail"] is Verdict.ABSTAIN


@pytest.mark.parametrize("grain", [0.02, 0.05, 0.15])
def test_noise_is_told_in_nats(grain: float) -> None:
    """Noise of a known deviation in the logarithm of the light is measured within a fifth on even skin; darkness has none to measure."""
    rng = np.random.default_rng(3)
    light = (64 * np.exp(grain * rng.standard_normal((SIDE, SIDE)))).astype(np.float32)
    assert noise(light, UNLIT) == pytest.approx(grain, rel=0.2)
    assert noise(np.zeros((SIDE, SIDE), np.float32), UNLIT) is None
