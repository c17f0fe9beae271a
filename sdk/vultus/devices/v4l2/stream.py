"""Stream from one node: set its format, share buffers with the kernel, take pictures or metadata out of them.

A buffer is lent to `take` for as long as its bytes are read and goes straight back, so that the camera never runs dry, however long the
caller keeps a picture.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import numpy as np

from vultus.devices.v4l2 import abi
from vultus.devices.v4l2.formats import Layout, row_bytes
from vultus.devices.v4l2.kernel import Kernel, translate
from vultus.devices.v4l2.survey import Mode
from vultus.errors import DeviceError
from vultus.types import U8

BUFFERS: Final = 4
"""Buffers shared with the kernel: two that it fills in turn, one that is read, one for when the reader is late."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Taken(Generic[T]):
    """What `take` made of a buffer: on CLOCK_MONOTONIC when `stamped`, from the start of the exposure when `exposure`; else the time of arrival."""

    value: T
    time_ns: int
    sequence: int
    stamped: bool
    exposure: bool


class NodeStream:
    """One open node; `pause` and `start` may alternate, `close` ends it. Raises what `translate` makes of the kernel's refusals."""

    def __init__(self, kernel: Kernel, path: Path, kind: int = abi.VIDEO) -> None:
        self._kernel, self.path, self._kind = kernel, path, kind
        self.fd = -1
        self.layout: Layout | None = None
        self.damaged = 0
        self._maps: list[Any] = []
        self._views: list[U8] = []
        self._running = False
        try:
            self.fd = kernel.open(path)
        except OSError as problem:
            raise translate(problem, path, kernel) from problem

    def ioctl(self, request: int, argument: Any) -> None:
        """Send one request; raises DeviceError."""
        try:
            self._kernel.ioctl(self.fd, request, argument)
        except OSError as problem:
            raise translate(problem, self.path, self._kernel) from problem

    def set_mode(self, mode: Mode) -> float:
        """Ask for a mode and return the rate that the driver gives (the mode's own where it does not say); DeviceError for another format or size."""
        wanted = abi.Format(type=self._kind)
        wanted.fmt.pix.width, wanted.fmt.pix.height, wanted.fmt.pix.pixelformat = mode.width, mode.height, abi.fourcc(mode.format)
        self.ioctl(abi.S_FMT, wanted)
        got = wanted.fmt.pix
        if (got.width, got.height, got.pixelformat) != (mode.width, mode.height, abi.fourcc(mode.format)):
            name = abi.fourcc_text(got.pixelformat)
            raise DeviceError(f"v4l2: {self.path} gives {name} {got.width} x {got.height}, not {mode}; ask for another size")
        self.layout = Layout(mode.format, mode.width, mode.height, max(got.bytesperline, row_bytes(mode.format, mode.width)))
        if not mode.rate_hz:
            return 0.0
        rate = abi.StreamParameters(type=self._kind, numerator=1000, denominator=round(mode.rate_hz * 1000))
        try:
            self._kernel.ioctl(self.fd, abi.S_PARM, rate)
        except OSError as problem:
            if problem.errno not in (errno.EINVAL, errno.ENOTTY):
                raise translate(problem, self.path, self._kernel) from problem
            return mode.rate_hz
        return rate.denominator / rate.numerator if rate.numerator and rate.denominator else mode.rate_hz

    def set_metadata(self, name: str) -> None:
        """Ask for a metadata format; raises DeviceError when the driver gives another."""
        wanted = abi.Format(type=self._kind)
        wanted.fmt.meta.dataformat = abi.fourcc(name)
        self.ioctl(abi.S_FMT, wanted)
        if wanted.fmt.meta.dataformat != abi.fourcc(name):
            raise DeviceError(f"v4l2: {self.path} gives no {name} metadata; update the kernel")

    def start(self) -> None:
        """Share buffers with the kernel and start; the errno of a refused start is the cause's own (ENOSPC: no bandwidth left on the bus)."""
        asked = abi.BufferRequest(count=BUFFERS, type=self._kind, memory=abi.MMAP)
        self.ioctl(abi.REQBUFS, asked)
        if asked.count < 2:
            raise DeviceError(f"v4l2: {self.path} has no memory for buffers; end other programs that use the camera")
        try:
            for index in range(asked.count):
                buffer = abi.Buffer(index=index, type=self._kind, memory=abi.MMAP)
                self.ioctl(abi.QUERYBUF, buffer)
                mapped = self._kernel.map(self.fd, buffer.length, buffer.offset)
                self._maps.append(mapped)
                self._views.append(np.frombuffer(mapped, np.uint8))
                self.ioctl(abi.QBUF, abi.Buffer(index=index, type=self._kind, memory=abi.MMAP))
            self.ioctl(abi.STREAMON, ctypes.c_int(self._kind))
            self._running = True
        except OSError as problem:
            self.pause()
            raise translate(problem, self.path, self._kernel) from problem
        except DeviceError:
            self.pause()
            raise

    def take(self, make: Callable[[U8], T]) -> Taken[T] | None:
        """Make something of the oldest full buffer; None when there is none or it is damaged, which `damaged` counts. Raises DeviceLost."""
        buffer = abi.Buffer(type=self._kind, memory=abi.MMAP)
        try:
            self._kernel.ioctl(self.fd, abi.DQBUF, buffer)
        except BlockingIOError:
            return None
        except OSError as problem:
            if problem.errno == errno.EIO:
                # A transfer went wrong; the driver has the buffer still.
                self.damaged += 1
                return None
            raise translate(problem, self.path, self._kernel) from problem
        arrived = self._kernel.now_ns()
        try:
            value = self._made(make, buffer)
        finally:
            self.ioctl(abi.QBUF, abi.Buffer(index=buffer.index, type=self._kind, memory=abi.MMAP))
        if value is None:
            self.damaged += 1
            return None
        stamped = buffer.flags & abi.BUF_TIME_MASK == abi.BUF_TIME_MONOTONIC
        exposure = stamped and buffer.flags & abi.BUF_SOURCE_MASK == abi.BUF_SOURCE_START_OF_EXPOSURE
        time_ns = buffer.seconds * 1_000_000_000 + buffer.microseconds * 1000
        # A driver that converts the camera's clock may be a little ahead; no picture is from the future.
        return Taken(value, min(time_ns, arrived) if stamped else arrived, buffer.sequence, stamped, exposure)

    def _made(self, make: Callable[[U8], T], buffer: abi.Buffer) -> T | None:
        if buffer.flags & abi.BUF_ERROR or buffer.index >= len(self._views) or buffer.bytesused > self._views[buffer.index].size:
            return None
        try:
            return make(self._views[buffer.index][: buffer.bytesused])
        except ValueError:
            return None

    def alive(self) -> None:
        """Ask the node for a sign of life; raises DeviceLost when it was unplugged."""
        self.ioctl(abi.QUERYCAP, abi.Capability())

    def pause(self) -> None:
        """Stop streaming and give the buffers back; a camera that is gone has nothing left to stop."""
        try:
            if self._running:
                self._kernel.ioctl(self.fd, abi.STREAMOFF, ctypes.c_int(self._kind))
            self._running = False
            self._unmap()
            self._kernel.ioctl(self.fd, abi.REQBUFS, abi.BufferRequest(count=0, type=self._kind, memory=abi.MMAP))
        except OSError:
            self._running = False
            self._unmap()

    def close(self) -> None:
        """Stop and let go of the node."""
        if self.fd >= 0:
            self.pause()
            self._kernel.close(self.fd)
            self.fd = -1

    def _unmap(self) -> None:
        self._views.clear()
        while self._maps:
            # A view that an error still holds keeps its memory until it goes itself.
            with contextlib.suppress(BufferError):
                self._maps.pop().close()
