"""Write a device of your own: here, a folder of numbered RGB pictures that plays the part of a camera.

python examples/write_a_device.py FOLDER

A driver fills in three methods; the base class keeps the states, the locks and the cancelling. `vultus.testing.check_device` then holds it to
every rule that the SDK relies on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import vultus
from vultus.devices.base import Capabilities, Device, StreamFormat
from vultus.devices.registry import Options, register
from vultus.pictures import read
from vultus.testing import check_device

PERIOD_NS = 33_000_000


class Folder(Device):
    """Numbered PNG or JPEG pictures of one folder as RGB frames, 30 a second."""

    def __init__(self, folder: Path) -> None:
        # A folder of pictures is not a live camera, and saying so is what keeps a sign-in from believing it.
        super().__init__(vultus.DeviceIdentity("folder", folder.name, "", vultus.Source.IMAGES))
        self._folder = folder
        self._files: list[Path] = []
        self._count = 0

    def _open(self) -> Capabilities:
        self._files = sorted(p for p in self._folder.iterdir() if p.suffix in (".png", ".jpg"))
        self._count = 0
        return Capabilities((StreamFormat(vultus.Stream.RGB),), rate_hz=30.0, finite=True, hardware_time=False)

    def _next(self, deadline: float) -> vultus.FrameSet | None:
        del deadline  # pictures never make anyone wait
        if self._count == len(self._files):
            return None
        image = read(self._files[self._count])
        frame = vultus.Frame(vultus.Stream.RGB, image, self._count * PERIOD_NS)
        frame_set = vultus.FrameSet(self.identity, self._count, rgb=frame)
        self._count += 1
        return frame_set

    def _close(self) -> None:
        self._files = []


def from_url(path: str, options: Options) -> Device:
    """Make the device that `folder:PATH` names."""
    options.done()
    return Folder(Path(path))


def main(folder: str) -> int:
    """Register the scheme, hold the device to the rules, and read it once."""
    register("folder", from_url)
    check_device(lambda: Folder(Path(folder)))
    with vultus.open_device(f"folder:{folder}") as camera:
        print(sum(1 for _ in camera.frames()), "frame sets; every rule holds")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
