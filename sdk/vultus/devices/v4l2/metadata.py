"""Read from UVC metadata whether the illuminator was on for a frame (Microsoft's extensions to UVC 1.5, section 2.2.3).

The kernel's metadata node gives, for each frame, its payload headers one after another (struct uvc_meta_buf). Behind the standard fields of
a header follows a piece of the camera's own metadata; the pieces together are a list of items, one of which states the illumination.
"""

from __future__ import annotations

import struct
from typing import Final

FORMAT: Final = "UVCM"
"""V4L2_META_FMT_UVC_MSXU_1_5, since Linux 6.17; the older UVCH leaves out the camera's own metadata."""
_BLOCK: Final = struct.Struct("<QHBB")
_ITEM: Final = struct.Struct("<II")
_HAS_PTS: Final = 0x04
_HAS_SCR: Final = 0x08
_FRAME_ILLUMINATION: Final = 6
_ON: Final = 1


def illuminated(data: bytes) -> bool | None:
    """Say whether a frame was lit, from its metadata buffer; None when it does not state it, or contradicts itself, or is malformed."""
    try:
        stated = {bool(value & _ON) for value in _illumination_flags(_items(data))}
    except ValueError:
        return None
    return stated.pop() if len(stated) == 1 else None


def _items(data: bytes) -> bytes:
    """Join the camera's own pieces of a frame's payload headers; raises ValueError for a malformed one."""
    pieces, at = [], 0
    while at < len(data):
        if at + _BLOCK.size > len(data):
            raise ValueError("a block is cut short")
        _, _, length, flags = _BLOCK.unpack_from(data, at)
        # The header's length counts from its own field: two bytes before the rest.
        start, end = at + _BLOCK.size, at + _BLOCK.size - 2 + length
        own = start + 4 * bool(flags & _HAS_PTS) + 6 * bool(flags & _HAS_SCR)
        if length < 2 or end > len(data) or own > end:
            raise ValueError("a header's length is wrong")
        pieces.append(data[own:end])
        at = end
    return b"".join(pieces)


def _illumination_flags(items: bytes) -> list[int]:
    found, at = [], 0
    while at + _ITEM.size <= len(items):
        kind, size = _ITEM.unpack_from(items, at)
        if size < _ITEM.size or at + size > len(items):
            raise ValueError("an item's size is wrong")
        if kind == _FRAME_ILLUMINATION:
            if size < _ITEM.size + 4:
                raise ValueError("the illumination item is cut short")
            found.append(int.from_bytes(items[at + 8 : at + 12], "little"))
        at += size
    return found
