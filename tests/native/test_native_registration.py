"""Registration through the Python door of the C core: a synthetic scene of known geometry, seen by two cameras."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from vultus import _native
from vultus.frames import Intrinsics

NEAR, FAR = 600.0, 1200.0
"""Millimetres from the RGB camera to a square and to the wall behind it."""
SQUARE = 90.0
"""Half of the square's side in millimetres."""
ANGLE = np.radians(1.5)
ROTATION = np.array([[np.cos(ANGLE), 0, np.sin(ANGLE)], [0, 1, 0], [-np.sin(ANGLE), 0, np.cos(ANGLE)]])
SHIFT = np.array([25.0, -4.0, 3.0])
RGB = Intrinsics(520.0, 522.0, 318.0, 242.0, 640, 480)
SAME = Intrinsics(500.0, 501.0, 322.0, 236.0, 640, 480)
SMALL = Intrinsics(250.0, 250.5, 160.5, 117.5, 320, 240)


@pytest.fixture(params=["ref", "avx2"], autouse=True)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test on one instruction set; skip it where the machine has none such."""
    try:
        _native.force_isa(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    yield request.param
    _native.force_isa("best")


def scene(camera: Intrinsics, rotation: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cast a ray a pixel into the square and the wall of the RGB frame; return the depth in mm and the pattern there, uint16.

    `rotation` and `shift` take points of the camera to the RGB camera. The pattern counts millimetres to the right, so that an error
    of one pixel shows as the millimetres of one pixel.
    """
    v, u = np.mgrid[0 : camera.height, 0 : camera.width]
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], -1)
    turned = rays @ rotation.T
    far, near = ((z - shift[2]) / turned[..., 2] for z in (FAR, NEAR))
    hit = near[..., None] * turned + shift
    front = (np.abs(hit[..., 0]) < SQUARE) & (np.abs(hit[..., 1]) < SQUARE)
    z = np.where(front, near, far)
    point = z[..., None] * turned + shift
    return np.rint(z).astype(np.uint16), np.where(front, 30000, 10000).astype(np.uint16) + np.rint(point[..., 0]).astype(np.uint16)


