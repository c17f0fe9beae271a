"""Switch a camera's illuminator on, through a control that its own descriptors document or that the reviewed table names, and back afterwards.

Nothing is ever tried out: writing to unknown controls has damaged cameras. A control is written only when the camera's USB descriptors list its
unit under the expected GUID with that selector, and the control reports the expected length and that it can be read and set. What it held
before is read first and written back when the device is closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import struct
from typing import Final

from vultus.devices.v4l2 import abi
from vultus.devices.v4l2.camera_quirks import FACE_AUTHENTICATION, Emitter, Quirk
from vultus.devices.v4l2.stream import NodeStream
from vultus.devices.v4l2.uvc_units import MICROSOFT, ExtensionUnit
from vultus.errors import DeviceError, DeviceLost

IR_TORCH: Final = 10
"""Control selector of the Microsoft extension unit, section 2.2.2.11; eight bytes: mode and power."""
_TORCH: Final = struct.Struct("<II")
_TORCH_ON: Final = 2
_TORCH_ALTERNATING: Final = 4
# Modes of the face authentication control, section 2.2.2.7 and KSPROPERTY_CAMERACONTROL_EXTENDED_FACEAUTH_MODE.
_ALTERNATING: Final = 2
_SUBTRACTED: Final = 4
_GET_AND_SET: Final = 3


class ExtensionControl:
    """One control of an extension unit of an open node."""

    def __init__(self, stream: NodeStream, unit: int, selector: int) -> None:
        self._stream, self._unit, self._selector = stream, unit, selector

    def read(self, query: int, size: int) -> bytes:
        """Send a GET request and return its answer; raises DeviceError."""
        data = (ctypes.c_uint8 * size)()
        self._send(query, data, size)
        return bytes(data)

    def write(self, value: bytes) -> None:
        """Set the control; raises DeviceError."""
        self._send(abi.SET_CUR, (ctypes.c_uint8 * len(value)).from_buffer_copy(value), len(value))

    def length(self) -> int:
        """Return how many bytes the control has, 0 when it cannot be both read and set."""
        if self.read(abi.GET_INFO, 1)[0] & _GET_AND_SET != _GET_AND_SET:
            return 0
        return int.from_bytes(self.read(abi.GET_LEN, 2), "little")

    def _send(self, query: int, data: ctypes.Array[ctypes.c_uint8], size: int) -> None:
        request = abi.ExtensionQuery(self._unit, self._selector, query, size, ctypes.addressof(data))
        self._stream.ioctl(abi.CTRL_QUERY, request)


class Illuminator:
    """The illuminator of one open node. `how` says what switched it on: "table", "face-authentication", "torch", or "" for nothing."""

    def __init__(self, stream: NodeStream, units: tuple[ExtensionUnit, ...], quirk: Quirk | None) -> None:
        self._stream, self._units, self._quirk = stream, units, quirk
        self._before: tuple[ExtensionControl, bytes] | None = None
        self.how = ""

    def on(self) -> str:
        """Switch it on and return `how`; a camera without a documented control, or one that refuses it, is left as it is. Raises DeviceLost."""
        ways = (("table", self._by_table), ("face-authentication", self._by_face_authentication), ("torch", self._by_torch))
        for name, way in ways:
            try:
                if way():
                    self.how = name
                    break
            except DeviceLost:
                raise
            except DeviceError:
                # The camera refuses what it documents; another documented way may work, and no illumination fails closed later on.
                continue
        return self.how

    def restore(self) -> None:
        """Write back what the control held before; a camera that is gone keeps nothing."""
        if self._before is not None:
            control, value = self._before
            self._before, self.how = None, ""
            with contextlib.suppress(DeviceError):
                control.write(value)

    def _by_table(self) -> bool:
        emitter: Emitter | None = self._quirk.emitter if self._quirk else None
        if emitter is None:
            return False
        described = any(u.unit == emitter.unit and u.guid == emitter.guid and emitter.selector in u.selectors for u in self._units)
        control = ExtensionControl(self._stream, emitter.unit, emitter.selector)
        return described and control.length() == emitter.size and self._write(control, emitter.on)

    def _by_face_authentication(self) -> bool:
        """Choose the alternating mode, or else the one with ambient light subtracted, for each interface that lists one of them."""
        for control, size in self._microsoft(FACE_AUTHENTICATION):
            most = control.read(abi.GET_MAX, size)
            chosen = bytearray(size)
            for number in range(min(most[0], (size - 1) // 2)):
                interface, modes = most[1 + 2 * number], most[2 + 2 * number]
                mode = next((m for m in (_ALTERNATING, _SUBTRACTED) if modes & m), 0)
                if mode:
                    at = 1 + 2 * chosen[0]
                    chosen[at : at + 2] = bytes((interface, mode))
                    chosen[0] += 1
            if chosen[0]:
                return self._write(control, bytes(chosen))
        return False

    def _by_torch(self) -> bool:
        for control, size in self._microsoft(IR_TORCH):
            if size != _TORCH.size:
                continue
            modes, _ = _TORCH.unpack(control.read(abi.GET_MAX, size))
            _, power = _TORCH.unpack(control.read(abi.GET_DEF, size))
            mode = next((m for m in (_TORCH_ALTERNATING, _TORCH_ON) if modes & m), 0)
            if mode and power:
                return self._write(control, _TORCH.pack(mode, power))
        return False

    def _microsoft(self, selector: int) -> list[tuple[ExtensionControl, int]]:
        units = [u for u in self._units if u.guid == MICROSOFT and selector in u.selectors]
        controls = [ExtensionControl(self._stream, u.unit, selector) for u in units]
        return [(c, size) for c in controls if 1 < (size := c.length()) <= 255]

    def _write(self, control: ExtensionControl, value: bytes) -> bool:
        if self._before is None:
            self._before = (control, control.read(abi.GET_CUR, len(value)))
        control.write(value)
        return True
