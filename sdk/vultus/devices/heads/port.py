"""Open, read and write a serial port through pyserial (the extra `serial`); the only module that imports it."""

from __future__ import annotations

import errno
import fcntl
import os
import termios
import time
from pathlib import Path
from typing import Any, Final

from vultus.errors import DeviceBusy, DeviceError, DeviceLost, DeviceNotFound

_GATHER_S: Final = 0.001
"""How long bytes are gathered after the first: a millisecond costs a slow line nothing and saves a thousand wake-ups a second."""
_HELD: Final = frozenset({errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})
_GONE: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO})


def _library() -> Any:
    try:
        import serial
    except ImportError as problem:
        raise DeviceError("serial: needs pyserial; pip install 'vultus[serial]'") from problem
    return serial


class Port:
    """An open port of this process alone: locked against those who lock too, and, but for root, against any other opening.

    wait_s: how long `read` waits at most. Raises DeviceNotFound, DeviceBusy or DeviceError, each with what to do.
    """

    def __init__(self, path: str, baud: int, wait_s: float) -> None:
        library = _library()
        self.path = path
        self._failed: tuple[type[Exception], ...] = (library.SerialException, OSError, termios.error)
        try:
            self._port = library.Serial(path, baud, timeout=wait_s, write_timeout=0, exclusive=True)
        except (*self._failed, ValueError) as problem:
            raise _refusal(path, baud, problem) from problem
        try:
            fcntl.ioctl(self._port.fileno(), termios.TIOCEXCL)
        except OSError as problem:
            self._port.close()
            raise _refusal(path, baud, problem) from problem

    def read(self) -> bytes:
        """Return what has come, after a wait when there is nothing. Raises DeviceLost when the port went away."""
        try:
            data: bytes = self._port.read(1)
            if data:
                time.sleep(_GATHER_S)
                data += self._port.read(self._port.in_waiting)
            return data
        except self._failed as problem:
            raise self._lost(problem) from problem

    def write(self, data: bytes) -> int:
        """Send as much as the port takes at once and return how much that was. Raises DeviceLost when the port went away."""
        try:
            return os.write(self._port.fileno(), data)
        except BlockingIOError:
            return 0
        except self._failed as problem:
            raise self._lost(problem) from problem

    def close(self) -> None:
        """Give the port back; never fails."""
        try:
            fcntl.ioctl(self._port.fileno(), termios.TIOCNXCL)
            self._port.close()
        except self._failed:
            # It went away: there is nothing to give back.
            return

    def _lost(self, problem: Exception) -> DeviceLost:
        return DeviceLost(f"serial: {self.path} went away ({_line(problem)}); plug it in and open it again")


def _refusal(path: str, baud: int, problem: Exception) -> DeviceError:
    """Say why a port cannot be opened and what to do."""
    number = getattr(problem, "errno", None)
    if isinstance(problem, ValueError) or number == errno.EINVAL:
        return DeviceError(f"serial: {path} does not do {baud} baud: give the head's rate as baud=...")
    if number in _GONE:
        return DeviceNotFound(f"serial: there is no {path}: plug the head in, or look under /dev/serial/by-id for its name")
    if number in _HELD:
        who = ", ".join(_holders(path)) or "another program"
        return DeviceBusy(
            f"serial: {path} is held by {who}: end it; ModemManager leaves a port alone whose udev rule says ENV{{ID_MM_DEVICE_IGNORE}}=1"
        )
    if number in (errno.EACCES, errno.EPERM):
        return DeviceError(f"serial: {path} may not be opened: add your user to its group, mostly dialout, and log in again")
    return DeviceError(f"serial: {path} cannot be used as a serial port: {_line(problem)}")


def _holders(path: str) -> list[str]:
    """Name the programs that have a file open, as far as /proc shows them to this user."""
    target, found = os.path.realpath(path), []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.path.realpath(link) == target for link in folder.iterdir()):
                name = (folder.parent / "comm").read_text(encoding="utf-8", errors="replace").strip()
                found.append(f"{name} (process {folder.parent.name})")
        except OSError:
            # Another user's, or it has ended meanwhile.
            continue
    return found


def _line(problem: Exception) -> str:
    return " ".join(str(problem).split())
