"""Only documented controls are touched, and what they held is put back."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from fake_kernel import descriptors
from hypothesis import given
from hypothesis import strategies as st

from vultus.devices.v4l2 import abi
from vultus.devices.v4l2.camera_quirks import load_quirks
from vultus.devices.v4l2.device import V4l2
from vultus.devices.v4l2.plan import Choice
from vultus.devices.v4l2.uvc_units import MICROSOFT, extension_units
from vultus.errors import DeviceError

OFF, ON = bytes([1, 3, 1, 0, 0, 0, 0, 0, 0]), bytes([1, 3, 2, 0, 0, 0, 0, 0, 0])


def test_extension_units_are_read_from_the_descriptors(machine) -> None:
    """Each unit comes with its interface, number, GUID and selectors."""
    kernel = machine("hello_laptop")
    units = extension_units(descriptors(kernel.cameras[0].about))
    assert [(u.interface, u.unit, sorted(u.selectors)) for u in units] == [(0, 4, [1, 2]), (2, 14, [6, 9])]
    assert units[1].guid == MICROSOFT
    assert str(units[0].guid) == "63610682-5070-49ab-b8cc-b3855e8d221f"


@given(st.binary(max_size=300))
def test_any_descriptors_are_read_without_an_error(data: bytes) -> None:
    """Whatever a device sent, the answer is a list of units."""
    assert isinstance(extension_units(data), tuple)


@given(st.data())
def test_truncated_and_altered_descriptors_are_read_without_an_error(data) -> None:
    """Cutting real descriptors short or changing a byte never raises."""
    about = {"usb": {"vendor": "1", "product": "2"}, "nodes": [{"interface": 0}], "extension_units": []}
    about["extension_units"] = [{"interface": 0, "unit": 3, "guid": str(uuid.UUID(int=7)), "selectors": [1, 20]}]
    raw = bytearray(descriptors(about))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    units = extension_units(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    assert all(0 <= u.unit < 256 for u in units)


def test_the_table_lights_a_known_camera_and_the_control_is_put_back(machine) -> None:
    """A camera of the table gets the table's value while it is open and its own one afterwards; only that control is asked."""
    kernel = machine("old_kernel_laptop")
    control = kernel.cameras[0].units[14, 6]
    with V4l2(kernel=kernel) as device:
        assert device.emitter == "table"
        assert control["cur"] == bytes([1, 3, 3, 0, 0, 0, 0, 0, 0])
        assert device.capabilities.lit_ambient
    assert control["cur"] == OFF
    assert {(unit, selector) for _, unit, selector, _ in kernel.requests} == {(14, 6)}
    assert {node for node, *_ in kernel.requests} == {"video12"}


def unknown(kernel) -> None:
    """Make the camera one that no table knows."""
    (kernel.cameras[0].folder() / "idProduct").write_text("beef\n")


def test_a_camera_outside_the_table_is_lit_by_the_standard_control(machine) -> None:
    """The face authentication control is found by its GUID and set to the alternating mode that the camera lists."""
    kernel = machine("hello_laptop")
    unknown(kernel)
    with V4l2(kernel=kernel) as device:
        assert device.emitter == "face-authentication"
        assert kernel.cameras[0].units[14, 6]["cur"] == ON
        assert device.illumination == "metadata"


def test_background_subtraction_is_chosen_where_there_is_no_alternation(machine) -> None:
    """A camera that only lists the subtracted mode gets that one, and entries of other interfaces are kept apart."""
    kernel = machine("hello_laptop")
    unknown(kernel)
    kernel.cameras[0].units[14, 6]["max"] = bytes([2, 1, 1, 3, 5, 0, 0, 0, 0])
    with V4l2(kernel=kernel) as device:
        assert device.emitter == "face-authentication"
        assert kernel.cameras[0].units[14, 6]["cur"] == bytes([1, 3, 4, 0, 0, 0, 0, 0, 0])


def test_the_torch_control_is_used_where_it_alone_is_documented(machine) -> None:
    """With the IR torch control, the alternating mode is set at the camera's default power."""
    kernel = machine("hello_laptop")
    unknown(kernel)
    about, camera = kernel.cameras[0].about, kernel.cameras[0]
    about["extension_units"][1]["selectors"] = [10]
    (camera.folder() / "descriptors").write_bytes(descriptors(about))
    del camera.units[14, 6]
    camera.units[14, 10] = {"cur": bytes(8), "max": bytes([7, 0, 0, 0, 100, 0, 0, 0]), "def": bytes([4, 0, 0, 0, 80, 0, 0, 0])}
    camera.light = "torch"
    with V4l2(kernel=kernel) as device:
        assert device.emitter == "torch"
        assert camera.units[14, 10]["cur"] == bytes([4, 0, 0, 0, 80, 0, 0, 0])
        assert device.capabilities.lit_ambient
    assert camera.units[14, 10]["cur"] == bytes(8)


