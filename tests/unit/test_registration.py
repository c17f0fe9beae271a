"""Registration of whole frame sets: where edges land, what is hidden, what stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import vultus
from vultus.types import DeviceIdentity, Extrinsics, Frame, FrameSet, Intrinsics, Source, Stream

RGB = Intrinsics(600.0, 600.0, 319.5, 239.5, 640, 480)
OTHER = Intrinsics(380.0, 382.0, 212.0, 118.0, 424, 240)
NEAR, FAR = 500.0, 1500.0
DEVICE = DeviceIdentity("test", "square before a wall", "1", Source.SIMULATED)


def motion(shift: tuple[float, float, float], degrees: float = 0.0) -> Extrinsics:
    c, s = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    return Extrinsics((c, 0.0, s, 0.0, 1.0, 0.0, -s, 0.0, c), shift)


def seen(camera: Intrinsics, where: Extrinsics | None) -> tuple[np.ndarray, np.ndarray]:
    """Return which pixels of a camera show a square of 160 mm at NEAR in the RGB frame's view, and the depth there (a wall at FAR behind).

    Every pixel's ray is cut with both planes, so that nothing here shares code with what is tested.
    """
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(x.shape)], -1)
    rotation = np.eye(3) if where is None else np.reshape(where.rotation, (3, 3))
    start = np.zeros(3) if where is None else np.array(where.translation_mm)
    turned = rays @ rotation.T
    near, far = ((plane - start[2]) / turned[..., 2] for plane in (NEAR, FAR))
    hit = start + turned * near[..., None]
    square = (np.abs(hit[..., 0]) <= 80) & (np.abs(hit[..., 1]) <= 80)
    return square, np.rint(np.where(square, near, far)).astype(np.uint16)


def frame_set(nir_at: Extrinsics | None, depth_at: Extrinsics | None) -> FrameSet:
    square, _ = seen(OTHER, nir_at)
    nir = np.where(square, 200, 50).astype(np.uint8)
    return FrameSet(
        DEVICE, 1,
        rgb=Frame(Stream.RGB, np.zeros((480, 640, 3), np.uint8), 10, RGB),
        nir=Frame(Stream.NIR, nir, 10, OTHER, nir_at),
        nir_ambient=Frame(Stream.NIR_AMBIENT, nir // 4, 20, OTHER, nir_at),
        depth=Frame(Stream.DEPTH, seen(OTHER, depth_at)[1], 10, OTHER, depth_at),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("nir_at", "depth_at"),
    [
        (motion((15.0, 0.0, 0.0)), motion((15.0, 0.0, 0.0))),
        (motion((-25.0, 3.0, 2.0), 1.0), motion((50.0, -4.0, 0.0), -1.5)),
    ],
    ids=["one sensor", "three cameras"],
)
def test_the_square_lands_where_rgb_sees_it(nir_at: Extrinsics, depth_at: Extrinsics) -> None:
    """Depth and NIR cover the square that RGB sees but for a border of one source pixel (1.6 here); no wider a border of NIR shows on the wall."""
    found = vultus.register(frame_set(nir_at, depth_at))
    truth, _ = seen(RGB, None)
    assert found.depth is not None
    assert found.nir is not None
    assert found.depth.data.shape == found.nir.data.shape == (480, 640)
    near = (found.depth.data > 0) & (found.depth.data < 1000)
    lit = found.nir.data > 150
    for shown in (near, lit & near):
        rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
        want = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
        for got, edge in ((rows, want[0]), (columns, want[1])):
            assert abs(int(got[0]) - int(edge[0])) <= 2
            assert abs(int(got[-1]) - int(edge[-1])) <= 2
    assert (lit & ~near).sum() <= 2 * 192
    inner = truth[1:-1, 1:-1] & truth[2:, 1:-1] & truth[:-2, 1:-1]
    assert near[1:-1, 1:-1][inner].mean() > 0.99
    assert abs(float(np.median(found.depth.data[truth])) - NEAR) <= 1


def test_what_is_registered_stays_and_times_do_not_change() -> None:
    """Frames without extrinsics are returned as they are; times, device and number stay in any case."""
    still = frame_set(None, None)
    assert vultus.register(still) is still
    moved = frame_set(motion((15.0, 0.0, 0.0)), motion((15.0, 0.0, 0.0)))
    found = vultus.register(moved)
    assert [f.time_ns for f in found.frames()] == [f.time_ns for f in moved.frames()]
    assert (found.device, found.sequence) == (moved.device, moved.sequence)
    assert all(f.extrinsics is None and f.intrinsics == RGB for f in found.frames())
    assert vultus.register(found) is found


def test_what_is_missing_is_named() -> None:
    """Without an RGB frame, or without what is known of a lens, the error says which; without depth nothing can be done and nothing is."""
    moved = frame_set(motion((15.0, 0.0, 0.0)), motion((15.0, 0.0, 0.0)))
    with pytest.raises(ValueError, match="needs an RGB frame"):
        vultus.register(replace(moved, rgb=None))
    with pytest.raises(ValueError, match="intrinsics of depth"):
        vultus.register(replace(moved, depth=replace(moved.depth, intrinsics=None)))
    flat = replace(moved, depth=None)
    assert vultus.register(flat) is flat
