"""Check whether this machine can sign people in, one line a part, each with its remedy.

A check never raises and changes nothing. A part that is missing on purpose (an optional extra, a store before the first enrolment)
is not a failure.
"""

from __future__ import annotations

import enum
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from vultus.errors import CalibrationError, DeviceError, ModelError, NotEnrolled, StoreAltered, StoreError
from vultus.settings import Settings

EXTRAS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "keyring": (("keyring",), "the store's key in the system keyring"),
    "demo": (("matplotlib", "skimage"), "vultus demo"),
    "evaluate": (("jsonschema", "matplotlib", "scipy", "sklearn"), "measuring a sensor or a network"),
    "recipes": (("onnx",), "vultus models build"),
}
"""Optional extra: the modules that it brings, and what for."""
_SPACE: Final = 16 * 2**20
"""Bytes that should be free beside the store; ten templates of the widest kind and a journal are under 3 MiB."""


class State(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's report; `remedy` is "" when there is nothing to do."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def run(settings: Settings, store: Path, device: str | None = None) -> tuple[Check, ...]:
    """Run every check; `device` (else the settings') is opened and closed again when there is one."""
    return (
        check_python(sys.version_info[:3], platform.system(), platform.machine()),
        check_package(),
        check_core(),
        check_graphs(),
        check_calibration(),
        *check_store(store, settings.key),
        check_device(device if device is not None else settings.device),
        check_extras(lambda name: find_spec(name) is not None),
    )


def check_python(version: tuple[int, ...], system: str, machine: str) -> Check:
    """Check interpreter and platform."""
    detail = f"Python {'.'.join(map(str, version))} on {system} {machine}"
    if version < (3, 11):
        return Check("python", State.FAIL, detail, "Vultus needs Python 3.11 or newer")
    if system != "Linux":
        return Check("python", State.WARN, detail, "Vultus is tested on Linux; file permissions and cameras may differ here")
    return Check("python", State.OK, detail)


def check_package() -> Check:
    """Check that the package is installed, not merely on the path."""
    try:
        return Check("vultus", State.OK, f"version {metadata.version('vultus')} in {Path(__file__).parent}")
    except metadata.PackageNotFoundError:
        return Check("vultus", State.WARN, f"runs from {Path(__file__).parent} without being installed", "pip install . in the checkout")


def check_core() -> Check:
    """Check the native core and say which instruction set each of its parts uses here."""
    try:
        from vultus import _native
    except ImportError as error:
        return Check("native core", State.FAIL, f"cannot be loaded ({error})", "reinstall vultus: pip install --force-reinstall vultus")
    parts = _native.isa()
    fast = sorted({name for name in parts.values() if name != "ref"})
    plain = sorted(op for op, name in parts.items() if name == "ref")
    if not fast:
        return Check("native core", State.WARN, f"{len(parts)} parts in plain C", "it works, more slowly: this CPU or build has no AVX2")
    return Check("native core", State.OK, f"{len(parts) - len(plain)} of {len(parts)} parts use {', '.join(fast)}")


def check_graphs() -> Check:
    """Check that every graph is there and unaltered, and that the runtime is."""
    from vultus.graphs import runtime_version
    from vultus.manifest import load_manifest

    try:
        runtime = runtime_version()
        states = load_manifest().verify()
    except ImportError as error:
        return Check("graphs", State.FAIL, f"ONNX Runtime cannot be loaded ({error})", "pip install onnxruntime")
    except ModelError as error:
        return Check("graphs", State.FAIL, *_split(error))
    bad = [s for s in states if not s.ok]
    if bad:
        detail = f"{len(bad)} of {len(states)} unusable: {bad[0].problem}"
        return Check("graphs", State.FAIL, detail, "reinstall vultus, or vultus models build")
    return Check("graphs", State.OK, f"{', '.join(s.role for s in states)} unaltered, ONNX Runtime {runtime}")


def check_calibration() -> Check:
    """Check that there is a calibration and that it was made with the recogniser that is installed."""
    from vultus import calibration
    from vultus.manifest import load_manifest

    try:
        manifest = load_manifest()
        found = calibration.load(manifest.root / "calibration")
        current = manifest.graph
    except (CalibrationError, ModelError) as error:
        return Check("calibration", State.FAIL, *_split(error))
    if found.graph != current:
        return Check(
            "calibration", State.FAIL, f"{found.id} was made with another recogniser or another cut of the face", "reinstall vultus"
        )
    return Check("calibration", State.OK, f"{found.id}, {len(found.tables)} comparisons of modalities")


def check_store(path: Path, key: str) -> tuple[Check, ...]:
    """Check the store's permissions, its key and every record; an absent store is fine until someone enrols."""
    from vultus.store import TemplateStore

    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        free = shutil.disk_usage(path.parent).free
        with TemplateStore.open(path, create=False) as store:
            entries, place = store.entries(), store.key
    except FileNotFoundError:
        place = "the system keyring" if key == "keyring" else "a file beside it"
        return (Check("store", State.OK, f"none yet at {path}; the first enrolment makes it, with its key in {place}"),)
    except NotEnrolled as error:
        return (Check("store", State.OK, str(error)),)
    except StoreError as error:
        return (Check("store", State.FAIL, *_split(error)),)
    except OSError as error:
        return (Check("store", State.FAIL, f"{path}: {error.strerror}", "check the path and its permissions"),)
    problems = [e.content for e in entries if isinstance(e.content, StoreError)]
    return (_store_state(path, mode, free, problems, len(entries)), _key_state(path, place))


def _store_state(path: Path, mode: int, free: int, problems: list[StoreError], total: int) -> Check:
    """Judge a store that opens."""
    altered = [p for p in problems if isinstance(p, StoreAltered)]
    detail = f"{total} enrolled in {path}"
    if altered:
        detail = f"{len(altered)} of {total} records altered: {altered[0]}"
        return Check("store", State.FAIL, detail, "remove and enrol those users again")
    if mode & 0o077:
        return Check("store", State.WARN, f"{detail}, open to others (mode {mode:04o})", f"chmod 600 {path}")
    if free < _SPACE:
        return Check("store", State.WARN, f"{detail}, {free / 2**20:.1f} MiB free", "free some space: a full disk stops enrolment")
    if problems:
        return Check("store", State.WARN, f"{detail}, {len(problems)} of another format", "enrol those users again")
    return Check("store", State.OK, detail)


def _key_state(path: Path, place: str) -> Check:
    """Judge where the key of a store that opens lies."""
    if place != "file":
        return Check("store key", State.OK, f"in the {place}")
    folder = path.parent.stat().st_mode
    if folder & 0o022:
        return Check("store key", State.WARN, f"others may write to {path.parent}", f"chmod go-w {path.parent}")
    detail = f"in {path.name}.key; a copy of the folder holds store and key, VULTUS_KEY=keyring keeps them apart"
    return Check("store key", State.OK, detail)


def check_device(url: str | None) -> Check:
    """Open the device, if one is named, and read one frame set."""
    from vultus.devices.registry import open_device, schemes

    known = f"kinds: {', '.join(schemes())}"
    if url is None:
        return Check("device", State.OK, f"none named; {known}")
    try:
        with open_device(url) as camera:
            frame_set = camera.read(timeout_s=5.0)
    except (DeviceError, ValueError, TimeoutError) as error:
        return Check("device", State.FAIL, f"{url}: {error}", "vultus devices lists what there is")
    if frame_set is None:
        return Check("device", State.FAIL, f"{url} gives no frame set", "check the sensor or the file")
    return Check("device", State.OK, f"{url} gives {', '.join(f.stream.value for f in frame_set.frames())}")


def check_extras(present: Callable[[str], bool]) -> Check:
    """Say which optional extras are installed; none of them is needed to sign in."""
    have = [name for name, (modules, _) in EXTRAS.items() if all(present(m) for m in modules)]
    lack = [f"{name} ({purpose})" for name, (_, purpose) in EXTRAS.items() if name not in have]
    detail = f"installed: {', '.join(have) or 'none'}" + (f"; not installed: {', '.join(lack)}" if lack else "")
    return Check("extras", State.OK, detail)


def _split(error: Exception) -> tuple[str, str]:
    """Split an error's line at its last colon or semicolon into what is wrong and what to do."""
    text = str(error)
    at = max(text.rfind("; "), text.rfind(": "))
    return (text, "") if at < 0 else (text[:at], text[at + 2 :])
