"""Pictures that come twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vultus.devices.repeats import Repeats
from vultus.frames import DeviceIdentity, Frame, FrameSet, Stream


def test_a_picture_that_comes_again_at_another_time_is_noticed(make_set: Callable[..., FrameSet]) -> None:
    """Equal pictures under two times are a repeat, however many others come between; noise never is."""
    repeats = Repeats()
    assert [repeats.repeated(make_set(n)) for n in range(20)] == [()] * 20
    assert repeats.repeated(make_set(3, 10**9)) == tuple(Stream)


def test_one_frozen_stream_is_named(camera: DeviceIdentity, make_set: Callable[..., FrameSet]) -> None:
    """Where the depth alone stands still, the depth alone is named."""
    repeats = Repeats()
    first, second = make_set(0), make_set(1)
    assert first.depth is not None
    assert second.rgb is not None
    repeats.repeated(first)
    assert repeats.repeated(FrameSet(camera, 1, rgb=second.rgb, depth=Frame(Stream.DEPTH, first.depth.data, 1000))) == (Stream.DEPTH,)


def test_a_slow_streams_frame_and_a_black_one_are_no_repeats(camera: DeviceIdentity, make_set: Callable[..., FrameSet]) -> None:
    """The same frame under its own time, and a picture without any light, may come again."""
    repeats = Repeats()
    assert repeats.repeated(make_set(0)) == repeats.repeated(make_set(0)) == ()
    for at in (1, 2):
        assert repeats.repeated(FrameSet(camera, at, depth=Frame(Stream.DEPTH, np.zeros((16, 16), np.uint16), at))) == ()
