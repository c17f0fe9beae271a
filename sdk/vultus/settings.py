"""Read what the surroundings say: environment variables and the user's folders; the only door to both.

VULTUS_STORE   the template store's path        VULTUS_DEVICE   the device's URL
VULTUS_KEY     where a new store's key goes: file (default) or keyring
VULTUS_RECORDING_KEY  the key file of encrypted recordings    VULTUS_PASSPHRASE  the passphrase of encrypted recordings
VULTUS_CALIBRATION  a sensor's own calibration file, several apart by ":"; default: every .json in the user's folder for them
VULTUS_HEADS   the folder of this host's identity and the sensor heads that it is paired with
VULTUS_DATA    a folder of evaluation data, for tests and measurements
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

KEY_KINDS: Final = ("file", "keyring")


@dataclass(frozen=True, slots=True)
class Settings:
    """What was set: `device` and `data` are None when nothing was said."""

    store: Path
    device: str | None
    key: str
    data: Path | None
    calibrations: tuple[Path, ...] = ()
    recording_key: Path | None = None
    passphrase: str | None = field(default=None, repr=False)


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ` (None = the process's own); an empty variable counts as unset. Raises ValueError."""
    env = {k: v for k, v in (os.environ if environ is None else environ).items() if v}
    key = env.get("VULTUS_KEY", "file")
    if key not in KEY_KINDS:
        raise ValueError(f"VULTUS_KEY must be {' or '.join(KEY_KINDS)}, got {key!r}")
    data = env.get("VULTUS_DATA")
    store = env.get("VULTUS_STORE")
    key_path = env.get("VULTUS_RECORDING_KEY")
    return Settings(
        store=Path(store).expanduser() if store else default_store(),
        device=env.get("VULTUS_DEVICE"),
        key=key,
        data=Path(data).expanduser() if data else None,
        calibrations=_calibrations(env.get("VULTUS_CALIBRATION")),
        recording_key=Path(key_path).expanduser() if key_path else None,
        passphrase=env.get("VULTUS_PASSPHRASE"),
    )


def _calibrations(named: str | None) -> tuple[Path, ...]:
    """Return the files that were named, or those in the user's own folder; a named file that is missing is an error when it is read."""
    if named is not None:
        return tuple(Path(part).expanduser() for part in named.split(os.pathsep) if part)
    return tuple(sorted(calibration_folder().glob("*.json")))


def calibration_folder() -> Path:
    """Return where `vultus calibrate` puts a sensor's calibration unless it is told otherwise."""
    return default_store().parent / "calibrations"


def pairing_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return where this host's identity and the sensor heads that it is paired with are kept."""
    named = (os.environ if environ is None else environ).get("VULTUS_HEADS")
    return Path(named).expanduser() if named else default_store().parent / "heads"


def camera_folder() -> Path:
    """Return where `vultus devices --qualify` puts what it measured of a camera."""
    import platformdirs

    return platformdirs.user_config_path("vultus", appauthor=False) / "cameras"


def camera_calibration_folder() -> Path:
    """Return where `vultus calibrate-camera` puts a device's cameras, and where devices look for them."""
    return default_store().parent / "cameras"


def default_recording_key() -> Path:
    """Return where the key file of encrypted recordings lies when nobody says otherwise."""
    return default_store().parent / "recordings.key"


def default_store() -> Path:
    """Return where the template store lies when nobody says otherwise: the user's own data folder."""
    import platformdirs

    return platformdirs.user_data_path("vultus", appauthor=False) / "templates.db"


def colours(environ: Mapping[str, str] | None = None) -> bool:
    """Say whether a terminal may be written to in colour (no-color.org, and terminals that cannot)."""
    env = os.environ if environ is None else environ
    return not env.get("NO_COLOR") and env.get("TERM") != "dumb"
