"""Every device of the SDK keeps every rule, and the rules catch devices that do not."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from vultus import pictures
from vultus.devices import Capabilities, Device, StreamFormat, create_device, record
from vultus.devices.simulator.device import Scene, SceneKind, Sensor, Simulator
from vultus.devices.simulator.portraits import Portrait
from vultus.errors import DeviceLost
from vultus.frames import DeviceIdentity, Frame, FrameSet, Source, Stream
from vultus.testing import DEVICE_CHECKS, DeviceCheck, check_device
from vultus.testing_lost import LOST_CHECKS, LostCheck, check_lost

# The import mode of the suite makes no packages of its folders.
_spec = importlib.util.spec_from_file_location("serial_lines", Path(__file__).resolve().parents[1] / "serial" / "conftest.py")
lines = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lines)

SMALL = Sensor(width=96, height=80, focal_px=100)
POINTS = np.array([(52, 60), (76, 60), (64, 74), (54, 88), (74, 88)], np.float32)


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    """Return a drawn face, which needs no package of pictures."""
    image = np.full((160, 128, 3), (60, 90, 140), np.uint8)
    y, x = np.mgrid[0:160, 0:128]
    image[((x - 64) / 34) ** 2 + ((y - 72) / 46) ** 2 < 1] = (200, 150, 120)
    image[(np.abs(x - 64) < 50) & (y > 118)] = (40, 40, 60)
    for cx, cy in POINTS:
        image[(x - cx) ** 2 + (y - cy) ** 2 < 12] = (60, 30, 30)
    return Portrait("drawn", image, POINTS)


@pytest.fixture(scope="module")
def serial_cable(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[lines.PtyHead | None]:
    """Build the serial head's firmware core for this machine and run it on a pseudo-terminal; None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        yield None
        return
    folder = tmp_path_factory.mktemp("serial")
    main = repository / "native" / "serial" / "host" / "main.c"
    subprocess.run([compiler, "-O2", *lines.sources(repository), str(main), "-o", str(folder / "program")], check=True)
    head = lines.PtyHead(folder / "program", folder / "port")
    yield head
    head.unplug()


@pytest.fixture(scope="module")
def serial_head(serial_cable: lines.PtyHead | None) -> Path | None:
    """Return the serial head's port; None without a compiler."""
    return serial_cable.name if serial_cable is not None else None


@pytest.fixture(scope="module")
def factories(portrait: Portrait, serial_head: Path | None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[[], Device]]:
    """Return a maker for each kind of device."""
    folder = tmp_path_factory.mktemp("devices")

    def serial(options: str) -> Device:
        if serial_head is None:
            pytest.skip("no C compiler")
        return create_device(f"serial:{serial_head}?insecure=1{options}")

    with Simulator(portrait, Scene(SceneKind.FLAT_PRINT), SMALL, count=4) as simulator:
        frame_sets = list(simulator.frames())
        with Simulator(portrait, Scene(SceneKind.NO_FACE), SMALL, count=4) as empty:
            record(empty, folder / "a.mcap")
    lines = ["person,sample,rgb,nir,nir_ambient,depth,label"]
    for number, frame_set in enumerate(frame_sets):
        names = []
        for frame in frame_set.frames():
            names.append(f"{number}_{frame.stream}.png")
            (folder / names[-1]).write_bytes(pictures.encode_png(frame.data))
        lines.append(f"drawn,{number},{','.join(names)},bona_fide")
    (folder / "index.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return {
        "replay": lambda: create_device(f"replay:{folder / 'a.mcap'}"),
        "replay-as-recorded": lambda: create_device(f"replay:{folder / 'a.mcap'}?speed=recorded"),
        "images": lambda: create_device(f"images:{folder / 'index.csv'}?person=drawn"),
        "serial": lambda: serial(""),
        "serial-words": lambda: serial("&framing=words"),
        "simulator": lambda: Simulator(portrait, Scene(), SMALL),
        "simulator-finite": lambda: Simulator(portrait, Scene(SceneKind.SCREEN_REPLAY), SMALL, count=3),
    }


