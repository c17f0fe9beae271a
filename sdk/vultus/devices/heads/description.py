"""Read what a serial head says about itself: capabilities and calibration (native/serial/PROTOCOL.md, section 5)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from vultus.devices.base import Capabilities, StreamFormat
from vultus.errors import ProtocolError
from vultus.frames import MAX_SIDE, MIN_SIDE, Extrinsics, Intrinsics, Stream

_FORMATS: Final[Mapping[Stream, frozenset[str]]] = {
    Stream.RGB: frozenset({"rgb8"}),
    Stream.NIR: frozenset({"grey8", "grey16"}),
    Stream.NIR_AMBIENT: frozenset({"grey8", "grey16"}),
    Stream.DEPTH: frozenset({"depth16"}),
}
_DTYPES: Final = {"rgb8": "uint8", "grey8": "uint8", "grey16": "uint16", "depth16": "uint16"}
BITS: Final[Mapping[Stream, int]] = {Stream.RGB: 1, Stream.NIR: 2, Stream.NIR_AMBIENT: 4, Stream.DEPTH: 8}
"""Each stream's bit in START."""
_LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Optics:
    """The calibration of one stream; None is what the head does not say."""

    intrinsics: Intrinsics | None = None
    extrinsics: Extrinsics | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """A head: names, what it gives, and the calibration of each stream."""

    model: str
    serial: str
    firmware: str
    strobe: bool
    capabilities: Capabilities
    optics: Mapping[Stream, Optics]


def read_description(capabilities: Mapping[str, Any], calibration: Mapping[str, Any]) -> Description:
    """Make sense of a head's two objects; raises ProtocolError that names what makes none. Members that are not known are ignored."""
    try:
        formats = {f.stream: f for entry in capabilities["streams"] if (f := _stream(entry)) is not None}
        lit, ambient = formats.get(Stream.NIR), formats.get(Stream.NIR_AMBIENT)
        strobe = capabilities["strobe"] is True and lit is not None and ambient is not None
        if strobe and lit is not None and replace(lit, stream=Stream.NIR_AMBIENT) != ambient:
            raise ValueError("its two NIR streams differ in size or format")
        if not strobe:
            # Nobody could tell the lit picture from the other.
            formats.pop(Stream.NIR_AMBIENT, None)
        if not formats:
            raise ValueError("it gives no stream that could be used")
        stated = Capabilities(tuple(formats.values()), _rate(capabilities.get("rate_hz")), finite=False, hardware_time=True)
        names = [_name(capabilities.get(key, "")) for key in ("model", "serial", "firmware")]
        optics = {stream: _optics(form, calibration.get(_key(stream), {})) for stream, form in formats.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        what = f"{problem} is missing" if isinstance(problem, KeyError) else " ".join(str(problem).split())
        raise ProtocolError(f"serial: the head describes itself in a way that makes no sense ({what}): update its firmware") from problem
    return Description(names[0] or "serial head", names[1], names[2], strobe, stated, optics)


def _key(stream: Stream) -> str:
    """Both NIR pictures are one camera's."""
    return Stream.NIR.value if stream is Stream.NIR_AMBIENT else stream.value


def _stream(entry: Mapping[str, Any]) -> StreamFormat | None:
    if entry["stream"] not in set(Stream):
        return None
    stream, layout, sides = Stream(entry["stream"]), entry["format"], (entry["width"], entry["height"])
    if layout not in _FORMATS[stream]:
        raise ValueError(f"{stream} in the format {str(layout)[:_LONGEST_NAME]!r}")
    if not all(type(side) is int and MIN_SIDE <= side <= MAX_SIDE for side in sides):
        raise ValueError(f"{stream} has a side that is no whole number from {MIN_SIDE} to {MAX_SIDE}")
    return StreamFormat(stream, *sides, _DTYPES[layout])


def _rate(value: Any) -> float | None:
    if value is None:
        return None
    rate = _number(value)
    if not 0 < rate <= 1000:
        raise ValueError(f"a rate of {rate:g} a second")
    return rate


def _name(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
        raise ValueError(f"a name is text of at most {_LONGEST_NAME} printable characters")
    return value.strip()


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("something that must be a number is none")
    return float(value)


def _optics(form: StreamFormat, stated: Mapping[str, Any]) -> Optics:
    inner, outer = stated.get("intrinsics"), stated.get("extrinsics")
    intrinsics = extrinsics = None
    if inner is not None:
        fx, fy, cx, cy = (_number(inner[key]) for key in ("fx", "fy", "cx", "cy"))
        intrinsics = Intrinsics(fx, fy, cx, cy, form.width or 0, form.height or 0)
    if outer is not None:
        a, b, c, d, e, f, g, h, i = map(_number, outer["rotation"])
        x, y, z = map(_number, outer["translation_mm"])
        extrinsics = Extrinsics((a, b, c, d, e, f, g, h, i), (x, y, z))
    return Optics(intrinsics, extrinsics)
