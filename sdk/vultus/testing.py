"""Hold a device to every rule that the SDK relies on: `check_device(factory)`.

Each rule of DEVICE_CHECKS has an id and can be run alone. `vultus.testing_lost` has those for a cable that is pulled.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np

from vultus.devices.base import Device, Order, State
from vultus.errors import DeviceState, VultusError
from vultus.frames import FrameSet, Source

__all__ = ["DEVICE_CHECKS", "DeviceCheck", "Factory", "check_device"]

Factory = Callable[[], Device]
"""Makes a new device, closed or open, that gives at least one frame set."""
_MANY: Final = 6
"""Frame sets that a check reads at most; enough for order and ownership to show."""
_MISTAKES: Final = (VultusError, ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What a driver with a fault may raise where a rule asks for something else."""
_PROMPT_S: Final = 2.0
"""Longest time that a cancelled or closed read may still take."""


@dataclass(frozen=True, slots=True)
class DeviceCheck:
    """One rule: `run` raises AssertionError when a device of the factory breaks it."""

    id: str
    rule: str
    run: Callable[[Factory], None]


_CHECKS: Final[list[DeviceCheck]] = []


def _check(name: str) -> Callable[[Callable[[Factory], None]], Callable[[Factory], None]]:
    """Add a function to the list under an id; its docstring is the rule."""

    def add(run: Callable[[Factory], None]) -> Callable[[Factory], None]:
        _CHECKS.append(DeviceCheck(name, (run.__doc__ or "").strip(), run))
        return run

    return add


