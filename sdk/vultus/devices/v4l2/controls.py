"""Read and set a camera's controls by name, exposure and gain above all, and put them back when the camera is closed."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import Final

from vultus.devices.v4l2 import abi
from vultus.devices.v4l2.stream import NodeStream
from vultus.errors import DeviceError

EXPOSURE: Final = "exposure_time_absolute"
AUTO_EXPOSURE: Final = "auto_exposure"
GAIN: Final = "gain"
MANUAL: Final = 1
"""V4L2_EXPOSURE_MANUAL."""
# Before Linux 6.0 the same controls had other names.
_RENAMED: Final = {"exposure_absolute": EXPOSURE, "exposure_auto": AUTO_EXPOSURE}
_MOST: Final = 512
_STEP: Final = 2.0
"""Most that one call of `expose` changes the exposure by: the picture follows two or three frames later, and a larger step overshoots."""
_NEAR: Final = 0.1
"""Share of the wanted brightness within which the exposure is left alone."""


@dataclass(frozen=True, slots=True)
class Control:
    """A control's range as the camera states it."""

    id: int
    minimum: int
    maximum: int
    step: int
    default: int
    read_only: bool


class Controls:
    """The controls of one open node; names are those of v4l2-ctl: lower case, words joined by underscores."""

    def __init__(self, stream: NodeStream) -> None:
        self._stream = stream
        self._known = dict(self._list())
        self._before: dict[str, int] = {}

    @property
    def known(self) -> dict[str, Control]:
        """Return every control by name."""
        return dict(self._known)

    def get(self, name: str) -> int:
        """Read a control; raises ValueError for a name that the camera does not have."""
        value = abi.ControlValue(id=self._named(name).id)
        self._stream.ioctl(abi.G_CTRL, value)
        return int(value.value)

    def set(self, name: str, value: int) -> None:
        """Set a control; raises ValueError for a name, or a value outside its range, that the camera does not have."""
        control = self._named(name)
        if control.read_only:
            raise ValueError(f"v4l2: {name} of {self._stream.path} cannot be set")
        if not control.minimum <= value <= control.maximum:
            raise ValueError(f"v4l2: {name} must be {control.minimum} to {control.maximum}; got {value}")
        if name not in self._before:
            self._before[name] = self.get(name)
        self._stream.ioctl(abi.S_CTRL, abi.ControlValue(id=control.id, value=value))

    def expose(self, brightness: float, wanted: float) -> bool:
        """Move the exposure so that what has `brightness` (a face's mean, 0 to 255) gets the `wanted` one; True when something was changed.

        A camera that exposes by itself is set to manual first. What the exposure alone cannot reach is left to the gain where there is one.
        """
        if EXPOSURE not in self._known or abs(brightness - wanted) <= _NEAR * wanted:
            return False
        if AUTO_EXPOSURE in self._known and self.get(AUTO_EXPOSURE) != MANUAL:
            self.set(AUTO_EXPOSURE, MANUAL)
        factor = min(max(wanted / max(brightness, 1.0), 1 / _STEP), _STEP)
        return self._scale(EXPOSURE, factor) or (GAIN in self._known and self._scale(GAIN, factor))

    def restore(self) -> None:
        """Put back what was changed, the last change first; a camera that is gone keeps nothing."""
        while self._before:
            name, value = self._before.popitem()
            with contextlib.suppress(DeviceError):
                self._stream.ioctl(abi.S_CTRL, abi.ControlValue(id=self._known[name].id, value=value))

    def _scale(self, name: str, factor: float) -> bool:
        control, now = self._known[name], self.get(name)
        step = max(1, control.step)
        moved = round(max(now, step) * factor)
        target = control.minimum + (min(max(moved, control.minimum), control.maximum) - control.minimum) // step * step
        if target == now:
            return False
        self.set(name, target)
        return True

    def _named(self, name: str) -> Control:
        if name not in self._known:
            raise ValueError(f"v4l2: {self._stream.path} has no control {name}; it has {', '.join(self._known) or 'none'}")
        return self._known[name]

    def _list(self) -> list[tuple[str, Control]]:
        found, after = [], 0
        for _ in range(_MOST):
            entry = abi.ControlDescription(id=after | abi.CTRL_NEXT)
            try:
                self._stream.ioctl(abi.QUERYCTRL, entry)
            except DeviceError:
                # The end of the list, or a driver without controls.
                break
            after = entry.id
            unusable = entry.flags & (abi.CTRL_DISABLED | abi.CTRL_WRITE_ONLY) or entry.type == abi.CTRL_CLASS
            if not unusable:
                control = Control(
                    entry.id, entry.minimum, entry.maximum, entry.step, entry.default_value, bool(entry.flags & abi.CTRL_READ_ONLY)
                )
                name = "_".join(re.findall(r"[a-z0-9]+", entry.name.decode("utf-8", "replace").lower()))
                found.append((_RENAMED.get(name, name), control))
        return found
