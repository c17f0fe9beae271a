"""How a camera is captured is measured, kept, and used when it is opened."""

from __future__ import annotations

import json
import stat
from itertools import islice
from pathlib import Path

import pytest

from vultus.cli import main
from vultus.cli.wiring import Wiring
from vultus.devices import create_device
from vultus.devices.v4l2.device import V4l2
from vultus.devices.v4l2.listing import list_cameras
from vultus.devices.v4l2.profile import Profile, load_profile, profile_path, save_profile
from vultus.devices.v4l2.qualify import qualify
from vultus.errors import DeviceBusy, DeviceNotFound
from vultus.frames import Stream

UNIT = "3277:0059-200901010001"


def test_a_camera_that_holds_its_rates_is_captured_at_once(machine, profiles: Path) -> None:
    """All streams together at their rates alone: concurrent, with the rates, skew, first set and illumination that were measured."""
    kernel, steps = machine("hello_laptop"), []
    profile, path = qualify("", kernel=kernel, on_step=steps.append)
    chosen = profile.measured["chosen"]
    assert (profile.capture, profile.rgb_format, profile.camera) == ("concurrent", "YUYV", UNIT)
    assert chosen["rates_hz"] == {"rgb": pytest.approx(30, abs=1), "nir": pytest.approx(30, abs=1)}
    assert chosen["set_rate_hz"] == pytest.approx(15, abs=1)
    assert (chosen["illumination"], chosen["lit_ambient"], chosen["emitter"]) == ("metadata", True, "table")
    assert 0 < chosen["worst_skew_ms"] <= 42
    assert chosen["first_set_ms"] >= chosen["open_ms"] > 0
    assert sum(chosen["damaged"].values()) == 0
    assert steps == ["all streams at once", "rgb alone", "nir alone"]
    assert path.parent == profiles
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_profile(UNIT) == profile
    assert kernel.clean()


def starve(kernel, number: int, below: float) -> None:
    """Make a node skip two of three frames while the others of its camera load the bus beyond a bound."""
    camera, node = kernel.cameras[0], kernel.node(number)
    real = camera.silent

    def silent(asked) -> bool:
        crowded = sum(n.load for n in camera.nodes) > below and sum(n.load > 0 for n in camera.nodes) > 1
        return real(asked) or (asked is node and crowded and asked.number % 3 > 0)

    camera.silent = silent


def test_a_starved_stream_is_noticed_and_compressed_colour_chosen(machine) -> None:
    """A camera that takes both streams and starves one is not believed: with compressed colour it holds its rates, and that is kept and used."""
    kernel = machine("hello_laptop")
    starve(kernel, 0, 20e6)
    profile, _ = qualify("", kernel=kernel)
    assert (profile.capture, profile.rgb_format) == ("concurrent", "MJPG")
    together = profile.measured["together"]
    assert together["as it comes"]["rates_hz"]["rgb"] < 0.5 * profile.measured["alone"]["rgb"]["rates_hz"]["rgb"]
    assert together["colour compressed"]["rates_hz"]["rgb"] == pytest.approx(30, abs=1)
    with V4l2(kernel=kernel) as device:
        assert {f.stream: f.sensor_format for f in device.capabilities.formats}[Stream.RGB] == "MJPG"


def test_a_camera_that_starves_either_way_takes_turns(machine) -> None:
    """Where compressed colour is starved too, the streams take turns from then on, and a caller may still ask for both at once."""
    kernel = machine("hello_laptop")
    starve(kernel, 0, 0)
    profile, _ = qualify("", kernel=kernel)
    assert profile.capture == "alternating"
    assert profile.measured["chosen"]["worst_skew_ms"] > 50
    with V4l2(kernel=kernel) as device:
        assert device.capture == "alternating"
    with create_and_give(kernel, "v4l2:?capture=concurrent") as device:
        assert device.capture == "concurrent"


def create_and_give(kernel, url: str) -> V4l2:
    """Make a device of a URL on a machine that does not exist."""
    made = create_device(url)
    assert isinstance(made, V4l2)
    return V4l2(made.name, made.choice, kernel)


def test_a_camera_that_refuses_two_streams_says_why(machine) -> None:
    """What the kernel refused stands in the measurement, and the streams take turns."""
    kernel = machine("old_kernel_laptop")
    kernel.cameras[0].about["bandwidth"] = 9e6
    profile, _ = qualify("", kernel=kernel)
    assert profile.capture == "alternating"
    assert "no bandwidth left" in profile.measured["together"]["as it comes"]


def test_a_camera_that_somebody_holds_is_busy_and_nothing_is_kept(machine, profiles: Path) -> None:
    """A held camera ends the qualification with who holds it, a silent one with what to try, and neither leaves a profile."""
    kernel = machine("hello_laptop")
    kernel.node(0).busy = True
    with pytest.raises(DeviceBusy, match="in use"):
        qualify("", kernel=kernel)
    assert not profiles.exists()
    assert kernel.clean()


def test_a_camera_of_one_stream_needs_no_comparison(machine) -> None:
    """A webcam is measured once."""
    profile, _ = qualify("", kernel=machine("webcam"))
    assert (profile.capture, profile.measured["alone"]) == ("concurrent", {})


