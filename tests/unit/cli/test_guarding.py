"""What `vultus guard` prints, asks and writes; the store is the real one."""

from __future__ import annotations

import pytest

from vultus.store import TemplateStore

from .conftest import template

KINECT = ("v4l2", "Kinect v2", "")
UNIT = ("serial", "head", "0042")


@pytest.fixture
def guarded(wiring):
    """A store in which one user is enrolled and two devices are guarded."""
    with TemplateStore.open(wiring.store) as store:
        store.add(template("ada"))
        for device in (KINECT, UNIT):
            store.guard(device)
    return wiring


def test_guards_are_listed_by_name(run, guarded):
    """Each guarded device is listed by the name that --drop takes, with whether one unit or every unit is meant."""
    assert run("guard").out == "serial:head:0042  this unit\nv4l2:Kinect v2  every unit\n"
    rows = run("guard", "--json").json["guarded"]
    assert rows == [
        {"name": "serial:head:0042", "kind": "serial", "model": "head", "serial": "0042"},
        {"name": "v4l2:Kinect v2", "kind": "v4l2", "model": "Kinect v2", "serial": None},
    ]


def test_nothing_guarded_is_no_error(run, wiring):
    """Without a store, and with one that guards nothing, the list is empty."""
    assert run("guard", "--json").json == {"guarded": []}
    TemplateStore.open(wiring.store).close()
    result = run("guard")
    assert (result.code, result.out) == (0, f"no device is guarded in {wiring.store}\n")


def test_a_guard_is_dropped_by_its_name(run, guarded):
    """The named guard goes, the other and the templates stay."""
    result = run("guard", "--drop", "v4l2:Kinect v2", "--json")
    assert (result.code, result.json) == (0, {"name": "v4l2:Kinect v2", "dropped": True})
    with TemplateStore.open(guarded.store) as store:
        assert store.guarded() == {UNIT}
        assert store.users() == ["ada"]


@pytest.mark.parametrize("name", ["Kinect v2", "v4l2:Kinect", "serial:head", ""])
def test_another_name_drops_nothing(run, guarded, name):
    """A name that is not quite that of a guarded device is refused in one line that says which are guarded."""
    result = run("guard", "--drop", name)
    assert result.code == 2
    assert "guarded: 'serial:head:0042', 'v4l2:Kinect v2'" in result.err
    with TemplateStore.open(guarded.store) as store:
        assert store.guarded() == {KINECT, UNIT}


def test_dropping_without_a_store_is_an_error(run):
    """There is nothing to drop where nobody is enrolled."""
    assert run("guard", "--drop", "v4l2:Kinect v2", "--json").json["error"]["code"] == "store.not_enrolled"


def test_dropping_asks_on_a_terminal(run, guarded):
    """On a terminal anything but yes drops nothing, --yes does not ask."""
    for typed, code in (("n\n", 1), ("\n", 1), ("y\n", 0)):
        result = run("guard", "--drop", "serial:head:0042", terminal=True, typed=typed)
        assert "without its liveness calibration? [y/N]" in result.err
        assert result.code == code
    assert run("guard", "--drop", "v4l2:Kinect v2", "--yes", terminal=True).err == ""
    with TemplateStore.open(guarded.store) as store:
        assert store.guarded() == frozenset()
