"""`vultus pair` and `vultus unpair` against the firmware core: what is stored where, what is asked, and what nobody may skip."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vultus.cli import main
from vultus.cli.wiring import Wiring
from vultus.devices.heads import pairing as serial_pairing
from vultus.devices.heads.keys import Identity, check_digits
from vultus.devices.heads.known import KnownHeads
from vultus.devices.heads.messages import Kind
from vultus.devices.heads.packets import Unframer
from vultus.devices.heads.pairing import unit_serial, unproven_serial
from vultus.errors import DeviceNotFound, PairingError

# The import mode of the suite makes no package of this folder.
_spec = importlib.util.spec_from_file_location("serial_lines", Path(__file__).with_name("conftest.py"))
lines = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lines)

DIGITS = check_digits(Identity(bytes([1]) * 32).public)
OTHER_DIGITS = check_digits(Identity(bytes([2]) * 32).public)
URL = "serial:/dev/ttyACM0"


class Bench(Wiring):
    """A head on a line of its own, and a folder for the host's heads."""

    def __init__(self, folder: Path, head: lines.PairedHead) -> None:
        self.folder, self.line = folder, lines.DirectLine(head)

    def sensor_head(self, url: str) -> SimpleNamespace:
        return SimpleNamespace(bare_line=lambda: contextlib.nullcontext(self.line))

    def known_heads(self) -> KnownHeads:
        return KnownHeads(self.folder)


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def bench(paired_head, tmp_path: Path) -> Bench:
    """Return a head whose button was pressed, and a host that knows none."""
    head = paired_head()
    head.press()
    return Bench(tmp_path / "heads", head)


@pytest.fixture
def run(bench: Bench, capsys, monkeypatch):
    """Run the command line; `typed` makes it a terminal at which that is typed."""

    def runner(*arguments: str, typed: str | None = None) -> SimpleNamespace:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            if typed is not None:
                for name, stream in (("stdout", Terminal()), ("stderr", Terminal()), ("stdin", Terminal(typed))):
                    patch.setattr(sys, name, stream)
            code = main(list(arguments), bench)
            out, err = (sys.stdout.getvalue(), sys.stderr.getvalue()) if typed is not None else capsys.readouterr()
        assert "Traceback" not in err
        return SimpleNamespace(code=code, out=out, err=err, json=json.loads(out) if "--json" in arguments else None)

    return runner


def test_pairing_asks_for_the_digits_and_stores_both(run, bench: Bench) -> None:
    """On a terminal the digits are shown and, once agreed to, head and host know each other."""
    done = run("pair", URL, typed="y\n")
    assert done.code == 0
    assert DIGITS in done.err
    assert "paired" in done.out
    assert bench.line.head.hosts == 1
    known = bench.known_heads().all()
    assert [(h.digits, h.model, h.serial, h.url) for h in known] == [(DIGITS, "Vultus synthetic head", "0001", URL)]


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_digits_that_differ_pair_nobody(run, bench: Bench, typed: str) -> None:
    """Anything but yes leaves head and host strangers, the button's press unused, and ends with exit code 1."""
    assert run("pair", URL, typed=typed).code == 1
    assert bench.line.head.hosts == 0
    assert bench.known_heads().all() == ()
    assert run("pair", URL, typed="y\n").code == 0


def test_a_pipe_has_to_say_what_it_expects(run, bench: Bench) -> None:
    """Where nobody can compare, the digits have to be given or trust asked for by name; otherwise nothing is even sent."""
    done = run("pair", URL)
    assert done.code == 2
    assert "--expect" in done.err
    assert not bench.folder.exists()
    assert run("pair", URL, "--json").json["error"]["code"] == "usage"


@pytest.mark.parametrize("written", [DIGITS, DIGITS.replace(" ", ""), DIGITS.replace(" ", "-")])
def test_expected_digits_pair_without_a_question(run, bench: Bench, written: str) -> None:
    """The right digits, however they are grouped, pair in a pipe, and the document says with whom."""
    done = run("pair", URL, "--expect", written, "--json")
    assert done.code == 0
    assert done.json["paired"] is True
    assert done.json["already"] is False
    assert done.json["digits"] == DIGITS
    assert done.json["identity"] == bench.known_heads().all()[0].identity


def test_other_digits_are_an_error(run, bench: Bench) -> None:
    """When another head than the expected one answers, nothing is stored on either side."""
    done = run("pair", URL, "--expect", OTHER_DIGITS, "--json")
    assert done.code == 2
    assert done.json["error"]["code"] == "device.pairing"
    assert DIGITS in done.err
    assert bench.line.head.hosts == 0
    assert bench.known_heads().all() == ()


@pytest.mark.parametrize("wrong", ["123", "x" * 30, "1" * 31])
def test_what_are_no_digits_is_a_wrong_argument(run, wrong: str) -> None:
    """Digits that no head can have are refused before anything is opened."""
    assert "six groups of five" in run("pair", URL, "--expect", wrong).err


