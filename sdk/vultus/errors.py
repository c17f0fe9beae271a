"""Every exception of the SDK.

An exception means that something is broken or misused. A spoof, a mismatch, poor quality, a time-out, a lock-out and a
cancel are results (`vultus.Decision`), not exceptions. Wrong arguments raise TypeError or ValueError before any work.
"""

from __future__ import annotations

from typing import ClassVar


class VultusError(Exception):
    """Base of every error of the SDK; never raised itself.

    The message is one line that says what is wrong and what to do. `code` is stable and meant for programs;
    `retryable` says whether the same call may succeed later without anyone changing anything.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False


class DeviceError(VultusError):
    """A camera, a recording or another source of frame sets failed."""

    code = "device"


class DeviceNotFound(DeviceError):
    """No such device, recording or index."""

    code = "device.not_found"


class DeviceBusy(DeviceError):
    """Another process holds the device."""

    code = "device.busy"
    retryable = True


class DeviceLost(DeviceError):
    """The device went away while it was open; open it again."""

    code = "device.lost"
    retryable = True


class DeviceState(DeviceError):
    """The call is not allowed in the device's present state."""

    code = "device.state"


class PairingError(DeviceError):
    """A sensor head and this host are not paired, or one refused the other."""

    code = "device.pairing"


class RecordingError(DeviceError):
    """A recording or an index is truncated, altered or not in a known format."""

    code = "device.recording"


class ModelError(VultusError):
    """A graph cannot be used."""

    code = "model"


class ModelMissing(ModelError):
    """The manifest names a graph that is not there, or the manifest itself is missing."""

    code = "model.missing"


class ModelAltered(ModelError):
    """A graph's bytes do not have the hash that the manifest states."""

    code = "model.altered"


class ModelMismatch(ModelError):
    """A graph's inputs or outputs are not those that the manifest states."""

    code = "model.mismatch"


class StoreError(VultusError):
    """The template store failed."""

    code = "store"


class NotEnrolled(StoreError):
    """No template is enrolled under that user name."""

    code = "store.not_enrolled"


class AlreadyEnrolled(StoreError):
    """A template is enrolled under that user name and replacing it was not asked for."""

    code = "store.already_enrolled"


class StoreAltered(StoreError):
    """The store or a record in it was changed by something else, or the key is not the one that sealed it."""

    code = "store.altered"


class StoreOutdated(StoreError):
    """A template was made by another graph or format; enrol the user again."""

    code = "store.outdated"


class StoreFull(StoreError):
    """The disk is full or the store reached its limit; what was there before is intact."""

    code = "store.full"
    retryable = True


class StoreBusy(StoreError):
    """Another process is writing to the store."""

    code = "store.busy"
    retryable = True


class CalibrationError(VultusError):
    """A calibration is missing, altered or cannot support what was asked of it."""

    code = "calibration"


class ProtocolError(VultusError):
    """A peer on a wire spoke a protocol that this version does not understand."""

    code = "protocol"