def _that(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


@contextmanager
def _opened(factory: Factory) -> Iterator[Device]:
    device = factory()
    if device.state is State.CLOSED:
        device.open()
    try:
        yield device
    finally:
        device.close()


def _closed(factory: Factory) -> Device:
    device = factory()
    device.close()
    return device


def _first(device: Device) -> FrameSet:
    for frame_set in device.frames():
        _that(isinstance(frame_set, FrameSet), f"the first read gave {frame_set!r}")
        return frame_set
    raise AssertionError("the first read gave None; the factory must make devices that give at least one frame set")


def _some(device: Device) -> list[FrameSet]:
    return [_first(device), *islice(device.frames(), _MANY)]


def _raises(error: type[Exception], call: Callable[[], Any], what: str) -> None:
    try:
        call()
    except error:
        return
    except _MISTAKES as other:
        raise AssertionError(f"{what} raised {type(other).__name__}, not {error.__name__}") from other
    raise AssertionError(f"{what} raised nothing; it must raise {error.__name__}")


@_check("identity-is-named")
def _identity(factory: Factory) -> None:
    """An open device has a kind, a model and a source."""
    with _opened(factory) as device:
        identity = device.identity
        _that(identity.kind and identity.model and isinstance(identity.source, Source), f"something is missing: {identity}")
        _that("\n" not in repr(device), "the repr has more than one line")


@_check("states-follow-calls")
def _states(factory: Factory) -> None:
    """A device is closed, open after open(), streaming after the first read and closed after close()."""
    device = _closed(factory)
    _that(device.state is State.CLOSED, f"closed, the state is {device.state}")
    _that(device.open() is device, "open() does not return the device")
    _that(device.state is State.OPEN, f"opened, the state is {device.state}")
    _first(device)
    _that(device.state is State.STREAMING, f"after a read, the state is {device.state}")
    device.close()
    _that(device.state is State.CLOSED, f"closed again, the state is {device.state}")


@_check("closed-refuses-read")
def _closed_read(factory: Factory) -> None:
    """A closed device raises DeviceState when it is read or asked what it can do."""
    device = _closed(factory)
    _raises(DeviceState, device.read, "reading a closed device")
    _raises(DeviceState, lambda: device.capabilities, "asking a closed device for its capabilities")


@_check("open-refuses-open")
def _open_twice(factory: Factory) -> None:
    """An open device raises DeviceState when it is opened again, and still works."""
    with _opened(factory) as device:
        _raises(DeviceState, device.open, "opening an open device")
        _first(device)
        _raises(DeviceState, device.open, "opening a streaming device")


@_check("close-is-idempotent")
def _close_twice(factory: Factory) -> None:
    """Closing twice, or before opening, is harmless."""
    device = _closed(factory)
    device.close()
    _first(device.open())
    device.close()
    device.close()


@_check("reopen-starts-again")
def _reopen(factory: Factory) -> None:
    """A closed device can be opened again and gives frame sets again."""
    device = _closed(factory)
    for _ in range(3):
        with device:
            _first(device)


@_check("frames-as-stated")
def _formats(factory: Factory) -> None:
    """Every frame is of a stream that the capabilities state, with the size and dtype that they state."""
    with _opened(factory) as device:
        formats = {f.stream: f for f in device.capabilities.formats}
        _that(formats, "the capabilities state no stream")
        for frame in (f for s in _some(device) for f in s.frames()):
            stated = formats.get(frame.stream)
            _that(stated is not None, f"the capabilities do not state {frame.stream}")
            for name, got in {"width": frame.width, "height": frame.height, "dtype": str(frame.data.dtype)}.items():
                _that(getattr(stated, name) in (None, got), f"{frame.stream}: {name} is {got}, stated was another")


@_check("frames-name-the-device")
def _named(factory: Factory) -> None:
    """Every frame set carries the identity of the open device."""
    with _opened(factory) as device:
        for frame_set in _some(device):
            _that(frame_set.device == device.identity, "a frame set names another device")


@_check("frames-are-read-only")
def _read_only(factory: Factory) -> None:
    """No frame can be written to."""
    with _opened(factory) as device:
        for frame in _first(device).frames():
            _that(not frame.data.flags.writeable, f"{frame.stream} can be written to")


@_check("frames-stay")
def _stay(factory: Factory) -> None:
    """A frame keeps its pixels while later ones are read and after the device is closed."""
    with _opened(factory) as device:
        first = _first(device)
        before = [frame.data.copy() for frame in first.frames()]
        list(islice(device.frames(), _MANY))
    for frame, copy in zip(first.frames(), before, strict=True):
        _that(np.array_equal(frame.data, copy), f"{frame.stream} changed after it was handed over")


@_check("order-is-kept")
def _order(factory: Factory) -> None:
    """Sequence numbers and the newest time stamps rise, and no stream's time runs backwards."""
    with _opened(factory) as device:
        order = Order()
        for frame_set in _some(device):
            problem = order.problem(frame_set)
            _that(problem is None, problem or "")


@_check("end-stays-ended")
def _end(factory: Factory) -> None:
    """A device that says it is finite gives None at its end, and again when asked again."""
    with _opened(factory) as device:
        if not device.capabilities.finite:
            return
        for _ in device.frames():
            pass
        _that(device.read() is None, "after the end, another read gave something")
        _that(not device.cancelled, "the end looks like a cancel")


@_check("time-out-is-kept")
def _timeouts(factory: Factory) -> None:
    """A read with no time left comes back at once, with something or TimeoutError; a nonsensical time-out is a ValueError."""
    with _opened(factory) as device:
        _raises(ValueError, lambda: device.read(-1.0), "a negative time-out")
        _raises(ValueError, lambda: device.read(float("nan")), "a time-out that is not a number")
        start = time.monotonic()
        with suppress(TimeoutError):
            device.read(0.0)
        _that(time.monotonic() - start < _PROMPT_S, "a read with time-out 0 took seconds")


@_check("cancel-ends-reads")
def _cancel(factory: Factory) -> None:
    """After cancel() reads give None until the device is opened again; a closed device ignores it."""
    device = _closed(factory)
    device.cancel()
    with device:
        _that(not device.cancelled, "cancelling a closed device had an effect")
        _first(device)
        device.cancel()
        _that(device.cancelled, "cancel() does not show")
        _that(device.read() is None and device.read() is None, "a read after cancel() gave something")
    with device:
        _that(not device.cancelled, "the cancel outlived the next open()")
        _first(device)


def _wakes(factory: Factory, wake: Callable[[Device], None], what: str) -> None:
    """Read on another thread until it ends, wake it, and see that it ends promptly and without an unexpected error."""
    with _opened(factory) as device:
        ends: list[BaseException | None] = []

        def drain() -> None:
            try:
                while device.read(timeout_s=None) is not None:
                    pass
                ends.append(None)
            except DeviceState:
                ends.append(None)
            except _MISTAKES as problem:
                ends.append(problem)

        thread = threading.Thread(target=drain, daemon=True)
        thread.start()
        # Long enough for the reader to be waiting inside the driver.
        time.sleep(0.05)
        wake(device)
        thread.join(_PROMPT_S)
        _that(not thread.is_alive(), f"{what} did not end a waiting read within {_PROMPT_S:g} s")
        _that(ends == [None], f"{what} made the waiting read raise {ends}")


@_check("cancel-wakes")
def _cancel_wakes(factory: Factory) -> None:
    """cancel() from another thread ends a read that waits."""
    _wakes(factory, lambda device: device.cancel(), "cancel()")


@_check("close-wakes")
def _close_wakes(factory: Factory) -> None:
    """close() from another thread ends a read that waits."""
    _wakes(factory, lambda device: device.close(), "close()")


DEVICE_CHECKS: Final = tuple(_CHECKS)
"""Every rule, in the order in which they are checked."""


def check_device(factory: Factory) -> tuple[str, ...]:
    """Run every check on devices that `factory` makes; return their ids, or raise AssertionError that names each broken rule."""
    broken = []
    for check in DEVICE_CHECKS:
        try:
            check.run(factory)
        except AssertionError as problem:
            broken.append(f"{check.id}: {problem}")
        except _MISTAKES as problem:
            broken.append(f"{check.id}: {type(problem).__name__}: {problem}")
    if broken:
        raise AssertionError(f"{len(broken)} of {len(DEVICE_CHECKS)} rules are broken\n" + "\n".join(broken))
    return tuple(check.id for check in DEVICE_CHECKS)
