"""On-device face sign-in: RGB, near-infrared and depth frames in, a calibrated accept or reject out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vultus._version import __version__ as __version__
from vultus.errors import (
    CalibrationError,
    DeviceError,
    ModelError,
    ProtocolError,
    StoreError,
    VultusError,
)

if TYPE_CHECKING:
    from vultus.authenticator import Authenticator
    from vultus.devices import Device, open_device
    from vultus.frames import DeviceIdentity, Extrinsics, Frame, FrameSet, Intrinsics, Source, Stream, depth_from_metres
    from vultus.policy import Policy, Tier
    from vultus.registration import register
    from vultus.store import TemplateStore
    from vultus.templates import Enrollment
    from vultus.types import Decision, Hint, Liveness, Match, Outcome, Quality, Reason

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
    "register",
]

_LATER: Final = {
    name: module
    for module, names in {
        "vultus.authenticator": ("Authenticator",),
        "vultus.devices": ("Device", "open_device"),
        "vultus.frames": ("DeviceIdentity", "Extrinsics", "Frame", "FrameSet", "Intrinsics", "Source", "Stream", "depth_from_metres"),
        "vultus.policy": ("Policy", "Tier"),
        "vultus.registration": ("register",),
        "vultus.store": ("TemplateStore",),
        "vultus.templates": ("Enrollment",),
        "vultus.types": ("Decision", "Hint", "Liveness", "Match", "Outcome", "Quality", "Reason"),
    }.items()
    for name in names
}
"""Names that bring numpy, the runtime, the cipher or the decoder along; their modules are imported when first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'vultus' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
