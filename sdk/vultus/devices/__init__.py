"""Sources of frame sets, opened by URL: `replay:` recordings, `images:` of an index, the `simulator:`, and what other packages register."""

from __future__ import annotations

from vultus.devices.base import Capabilities, Device, Order, State, StreamFormat
from vultus.devices.recorder import Recorder, record
from vultus.devices.registry import Options, create_device, open_device, register, schemes
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
