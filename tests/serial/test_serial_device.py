"""The device `serial:` on the firmware core over pseudo-terminals: unplugged, silent, held by others, on lines that spoil what they carry."""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import signal
import sys
import threading
import time
import tty
from pathlib import Path

import numpy as np
import pytest

from vultus.cli import main
from vultus.devices import Device, create_device, open_device
from vultus.devices.base import State
from vultus.devices.heads.port import Port, _refusal
from vultus.errors import DeviceBusy, DeviceError, DeviceLost, DeviceNotFound
from vultus.frames import FrameSet, Source, Stream

# The import mode of the suite makes no package of this folder.
_spec = importlib.util.spec_from_file_location("serial_lines", Path(__file__).with_name("conftest.py"))
lines = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lines)
Shuffler, changing, losing = lines.Shuffler, lines.changing, lines.losing


def url(name: Path, **options: object) -> str:
    """Return the URL of a port."""
    return f"serial:{name}?insecure=1" + "".join(f"&{key}={value}" for key, value in options.items())


def read_on(device: Device, timeout_s: float = 10) -> None:
    """Read until something raises."""
    while True:
        assert right(device.read(timeout_s))


def right(frame_set: FrameSet) -> bool:
    """Say whether the pictures are some set of the synthetic head, lit and ambient not exchanged."""
    height, width = frame_set.rgb.data.shape[:2]
    number = next((n for n in range(256) if int(frame_set.rgb.data[0, 0, 0]) == 7 * n % 256), -1)
    y, x = np.mgrid[0:height, 0:width]
    rgb = (x[..., None] * 3 + y[..., None] * 5 + np.arange(3) * 85 + number * 7).astype(np.uint8)
    # Red tells the set's number modulo 256, which is all that the 8-bit pictures show too.
    grey = (x * 7 + y * 3 + number * 11) % 64
    lit, ambient = (120 + grey).astype(np.uint8), (20 + grey).astype(np.uint8)
    return all(np.array_equal(f.data, e) for f, e in ((frame_set.rgb, rgb), (frame_set.nir, lit), (frame_set.nir_ambient, ambient)))


@pytest.mark.parametrize("framing", ["cobs", "words"])
def test_frame_sets_come_with_lit_and_ambient_told_by_the_hosts_pattern(plugged, framing: str) -> None:
    """Frame sets are live, whole and calibrated; the lit picture is the lit one whichever exposure the pattern gave it; skew and drops are told."""
    head = plugged(64, 48, 100)
    with open_device(url(head.name, framing=framing)) as device:
        assert (device.identity.kind, device.identity.model, device.identity.serial) == ("serial", "Vultus synthetic head", "0001")
        assert device.identity.source is Source.LIVE
        assert device.firmware == "1"
        assert device.capabilities.lit_ambient
        assert device.capabilities.hardware_time
        # More than a pattern of 64, so that the next one is drawn and used on the way.
        sets = [device.read() for _ in range(90)]
    assert all(right(s) for s in sets)
    assert sets[0].rgb.intrinsics.fx == 64
    assert sets[0].depth.intrinsics is None
    timing = sets[-1].timing
    assert timing.worst_skew_ns == 300_000
    assert timing.unmatched == 0
    assert set(timing.streams) == set(Stream)
    assert timing.streams[Stream.RGB].used >= 90
    offset = timing.streams[Stream.RGB].offset_ns
    assert abs(sets[-1].time_ns + offset - time.monotonic_ns()) < 5e9


def test_streams_that_were_not_asked_for_do_not_come(plugged) -> None:
    """Of a head with four streams one gets those that one names; a lit picture alone is still told from the other."""
    head = plugged(64, 48, 100)
    with open_device(url(head.name, streams="nir,depth")) as device:
        assert device.capabilities.streams == {Stream.NIR, Stream.DEPTH}
        sets = [device.read() for _ in range(12)]
    assert all(s.rgb is None and s.nir_ambient is None and s.depth is not None and s.nir.data.min() >= 120 for s in sets)


def test_a_head_without_a_strobe_gives_no_ambient_picture(plugged) -> None:
    """Without a strobe there is no pair, and asking for one says what the head gives."""
    head = plugged(64, 48, 100, 0)
    with open_device(url(head.name)) as device:
        assert not device.capabilities.lit_ambient
        assert device.read().nir.data.min() >= 120
    with pytest.raises(DeviceError, match="gives no nir_ambient; it gives depth, nir, rgb"):
        open_device(url(head.name, streams="nir,nir_ambient"))


