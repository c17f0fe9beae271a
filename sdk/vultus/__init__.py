"""On-device face sign-in: RGB, near-infrared and depth frames in, a calibrated accept or reject out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vultus.errors import (
    CalibrationError,
    DeviceError,
    ModelError,
    ProtocolError,
    StoreError,
    VultusError,
)
from vultus.frames import DeviceIdentity, Extrinsics, Frame, FrameSet, Intrinsics, Source, Stream, depth_from_metres
from vultus.policy import Policy, Tier
from vultus.types import Decision, Hint, Liveness, Match, Outcome, Quality, Reason

if TYPE_CHECKING:
    from vultus.authenticator import Authenticator, Enrollment
    from vultus.devices import Device, open_device
    from vultus.store import TemplateStore

__all__ = [
    "Authenticator",
    "CalibrationError",
    "Decision",
    "Device",
    "DeviceError",
    "DeviceIdentity",
    "Enrollment",
    "Extrinsics",
    "Frame",
    "FrameSet",
    "Hint",
    "Intrinsics",
    "Liveness",
    "Match",
    "ModelError",
    "Outcome",
    "Policy",
    "ProtocolError",
    "Quality",
    "Reason",
    "Source",
    "StoreError",
    "Stream",
    "TemplateStore",
    "Tier",
    "VultusError",
    "depth_from_metres",
    "open_device",
]

_LATER: Final = {
    "Authenticator": "vultus.authenticator",
    "Enrollment": "vultus.authenticator",
    "Device": "vultus.devices",
    "open_device": "vultus.devices",
    "TemplateStore": "vultus.store",
}
"""Names whose modules bring the runtime, the cipher or the decoder along; they are imported when first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'vultus' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