@pytest.mark.parametrize("check", DEVICE_CHECKS, ids=lambda c: c.id)
@pytest.mark.parametrize("name", ["replay", "replay-as-recorded", "images", "serial", "serial-words", "simulator", "simulator-finite"])
def test_every_device_keeps_every_rule(factories: dict[str, Callable[[], Device]], name: str, check: DeviceCheck) -> None:
    """A device of the SDK keeps each rule of the conformance suite."""
    check.run(factories[name])


@pytest.mark.parametrize("check", LOST_CHECKS, ids=lambda c: c.id)
def test_a_serial_head_keeps_every_rule_of_a_pulled_cable(serial_cable: lines.PtyHead | None, check: LostCheck) -> None:
    """A serial head that goes away is lost by every rule, and opens again once it is back."""
    if serial_cable is None:
        pytest.skip("no C compiler")
    url = f"serial:{serial_cable.name}?insecure=1"
    check.run(lambda: create_device(url), serial_cable.unplug, lambda: serial_cable.process or serial_cable.plug())


@pytest.mark.parametrize(("name", "source"), [("replay", Source.RECORDING), ("images", Source.IMAGES), ("simulator", Source.SIMULATED)])
def test_no_device_of_these_claims_to_be_live(factories: dict[str, Callable[[], Device]], name: str, source: Source) -> None:
    """Recordings, pictures and simulations say what they are, so that a policy can refuse them."""
    with factories[name]() as device:
        assert device.identity.source is source
        assert all(s.device.source is source for s in islice(device.frames(), 3))


class Good(Device):
    """Gives ten small frame sets; subclasses break one rule each."""

    def __init__(self) -> None:
        super().__init__(DeviceIdentity("test", "good", "", Source.SIMULATED))
        self.at = 0
        self.pixels = np.zeros((16, 16), np.uint8)

    def _open(self) -> Capabilities:
        self.at = 0
        return Capabilities((StreamFormat(Stream.NIR, 16, 16, "uint8"),), rate_hz=None, finite=True, hardware_time=False)

    def _next(self, deadline: float) -> FrameSet | None:
        if self.at == 10:
            return None
        self.at += 1
        return self.make(self.at)

    def make(self, number: int) -> FrameSet:
        """Make one frame set."""
        return FrameSet(self.identity, number, nir=Frame(Stream.NIR, np.full((16, 16), number, np.uint8), number * 1000))

    def _close(self) -> None:
        pass


class NoName(Good):
    """Has no model."""

    def __init__(self) -> None:
        super().__init__()
        self._identity = DeviceIdentity("test", "", "", Source.SIMULATED)


class ReusesBuffer(Good):
    """Hands out one buffer again and again."""

    def make(self, number: int) -> FrameSet:
        """Overwrite what was handed out before."""
        self.pixels[:] = number
        return FrameSet(self.identity, number, nir=Frame(Stream.NIR, self.pixels, number * 1000))


class StandsStill(Good):
    """Never advances its clock."""

    def make(self, number: int) -> FrameSet:
        """Give every frame set one time."""
        return FrameSet(self.identity, number, nir=Frame(Stream.NIR, self.pixels, 1000))


class OtherStream(Good):
    """Gives depth where it stated NIR."""

    def make(self, number: int) -> FrameSet:
        """Give a stream that was not stated."""
        return FrameSet(self.identity, number, depth=Frame(Stream.DEPTH, np.zeros((16, 16), np.uint16), number * 1000))


class OtherSize(Good):
    """Gives larger frames than it stated."""

    def make(self, number: int) -> FrameSet:
        """Give a size that was not stated."""
        return FrameSet(self.identity, number, nir=Frame(Stream.NIR, np.zeros((32, 16), np.uint8), number * 1000))


class OtherName(Good):
    """Gives frame sets of another device."""

    def make(self, number: int) -> FrameSet:
        """Name another device."""
        frame_set = super().make(number)
        return FrameSet(DeviceIdentity("test", "other", "", Source.LIVE), number, nir=frame_set.nir)