def test_unplugged_in_mid_frame_the_device_is_lost_and_opens_again(plugged, relay) -> None:
    """A head that is unplugged in the middle of a frame is DeviceLost at once and stays lost until it is plugged in and opened again."""
    head = plugged(160, 120, 30)
    line = relay(head, byte_rate=3e5)
    device = open_device(url(line.name))
    assert right(device.read(10))
    # A set of 160 x 120 takes 0.45 s here: this is the middle of one.
    time.sleep(0.2)
    joiner = device._line._session.joiner
    head.unplug()
    start = time.monotonic()
    for _ in range(2):
        with pytest.raises(DeviceLost):
            read_on(device)
    assert joiner._parts is not None
    assert time.monotonic() - start < 2
    assert device.state is State.LOST
    with pytest.raises(DeviceLost, match="open it again"):
        _ = device.capabilities
    with pytest.raises(DeviceNotFound, match="plug the head in"):
        device.open()
    head.plug()
    again = relay(head, byte_rate=1e6)
    line.name.unlink()
    line.name.symlink_to(again.name)
    with device.open():
        assert right(device.read(10))


def test_a_waiting_read_is_told_of_the_unplugging(plugged, relay) -> None:
    """A read that waits on another thread ends with DeviceLost when the head goes away."""
    head = plugged(320, 240, 30)
    device = open_device(url(relay(head, byte_rate=1e5).name))
    ends: list[BaseException] = []

    def wait() -> None:
        try:
            device.read(30)
        except DeviceLost as problem:
            ends.append(problem)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.1)
    head.unplug()
    thread.join(3)
    assert [type(e) for e in ends] == [DeviceLost]
    device.close()


def test_a_head_that_falls_silent_is_lost(plugged) -> None:
    """A head that hangs, its port still there, is lost after its time-out, and the message says so."""
    head = plugged()
    with open_device(url(head.name)) as device:
        device.read()
        head.process.send_signal(signal.SIGSTOP)
        with pytest.raises(DeviceLost, match="fell silent"):
            read_on(device)


@pytest.mark.parametrize("framing", ["cobs", "words"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda framing: changing(0.01 if framing == "words" else 0.002),
        lambda _: losing(0.0005),
        lambda _: Shuffler(0.2, 0.0),
        lambda _: Shuffler(0.0, 0.2),
    ],
    ids=["corruption", "loss", "duplication", "reordering"],
)
def test_frame_sets_survive_a_bad_line(plugged, relay, spoil, framing: str) -> None:
    """Whatever the line does to bytes in both directions, every frame set that is handed over is right."""
    head = plugged(32, 24, 30)
    line = relay(head, spoil(framing), spoil(framing))
    # Short chunks: COBS loses a whole packet for each wrong byte.
    with open_device(url(line.name, framing=framing, chunk=40 if framing == "cobs" else 210)) as device:
        sets = [device.read(20) for _ in range(4)]
    assert all(right(s) for s in sets)


@pytest.mark.slow
def test_coded_words_carry_four_fifths_of_a_bad_line_over_a_pty(plugged, relay) -> None:
    """With 1 % of the bytes changed both ways, the pixels that are handed over are at least 80 % of the bytes that came over the line."""
    head = plugged(160, 120, 100)
    line = relay(head, changing(0.01), changing(0.01, 9), byte_rate=3e5)
    came: list[int] = []
    with open_device(url(line.name, framing="words")) as device:
        session = device._line._session
        receive, total = session.receive, 0

        def counting(data: bytes, now: float) -> None:
            nonlocal total
            total += len(data)
            receive(data, now)
            came.extend(total for frame in session.joiner.frames if frame.last)

        session.receive = counting
        sets = [device.read(10) for _ in range(10)]
        spoilt = session.joiner.wrong
    assert all(right(s) for s in sets)
    assert spoilt == 0
    # Counted where they come in, from the end of one set to the end of another: how late the reader is does not matter.
    assert len(came) >= 10
    assert 0.80 <= (len(came) - 1) * 160 * 120 * 7 / (came[-1] - came[0]) <= 900 / 1024


