"""`vultus pair`, `serial:` and `vultus unpair` on the firmware core over pseudo-terminals, from the first press of the button to the last frame."""

from __future__ import annotations

import importlib.util
import json
import signal
from pathlib import Path

import pytest

from vultus.cli import main
from vultus.devices import Device, create_device, open_device
from vultus.devices.heads.keys import Identity, check_digits
from vultus.devices.heads.known import KnownHeads
from vultus.errors import DeviceLost, PairingError, StoreError
from vultus.frames import Source

# The import mode of the suite makes no package of this folder.
_spec = importlib.util.spec_from_file_location("serial_lines", Path(__file__).with_name("conftest.py"))
lines = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lines)

SECRET = "5a" * 32
IDENTITY = Identity(bytes.fromhex(SECRET)).public


@pytest.fixture
def plugged_paired(paired_program: Path, tmp_path: Path):
    """Return a maker of heads that can be paired, on pseudo-terminals; they are unplugged afterwards."""
    made: list[lines.PtyHead] = []

    def make(secret: str = SECRET, rate: int = 60) -> lines.PtyHead:
        made.append(lines.PtyHead(paired_program, tmp_path / f"tty{len(made)}", 64, 48, rate, 1, secret))
        return made[-1]

    yield make
    for one in made:
        one.unplug()


def read_on(device: Device) -> None:
    """Read until something raises."""
    while device.read(5) is not None:
        pass


def test_a_head_is_paired_read_and_unpaired(plugged_paired, capsys: pytest.CaptureFixture[str]) -> None:
    """A serial: URL gives frames only after pairing, under the identity that the head proved, and not after unpairing."""
    head = plugged_paired()
    url = f"serial:{head.name}"
    with pytest.raises(PairingError, match="paired with no sensor head"):
        open_device(url)
    assert main(["pair", url, "--yes", "--json"]) == 0
    paired = json.loads(capsys.readouterr().out)
    assert (paired["identity"], paired["model"], paired["url"]) == (IDENTITY.hex(), "Vultus synthetic head", url)
    for framing in ("cobs", "words"):
        with open_device(f"{url}?framing={framing}") as device:
            assert device.identity.source is Source.LIVE
            assert device.identity.serial == f"ed25519:{IDENTITY.hex()}"
            sets = [device.read() for _ in range(80)]
        assert {s.device.serial for s in sets} == {device.identity.serial}
        assert all(s.nir.data.mean() > s.nir_ambient.data.mean() for s in sets)
    assert main(["devices", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["serial"] == device.identity.serial
    assert main(["unpair", url]) == 0
    with pytest.raises(PairingError, match="paired with no sensor head"):
        open_device(url)


def test_a_paired_head_is_not_read_in_the_clear(plugged_paired) -> None:
    """insecure=1 does not open a head that was made for paired hosts."""
    head = plugged_paired()
    with pytest.raises(PairingError, match="only to a paired host"):
        open_device(f"serial:{head.name}?insecure=1")


def test_another_head_in_its_place_is_refused(plugged_paired, own_heads: Path) -> None:
    """A head that was put in the place of the paired one gives no frames, and its check digits are told."""
    first, second = plugged_paired(), plugged_paired("6b" * 32)
    assert main(["pair", f"serial:{first.name}", "--yes"]) == 0
    second.process.send_signal(signal.SIGUSR1)
    with pytest.raises(PairingError, match="does not know this host"):
        open_device(f"serial:{second.name}")
    # One that knows this host, as after a pairing whose file was lost, is refused by the host.
    assert main(["pair", f"serial:{second.name}", "--yes"]) == 0
    heads = KnownHeads(own_heads)
    assert heads.remove(Identity(bytes.fromhex("6b" * 32)).public)
    with pytest.raises(PairingError, match="not the head that is to be trusted"):
        open_device(f"serial:{second.name}")


def test_a_url_can_name_the_one_head_that_is_meant(plugged_paired) -> None:
    """With head= in the URL another head, though paired too, is refused in that place."""
    first, second = plugged_paired(), plugged_paired("6b" * 32)
    for head in (first, second):
        assert main(["pair", f"serial:{head.name}", "--yes"]) == 0
    digits = check_digits(IDENTITY)
    with open_device(f"serial:{first.name}", head=digits) as device:
        assert device.read() is not None
    with pytest.raises(PairingError, match="not the head that is to be trusted"):
        open_device(f"serial:{second.name}?head={digits.replace(' ', '-')}")
    for wrong, message in ({"head": "12345"}, "six groups of five"), ({"head": digits, "insecure": 1}, "leave out one"):
        with pytest.raises(ValueError, match=message):
            create_device(f"serial:{first.name}", **wrong)


def test_a_head_pulled_out_and_put_back_is_read_again(plugged_paired) -> None:
    """A sealed session that is cut off is lost, and the next one is begun anew under the same identity."""
    head = plugged_paired()
    url = f"serial:{head.name}"
    assert main(["pair", url, "--yes"]) == 0
    device = open_device(url)
    device.read()
    head.unplug()
    with pytest.raises(DeviceLost):
        read_on(device)
    device.close()
    # The synthetic head keeps its hosts in memory: after its power was off it has to be paired again, with the same identity.
    head.plug()
    with pytest.raises(PairingError, match="does not know this host"):
        open_device(url)
    assert main(["pair", url, "--yes"]) == 0
    with open_device(url) as device:
        assert device.read().device.serial == f"ed25519:{IDENTITY.hex()}"


def test_a_bad_line_costs_time_and_no_frame(plugged_paired, relay) -> None:
    """Sealed frame sets come whole over a line that changes and loses bytes."""
    head = plugged_paired(rate=20)
    line = relay(head, lines.changing(0.003), lines.losing(0.0005))
    assert main(["pair", f"serial:{line.name}", "--yes"]) == 0
    with open_device(f"serial:{line.name}?framing=words") as device:
        sets = [device.read(10) for _ in range(15)]
    assert all(s.nir.data.mean() > s.nir_ambient.data.mean() for s in sets)


def test_damaged_files_open_nothing(plugged_paired, own_heads: Path) -> None:
    """With a damaged key or a damaged head file no session is begun at all."""
    head = plugged_paired()
    assert main(["pair", f"serial:{head.name}", "--yes"]) == 0
    (file,) = own_heads.glob("*.head")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(StoreError, match="pair the head again"):
        open_device(f"serial:{head.name}")
    file.write_bytes(whole)
    (own_heads / "host.key").write_bytes(b"")
    with pytest.raises(StoreError, match=r"host\.key"):
        open_device(f"serial:{head.name}")


def test_only_serial_heads_are_paired(capsys: pytest.CaptureFixture[str]) -> None:
    """Another kind of URL, or none, is a wrong argument in one line."""
    for arguments in (["pair", "simulator:astronaut", "--yes"], ["unpair", "replay:x.mcap"], ["pair", "serial:/dev/x?baud=1", "--yes"]):
        assert main(arguments) == 2
        assert capsys.readouterr().err.count("\n") == 1
