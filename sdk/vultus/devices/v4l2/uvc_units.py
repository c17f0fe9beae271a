"""Read a UVC camera's extension units from its USB descriptors: what it documents about itself, so that no control need ever be guessed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

MICROSOFT: Final = uuid.UUID("0f3f95dc-2632-4c4e-92c9-a04782f43bc8")
"""MS_CAMERA_CONTROL_XU of "Microsoft extensions to USB Video Class 1.5", section 2.2.2."""
_INTERFACE: Final = 0x04
_CLASS_SPECIFIC: Final = 0x24
_EXTENSION_UNIT: Final = 0x06
_VIDEO: Final = 0x0E
_VIDEO_CONTROL: Final = 0x01


@dataclass(frozen=True, slots=True)
class ExtensionUnit:
    """One extension unit (UVC 1.5, table 3-15): the interface that it belongs to, its number, whose it is, and the selectors that it has."""

    interface: int
    unit: int
    guid: uuid.UUID
    selectors: frozenset[int]


def extension_units(descriptors: bytes) -> tuple[ExtensionUnit, ...]:
    """Return every extension unit; a malformed descriptor ends the list, since nothing after it can be trusted."""
    found, at, interface, control = [], 0, -1, False
    while at + 2 <= len(descriptors):
        length, kind = descriptors[at], descriptors[at + 1]
        if length < 2 or at + length > len(descriptors):
            break
        body = descriptors[at : at + length]
        if kind == _INTERFACE and length >= 9:
            interface, control = body[2], (body[5], body[6]) == (_VIDEO, _VIDEO_CONTROL)
        elif kind == _CLASS_SPECIFIC and control and length >= 3 and body[2] == _EXTENSION_UNIT:
            unit = _unit(body, interface)
            if unit is None:
                break
            found.append(unit)
        at += length
    return tuple(found)


def _unit(body: bytes, interface: int) -> ExtensionUnit | None:
    """Read one unit: bUnitID, GUID, bNumControls, the pins it is fed by, and a bit for each selector from 1 up."""
    if len(body) < 24:
        return None
    at = 22 + body[21]
    if at >= len(body) or at + 1 + body[at] > len(body):
        return None
    bits = int.from_bytes(body[at + 1 : at + 1 + body[at]], "little")
    selectors = frozenset(i + 1 for i in range(bits.bit_length()) if bits >> i & 1)
    return ExtensionUnit(interface, body[3], uuid.UUID(bytes_le=body[4:20]), selectors)