class OpensOnce(Good):
    """Cannot be opened a second time."""

    opened = False

    def _open(self) -> Capabilities:
        if self.opened:
            raise DeviceLost("gone for good; restart")
        self.opened = True
        return super()._open()


class EndlessWait(Good):
    """Waits without watching for a cancel."""

    def _next(self, deadline: float) -> FrameSet | None:
        found = super()._next(deadline)
        if found is None:
            time.sleep(3)
        return found


class RaisesAtEnd(Good):
    """Raises where its frame sets end."""

    def _next(self, deadline: float) -> FrameSet | None:
        found = super()._next(deadline)
        if found is None:
            raise RuntimeError("no more")
        return found


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (NoName, "identity-is-named"),
        (ReusesBuffer, "frames-stay"),
        (StandsStill, "order-is-kept"),
        (OtherStream, "frames-as-stated"),
        (OtherSize, "frames-as-stated"),
        (OtherName, "frames-name-the-device"),
        (OpensOnce, "reopen-starts-again"),
        (EndlessWait, "cancel-wakes"),
        (RaisesAtEnd, "end-stays-ended"),
    ],
)
def test_a_broken_device_is_caught_by_the_rule_that_it_breaks(broken: type[Good], rule: str) -> None:
    """A device with one fault fails the check of that rule, by its id."""
    check = next(c for c in DEVICE_CHECKS if c.id == rule)
    with pytest.raises((AssertionError, DeviceLost, RuntimeError)):
        check.run(broken)
    check.run(Good)


def test_the_whole_suite_names_what_is_broken() -> None:
    """check_device passes a good device with the ids of its checks and lists every rule that a bad one breaks."""
    assert check_device(Good) == tuple(c.id for c in DEVICE_CHECKS)
    with pytest.raises(AssertionError, match=r"(?s)order-is-kept: time stands still.*") as caught:
        check_device(StandsStill)
    assert "frames-stay" not in str(caught.value)
    with pytest.raises(AssertionError, match="end-stays-ended: RuntimeError: no more"):
        check_device(RaisesAtEnd)


def test_rules_have_ids_and_sentences() -> None:
    """Each rule has an id of its own and says in a sentence what it asks."""
    ids = [c.id for c in DEVICE_CHECKS]
    assert len(set(ids)) == len(ids) >= 15
    assert all(c.rule.endswith(".") and len(c.rule) > 20 for c in DEVICE_CHECKS)


class Cabled(Good):
    """Gives frame sets without end while its cable is in; subclasses break one rule of the state lost each."""

    plugged = True

    def _open(self) -> Capabilities:
        if not type(self).plugged:
            raise DeviceLost("unplugged; plug it in")
        return super()._open()

    def _next(self, deadline: float) -> FrameSet | None:
        if not type(self).plugged:
            raise DeviceLost("unplugged; plug it in")
        self.at += 1
        return self.make(self.at)


class NeverNotices(Cabled):
    """Goes on without its cable."""

    def _next(self, deadline: float) -> FrameSet | None:
        self.at += 1
        return self.make(self.at)


class OpensUnplugged(Cabled):
    """Opens without its cable."""

    def _open(self) -> Capabilities:
        return Good._open(self)


def cable(kind: type[Cabled]) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return what pulls the cable of a kind of device, and what puts it back."""
    return lambda: setattr(kind, "plugged", False), lambda: setattr(kind, "plugged", True)


def test_the_rules_of_a_pulled_cable_catch_what_breaks_them() -> None:
    """check_lost passes a good device with the ids of its checks, and names the rules that a bad one breaks."""
    assert check_lost(Cabled, *cable(Cabled)) == tuple(c.id for c in LOST_CHECKS)
    with pytest.raises(AssertionError, match=r"1 of 5 rules .*\nlost-stays-while-unplugged: an unplugged device could be opened"):
        check_lost(OpensUnplugged, *cable(OpensUnplugged))
    with pytest.raises(AssertionError, match=r"5 of 5 rules .*\nlost-refuses-calls: an unplugged device was read on and on"):
        check_lost(NeverNotices, *cable(NeverNotices))
    assert all(c.rule.endswith(".") for c in LOST_CHECKS)
