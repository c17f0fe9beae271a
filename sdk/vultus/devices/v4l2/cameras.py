"""Find cameras in sysfs: which video nodes belong to one physical device, what they are called for good, and whether a bus stands behind them.

Nothing is opened here. Node numbers change when a laptop is docked; the USB identity and the links that udev makes below /dev/v4l do not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vultus.devices.v4l2.kernel import Kernel
from vultus.errors import DeviceError, DeviceNotFound

# Drivers that make pictures in software, whatever their place in sysfs.
VIRTUAL_DRIVERS: Final = frozenset({"v4l2loopback", "v4l2 loopback", "akvcam", "vivid", "vimc", "dummy_hcd", "vhci_hcd", "usbip", "vcam"})


@dataclass(frozen=True, slots=True)
class Usb:
    """A USB device: identity, speed of its link in Mbit/s (0 = unknown), and its folder in sysfs."""

    vendor: int
    product: int
    serial: str
    title: str
    speed: int
    folder: Path

    @property
    def id(self) -> str:
        """Return vid:pid in the usual hexadecimal form."""
        return f"{self.vendor:04x}:{self.product:04x}"

    def descriptors(self) -> bytes:
        """Read the descriptors that the device sent when it was plugged in; empty when they cannot be read."""
        with contextlib.suppress(OSError):
            return (self.folder / "descriptors").read_bytes()
        return b""


@dataclass(frozen=True, slots=True)
class Node:
    """One video node: its path, its order within its function, the device in sysfs that it hangs from (None = none)."""

    path: Path
    label: str
    index: int
    parent: Path | None
    usb: Usb | None
    physical: bool
    interface: int | None = None


@dataclass(frozen=True, slots=True)
class Camera:
    """The nodes of one physical device, in the order of their numbers; `links` are udev's names for them."""

    nodes: tuple[Node, ...]
    links: tuple[Path, ...]

    @property
    def usb(self) -> Usb | None:
        """Return the USB device, None for another bus."""
        return self.nodes[0].usb

    @property
    def physical(self) -> bool:
        """True when a bus or the machine's firmware vouches for every node."""
        return all(n.physical for n in self.nodes)

    @property
    def label(self) -> str:
        """Return what the camera calls itself."""
        return (self.usb.title if self.usb else "") or self.nodes[0].label or "camera"


def cameras(kernel: Kernel) -> tuple[Camera, ...]:
    """Return every camera, in the order of its first node."""
    groups: dict[Path, list[Node]] = {}
    for node in _nodes(kernel):
        key = node.usb.folder if node.usb else node.parent or node.path
        groups.setdefault(key, []).append(node)
    links = _links(kernel)
    return tuple(
        Camera(tuple(nodes), tuple(link for node in nodes for link in sorted(links.get(node.path, ())))) for nodes in groups.values()
    )


def stable_name(camera: Camera, among: tuple[Camera, ...]) -> str:
    """Return what to write after `v4l2:` so that the same camera is found again: by USB identity, by link, or by node when there is no better."""
    usb = camera.usb
    if usb is not None:
        serial = f":{usb.serial}" if usb.serial and ":" not in usb.serial and "?" not in usb.serial else ""
        name = f"usb:{usb.id}{serial}"
        if sum(_has_name(c, name) for c in among) == 1:
            return name
    by_path = [link for link in camera.links if link.parent.name == "by-path"]
    return str((by_path or [*camera.links, camera.nodes[0].path])[0])


def find_camera(name: str, kernel: Kernel) -> Camera:
    """Find the camera of a name: usb:VID:PID[:SERIAL], a node or a link to one, "" = the first that is no virtual one.

    Raises ValueError for a malformed name, DeviceNotFound, and DeviceError when the name fits several cameras.
    """
    found = cameras(kernel)
    if not name:
        chosen = [c for c in found if c.physical][:1]
    elif name.startswith("usb:"):
        _parse_usb(name)
        chosen = [c for c in found if _has_name(c, name)]
    elif name.startswith("/"):
        path = Path(name).resolve()
        chosen = [c for c in found if any(n.path.resolve() == path for n in c.nodes)]
    else:
        raise ValueError(f"v4l2: {name!r} is no camera; write usb:VID:PID[:SERIAL] or the path of a node such as /dev/v4l/by-id/...")
    if not chosen:
        what = f"no camera {name}" if name else "no camera"
        raise DeviceNotFound(f"v4l2: {what} is plugged in; vultus devices lists the cameras")
    if len(chosen) > 1:
        paths = ", ".join(stable_name(c, found) for c in chosen)
        raise DeviceError(f"v4l2: {len(chosen)} cameras are {name}; name one by its path: {paths}")
    return chosen[0]


