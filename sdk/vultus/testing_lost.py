"""Hold a device to the rules of its state `lost`, for those that a test can unplug: `check_lost(factory, unplug, plug)`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from vultus.devices.base import Device, State
from vultus.errors import DeviceError, DeviceLost, DeviceState

__all__ = ["LOST_CHECKS", "LostCheck", "check_lost"]

Factory = Callable[[], Device]
"""Makes a new, closed device that gives frame sets while it is plugged in."""
Act = Callable[[], None]
"""Pulls the cable, or puts it back."""
_LEFT_OVER: Final = 50
"""Frame sets that may still come after the cable is pulled: what was on its way."""
_PATIENCE_S: Final = 10.0
"""Longest time until an unplugged device must have said so."""


@dataclass(frozen=True, slots=True)
class LostCheck:
    """One rule: `run` raises AssertionError when a device of the factory breaks it; it leaves the cable plugged in."""

    id: str
    rule: str
    run: Callable[[Factory, Act, Act], None]


_CHECKS: Final[list[LostCheck]] = []


def _check(name: str) -> Callable[[Callable[[Device, Act], None]], Callable[[Device, Act], None]]:
    """Add a function to the list under an id; it gets a lost device and what plugs it in again. Its docstring is the rule."""

    def add(body: Callable[[Device, Act], None]) -> Callable[[Device, Act], None]:
        def run(factory: Factory, unplug: Act, plug: Act) -> None:
            device = factory().open()
            try:
                device.read()
                unplug()
                _lose(device)
                body(device, plug)
            finally:
                plug()
                device.close()

        _CHECKS.append(LostCheck(name, (body.__doc__ or "").strip(), run))
        return body

    return add


def _lose(device: Device) -> None:
    """Read until the device says that it was lost."""
    until, left = time.monotonic() + _PATIENCE_S, _LEFT_OVER
    while left and time.monotonic() < until:
        try:
            with suppress(TimeoutError):
                device.read(0.5)
                left -= 1
        except DeviceLost:
            _that(device.state is State.LOST, f"read raised DeviceLost, the state is {device.state}")
            return
    raise AssertionError("an unplugged device was read on and on and never raised DeviceLost")


def _that(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _refused(call: Callable[[], object], what: str) -> None:
    try:
        call()
    except DeviceLost:
        return
    raise AssertionError(f"{what} did not raise DeviceLost")


@_check("lost-refuses-calls")
def _calls(device: Device, _plug: Act) -> None:
    """A lost device raises DeviceLost when it is read again or asked what it can do, and stays lost."""
    _refused(device.read, "reading a lost device")
    _refused(lambda: device.capabilities, "asking a lost device for its capabilities")
    _that(device.state is State.LOST, f"the state became {device.state}")


@_check("lost-ignores-cancel")
def _cancel(device: Device, _plug: Act) -> None:
    """Cancelling a lost device does nothing."""
    device.cancel()
    _that(not device.cancelled, "cancel() had an effect")
    _that(device.state is State.LOST, f"the state became {device.state}")


@_check("lost-closes")
def _close(device: Device, _plug: Act) -> None:
    """Closing a lost device, twice, closes it; it is then closed and no longer lost."""
    device.close()
    device.close()
    _that(device.state is State.CLOSED, f"the state is {device.state}")
    try:
        device.read()
    except DeviceLost as problem:
        raise AssertionError("a device that was closed still says that it is lost") from problem
    except DeviceState:
        return
    raise AssertionError("a closed device was read")


@_check("lost-stays-while-unplugged")
def _reopen_early(device: Device, _plug: Act) -> None:
    """Opening a device whose cable is still out is a DeviceError and leaves it lost."""
    try:
        device.open()
    except DeviceError:
        _that(device.state is State.LOST, f"after a failed open() the state is {device.state}")
        return
    raise AssertionError("an unplugged device could be opened")


@_check("lost-opens-again")
def _reopen(device: Device, plug: Act) -> None:
    """Plugged in again, a lost device opens, gives frame sets, and can be lost and closed once more."""
    plug()
    device.open()
    _that(device.state is State.OPEN, f"opened again, the state is {device.state}")
    _that(device.read() is not None, "opened again, it gives nothing")


LOST_CHECKS: Final = tuple(_CHECKS)
"""Every rule, in the order in which they are checked."""


def check_lost(factory: Factory, unplug: Act, plug: Act) -> tuple[str, ...]:
    """Run every check and return their ids, or raise AssertionError that names each broken rule."""
    broken = []
    for check in LOST_CHECKS:
        try:
            check.run(factory, unplug, plug)
        except AssertionError as problem:
            broken.append(f"{check.id}: {problem}")
    if broken:
        raise AssertionError(f"{len(broken)} of {len(LOST_CHECKS)} rules are broken\n" + "\n".join(broken))
    return tuple(check.id for check in LOST_CHECKS)