def test_a_profile_of_another_unit_or_a_damaged_one_is_ignored(profiles: Path) -> None:
    """A profile is taken only for the unit that it names; damaged, foreign and older ones are as if there were none, and are replaced."""
    good = Profile(UNIT, "alternating", "YUYV", {"a": 1})
    path = save_profile(good)
    assert load_profile(UNIT) == good
    assert load_profile("3277:0059-other") is None
    whole = json.loads(path.read_text())
    for text in ("", "[]", "{}", json.dumps(whole | {"format": 2}), json.dumps(whole | {"capture": "both"}), json.dumps(whole | {"x": 1})):
        path.write_text(text)
        assert load_profile(UNIT) is None
    save_profile(good)
    assert load_profile(UNIT) == good
    assert profile_path("../../etc/passwd", profiles).parent == profiles


def test_cameras_are_listed_with_what_they_give(machine) -> None:
    """The list has stable URLs, sources, formats, sizes and rates, and says why a node cannot be asked."""
    kernel = machine("hello_laptop", "loopback")
    save_profile(Profile(UNIT, "alternating", "YUYV", {}))
    laptop, loopback = list_cameras(kernel)
    assert laptop["url"] == "v4l2:usb:3277:0059:200901010001"
    assert (laptop["source"], loopback["source"]) == ("live", "virtual")
    assert (laptop["qualified"], loopback["qualified"]) == ("alternating", None)
    assert {"format": "YUYV", "width": 640, "height": 480, "rates_hz": [30, 15]} in laptop["nodes"][0]["formats"]
    assert laptop["nodes"][3]["metadata"] == ["UVCH", "UVCM"]
    assert loopback["nodes"][0]["formats"][0]["rates_hz"] == [60, 30, 15]
    json.dumps([laptop, loopback])
    kernel.open = lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
    assert "group that owns it" in list_cameras(kernel)[0]["nodes"][0]["error"]


class MachineWiring(Wiring):
    """The command line on a machine that does not exist."""

    def __init__(self, kernel) -> None:
        self.kernel = kernel

    def cameras(self):
        return list_cameras(self.kernel)

    def qualify(self, url, on_step):
        made = create_device(url)
        if not isinstance(made, V4l2):
            return super().qualify(url, on_step)
        return qualify(made.name, made.choice, kernel=self.kernel, seconds=1, on_step=on_step)

    def open_device(self, url):
        made = create_device(url)
        return V4l2(made.name, made.choice, self.kernel).open()


def test_the_command_lists_describes_and_qualifies(machine, capsys) -> None:
    """The command lists cameras, opens one with its capabilities, and measures one; with --json as one document."""
    wiring = MachineWiring(machine("hello_laptop"))
    assert main(["devices"], wiring) == 0
    out = capsys.readouterr().out
    assert "v4l2:usb:3277:0059:200901010001  ASUS FHD webcam  (live)" in out
    assert "GREY  640 x 360  30 a second" in out
    assert main(["devices", "v4l2:usb:3277:0059", "--json"], wiring) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["live"], document["lit_ambient"], document["hardware_time"], document["rate_hz"]) == (True, True, True, 15.0)
    assert {s["stream"]: s["sensor_format"] for s in document["streams"]} == {"rgb": "YUYV", "nir": "GREY", "nir_ambient": "GREY"}
    assert main(["devices", "v4l2:usb:3277:0059?height=240&width=320", "--qualify"], wiring) == 0
    assert "frames a second: rgb 30, nir 30; frame sets 15" in capsys.readouterr().out
    assert main(["devices", "v4l2:usb:3277:0059", "--qualify", "--json"], wiring) == 0
    assert json.loads(capsys.readouterr().out)["capture"] == "concurrent"
    assert main(["devices", "simulator:astronaut", "--qualify"], wiring) == 2
    assert "needs the v4l2: URL" in capsys.readouterr().err
    assert main(["devices", "--qualify"], wiring) == 2


def test_the_command_says_what_turns_mean_for_a_sign_in(machine, capsys) -> None:
    """A camera that takes turns is reported with why the policy will refuse its sets and what can be done."""
    kernel = machine("hello_laptop")
    starve(kernel, 0, 0)
    assert main(["devices", "v4l2:usb:3277:0059", "--qualify"], MachineWiring(kernel)) == 0
    out = capsys.readouterr().out
    assert out.startswith("alternating  kept in ")
    assert "stale to it: add streams=nir, or set Policy(max_skew_ms=...)" in out


def test_an_opened_camera_that_is_gone_is_one_line(machine, capsys) -> None:
    """A camera that is not there ends the command with one line and what to do."""
    with pytest.raises(DeviceNotFound):
        V4l2("usb:dead:beef", kernel=machine("webcam")).open()
    assert main(["devices", "v4l2:usb:dead:beef"], MachineWiring(V4l2("", kernel=None)._kernel)) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_frame_sets_come_after_qualification_too(machine) -> None:
    """A camera that takes turns keeps giving whole sets in order."""
    kernel = machine("hello_laptop")
    save_profile(Profile(UNIT, "alternating", "MJPG", {}))
    with V4l2(kernel=kernel) as device:
        found = list(islice(device.frames(), 3))
        assert all(s.rgb and s.nir and s.nir_ambient for s in found)
        assert {f.sensor_format for f in device.capabilities.formats} == {"MJPG", "GREY"}