def find_node(name: str, kernel: Kernel) -> Node:
    """Find the node that a path or a link names; raises DeviceNotFound."""
    path = Path(name).resolve()
    for node in _nodes(kernel):
        if node.path.resolve() == path:
            return node
    raise DeviceNotFound(f"v4l2: there is no node {name}; vultus devices lists the cameras")


def _parse_usb(name: str) -> tuple[int, int, str]:
    parts = name.split(":", 3)
    try:
        if not all(1 <= len(p) <= 4 for p in parts[1:3]):
            raise ValueError
        vendor, product = int(parts[1], 16), int(parts[2], 16)
    except (ValueError, IndexError):
        raise ValueError(f"v4l2: write usb:VID:PID or usb:VID:PID:SERIAL with hexadecimal numbers; got {name!r}") from None
    return vendor, product, parts[3] if len(parts) > 3 else ""


def _has_name(camera: Camera, name: str) -> bool:
    vendor, product, serial = _parse_usb(name)
    usb = camera.usb
    return usb is not None and (usb.vendor, usb.product) == (vendor, product) and serial in ("", usb.serial)


def _nodes(kernel: Kernel) -> Iterator[Node]:
    folder = kernel.sys / "class" / "video4linux"
    entries = [p for p in folder.glob("video*") if p.name[5:].isdigit()]
    for entry in sorted(entries, key=lambda p: int(p.name[5:])):
        device = entry / "device"
        parent = device.resolve() if device.exists() else None
        usb = _usb(parent, kernel) if parent is not None else None
        number = _text(entry / "index")
        yield Node(
            kernel.dev / entry.name,
            _text(entry / "name"),
            int(number) if number.isdigit() else 0,
            parent,
            usb,
            parent is not None and _vouched(parent, kernel),
            _hexadecimal(parent / "bInterfaceNumber") if parent is not None else None,
        )


def _usb(parent: Path, kernel: Kernel) -> Usb | None:
    """Return the USB device that a function belongs to."""
    for folder in _upwards(parent, kernel):
        vendor, product = _hexadecimal(folder / "idVendor"), _hexadecimal(folder / "idProduct")
        if vendor is not None and product is not None:
            speed = _text(folder / "speed")
            return Usb(vendor, product, _text(folder / "serial"), _text(folder / "product"), int(speed) if speed.isdigit() else 0, folder)
    return None


def _vouched(parent: Path, kernel: Kernel) -> bool:
    """Say whether a device hangs from a PCI bus or is described by the machine's firmware (device tree, ACPI), and from no software driver.

    Virtual cameras have no parent at all (v4l2loopback), or a platform device that a module made up (vivid, dummy_hcd, usbip's vhci_hcd).
    """
    real = False
    for folder in _upwards(parent, kernel):
        driver = folder / "driver"
        if driver.exists() and driver.resolve().name in VIRTUAL_DRIVERS:
            return False
        bus = folder / "subsystem"
        real = real or (bus.exists() and bus.resolve().name == "pci") or any((folder / n).exists() for n in ("of_node", "firmware_node"))
    return real


def _upwards(folder: Path, kernel: Kernel) -> Iterator[Path]:
    """Yield a device and those that it hangs from, up to the root of all devices."""
    root = (kernel.sys / "devices").resolve()
    while folder != root and root in folder.parents:
        yield folder
        folder = folder.parent


def _links(kernel: Kernel) -> dict[Path, list[Path]]:
    found: dict[Path, list[Path]] = {}
    for kind in ("by-id", "by-path"):
        for link in (kernel.dev / "v4l" / kind).glob("*"):
            target = kernel.dev / link.resolve().name
            found.setdefault(target, []).append(link)
    return found


def _text(path: Path) -> str:
    """Read one attribute; what cannot be read is empty, what does not print is replaced."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return ""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.strip())


def _hexadecimal(path: Path) -> int | None:
    try:
        return int(_text(path), 16)
    except ValueError:
        return None