def test_a_port_that_is_held_says_by_whom(plugged) -> None:
    """A port that another program holds is DeviceBusy, with that program's name and what to do about a modem prober."""
    head = plugged()
    with open_device(url(head.name)) as device:
        with pytest.raises(DeviceBusy, match=rf"process {os.getpid()}\).*ModemManager"):
            open_device(url(head.name))
        assert device.read() is not None
    with open_device(url(head.name)) as device:
        assert device.read() is not None


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (2, DeviceNotFound, "by-id"),
        (6, DeviceNotFound, "plug the head in"),
        (13, DeviceError, "dialout"),
        (16, DeviceBusy, "ID_MM_DEVICE_IGNORE"),
        (11, DeviceBusy, "held by"),
        (22, DeviceError, "baud="),
        (25, DeviceError, "cannot be used as a serial port"),
    ],
)
def test_each_refusal_of_the_system_has_its_remedy(number: int, kind: type[DeviceError], remedy: str) -> None:
    """What the system answers to the opening becomes an error of the right class, in one line, with what to do."""
    found = _refusal("/dev/ttyHEAD", 12345, OSError(number, os.strerror(number)))
    assert type(found) is kind
    assert remedy in str(found)
    assert "\n" not in str(found)


def test_what_is_no_port_is_refused(tmp_path: Path) -> None:
    """A missing path and a file that is no terminal are errors that say so."""
    with pytest.raises(DeviceNotFound, match="there is no"):
        open_device(url(tmp_path / "gone"))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DeviceError, match="cannot be used as a serial port"):
        open_device(url(tmp_path / "file"))


def test_without_pyserial_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyserial the error says which extra brings it."""
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(DeviceError, match=r"pip install 'vultus\[serial\]'"):
        Port("/dev/null", 9600, 0.0)


def test_without_pairing_the_clear_has_to_be_asked_for(tmp_path: Path) -> None:
    """A URL that does not say insecure=1 opens nothing and says why, and what reading in the clear means."""
    with pytest.raises(DeviceError, match=r"paired with no sensor head.*vultus pair.*insecure=1.*in the clear"):
        open_device(f"serial:{tmp_path / 'gone'}")


def test_a_port_where_nobody_answers(tmp_path: Path) -> None:
    """A port on which nothing speaks the protocol is not found, within the session's time-out, and is free again."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    (tmp_path / "port").symlink_to(os.ttyname(slave))
    start = time.monotonic()
    with pytest.raises(DeviceNotFound, match="does not answer: check cable, power, and baud="):
        open_device(url(tmp_path / "port"))
    assert time.monotonic() - start < 5
    Port(str(tmp_path / "port"), 115200, 0.0).close()
    os.close(master)
    os.close(slave)


def test_a_pause_of_the_reader_costs_frame_sets_and_nothing_else(plugged) -> None:
    """After a pause the reader gets a fresh set, the ones between are counted as stale, and the session lives on."""
    head = plugged(32, 24, 30)
    with open_device(url(head.name)) as device:
        before = device.read()
        time.sleep(1.0)
        after = device.read()
    assert after.time_ns - before.time_ns > 0.7e9
    assert after.timing.stale >= 10


def test_a_read_in_vain_says_what_is_known(plugged, relay) -> None:
    """A time-out on a line that spoils most packets says so and names the framing for it."""
    head = plugged(160, 120, 30)
    line = relay(head)
    with open_device(url(line.name)) as device:
        device.read(10)
        line._faults = (changing(0.02), bytes)
        with pytest.raises(TimeoutError, match="spoilt: add framing=words"):
            read_on(device, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("baud=12", "baud must be a number from 1200"),
        ("framing=morse", "framing must be one of cobs, words"),
        ("streams=rgb,sound", "unknown stream sound"),
        ("streams=nir_ambient", "nir_ambient alone"),
        ("streams=rgb,nir_ambient", "nir_ambient comes with nir"),
        ("insecure=perhaps", "insecure must be yes or no"),
        ("parity=odd", "unknown option parity"),
    ],
)
def test_bad_options_are_refused_by_name(text: str, message: str) -> None:
    """An option that is unknown or out of range is a ValueError that names it."""
    with pytest.raises(ValueError, match=message):
        create_device(f"serial:/dev/ttyHEAD?{text}")


def test_the_command_line_describes_and_records_a_head(plugged, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`vultus devices` describes a head, `vultus record` records it, and the recording gives the same kind of frame sets."""
    head = plugged(64, 48, 30)
    assert main(["devices", url(head.name), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["source"], len(told["streams"])) == ("serial", "live", 4)
    out = tmp_path / "head.mcap"
    assert main(["record", str(out), "--frames", "5", "--device", url(head.name)]) == 0
    with open_device(f"replay:{out}") as replay:
        sets = list(replay.frames())
    assert len(sets) == 5
    assert all(right(s) for s in sets)
    assert main(["devices", f"serial:{head.name}"]) == 2
    assert "insecure=1" in capsys.readouterr().err
