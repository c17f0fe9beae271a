from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from vultus.cli.app import _COMMANDS
from vultus.cli.console import Console, ExitCode, literal, paint
from vultus.cli.words import hint_words, reason_words
from vultus.doctor import Check, State
from vultus.errors import RecordingError
from vultus.manifest import GraphStatus
from vultus.types import Hint, Reason

from .conftest import FakeDevice

ALL = [name for name, *_ in _COMMANDS] + ["models", "models list", "models verify", "models build"]


@pytest.mark.parametrize("command", ALL)
def test_help_teaches(run, command):
    """The help of every command shows an example that begins with that command, and is a success."""
    result = run(*command.split(), "--help")
    assert result.code == 0
    assert re.search(rf"^ +vultus {command}\b", result.out, re.MULTILINE)
    assert "\x1b" not in result.out


def test_top_help_lists_every_command(run):
    """The first help names every command, the first steps and the exit codes, each command on one line."""
    out = run("--help").out
    for name in ALL[:-3]:
        assert re.search(rf"^  {name} +\S.*[^.]\.?$", out, re.MULTILINE)
    assert "..." not in out.split("Commands:")[1]
    assert "0 yes, 1 no, 2 error, 3 undecided or time-out, 4 locked" in out


def test_no_command_shows_help(run):
    """Without a command the help goes to stderr and the exit code is that of an error."""
    result = run()
    assert (result.code, result.out) == (2, "")
    assert "Commands:" in result.err


def test_unknown_command(run):
    """An unknown command is one line with where help is, also as JSON."""
    result = run("frobnicate", "--json")
    assert result.code == 2
    assert result.json["error"] == {"code": "usage", "message": "No such command 'frobnicate'; see vultus --help", "retryable": False}


def test_version(run):
    """The version is one line, or one document."""
    assert re.fullmatch(r"vultus \S+( installed)?\n", run("version").out)
    assert set(run("version", "--json").json) == {"vultus", "python"}


def test_devices(run):
    """The kinds of device are listed with an example each; a device is described without its pixels."""
    assert re.search(r"^replay:morning.mcap +a recording made with vultus record$", run("devices").out, re.MULTILINE)
    result = run("devices", "fake:", "--json")
    assert result.code == 0
    streams = [{"stream": "rgb", "width": 30, "height": 20, "dtype": "uint8", "sensor_format": None, "rate_hz": None}]
    assert result.json["streams"] == streams
    assert result.json["live"]
    assert result.json["source"] == "live"


@pytest.mark.parametrize("silence", [0, TimeoutError("nothing came")])
def test_silent_device(run, wiring, silence):
    """A device that opens and gives nothing is an error that says so."""
    wiring.device._left = silence
    result = run("devices", "fake:")
    assert result.code == 2
    assert "gives no frame set within 5 s" in result.err


def test_record(run, wiring, tmp_path):
    """Recording passes its limits on, counts, and never overwrites."""
    out = tmp_path / "m.mcap"
    result = run("record", out, "--frames", "3", "--json")
    assert (result.code, result.json) == (0, {"file": str(out), "frame_sets": 3, "bytes": 9, "encrypted": False})
    assert (wiring.asked.seconds, wiring.asked.frames) == (None, 3)
    again = run("record", out)
    assert (again.code, again.err) == (2, f"error: {out} exists: choose another name, or remove it first\n")
    assert wiring.asked.wait_s == 5.0
    run("record", tmp_path / "n.mcap", "--wait", "60")
    assert (wiring.asked.seconds, wiring.asked.wait_s) == (10.0, 60.0)


def test_a_silent_device_is_waited_for_as_long_as_asked(tmp_path):
    """A frame set that comes late is recorded where --wait allows it and ends the recording where it does not."""
    from vultus.cli.wiring import Wiring

    class Slow(FakeDevice):
        def _next(self, deadline):
            if deadline is not None and deadline - time.monotonic() < 30:
                raise TimeoutError
            return super()._next(deadline)

    with Slow(1).open() as device:
        assert Wiring().record(device, tmp_path / "a.mcap", None, 1, lambda _: None, wait_s=60.0) == 1
    with Slow(1).open() as device, pytest.raises(TimeoutError):
        Wiring().record(device, tmp_path / "b.mcap", None, 1, lambda _: None)


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt(), 130), (TimeoutError(), 2)])
def test_interrupted_recording(run, wiring, tmp_path, stop, code):
    """A recording that is interrupted, or whose device falls silent, says what is left."""
    wiring.device._left = stop
    result = run("record", tmp_path / "m.mcap")
    assert result.code == code
    assert "nothing was recorded" in result.err


def test_replay(run, wiring):
    """A recording is listed frame set by frame set, and its end is stated."""
    result = run("replay", "m.mcap")
    assert result.code == 0
    lines = result.out.splitlines()
    assert len(lines) == 4
    assert re.search(r"8 +0\.000 s  rgb 30 x 20", lines[0])
    assert lines[-1] == "m.mcap: 3 frame sets, whole to the end"
    assert "decision" not in run("replay", "m.mcap", "--json").out


