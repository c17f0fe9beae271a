"""Reach Linux's video nodes: open, ioctl, map, wait; the one place that the tests' fake kernel takes over.

`fcntl.ioctl` on ctypes structures needs no package beyond Python and gives the interpreter lock back while it waits. The kept libraries for
the purpose are under the GPL (linuxpy) or no longer kept (v4l2-python3), and OpenCV's capture gives no time stamps, metadata or two nodes of one camera.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from vultus.errors import DeviceBusy, DeviceError, DeviceLost, DeviceNotFound

_GONE: Final = frozenset({errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN})
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM})


class Kernel:
    """Linux as this process sees it; `sys`, `dev` and `proc` are where its file systems are mounted."""

    sys = Path("/sys")
    dev = Path("/dev")
    proc = Path("/proc")

    def open(self, path: Path) -> int:
        """Open a node without waiting for anything; raises OSError."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self, fd: int) -> None:
        """Close a node."""
        os.close(fd)

    def ioctl(self, fd: int, request: int, argument: Any) -> None:
        """Send one request, again after a signal; `argument` is a ctypes value that the kernel fills in. Raises OSError."""
        while True:
            try:
                fcntl.ioctl(fd, request, argument)
            except InterruptedError:
                continue
            return

    def map(self, fd: int, length: int, offset: int) -> Any:
        """Map one buffer of a node; the result has `close`."""
        return mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)

    def wait(self, fds: Sequence[int], seconds: float) -> list[int]:
        """Wait until one of the nodes has a buffer or was unplugged, and return those; none when the time is over."""
        poll = select.poll()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        return [fd for fd, _ in poll.poll(max(0.0, seconds) * 1000)]

    def now_ns(self) -> int:
        """Return the time on the clock that stamps the frames, CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def pause(self, seconds: float) -> None:
        """Do nothing for a while."""
        time.sleep(seconds)


def translate(problem: OSError, path: Path, kernel: Kernel) -> DeviceError:
    """Turn what the kernel said about a node into the SDK's error, with what to do about it."""
    if problem.errno in _GONE:
        return DeviceLost(f"v4l2: {path} was unplugged; plug it in and open it again")
    if problem.errno == errno.ENOENT:
        return DeviceNotFound(f"v4l2: there is no {path}; vultus devices lists the cameras")
    if problem.errno == errno.EBUSY:
        return DeviceBusy(f"v4l2: {path} is in use {_by(holders(path, kernel))}; end that program and try again")
    if problem.errno == errno.ENOSPC:
        return DeviceError(f"v4l2: the bus has no bandwidth left for {path}; use a port of its own, a smaller size, or capture=alternating")
    if problem.errno in _FORBIDDEN:
        return DeviceError(
            f"v4l2: {path} may not be used by this user; add the user to the group that owns it (usually video) and log in again"
        )
    reason = (problem.strerror or type(problem).__name__).lower()
    return DeviceError(f"v4l2: {path} refuses: {reason}; plug the camera in again, or ask for another size or rate")


def holders(path: Path, kernel: Kernel) -> tuple[str, ...]:
    """Return who else has a node open, as "name (pid)"; of other users' processes only root can tell."""
    found = []
    for process in sorted(kernel.proc.glob("[0-9]*"), key=lambda p: int(p.name)):
        if process.name == str(os.getpid()):
            continue
        # Processes end while they are looked at, and most belong to somebody else.
        with contextlib.suppress(OSError):
            if any(link.readlink() == path for link in (process / "fd").iterdir()):
                name = (process / "comm").read_text("utf-8", "replace").strip()
                found.append(f"{name} ({process.name})")
    return tuple(found)


def _by(names: tuple[str, ...]) -> str:
    return f"by {', '.join(names)}" if names else "by another program (fuser, run as root, names it)"


def require_64_bit() -> None:
    """Raise DeviceError where the ABI is another than the one that is written down."""
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        raise DeviceError("v4l2: needs 64-bit Linux and a 64-bit Python")
