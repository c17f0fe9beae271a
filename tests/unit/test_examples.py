"""The examples and the README's quickstart run as they stand."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import vultus
from vultus.devices import record
from vultus.devices.registry import unregister
from vultus.pictures import encode_png

ROOT = Path(__file__).resolve().parents[2]


def example(name: str) -> ModuleType:
    """Import an example by its file name."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def readme_blocks(language: str) -> list[str]:
    """Return the README's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


def test_the_quickstart_does_what_its_comments_say(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The README's quickstart enrols, accepts the person and refuses the print."""
    quickstart = next(block for block in readme_blocks("python") if "TemplateStore" in block)
    subprocess.run([sys.executable, "-c", quickstart], check=True, cwd=tmp_path)
    lines = capfd.readouterr().out.splitlines()
    assert lines[-4:] == ["accepted", "accept accepted", "reject spoof", "flat"]


def test_the_readme_names_commands_that_exist() -> None:
    """Every `vultus` command of the README is one that the command line knows."""
    from typer.testing import CliRunner

    from vultus.cli.app import app

    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    used = {m for block in readme_blocks("sh") for m in re.findall(r"^(?:\S*/)?vultus ([a-z-]+)", block, re.MULTILINE)}
    assert used
    assert all(re.search(rf"\b{command}\b", text) for command in used), used


def test_the_embedded_demo_enrols_and_signs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal loop enrols its owner, accepts, and writes one JSON object an event, without scores."""
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()
    with redirect_stdout(out):
        status = example("embedded_sign_in").main(["--simulate", "--rounds", "2", "--events", "-"])
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert status == 0
    assert [e["event"] for e in events if e["event"] != "hint"] == ["enrolled", "decision", "decision", "end"]
    assert all(e["accepted"] for e in events if e["event"] == "decision")
    assert "fmr" not in out.getvalue()


def test_the_embedded_demo_refuses_a_recording_unless_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a recording it enrols only when recordings are allowed by name."""
    monkeypatch.chdir(tmp_path)
    with vultus.open_device("simulator:astronaut?seed=1") as camera:
        record(camera, tmp_path / "a.mcap", count=12)
    loop = example("embedded_sign_in")
    arguments = ["--device", f"replay:{tmp_path / 'a.mcap'}", "--store", str(tmp_path / "s.db")]
    assert loop.main(arguments) == 1
    assert loop.main([*arguments, "--rounds", "1", "--allow", "recording", "--events", str(tmp_path / "events")]) in (0, 1)
    assert "enrol" in (tmp_path / "events").read_text("utf-8")


def test_the_embedded_demo_says_what_is_wrong_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing recording gives exit status 2 and one line."""
    assert example("embedded_sign_in").main(["--device", f"replay:{tmp_path}/no.mcap", "--store", str(tmp_path / "s.db")]) == 2
    assert capsys.readouterr().err.strip().count("\n") == 0


def test_an_app_opens_for_the_right_person_only(tmp_path: Path) -> None:
    """The application example unlocks for the enrolled person and not for a stranger."""
    path = tmp_path / "s.db"
    policy = vultus.Policy(sources=frozenset({vultus.Source.SIMULATED}))
    with (
        vultus.TemplateStore.open(path) as store,
        vultus.Authenticator(store=store, policy=policy) as auth,
        vultus.open_device("simulator:astronaut?seed=1") as camera,
    ):
        assert auth.enroll("ada", camera, samples=2).enrolled
    app = example("verify_in_an_app")
    assert app.main("simulator:astronaut?seed=2", "ada", str(path)) == 0
    assert app.main("simulator:grace_hopper?seed=2", "ada", str(path)) == 1


def test_a_device_of_ones_own_keeps_every_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The device example passes the conformance suite and reads its folder."""
    rng = np.random.default_rng(0)
    for i in range(6):
        (tmp_path / f"{i}.png").write_bytes(encode_png(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)))
    try:
        assert example("write_a_device").main(str(tmp_path)) == 0
    finally:
        unregister("folder")
    assert "6 frame sets" in capsys.readouterr().out


def test_measuring_a_sensor_prints_every_cue(capsys: pytest.CaptureFixture[str]) -> None:
    """The measuring example prints relief, head size and strobe with their limits and the stages' times."""
    assert example("measure_a_sensor").main(["simulator:astronaut?seed=3", "--count", "3"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("depth_relief", "head_size", "strobe", "nir_face", "detect [ms]"))