def test_replay_decides_on_request(run, enrolled):
    """With --decide each frame set has its outcome, and rejects count towards no lock-out."""
    before = enrolled.store.read_bytes()
    result = run("replay", "m.mcap", "--decide", "--json")
    assert [f["decision"]["outcome"] for f in result.json["frame_sets"]] == ["accept"] * 3
    assert "score" not in result.out
    with enrolled.open_rehearsal(enrolled.store) as store:
        assert store.record_failure("ada", 1).count == 0
        assert store.users() == ["ada", "grace"]
    assert enrolled.store.read_bytes() == before


def test_broken_recording(run, wiring):
    """A recording that is cut off is one line and an error."""
    wiring.device._left = RecordingError("m.mcap: cut short after 2 readable frame sets; record again")
    result = run("replay", "m.mcap", "--json")
    assert (result.code, result.json["error"]["code"]) == (2, "device.recording")


def graphs(monkeypatch, wiring, *problems):
    states = tuple(GraphStatus(f"role{i}", wiring.store, p) for i, p in enumerate(problems))
    monkeypatch.setattr(wiring, "manifest", lambda: SimpleNamespace(verify=lambda: states), raising=False)


def test_models_verify(run, wiring, monkeypatch):
    """Unaltered graphs are a yes; one altered graph is an error that names it."""
    graphs(monkeypatch, wiring, "", "")
    assert run("models", "verify").out == "ok    role0\nok    role1\n"
    graphs(monkeypatch, wiring, "", "role1 was changed")
    result = run("models", "verify")
    assert result.code == 2
    assert "FAIL  role1  role1 was changed" in result.out
    assert run("models", "verify", "--json").json["ok"] is False


def test_models_list(run):
    """The installed graphs are listed with role, hash and licence."""
    rows = run("models", "list", "--json").json["models"]
    assert {"detector", "recogniser"} <= {row["role"] for row in rows}
    assert all(len(row["sha256"]) == 64 for row in rows)


@pytest.mark.parametrize(("status", "code"), [(0, 0), (1, 2)])
def test_models_build(run, wiring, monkeypatch, status, code):
    """A failed recipe is an error."""
    monkeypatch.setattr(wiring, "build_graphs", lambda: status, raising=False)
    assert run("models", "build").code == code


@pytest.mark.parametrize(("state", "code"), [(State.OK, 0), (State.WARN, 0), (State.FAIL, 2)])
def test_doctor(run, wiring, state, code):
    """Each check is a line with its remedy below; only a failure is an error."""
    wiring.checked = (Check("core", State.OK, "fine"), Check("graphs", state, "so so", "reinstall"))
    result = run("doctor")
    assert result.code == code
    assert result.out.startswith("ok    core    fine\n")
    assert result.out.endswith("reinstall\n")
    assert run("doctor", "--json").json["ok"] is (code == 0)


def test_demo_is_only_called(run, wiring, tmp_path):
    """The demo gets the sheet's path and whether to write JSON."""
    assert run("demo", "--sheet", tmp_path / "d.png").code == 0
    assert (wiring.asked.sheet, wiring.asked.json) == (tmp_path / "d.png", False)


def test_every_hint_and_reason_has_words():
    """No hint and no reason is without its sentence, and no two hints say the same."""
    assert len({hint_words(h) for h in Hint}) == len(Hint)
    assert all(reason_words(r) for r in Reason)


def test_errors_are_one_line(capsys):
    """An error of several lines becomes one."""
    assert Console(json=False).error("x", "one\ntwo\n  three") is ExitCode.ERROR
    assert capsys.readouterr().err == "error: one two three\n"


def test_literal_keeps_text_and_no_control_characters():
    """What is shown cannot move a terminal's cursor or change its colours."""
    assert literal("Jos\u00e9 [red]") == "Jos\u00e9 [red]"
    assert "\x1b" not in literal("a\x1b[31mb\r\n")
    assert paint("red", "\x1b]0;title\x07").count("\x1b") == 2


def test_colours_are_for_terminals(monkeypatch):
    """A pipe, NO_COLOR and a dumb terminal get no colours."""

    def written(*, terminal):
        out = io.StringIO()
        out.isatty = lambda: terminal
        Console(json=False, out=out).result({}, paint("green", "yes"))
        return out.getvalue()

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert written(terminal=False) == "yes\n"
    assert written(terminal=True) == "\x1b[32myes\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert written(terminal=True) == "yes\n"


def python(code, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([sys.executable, "-c", code], text=True, env=environment, timeout=60, check=False, **streams)


def test_start_is_light():
    """Help and version load neither the runtime, the decoder, the cipher, the database nor rich."""
    heavy = "onnxruntime cv2 cryptography sqlite3 rich keyring mcap matplotlib scipy platformdirs"
    code = f"import sys; from vultus.cli import main; main(['version']); print([m for m in {heavy!r}.split() if m in sys.modules])"
    result = python(code)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr


def test_reader_that_went_away():
    """A closed pipe behind the program changes neither its exit code nor prints a traceback."""
    code = "import sys; from vultus.cli import main; sys.exit(main(['version', '--json']))"
    read, write = os.pipe()
    os.close(read)
    result = python(code, stdout=write)
    os.close(write)
    assert (result.returncode, result.stderr) == (0, "")
