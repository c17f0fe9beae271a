"""Every kind of camera keeps every rule of the conformance suite, and every state of the diagram holds against a fake kernel."""

from __future__ import annotations

import pytest

from vultus.devices.v4l2.device import V4l2
from vultus.devices.v4l2.plan import Choice
from vultus.errors import DeviceLost, DeviceNotFound, DeviceState
from vultus.testing import DEVICE_CHECKS, DeviceCheck
from vultus.testing_lost import LOST_CHECKS, LostCheck

KINDS = {
    "lit pairs by metadata": ("hello_laptop", Choice()),
    "lit pairs by brightness": ("board", Choice()),
    "depth camera": ("depth_camera", Choice()),
    "virtual": ("loopback", Choice()),
    "one stream at a time": ("hello_laptop", Choice(capture="alternating")),
}


def drain(device: V4l2) -> None:
    """Read what a lost camera left behind."""
    for _ in range(20):
        device.read()


@pytest.mark.parametrize("check", DEVICE_CHECKS, ids=lambda c: c.id)
@pytest.mark.parametrize("kind", KINDS)
def test_every_camera_keeps_every_rule(machine, kind: str, check: DeviceCheck) -> None:
    """A camera keeps each rule, and nothing of the kernel's is held on to afterwards."""
    name, choice = KINDS[kind]
    kernel = machine(name)
    path = str(kernel.cameras[0].nodes[0].path)
    check.run(lambda: V4l2(path, choice, kernel))
    assert kernel.clean()


@pytest.mark.parametrize("check", LOST_CHECKS, ids=lambda c: c.id)
@pytest.mark.parametrize("kind", KINDS)
def test_a_pulled_cable_is_noticed_in_every_call(machine, kind: str, check: LostCheck) -> None:
    """A camera keeps each rule of the state lost, and opens again once it is back."""
    name, choice = KINDS[kind]
    kernel = machine(name)
    path = str(kernel.cameras[0].nodes[0].path)
    check.run(lambda: V4l2(path, choice, kernel), kernel.unplug, kernel.plug)
    assert kernel.clean()


def test_a_lost_camera_says_what_to_do(machine) -> None:
    """The message names the node and the remedy, and what only an open camera knows is refused."""
    kernel = machine("hello_laptop")
    with V4l2(kernel=kernel) as device:
        kernel.unplug()
        with pytest.raises(DeviceLost, match=r"video[0-3] was unplugged; plug it in and open it again"):
            drain(device)
        with pytest.raises(DeviceState):
            _ = device.illumination
        with pytest.raises(DeviceNotFound):
            device.open()
    assert kernel.clean()


def test_a_cable_pulled_between_open_and_the_first_read_shows_there(machine) -> None:
    """An open device whose camera is gone says so at the first read."""
    kernel = machine("webcam")
    with V4l2("", kernel=kernel) as device:
        kernel.unplug()
        with pytest.raises(DeviceLost):
            drain(device)
    assert kernel.clean()
