"""Ask the nodes of a camera what they can give, and choose a stream, a size and a rate for each."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from vultus.devices.v4l2 import abi
from vultus.devices.v4l2.cameras import VIRTUAL_DRIVERS, Camera, Node
from vultus.devices.v4l2.formats import STREAMS
from vultus.devices.v4l2.kernel import Kernel, translate
from vultus.frames import MAX_SIDE, MIN_SIDE, Stream

_MOST: Final = 4096
"""Longest list that a node may give; a driver that never ends its list is left there."""
_USUAL_RATES: Final = (60.0, 30.0, 15.0)
"""Asked for where a driver gives a range of intervals instead of a list."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A format, a size in pixels and a rate in frames a second (0 = the driver does not say)."""

    format: str
    width: int
    height: int
    rate_hz: float

    def __str__(self) -> str:
        return f"{self.format} {self.width} x {self.height} at {self.rate_hz:g}"


@dataclass(frozen=True, slots=True)
class Survey:
    """What one node said: its driver and bus, whether it streams pictures or metadata, and in which modes; `meta` are metadata formats."""

    node: Node
    driver: str
    card: str
    bus: str
    modes: tuple[Mode, ...]
    meta: tuple[str, ...]

    @property
    def virtual(self) -> bool:
        """True when no physical bus stands behind the node."""
        named = self.driver.lower() in VIRTUAL_DRIVERS or any(v in self.bus.lower() for v in VIRTUAL_DRIVERS)
        return named or not self.node.physical

    @property
    def stream(self) -> Stream | None:
        """Return what the node's pictures are: depth where it has any, colour where it has any, else infrared; None when it gives none."""
        formats = {m.format for m in self.modes}
        for stream in (Stream.DEPTH, Stream.RGB, Stream.NIR):
            if formats & set(STREAMS[stream]):
                return stream
        return None


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: nearest size and rate win."""

    width: int = 640
    height: int = 480
    rate_hz: float = 30.0


def survey(camera: Camera, kernel: Kernel) -> tuple[Survey, ...]:
    """Ask every node of a camera; opening one may wake the camera up. Raises DeviceError."""
    return tuple(survey_node(node, kernel) for node in camera.nodes)


def survey_node(node: Node, kernel: Kernel) -> Survey:
    """Ask one node; raises DeviceError."""
    try:
        fd = kernel.open(node.path)
    except OSError as problem:
        raise translate(problem, node.path, kernel) from problem
    try:
        about = abi.Capability()
        kernel.ioctl(fd, abi.QUERYCAP, about)
        can = about.device_caps if about.capabilities & abi.CAP_DEVICE_CAPS else about.capabilities
        streams = bool(can & abi.CAP_STREAMING)
        modes = tuple(_modes(fd, kernel)) if streams and can & abi.CAP_VIDEO_CAPTURE else ()
        meta = tuple(_formats(fd, kernel, abi.META)) if streams and can & abi.CAP_META_CAPTURE else ()
    except OSError as problem:
        raise translate(problem, node.path, kernel) from problem
    finally:
        kernel.close(fd)
    return Survey(node, _text(about.driver), _text(about.card), _text(about.bus_info), modes, meta)


def metadata_node(pictures: Survey, all_nodes: Iterable[Survey]) -> Survey | None:
    """Return the node that carries the metadata of a picture node: the next one of the same function that gives any."""
    same = [s for s in all_nodes if s.node.parent == pictures.node.parent and s.node.index > pictures.node.index]
    following = min(same, key=lambda s: s.node.index, default=None)
    return following if following is not None and following.meta else None


def ranked(modes: Iterable[Mode], stream: Stream, wish: Wish, formats: tuple[str, ...] = ()) -> list[Mode]:
    """Return the modes of a stream, the best first: nearest size, then rate, then least work; only `formats` where they are named."""
    order = formats or STREAMS[stream]

    def cost(mode: Mode) -> tuple[float, float, int]:
        size = abs(mode.width - wish.width) / wish.width + abs(mode.height - wish.height) / wish.height
        return size, abs(mode.rate_hz - wish.rate_hz), order.index(mode.format)

    return sorted((m for m in modes if m.format in order), key=cost)


def _enumerate(fd: int, kernel: Kernel, request: int, make: Any) -> Iterator[Any]:
    """Yield the entries of a list that the kernel gives one by one."""
    for index in range(_MOST):
        entry = make(index)
        try:
            kernel.ioctl(fd, request, entry)
        except OSError as problem:
            if problem.errno in (errno.EINVAL, errno.ENOTTY):
                return
            raise
        yield entry


def _formats(fd: int, kernel: Kernel, kind: int) -> Iterator[str]:
    for entry in _enumerate(fd, kernel, abi.ENUM_FMT, lambda i: abi.FormatDescription(index=i, type=kind)):
        yield abi.fourcc_text(entry.pixelformat)


def _modes(fd: int, kernel: Kernel) -> Iterator[Mode]:
    known = {name for names in STREAMS.values() for name in names}
    for name in dict.fromkeys(_formats(fd, kernel, abi.VIDEO)):
        for width, height in dict.fromkeys(_sizes(fd, kernel, name)) if name in known else ():
            if min(width, height) >= MIN_SIDE and max(width, height) <= MAX_SIDE:
                rates = dict.fromkeys(_rates(fd, kernel, name, width, height)) or {0.0: None}
                yield from (Mode(name, width, height, rate) for rate in rates)


def _sizes(fd: int, kernel: Kernel, name: str) -> Iterator[tuple[int, int]]:
    for entry in _enumerate(fd, kernel, abi.ENUM_FRAMESIZES, lambda i: abi.FrameSizes(index=i, pixel_format=abi.fourcc(name))):
        if entry.type == abi.SIZE_DISCRETE:
            yield entry.size[0], entry.size[1]
            continue
        low_w, high_w, step_w, low_h, high_h, step_h = entry.size
        wish = Wish()
        yield _within(wish.width, low_w, high_w, step_w), _within(wish.height, low_h, high_h, step_h)
        return


def _rates(fd: int, kernel: Kernel, name: str, width: int, height: int) -> Iterator[float]:
    def make(index: int) -> abi.FrameIntervals:
        return abi.FrameIntervals(index=index, pixel_format=abi.fourcc(name), width=width, height=height)

    for entry in _enumerate(fd, kernel, abi.ENUM_FRAMEINTERVALS, make):
        values = list(entry.interval)
        if entry.type == abi.SIZE_DISCRETE:
            if values[0] and values[1]:
                yield values[1] / values[0]
            continue
        shortest, longest = values[0] / max(1, values[1]), values[2] / max(1, values[3])
        yield from (rate for rate in _USUAL_RATES if shortest <= 1 / rate <= longest)
        return


def _within(wanted: int, low: int, high: int, step: int) -> int:
    clipped = min(max(wanted, low), high)
    return low + (clipped - low) // max(1, step) * max(1, step)


def _text(raw: bytes) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in raw.decode("utf-8", "replace").strip())
