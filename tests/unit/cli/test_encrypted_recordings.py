"""`vultus record --encrypt` and the commands that read what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vultus.cli import main

DEVICE = "simulator:astronaut?seed=1"
NOTE = ("--consent", "form 17, to tune the camera", "--consent-until", "2026-01-31")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VULTUS_RECORDING_KEY", str(tmp_path / "keys" / "recordings.key"))
    monkeypatch.setattr("vultus.devices.recordings.envelope._LOG2_N", 14)


def record(out: Path, *more: str) -> int:
    return main(["record", str(out), "--frames", "3", "--device", DEVICE, "--json", *more])


def test_the_user_s_own_key_is_made_and_found_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Recorded encrypted, a file is inspected, replayed and trimmed without further words, and says that its day is over."""
    out, piece = tmp_path / "a.mcap", tmp_path / "b.mcap"
    assert record(out, "--encrypt", *NOTE) == 0
    assert (tmp_path / "keys" / "recordings.key").stat().st_mode & 0o777 == 0o600
    assert main(["trim", str(out), str(piece)]) == 0
    assert main(["replay", str(piece)]) == 0
    capsys.readouterr()
    assert main(["inspect", str(piece), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["encrypted"], document["key"], document["frame_sets"]) == (True, "file", 3)
    assert document["consent"] == {"text": NOTE[1], "until": NOTE[3], "expired": True}
    assert main(["inspect", str(piece)]) == 0
    text = capsys.readouterr().out
    assert "encrypted by a file" in text
    assert "which is over: remove the file" in text


@pytest.mark.parametrize("command", [["inspect"], ["replay"], ["trim"]])
def test_without_the_key_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    """Every command that reads names the key that is missing, and writes nothing."""
    out = tmp_path / "a.mcap"
    assert record(out, "--encrypt", *NOTE) == 0
    (tmp_path / "keys" / "recordings.key").unlink()
    target = [str(tmp_path / "never.mcap")] if command == ["trim"] else []
    capsys.readouterr()
    assert main([*command, str(out), *target]) == 2
    assert "is encrypted, and its key cannot be used" in capsys.readouterr().err
    assert not (tmp_path / "never.mcap").exists()


def test_a_passphrase_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A passphrase comes from VULTUS_PASSPHRASE where nobody can be asked, and is needed again for reading."""
    out = tmp_path / "a.mcap"
    assert record(out, "--encrypt", "--passphrase", *NOTE) == 2
    assert "set VULTUS_PASSPHRASE" in capsys.readouterr().err
    monkeypatch.setenv("VULTUS_PASSPHRASE", "five words are better than one")
    assert record(out, "--encrypt", "--passphrase", *NOTE) == 0
    assert main(["replay", str(out)]) == 0
    monkeypatch.delenv("VULTUS_PASSPHRASE")
    assert main(["replay", str(out)]) == 2
    assert "encrypted by a passphrase" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--encrypt"], "--consent is missing"),
        (["--consent-until", "2027-01-01"], "--consent is missing"),
        (["--consent", "yes", "--consent-until", "soon"], "isoformat"),
        (["--passphrase"], "need --encrypt"),
        (["--encrypt", "--key", "k", "--passphrase", "--consent", "yes"], "not both"),
    ],
)
def test_what_does_not_belong_together_is_said_before_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    """Nothing is recorded without a consent note that was promised, or with options that contradict each other."""
    assert record(tmp_path / "a.mcap", *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "a.mcap").exists()


def test_a_note_stands_in_readable_recordings_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--consent needs no encryption."""
    assert record(tmp_path / "a.mcap", "--consent", "yes") == 0
    capsys.readouterr()
    assert main(["inspect", str(tmp_path / "a.mcap"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["encrypted"], document["consent"]["text"], document["consent"]["until"]) == (False, "yes", None)
