"""Opening devices by URL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vultus.devices import Device, Options, create_device, open_device, register, schemes
from vultus.devices.recordings.replay import ReplayDevice
from vultus.devices.registry import unregister
from vultus.errors import DeviceNotFound


@pytest.fixture
def seen() -> Iterator[list[tuple[str, Options]]]:
    """Register the scheme `mine`, whose factory notes what it was given and makes a replay device."""
    calls: list[tuple[str, Options]] = []

    def factory(path: str, options: Options) -> Device:
        calls.append((path, options))
        return ReplayDevice(Path("nowhere"))

    register("mine", factory)
    yield calls
    unregister("mine")


def test_the_built_in_schemes_are_known() -> None:
    """The schemes of the SDK are listed in order."""
    assert schemes() == ("images", "realsense", "replay", "serial", "simulator", "v4l2")


@pytest.mark.parametrize("url", ["", "replay", "webcam:0", "/dev/video0", "C:replay", "Replay:a.mcap"])
def test_an_unknown_scheme_is_refused_with_the_known_ones(url: str) -> None:
    """What is no device URL is a ValueError that lists the schemes."""
    with pytest.raises(ValueError, match=r"known schemes: images:, realsense:, replay:, serial:, simulator:, v4l2:"):
        open_device(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("replay:", "nothing follows replay:"),
        ("replay:a.mcap?speed=warp", "speed must be one of full, recorded; got 'warp'"),
        ("replay:a.mcap?loop=1", "unknown option loop; known: speed, partial"),
        ("replay:a.mcap?partial=maybe", "partial must be yes or no"),
        ("replay:a.mcap?speed=full&speed=full", "the option speed is given twice"),
        ("replay:a.mcap?speed", r"options are written \?name=value"),
        ("simulator:astronaut?yaw=ninety", "yaw must be a number from -40 to 40; got 'ninety'"),
        ("simulator:astronaut?yaw=90", "yaw must be a number from -40 to 40"),
        ("simulator:astronaut?yaw=nan", "yaw must be a number"),
        ("simulator:astronaut?seed=1.5", "seed must be a whole number"),
        ("simulator:astronaut?scene=mask", "scene must be one of bona_fide"),
        ("simulator:astronaut?streams=rgb,sound", "unknown stream sound"),
    ],
)
def test_bad_options_are_refused_by_name(url: str, message: str) -> None:
    """An option that is unknown, twice there or out of range is a ValueError that names it and what is allowed."""
    with pytest.raises(ValueError, match=message):
        create_device(url)


def test_a_registered_scheme_gets_path_and_options(seen: list[tuple[str, Options]]) -> None:
    """A factory of another package gets the path as written, the options decoded, and those of the call."""
    create_device("mine:/a b/c:d?x=1%202&y=3", find=len)
    path, options = seen[0]
    assert path == "/a b/c:d"
    assert options.text("x", "") == "1 2"
    assert options.whole("y", 0, 0, 9) == 3
    assert options.take("find") is len
    options.done()
    assert "mine" in schemes()


def test_an_option_of_the_call_may_not_repeat_one_of_the_url(seen: list[tuple[str, Options]]) -> None:
    """The same option in the URL and in the call is a ValueError."""
    with pytest.raises(ValueError, match="given twice"):
        create_device("mine:x?y=1", y=2)
    assert not seen


@pytest.mark.parametrize("scheme", ["", "a", "Mine", "my-own", "1st", "café", "replay", "mine"])
def test_a_malformed_or_taken_scheme_is_refused(seen: list[tuple[str, Options]], scheme: str) -> None:
    """register() refuses a scheme that is malformed, built in or registered already."""
    with pytest.raises(ValueError, match="scheme"):
        register(scheme, lambda path, options: ReplayDevice(Path(path)))


def test_open_device_opens_and_create_device_does_not(recording: Path) -> None:
    """create_device gives a closed device, open_device an open one."""
    assert create_device(f"replay:{recording}").state == "closed"
    with open_device(f"replay:{recording}") as device:
        assert device.state == "open"


@pytest.mark.parametrize("scheme", ["replay", "images"])
def test_a_missing_file_is_not_found(scheme: str, tmp_path: Path) -> None:
    """A device whose file is missing is a DeviceNotFound with the path in one line."""
    with pytest.raises(DeviceNotFound, match="gone") as caught:
        open_device(f"{scheme}:{tmp_path / 'gone'}")
    assert "\n" not in str(caught.value)
