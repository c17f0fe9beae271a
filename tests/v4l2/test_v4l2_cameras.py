"""Cameras are found by what stays the same, nodes belong together by topology, and what software makes up is not live."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fake_kernel import HERE

from vultus import Policy
from vultus.devices import create_device
from vultus.devices.v4l2.cameras import cameras, find_camera, stable_name
from vultus.devices.v4l2.device import V4l2
from vultus.devices.v4l2.survey import Wish, metadata_node, ranked, survey
from vultus.errors import DeviceBusy, DeviceError, DeviceNotFound
from vultus.frames import Source, Stream
from vultus.policy import Evidence, presentation


def test_nodes_of_one_usb_device_are_one_camera(machine) -> None:
    """The colour, infrared and metadata nodes of a laptop are one camera, another device's nodes another."""
    found = cameras(machine("hello_laptop", "webcam"))
    assert [[n.path.name for n in c.nodes] for c in found] == [["video0", "video1", "video2", "video3"], ["video20", "video21"]]
    assert found[0].usb.id == "3277:0059"
    assert found[0].usb.serial == "200901010001"
    assert [n.interface for n in found[0].nodes] == [0, 0, 2, 2]


def test_a_camera_is_found_by_every_stable_name(machine) -> None:
    """USB identity with and without the serial, a link below by-id or by-path, and the node itself all find the same camera."""
    kernel = machine("webcam", "hello_laptop")
    wanted = cameras(kernel)[0]
    assert stable_name(wanted, cameras(kernel)) == "usb:3277:0059:200901010001"
    assert len(wanted.links) == 8
    for name in ("usb:3277:0059", "usb:3277:0059:200901010001", *map(str, wanted.links), *(str(n.path) for n in wanted.nodes)):
        assert find_camera(name, kernel) == wanted


def test_a_renumbered_camera_keeps_its_stable_name(machine, tmp_path: Path) -> None:
    """After docking the same name finds the camera under its new node numbers."""
    kernel = machine("webcam", "hello_laptop")
    before = stable_name(find_camera(str(kernel.node(0).path), kernel), cameras(kernel))
    folder = kernel.sys / "class" / "video4linux"
    for old, new in (("video0", "video7"), ("video2", "video8")):
        (folder / old).rename(folder / new)
    assert [n.path.name for n in find_camera(before, kernel).nodes] == ["video1", "video3", "video7", "video8"]


def test_without_a_name_the_first_real_camera_is_taken(machine) -> None:
    """A bare URL passes a virtual camera over."""
    kernel = machine("loopback", "webcam", "gadget")
    assert find_camera("", kernel).usb.id == "046d:082d"
    with pytest.raises(DeviceNotFound, match="no camera is plugged in; vultus devices"):
        find_camera("", machine_without_cameras(kernel))


def machine_without_cameras(kernel):
    """Take the real cameras away."""
    for number in (20, 21):
        (kernel.sys / "class" / "video4linux" / f"video{number}").unlink()
    return kernel


@pytest.mark.parametrize("name", ["usb:3277", "usb:xyz:0059", "usb:12345:0059", "camera", "usb:"])
def test_a_malformed_name_says_how_to_write_one(machine, name: str) -> None:
    """A name that is neither a USB identity nor a path is a ValueError that shows the form."""
    with pytest.raises(ValueError, match=r"v4l2: .*(usb:VID:PID)"):
        find_camera(name, machine("webcam"))


@pytest.mark.parametrize("name", ["usb:dead:beef", "usb:046d:082d:other", "/dev/video99"])
def test_a_camera_that_is_not_there_is_not_found(machine, name: str) -> None:
    """A well-formed name of nothing is DeviceNotFound."""
    with pytest.raises(DeviceNotFound, match="is plugged in"):
        find_camera(name, machine("webcam"))


def test_two_of_a_kind_without_serials_are_told_apart_by_path(machine, monkeypatch) -> None:
    """Where USB identity fits two cameras, opening by it is refused with the paths, and the stable names are the paths."""
    twin = json.loads((HERE / "cameras" / "depth_camera.json").read_text("utf-8"))
    twin["usb"]["port"], twin["links"] = "3-6", {"by-path": "pci-0000:00:14.0-usb-0:6"}
    for node in twin["nodes"]:
        node["number"] += 10
        if "metadata_of" in node:
            node["metadata_of"] += 10
    real = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda self, *a, **k: json.dumps(twin) if self.name == "twin.json" else real(self, *a, **k))
    kernel = machine("depth_camera", "twin")
    found = cameras(kernel)
    assert [Path(stable_name(c, found)).parent.name for c in found] == ["by-path", "by-path"]
    with pytest.raises(DeviceError, match=r"2 cameras are usb:8086:0b07; name one by its path: .*usb-0:4.*usb-0:6"):
        find_camera("usb:8086:0b07", kernel)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("hello_laptop", Source.LIVE),
        ("webcam", Source.LIVE),
        ("board", Source.LIVE),
        ("loopback", Source.VIRTUAL),
        ("gadget", Source.VIRTUAL),
    ],
)
def test_only_a_camera_with_a_bus_or_firmware_behind_it_is_live(machine, name: str, source: Source) -> None:
    """A PCI host or a device tree vouches for a camera; a loopback, and a USB gadget that copies a laptop's identity, are virtual."""
    kernel = machine(name)
    with V4l2(str(kernel.cameras[0].nodes[0].path), kernel=kernel) as device:
        assert device.identity.source is source
        assert device.is_live is (source is Source.LIVE)
        assert device.read().device.source is source


