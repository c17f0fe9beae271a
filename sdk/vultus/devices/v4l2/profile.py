"""Keep what a qualification measured of a camera in a private file, which later openings start from."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from vultus import settings
from vultus.private_files import draft, make_private_folder, translate_os_error

FORMAT: Final = 1
CAPTURES: Final = ("concurrent", "alternating")


@dataclass(frozen=True, slots=True)
class Profile:
    """How to open one unit: camera (vid:pid and serial), the capture that worked, the colour format that worked with it, and what was measured."""

    camera: str
    capture: str
    rgb_format: str
    measured: dict[str, Any]

    def __post_init__(self) -> None:
        if self.capture not in CAPTURES:
            raise ValueError("the capture must be concurrent or alternating")


def profile_path(camera: str, folder: Path | None = None) -> Path:
    """Return where a unit's profile lies."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", camera)
    return (settings.camera_folder() if folder is None else folder) / f"{name}.json"


def load_profile(camera: str, folder: Path | None = None) -> Profile | None:
    """Return a unit's profile; None without one, or with one that is damaged or of another unit or format: a profile only saves time."""
    try:
        document = json.loads(profile_path(camera, folder).read_text("utf-8"))
        if document.pop("format") != FORMAT:
            return None
        found = Profile(**document)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if found.camera == camera else None


def save_profile(profile: Profile, folder: Path | None = None) -> Path:
    """Write a unit's profile, in place of an older one, whole or not at all; raises StoreError."""
    path = profile_path(profile.camera, folder)
    make_private_folder(path.parent)
    try:
        with draft(path) as new:
            new.write_text(json.dumps({"format": FORMAT, **asdict(profile)}, indent=1) + "\n", "utf-8")
            new.replace(path)
    except OSError as error:
        raise translate_os_error(error, path, "the camera profile") from error
    return path