@pytest.mark.parametrize("change", ["guid", "selector", "interface", "size", "info", "refuses", "unreadable"])
def test_a_camera_that_differs_from_its_description_is_left_alone(machine, change: str) -> None:
    """Another GUID, selector, function or size, a read-only control, a refusal or hidden descriptors: nothing is written."""
    kernel = machine("old_kernel_laptop")
    about, camera = kernel.cameras[0].about, kernel.cameras[0]
    unit, control = about["extension_units"][1], camera.units[14, 6]
    if change == "guid":
        unit["guid"] = "00000000-0000-0000-0000-000000000001"
    if change == "selector":
        unit["selectors"] = [9]
    if change == "interface":
        unit["interface"] = 0
    if change == "size":
        control.update(cur=bytes(5), max=bytes(5))
    if change == "info":
        control["info"] = 1
    if change == "refuses":
        control["refuses"] = 1
    (camera.folder() / "descriptors").write_bytes(b"" if change == "unreadable" else descriptors(about))
    with V4l2(kernel=kernel) as device:
        assert device.emitter == ""
        assert not device.capabilities.lit_ambient
    assert all(query != abi.SET_CUR for *_, query in kernel.requests)


def test_the_emitter_is_left_alone_when_asked(machine) -> None:
    """emitter=off sends the camera no extension request at all."""
    kernel = machine("hello_laptop")
    with V4l2("", Choice(emitter=False), kernel) as device:
        assert device.emitter == ""
        assert not device.capabilities.lit_ambient
    assert kernel.requests == []


def test_every_entry_of_the_table_is_consistent() -> None:
    """Each shipped file parses, is named after its camera, has a source, and its value fits its control."""
    table = load_quirks()
    assert len(table) >= 10
    assert sum(q.emitter is not None for q in table.values()) >= 7
    for (vendor, product), quirk in table.items():
        assert (quirk.vendor, quirk.product) == (vendor, product)
        assert quirk.source.startswith("https://")
        if quirk.emitter:
            assert len(quirk.emitter.on) == quirk.emitter.size
            assert quirk.emitter.guid == MICROSOFT


GOOD = """[camera]
vendor = 0x1234
product = 0xabcd
name = "A camera"
source = "https://example.org/notes"
reviewed = 2026-11-25
[emitter]
guid = "0f3f95dc-2632-4c4e-92c9-a04782f43bc8"
unit = 4
selector = 6
size = 9
on = [1, 3, 2, 0, 0, 0, 0, 0, 0]
"""


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("", "", ""),
        ("0xabcd", "0xabce", "must be named 1234-abce.toml"),
        ("https://example.org/notes", "a friend", "https address"),
        ("reviewed = 2026-11-25", "", "'reviewed' is missing"),
        ("2026-11-25", '"soon"', "reviewed must be a date"),
        ("size = 9", "size = 8", "on has 9 bytes, size says 8"),
        ("unit = 4", "unit = 300", "unit must be a whole number from 1 to 255"),
        ("unit = 4", "unit = true", "unit must be a whole number"),
        ("selector = 6", "selector = 5", "face authentication control, selector 6"),
        ("on = [1, 3, 2,", "on = [1, 3, 1,", "choose illumination"),
        ("on = [1, 3, 2, 0,", "on = [1, 3, 2, 9,", "choose illumination"),
        ("on = [1, 3, 2,", "on = [1, 3, 900,", "wrong"),
        ("0f3f95dc-", "zz3f95dc-", "invalid literal"),
        ("[emitter]", "[emiter]", "no section emiter"),
        ("unit = 4", "unit = 4\nspeed = 3", "emitter has no key speed"),
        ("vendor = 0x1234", "vendor = ", "wrong"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, old: str, new: str, wrong: str) -> None:
    """A file with a mistake is refused with its name and what is wrong; the same file without the mistake is taken."""
    (tmp_path / "1234-abcd.toml").write_text(GOOD.replace(old, new) if old else GOOD)
    (tmp_path / "README.md").write_text("not an entry")
    if not wrong:
        assert load_quirks(tmp_path)[0x1234, 0xABCD].emitter is not None
        return
    with pytest.raises(DeviceError, match=f"1234-abcd.toml is wrong: .*({wrong if wrong != 'wrong' else ''})|abce"):
        load_quirks(tmp_path)


def test_a_depth_unit_is_checked_too(tmp_path: Path) -> None:
    """A depth unit outside 0 to 10 mm, or a file that says nothing, is refused."""
    head = GOOD.partition("[emitter]")[0]
    file = tmp_path / "1234-abcd.toml"
    file.write_text(head + "[depth]\nunit_mm = 0.25\n")
    assert load_quirks(tmp_path)[0x1234, 0xABCD].depth_unit_mm == 0.25
    for text in ("[depth]\nunit_mm = 0.0\n", "[depth]\nunit_mm = 100.0\n", ""):
        file.write_text(head + text)
        with pytest.raises(DeviceError, match=r"unit_mm must be|says nothing"):
            load_quirks(tmp_path)
