"""What a `realsense:` URL names: a camera, or with `file=` a recording of librealsense."""

from __future__ import annotations

from vultus.devices.base import Device
from vultus.devices.realsense.device import Mode, RealSense
from vultus.devices.realsense.file import from_path
from vultus.devices.registry import Options


def from_url(path: str, options: Options) -> Device:
    """Make the device of a `realsense:` URL; without a serial it is the first camera found, after `file=` a recording of librealsense."""
    if path.startswith("file="):
        return from_path(path.removeprefix("file="), options)
    m = Mode()
    width, height = options.whole("width", m.width, 16, 8192), options.whole("height", m.height, 16, 8192)
    fps, emitter = options.whole("fps", m.fps, 1, 300), options.text("emitter", "alternate", ("alternate", "on"))
    options.done()
    return RealSense(path, Mode(width, height, fps, alternate=emitter == "alternate"))