def registered(camera: Intrinsics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the registered depth and NIR and a mask of the pixels that the camera sees."""
    depth, pattern = scene(camera, ROTATION, SHIFT)
    out, nir = np.full((480, 640), 9, np.uint16), np.full((480, 640), 9, np.uint16)
    _native.register_depth(depth, camera, RGB, ROTATION, SHIFT, out)
    _native.register_through_depth(pattern, depth, out, camera, RGB, ROTATION, SHIFT, nir)
    truth, _ = scene(RGB, np.eye(3), np.zeros(3))
    v, u = np.mgrid[0:480, 0:640]
    points = np.stack([(u - RGB.cx) / RGB.fx, (v - RGB.cy) / RGB.fy, np.ones(u.shape)], -1) * truth[..., None]
    back = (points - SHIFT) @ ROTATION
    x, y = back[..., 0] / back[..., 2] * camera.fx + camera.cx, back[..., 1] / back[..., 2] * camera.fy + camera.cy
    inside = (x > 2) & (y > 2) & (x < camera.width - 3) & (y < camera.height - 3)
    seen = depth[np.clip(np.rint(y), 0, camera.height - 1).astype(int), np.clip(np.rint(x), 0, camera.width - 1).astype(int)]
    return out, nir, inside & (np.abs(back[..., 2] - seen) < 20)


def inner(mask: np.ndarray, margin: int) -> np.ndarray:
    """Take `margin` pixels off a mask on every side."""
    for _ in range(margin):
        mask = mask & np.roll(mask, 1, 0) & np.roll(mask, -1, 0) & np.roll(mask, 1, 1) & np.roll(mask, -1, 1)
    return mask


@pytest.mark.parametrize("camera", [SAME, SMALL], ids=["same size", "half size"])
def test_edges_land_within_a_pixel(camera: Intrinsics) -> None:
    """Away from one pixel around an edge every pixel shows the surface that is really there; few of the visible ones are holes."""
    truth, _ = scene(RGB, np.eye(3), np.zeros(3))
    front = truth == NEAR
    out, _, visible = registered(camera)
    widest = 1 if camera is SAME else 2
    for surface, z in ((front, NEAR), (~front, FAR)):
        area = inner(surface, widest) & visible & (out > 0)
        assert area.sum() > 10000
        np.testing.assert_allclose(out[area], z, rtol=0, atol=2)
    assert (out[inner(visible, 2)] == 0).mean() < 0.002


@pytest.mark.parametrize("camera", [SAME, SMALL], ids=["same size", "half size"])
def test_nir_is_taken_with_its_parallax(camera: Intrinsics) -> None:
    """The pattern on both surfaces stands within one pixel of the sensor that has the larger ones."""
    truth, pattern = scene(RGB, np.eye(3), np.zeros(3))
    _, nir, visible = registered(camera)
    for front, z in ((True, NEAR), (False, FAR)):
        area = inner((truth == NEAR) == front, 3) & inner(visible, 2) & (nir > 0)
        pixel_mm = z / min(camera.fx, RGB.fx)
        assert np.abs(nir[area].astype(int) - pattern[area].astype(int)).max() <= pixel_mm + 1.0


def test_what_the_sensor_cannot_see_has_no_data() -> None:
    """The strip of wall that the square hides from the sensor has neither depth nor NIR."""
    truth, _ = scene(RGB, np.eye(3), np.zeros(3))
    depth, pattern = scene(SAME, ROTATION, SHIFT)
    out, nir, visible = registered(SAME)
    hidden = inner(~visible & (truth == FAR), 3)
    hidden[:, :150] = hidden[:, 490:] = hidden[:80] = hidden[400:] = False
    assert hidden.sum() > 500
    assert (out[hidden] == 0).all()
    assert (nir[hidden] == 0).all()
    everywhere, fetched = truth.copy(), np.zeros_like(truth)
    _native.register_through_depth(pattern, depth, everywhere, SAME, RGB, ROTATION, SHIFT, fetched)
    assert (fetched[hidden] == 0).all()


def test_streams_of_one_camera_stay_as_they_are() -> None:
    """No motion and one camera copy depth and NIR; holes of one pixel are closed, larger ones stay."""
    rng = np.random.default_rng(1)
    depth = (500 + np.arange(480)[:, None] + rng.integers(0, 10, (480, 640))).astype(np.uint16)
    nir = rng.integers(1, 255, (480, 640)).astype(np.uint8)
    depth[100, 100] = 0
    depth[200:210, 200:210] = 0
    out, fetched = np.zeros_like(depth), np.zeros_like(nir)
    _native.register_depth(depth, RGB, RGB, np.eye(3), np.zeros(3), out)
    expected = depth.copy()
    expected[100, 100] = max(depth[100, 99], depth[100, 101])
    np.testing.assert_array_equal(out, expected)
    _native.register_through_depth(nir, depth, depth, RGB, RGB, np.eye(3), np.zeros(3), fetched)
    np.testing.assert_array_equal(fetched, np.where(depth > 0, nir, 0))


def test_the_nearest_surface_wins() -> None:
    """Where two depths fall on one pixel the smaller one stays, whichever comes first."""
    small = Intrinsics(10.0, 10.0, 16.0, 16.0, 32, 32)
    for order in (1, -1):
        depth = np.zeros((32, 32), np.uint16)
        depth[16, 12], depth[16, 8] = 1000, 500
        out = np.zeros_like(depth)
        turn = np.diag([order, 1.0, 1.0])
        _native.register_depth(depth, small, small, turn, np.array([order * 400.0, 0.0, 0.0]), out)
        assert sorted(out[out > 0]) == [500]


def test_wrong_sizes_and_shared_memory_are_refused() -> None:
    """A picture that is not its camera's, an output that is an input, and a motion that is none raise before any work."""
    depth = np.full((480, 640), 700, np.uint16)
    with pytest.raises(ValueError, match="shape of source"):
        _native.register_depth(depth, SMALL, RGB, np.eye(3), np.zeros(3), np.zeros_like(depth))
    with pytest.raises(ValueError, match="share memory"):
        _native.register_depth(depth, RGB, RGB, np.eye(3), np.zeros(3), depth)
    with pytest.raises(ValueError, match="a motion is"):
        _native.register_depth(depth, RGB, RGB, np.eye(2), np.zeros(3), np.zeros_like(depth))
    with pytest.raises(ValueError, match="not finite"):
        _native.register_depth(depth, RGB, RGB, np.eye(3), np.full(3, np.nan), np.zeros_like(depth))
