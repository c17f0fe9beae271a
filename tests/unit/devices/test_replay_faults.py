"""Faults that a replay makes on purpose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vultus.devices import Recorder, open_device
from vultus.devices.base import Order
from vultus.devices.recordings.faults import FAULTS
from vultus.frames import DeviceIdentity, FrameSet, Source


@pytest.fixture
def ten(tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet]) -> Path:
    """Write ten frame sets, 33 ms apart."""
    path = tmp_path / "ten.mcap"
    with Recorder(path, camera) as recorder:
        for number in range(10):
            recorder.write(make_set(number, 10**9 + number * 33_000_000))
    return path


def play(path: Path, query: str = "") -> list[FrameSet]:
    """Play a recording to its end."""
    with open_device(f"replay:{path}{'?' if query else ''}{query}") as device:
        return list(device.frames())


def pixels(sets: list[FrameSet], stream: str = "rgb") -> list[np.ndarray]:
    """Return the pictures of a stream."""
    return [getattr(s, stream).data for s in sets if getattr(s, stream) is not None]


def test_freezing_repeats_the_pixels_with_new_times(ten: Path) -> None:
    """A frozen stream gives one picture under rising time stamps, the others go on."""
    sets = play(ten, "freeze=1&on=rgb")
    assert all(np.array_equal(p, pixels(sets)[0]) for p in pixels(sets))
    assert [s.time_ns for s in sets] == [s.time_ns for s in play(ten)]
    assert not np.array_equal(*pixels(sets, "nir")[:2])


def test_dropping_takes_frames_or_whole_sets(ten: Path) -> None:
    """A share of the frames of the named streams is missing; of a set that loses all, nothing comes."""
    sets = play(ten, "drop=0.5&on=depth&seed=1")
    assert len(sets) == 10
    assert 0 < len(pixels(sets, "depth")) < 10
    assert play(ten, "drop=1") == []


def test_delay_makes_a_stream_lag_with_its_own_times(ten: Path) -> None:
    """A delayed stream gives the pictures and the times of frame sets before, in order, so that the skew grows."""
    plain, late = play(ten), play(ten, "delay=3&on=nir,nir_ambient")
    assert [s.nir is None for s in late] == [True] * 3 + [False] * 7
    assert all(np.array_equal(a, b) for a, b in zip(pixels(late, "nir"), pixels(plain, "nir"), strict=False))
    assert late[5].skew_ns == 99_000_000
    order = Order()
    assert all(order.problem(s) is None for s in late)


def test_mirror_swap_black_light_and_shift_do_what_they_say(ten: Path) -> None:
    """Each fault of the pixels changes the picture in its own way and nothing else."""
    plain = play(ten)[0]
    assert plain.nir is not None
    assert plain.nir_ambient is not None
    p = plain.nir.data
    seen = {
        name: play(ten, f"{name}=1&on=nir,nir_ambient")[0] for name in ("mirror", "swap", "half_black", "overexpose", "shift", "corrupt")
    }
    data = {name: pixels([s], "nir")[0] for name, s in seen.items()}
    assert np.array_equal(data["mirror"], p[:, ::-1])
    assert np.array_equal(data["swap"], plain.nir_ambient.data)
    assert np.array_equal(data["half_black"][:, 8:], p[:, 8:])
    assert not data["half_black"][:, :8].any()
    assert np.array_equal(data["overexpose"], np.minimum(p.astype(int) * 4, 255))
    assert np.array_equal(data["shift"][:, 2:], p[:, :-2])
    assert (data["corrupt"] != p).any(axis=1).sum() == 2


@pytest.mark.parametrize("name", FAULTS)
def test_the_same_seed_makes_the_same_faults(ten: Path, name: str) -> None:
    """Faults repeat with their seed, and the source stays a recording."""
    one, two = (play(ten, f"{name}=0.5&seed=4") for _ in range(2))
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert a.device.source is Source.RECORDING
        assert all(np.array_equal(x.data, y.data) for x, y in zip(a.frames(), b.frames(), strict=True))


@pytest.mark.parametrize("query", ["drop=2", "on=face", "delay=-1", "freeze=often"])
def test_a_fault_that_makes_no_sense_is_refused(ten: Path, query: str) -> None:
    """A share above 1, a stream that does not exist and the like are wrong arguments."""
    with pytest.raises(ValueError, match="replay"):
        open_device(f"replay:{ten}?{query}")