@pytest.mark.parametrize("driver", ["akvcam", "vivid", "vimc", "v4l2 loopback"])
def test_a_virtual_driver_is_never_live_wherever_it_hangs(machine, driver: str) -> None:
    """The driver's own name makes a camera virtual even where sysfs looks like a bus."""
    kernel = machine("webcam")
    kernel.cameras[0].about["driver"] = driver
    with V4l2(kernel=kernel) as device:
        assert device.identity.source is Source.VIRTUAL


def test_a_policy_believes_a_virtual_camera_only_by_name() -> None:
    """The default policy refuses the source; naming it is what allows it."""
    from dataclasses import fields

    from vultus.types import Reason

    given = {f.name: None for f in fields(Evidence)} | {"source": Source.VIRTUAL, "locked_s": 0.0, "skew_ms": 0.0, "faces": 0}
    evidence = Evidence(**given)
    assert presentation(evidence, Policy()) is Reason.SOURCE_NOT_ALLOWED
    assert presentation(evidence, Policy(sources={"simulated", "recording", "images"})) is Reason.SOURCE_NOT_ALLOWED
    assert presentation(evidence, Policy(sources={"virtual"})) is Reason.NO_FACE


def test_streams_and_metadata_are_matched_by_topology(machine) -> None:
    """Each node's formats name its stream, and its metadata node is the next one of the same function."""
    kernel = machine("hello_laptop", "depth_camera")
    laptop, depth = (survey(c, kernel) for c in cameras(kernel))
    assert [s.stream for s in laptop] == [Stream.RGB, None, Stream.NIR, None]
    assert [s.stream for s in depth] == [Stream.DEPTH, None, Stream.NIR, None, Stream.RGB]
    assert metadata_node(laptop[2], laptop).node.path.name == "video3"
    assert metadata_node(depth[0], depth).node.path.name == "video31"
    assert metadata_node(depth[4], depth) is None
    assert kernel.clean()


def test_the_nearest_mode_wins(machine) -> None:
    """Size counts before rate, and rate before the cost of the format."""
    kernel = machine("hello_laptop")
    modes = survey(cameras(kernel)[0], kernel)[0].modes
    assert str(ranked(modes, Stream.RGB, Wish())[0]) == "YUYV 640 x 480 at 30"
    assert str(ranked(modes, Stream.RGB, Wish(1920, 1080, 30))[0]) == "MJPG 1920 x 1080 at 30"
    assert str(ranked(modes, Stream.RGB, Wish(640, 480, 15))[0]) == "YUYV 640 x 480 at 15"
    assert str(ranked(modes, Stream.RGB, Wish(), ("MJPG",))[0]) == "MJPG 640 x 480 at 30"


def test_a_busy_camera_names_who_holds_it(machine) -> None:
    """EBUSY becomes DeviceBusy with the program and process number where they can be read, else how to find them."""
    kernel = machine("webcam")
    kernel.node(20).busy = True
    with pytest.raises(DeviceBusy, match=r"video20 is in use by another program \(fuser"):
        V4l2(kernel=kernel).open()
    process = kernel.proc / "4711"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("cheese\n")
    (process / "fd" / "3").symlink_to(kernel.node(20).path)
    (kernel.proc / str(os.getpid()) / "fd").mkdir(parents=True)
    (kernel.proc / "17").mkdir()
    with pytest.raises(DeviceBusy, match=r"in use by cheese \(4711\); end that program") as caught:
        V4l2(kernel=kernel).open()
    assert caught.value.retryable
    assert kernel.clean()


def test_a_forbidden_camera_names_the_group(machine, monkeypatch) -> None:
    """EACCES says which group to join."""
    kernel = machine("webcam")
    monkeypatch.setattr(kernel, "open", lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(DeviceError, match="group that owns it"):
        V4l2(kernel=kernel).open()


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("v4l2:?streams=rgb,thermal", "streams must be some of"),
        ("v4l2:?capture=both", "capture must be one of"),
        ("v4l2:?emitter=maybe", "emitter must be one of"),
        ("v4l2:?nir_gain=loud", "gain must be a number"),
        ("v4l2:?strobe=1", "unknown option strobe"),
        ("v4l2:?width=4", "width must be a number from 16"),
    ],
)
def test_a_wrong_option_is_a_value_error(url: str, wrong: str) -> None:
    """A URL with a wrong option says what is allowed."""
    with pytest.raises(ValueError, match=wrong):
        create_device(url)


def test_the_url_makes_a_closed_device() -> None:
    """The scheme stands among the built-in ones and opens nothing by itself."""
    device = create_device("v4l2:usb:046d:082d?width=320&height=240&fps=15&streams=rgb,nir&rgb_gain=3&depth_unit_mm=0.5")
    assert repr(device) == "<V4l2 v4l2:camera closed>"
