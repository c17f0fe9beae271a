"""Open a device by URL: `scheme:path?option=value&option=value`, options also as keyword arguments.

Every device takes `calibration=FILE`, a file of `vultus calibrate-camera` whatever device it was made for; without it a live device uses
the one in the user's folder that was made for it, where there is one, and with `calibration=none` none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from vultus import settings
from vultus.devices.base import Adapt, Device
from vultus.frames import DeviceIdentity


class Options:
    """The options of one URL; each is taken once with its type, and what is left over is refused."""

    def __init__(self, scheme: str, given: Mapping[str, Any]) -> None:
        self._scheme = scheme
        self._given = dict(given)
        self._known: list[str] = []

    def take(self, name: str, default: Any = None) -> Any:
        """Take an option as it was given."""
        self._known.append(name)
        return self._given.pop(name, default)

    def text(self, name: str, default: str, choices: tuple[str, ...] = ()) -> str:
        """Take a string, one of `choices` where there are some."""
        value = str(self.take(name, default))
        if choices and value not in choices:
            raise ValueError(f"{self._scheme}: {name} must be one of {', '.join(choices)}; got {value!r}")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Take a number from low to high."""
        value = self.take(name, default)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if not low <= number <= high:
            raise ValueError(f"{self._scheme}: {name} must be a number from {low:g} to {high:g}; got {value!r}")
        return number

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """Take a whole number from low to high."""
        number = self.number(name, default, low, high)
        if number != int(number):
            raise ValueError(f"{self._scheme}: {name} must be a whole number; got {number!r}")
        return int(number)

    def flag(self, name: str) -> bool:
        """Take yes or no, 1 or 0; False when not given."""
        value = self.take(name, default=False)
        if value in (True, "1", "yes", "true"):
            return True
        if value in (False, "0", "no", "false"):
            return False
        raise ValueError(f"{self._scheme}: {name} must be yes or no; got {value!r}")

    def done(self) -> None:
        """Raise ValueError when an option was given that nobody took."""
        if self._given:
            names = ", ".join(sorted(self._given))
            raise ValueError(f"{self._scheme}: unknown option {names}; known: {', '.join(self._known)}")


Factory = Callable[[str, Options], Device]
"""Makes a closed device from the part of the URL after `scheme:` and its options; calls `Options.done` when it has taken its own."""

# Modules are named, not imported: opening a recording needs no simulator.
_BUILT_IN: Final = {
    "images": "vultus.devices.images",
    "realsense": "vultus.devices.realsense.urls",
    "replay": "vultus.devices.recordings.replay",
    "serial": "vultus.devices.heads.device",
    "simulator": "vultus.devices.simulator.device",
    "v4l2": "vultus.devices.v4l2.device",
}
# A camera may stand without a name: the first one found.
_NEVER_LIVE: Final = frozenset({"images", "replay", "simulator"})
"""What is not live brings its own calibration; its identity is looked up nowhere."""
_BARE: Final = frozenset({"realsense", "v4l2"})
_REGISTERED: Final[dict[str, Factory]] = {}


def register(scheme: str, factory: Factory) -> None:
    """Add a scheme, for devices that other packages bring; raises ValueError for a malformed or taken one."""
    if not (scheme.isascii() and scheme.isidentifier() and scheme == scheme.lower()) or len(scheme) < 2:
        raise ValueError(f"a scheme is two or more of a-z, 0-9 and _, starting with a letter; got {scheme!r}")
    if scheme in _BUILT_IN or scheme in _REGISTERED:
        raise ValueError(f"the scheme {scheme} is taken")
    _REGISTERED[scheme] = factory


def unregister(scheme: str) -> None:
    """Take back a scheme that `register` added; unknown ones are ignored."""
    _REGISTERED.pop(scheme, None)


def schemes() -> tuple[str, ...]:
    """Return the known schemes, sorted."""
    return tuple(sorted({*_BUILT_IN, *_REGISTERED}))


def create_device(url: str, **options: Any) -> Device:
    """Make the device that `url` names without opening it; raises ValueError for a bad URL or option."""
    scheme, colon, rest = url.partition(":")
    if not colon or scheme not in schemes():
        raise ValueError(f"{url!r} is no device URL; known schemes: {', '.join(s + ':' for s in schemes())}")
    path, mark, query = rest.rpartition("?")
    if not mark:
        path, query = rest, ""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as problem:
        raise ValueError(f"{url!r}: options are written ?name=value&name=value") from problem
    given: dict[str, Any] = {}
    for name, value in [*pairs, *options.items()]:
        if name in given:
            raise ValueError(f"{url!r}: the option {name} is given twice")
        given[name] = value
    if not path and scheme not in _BARE:
        raise ValueError(f"{url!r}: nothing follows {scheme}:")
    cameras = given.pop("calibration", "")
    factory: Factory = _REGISTERED[scheme] if scheme in _REGISTERED else import_module(_BUILT_IN[scheme]).from_url
    device = factory(path, Options(scheme, given))
    if cameras == "none" or (not cameras and scheme in _NEVER_LIVE):
        return device
    return _calibrated(device, str(cameras))


def _calibrated(device: Device, named: str) -> Device:
    """Return the device with what finds its camera calibration; nothing is imported or read where there is none."""
    folder = settings.camera_calibration_folder()
    if not named and not folder.is_dir():
        return device
    from vultus import camera_calibration

    if named:
        return device.calibrated_by(lambda _: camera_calibration.load(Path(named).expanduser()).apply)
    find = camera_calibration.of_device(folder)

    def found(identity: DeviceIdentity) -> Adapt | None:
        cameras = find(identity)
        return cameras.apply if cameras is not None else None

    return device.calibrated_by(found)


def open_device(url: str, **options: Any) -> Device:
    """Open the device that `url` names, such as `replay:morning.mcap`; use it in a `with` statement.

    Raises ValueError for a bad URL or option, DeviceNotFound, DeviceBusy or RecordingError when it cannot be opened.
    """
    return create_device(url, **options).open()
