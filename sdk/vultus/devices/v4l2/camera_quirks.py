"""Load the reviewed table of camera quirks: one TOML file a camera in `quirks/`, each with the public source of its facts."""

from __future__ import annotations

import datetime as dt
import tomllib
import uuid
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from vultus.devices.v4l2.uvc_units import MICROSOFT
from vultus.errors import DeviceError

FACE_AUTHENTICATION: Final = 6
"""Control selector of the Microsoft extension unit, section 2.2.2.7."""
_KEYS: Final = {
    "camera": {"vendor", "product", "name", "source", "reviewed"},
    "emitter": {"guid", "unit", "selector", "size", "on"},
    "depth": {"unit_mm"},
}


@dataclass(frozen=True, slots=True)
class Emitter:
    """The control that lights a camera: whose unit, its number, selector and size in bytes, and the value that was seen to work."""

    guid: uuid.UUID
    unit: int
    selector: int
    size: int
    on: bytes


@dataclass(frozen=True, slots=True)
class Quirk:
    """What is known of one model; `emitter` None = nothing beyond what its descriptors say, `depth_unit_mm` None = unknown."""

    vendor: int
    product: int
    name: str
    source: str
    emitter: Emitter | None
    depth_unit_mm: float | None


def load_quirks(folder: Path | None = None) -> dict[tuple[int, int], Quirk]:
    """Load every entry by (vendor, product); raises DeviceError that names the file and what is wrong with it."""
    found: dict[tuple[int, int], Quirk] = {}
    place = resources.files("vultus.devices.v4l2") / "quirks" if folder is None else folder
    for file in sorted(place.iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".toml"):
            continue
        try:
            quirk = _quirk(tomllib.loads(file.read_text("utf-8")))
            if file.name != f"{quirk.vendor:04x}-{quirk.product:04x}.toml":
                raise ValueError(f"the file must be named {quirk.vendor:04x}-{quirk.product:04x}.toml")
        except (ValueError, TypeError, KeyError) as problem:
            reason = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
            raise DeviceError(f"v4l2: the quirk file {file.name} is wrong: {reason}; correct or remove it") from problem
        found[quirk.vendor, quirk.product] = quirk
    return found


def quirk_of(vendor: int, product: int) -> Quirk | None:
    """Return the entry of one model, None when there is none."""
    return load_quirks().get((vendor, product))


def _quirk(document: dict[str, Any]) -> Quirk:
    for section, values in document.items():
        if section not in _KEYS:
            raise ValueError(f"there is no section {section}")
        unknown = set(values) - _KEYS[section]
        if unknown:
            raise ValueError(f"{section} has no key {', '.join(sorted(unknown))}")
    camera = document["camera"]
    name, source = camera["name"], camera["source"]
    if not (isinstance(name, str) and name and isinstance(source, str) and source.startswith("https://")):
        raise ValueError("camera needs a name and the https address of its source")
    if not isinstance(camera["reviewed"], dt.date):
        raise TypeError("reviewed must be a date")
    emitter = _emitter(document["emitter"]) if "emitter" in document else None
    unit_mm = document["depth"]["unit_mm"] if "depth" in document else None
    if unit_mm is not None and not (isinstance(unit_mm, float) and 0 < unit_mm <= 10):
        raise ValueError("unit_mm must be a number above 0 and at most 10")
    if emitter is None and unit_mm is None:
        raise ValueError("it says nothing: give an emitter or a depth unit")
    return Quirk(_whole(camera, "vendor", 0xFFFF), _whole(camera, "product", 0xFFFF), name, source, emitter, unit_mm)


def _emitter(section: dict[str, Any]) -> Emitter:
    size, on = _whole(section, "size", 64), bytes(section["on"])
    made = Emitter(uuid.UUID(section["guid"]), _whole(section, "unit", 255), _whole(section, "selector", 255), size, on)
    if len(on) != size:
        raise ValueError(f"on has {len(on)} bytes, size says {size}")
    if made.guid == MICROSOFT:
        if made.selector != FACE_AUTHENTICATION or size % 2 == 0:
            raise ValueError("only the face authentication control, selector 6 with an odd size, is known of the Microsoft unit")
        entries, used = on[0], on[1 : 1 + 2 * on[0]]
        if not 1 <= entries <= size // 2 or any(on[1 + 2 * entries :]) or any(flags not in (2, 3, 4) for flags in used[1::2]):
            raise ValueError("on is no list of (interface, mode) pairs that choose illumination")
    return made


def _whole(section: dict[str, Any], key: str, high: int) -> int:
    value = section[key]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= high:
        raise ValueError(f"{key} must be a whole number from 1 to {high}")
    return value
