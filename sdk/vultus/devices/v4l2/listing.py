"""Describe the cameras that are plugged in, for people and programs."""

from __future__ import annotations

from typing import Any

from vultus.devices.v4l2.cameras import Camera, cameras, stable_name
from vultus.devices.v4l2.device import unit_of
from vultus.devices.v4l2.kernel import Kernel
from vultus.devices.v4l2.profile import load_profile
from vultus.devices.v4l2.survey import Survey, survey_node
from vultus.errors import DeviceError
from vultus.frames import Source


def list_cameras(kernel: Kernel | None = None) -> list[dict[str, Any]]:
    """Describe every camera: url (stable), model, serial, source, its other names, nodes with formats, sizes and rates, and the qualified capture.

    A node that may not be opened has its reason under `error` and no formats.
    """
    system = kernel or Kernel()
    found = cameras(system)
    return [_camera(camera, found, system) for camera in found]


def _camera(camera: Camera, among: tuple[Camera, ...], kernel: Kernel) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = []
    virtual = not camera.physical
    for node in camera.nodes:
        try:
            one = survey_node(node, kernel)
        except DeviceError as problem:
            nodes.append({"node": str(node.path), "stream": None, "formats": [], "metadata": [], "error": str(problem)})
            continue
        virtual = virtual or one.virtual
        nodes.append(_node(one))
    profile = load_profile(unit_of(camera))
    return {
        "url": f"v4l2:{stable_name(camera, among)}",
        "model": camera.label,
        "serial": camera.usb.serial if camera.usb else "",
        "usb": camera.usb.id if camera.usb else None,
        "source": (Source.VIRTUAL if virtual else Source.LIVE).value,
        "names": [str(link) for link in camera.links],
        "nodes": nodes,
        "qualified": profile.capture if profile else None,
    }


def _node(one: Survey) -> dict[str, Any]:
    sizes: dict[tuple[str, int, int], list[float]] = {}
    for mode in one.modes:
        sizes.setdefault((mode.format, mode.width, mode.height), []).append(mode.rate_hz)
    formats = [{"format": f, "width": w, "height": h, "rates_hz": rates} for (f, w, h), rates in sizes.items()]
    stream = one.stream.value if one.stream else None
    return {"node": str(one.node.path), "stream": stream, "formats": formats, "metadata": list(one.meta), "driver": one.driver}