def test_pairing_twice_is_harmless(run, bench: Bench) -> None:
    """A head that is paired already is found to be so without a question, and without its button."""
    run("pair", URL, "--yes")
    done = run("pair", URL, "--yes", "--json")
    assert done.json["already"] is True
    assert run("pair", URL, typed="").code == 0
    assert bench.line.head.hosts == 1


def test_a_head_that_is_not_ready_says_so(run, bench: Bench) -> None:
    """Without its button the head refuses, in one line that says what to do."""
    bench.line.head.press(ready=False)
    done = run("pair", URL, "--yes")
    assert done.code == 2
    assert "press its button" in done.err
    assert done.err.count("\n") == 1


def test_a_host_that_lost_the_answer_pairs_again(run, bench: Bench) -> None:
    """When READY is lost the head knows the host already; the next try pairs without another press."""
    unframer = Unframer()

    def deaf(data: bytes) -> bytes:
        kinds = [raw[1] for raw in unframer.feed(data)]
        return b"" if Kind.READY in kinds else data

    bench.line.down = deaf
    assert run("pair", URL, "--yes").code == 2
    assert bench.line.head.hosts == 1
    assert bench.known_heads().all() == ()
    bench.line.down = bytes
    assert run("pair", URL, "--yes").code == 0


def test_the_list_shows_every_head(run) -> None:
    """--list names each head with its digits, and says how to pair when there is none."""
    assert "vultus pair" in run("pair", "--list").out
    assert run("pair", "--list", "--json").json == {"heads": []}
    run("pair", URL, "--yes")
    assert DIGITS in run("pair", "--list").out
    assert run("pair", "--list", "--json").json["heads"][0]["url"] == URL
    assert run("pair", "--list", URL).code == 2
    assert run("pair").code == 2


def test_unpairing_undoes_it_on_both_sides(run, bench: Bench) -> None:
    """After unpair neither side knows the other."""
    run("pair", URL, "--yes")
    assert run("unpair", URL, typed="n\n").code == 1
    assert bench.line.head.hosts == 1
    done = run("unpair", URL, "--json")
    assert done.code == 0
    assert done.json["unpaired"] is True
    assert done.json["told"] is True
    assert bench.line.head.hosts == 0
    assert bench.known_heads().all() == ()


def test_a_head_that_forgot_is_not_forgotten_for_saying_so(run, bench: Bench) -> None:
    """A refusal, which anybody could send, does not make the host forget a head."""
    run("pair", URL, "--yes")
    known = bench.known_heads().all()[0]
    serial_pairing.unpair(bench.line, bench.known_heads())
    bench.known_heads().add(bytes.fromhex(known.identity), known.model, known.serial, known.url)
    done = run("unpair", URL)
    assert done.code == 2
    assert "does not know this host" in done.err
    assert "--head" in done.err
    assert [h.digits for h in bench.known_heads().all()] == [DIGITS]


def test_a_lost_head_is_forgotten_by_its_digits(run, bench: Bench) -> None:
    """--head forgets a head without asking it."""
    run("pair", URL, "--yes")
    done = run("unpair", "--head", DIGITS, "--json")
    assert done.json["told"] is False
    assert bench.known_heads().all() == ()
    assert bench.line.head.hosts == 1
    assert run("unpair").code == 2
    assert run("unpair", URL, "--head", DIGITS).code == 2


def test_a_damaged_store_is_an_error_not_a_new_trust(run, bench: Bench) -> None:
    """A damaged key or head file ends every command with one line that names the file."""
    run("pair", URL, "--yes")
    (bench.folder / "host.key").write_bytes(b"short")
    for arguments in (("pair", URL, "--yes"), ("pair", "--list"), ("unpair", URL)):
        done = run(*arguments)
        assert done.code == 2
        assert "host.key" in done.err


def test_nobody_on_the_line_is_said(bench: Bench) -> None:
    """A line on which nothing answers is DeviceNotFound."""
    bench.line.up = lambda _: b""
    with pytest.raises(DeviceNotFound, match="no head answers"):
        serial_pairing.ask(bench.line, bench.known_heads())


def test_another_head_than_the_one_asked_is_not_paired(bench: Bench, paired_head) -> None:
    """When the line is put to another head between the question and the pairing, nothing is stored."""
    asked = serial_pairing.ask(bench.line, bench.known_heads())
    assert asked.digits == DIGITS
    bench.line.head = paired_head(2)
    bench.line.head.press()
    with pytest.raises(PairingError, match="cannot be trusted"):
        serial_pairing.pair(bench.line, bench.known_heads(), asked, URL)
    assert bench.line.head.hosts == 0
    assert bench.known_heads().all() == ()


def test_no_serial_of_an_unproven_head_looks_proven() -> None:
    """What a head claims about itself cannot be the serial of a paired one."""
    proven = unit_serial(bytes(32))
    assert unproven_serial(proven) != proven
    assert unproven_serial(proven.upper()).startswith("unproven:")
    assert unproven_serial("0001") == "0001"
