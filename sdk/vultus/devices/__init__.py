"""Sources of frame sets, opened by URL: `v4l2:` and other cameras, `replay:` recordings, `images:`, the `simulator:`, and what packages register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vultus.devices.base import Capabilities, Device, Order, State, StreamFormat
from vultus.devices.registry import Options, create_device, open_device, register, schemes

if TYPE_CHECKING:
    from vultus.devices.recordings.recorder import Recorder, record
    from vultus.devices.synchroniser import Lane, Synchroniser

__all__ = [
    "Capabilities",
    "Device",
    "Lane",
    "Options",
    "Order",
    "Recorder",
    "State",
    "StreamFormat",
    "Synchroniser",
    "create_device",
    "open_device",
    "record",
    "register",
    "schemes",
]

_LATER: Final = {"Lane": "synchroniser", "Recorder": "recordings.recorder", "Synchroniser": "synchroniser", "record": "recordings.recorder"}
"""Names that no sign-in needs; their modules are imported when first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'vultus.devices' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"vultus.devices.{_LATER[name]}"), name)
    globals()[name] = value
    return value
