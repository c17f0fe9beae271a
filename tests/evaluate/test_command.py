"""The command line of the evaluation: options, files, and one clear line for what cannot be done."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer
from stand_in import GRAPH, ColourMaker

from vultus.errors import DeviceNotFound
from vultus.evaluate import command


@pytest.fixture(autouse=True)
def colours(monkeypatch) -> None:
    """Put the stand-in in the pipeline's place, without a calibration, which would be of another recogniser."""
    monkeypatch.setattr("vultus.evaluate.extraction.ShippedPipeline", lambda models, gate=True: ColourMaker(gate=gate, graph=GRAPH))
    monkeypatch.setattr("vultus.evaluate.calibrated.load_calibration", lambda models, device: None)


def run(*arguments) -> None:
    """Run the command as the main one does."""
    command.app(args=[str(a) for a in arguments], prog_name="vultus evaluate", standalone_mode=False)


def test_one_run_writes_text_json_and_page(index, tmp_path, capsys, validate) -> None:
    """Text goes to standard output, both files are written, and nothing goes to standard error in a pipe."""
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    run("match", index, "--cache", tmp_path / "c.db", "--json", out, "--html", page, "--group", "group", "--workers", 1)
    shown = capsys.readouterr()
    assert shown.out.startswith("match: set\n12 people, 48 samples")
    assert shown.err == ""
    validate(json.loads(out.read_text()))
    assert page.read_text().startswith("<!doctype html>")


def test_json_on_standard_output_is_one_document(index, capsys, validate) -> None:
    """With --json - standard output is the document alone."""
    run("pad", index, "--no-cache", "--json", "-", "--workers", 1)
    validate(json.loads(capsys.readouterr().out))


def test_without_a_cache_nothing_is_kept(index, tmp_path, monkeypatch) -> None:
    """--no-cache opens no cache file."""
    monkeypatch.setattr("vultus.evaluate.cache.default_path", lambda: tmp_path / "never" / "c.db")
    run("match", index, "--no-cache", "--workers", 1)
    assert not (tmp_path / "never").exists()


def test_the_gate_is_on_for_match_unless_asked(index, tmp_path) -> None:
    """The document says whether poor faces were refused."""
    for options, expected in (((), True), (("--no-gate",), False)):
        run("match", index, "--no-cache", "--json", tmp_path / "o.json", "--workers", 1, *options)
        assert json.loads((tmp_path / "o.json").read_text())["protocol"]["quality_gate"] is expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--faces",), "--faces needs --html"),
        (("--probe", "depth"), "rgb, nir, fused"),
        (("--group", "shoe"), "shoe"),
        (("--reference-where", "x"), "COLUMN=VALUE"),
    ],
)
def test_wrong_options_are_usage_errors(index, arguments, message) -> None:
    """What a layer below says about an option reaches the user as a message about the command line."""
    with pytest.raises(typer.BadParameter, match=message):
        run("match", index, "--no-cache", "--workers", 1, *arguments)


def test_a_missing_index_is_named(tmp_path) -> None:
    """An index that is not there raises DeviceNotFound, which the main command turns into one line."""
    with pytest.raises(DeviceNotFound, match="no such index"):
        run("match", tmp_path / "none.csv", "--no-cache")


def test_mounting_the_command_imports_nothing_heavy() -> None:
    """The module costs little more than typer: no SciPy, scikit-learn, matplotlib, OpenCV or ONNX Runtime."""
    heavy = "numpy scipy sklearn matplotlib cv2 onnxruntime jsonschema rich"
    code = f"import sys, vultus.evaluate.command; print(sorted(set({heavy!r}.split()) & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(found.stdout.replace("'", '"')))
    assert not loaded & {"scipy", "sklearn", "matplotlib", "cv2", "onnxruntime", "jsonschema"}


def test_every_bad_row_reaches_the_user_with_its_line(index, tmp_path, capsys, validate) -> None:
    """Missing, unreadable, nameless, twice named and outside rows are listed by line in the text and in the document, and counted."""
    folder = index.parent
    (folder / "p00" / "0.png").unlink()
    (folder / "p01" / "0.png").write_bytes(b"this is no picture")
    good = len(index.read_text().splitlines())
    bad = ["p03,s0,p03/0.png,,,,bona_fide,,", "p03,s9,../../etc/passwd,,,,bona_fide,,", ",s9,p03/1.png,,,,bona_fide,,", "p03,s9"]
    with index.open("a") as file:
        file.write("\n".join(bad) + "\n")
    pairs = tmp_path / "pairs.csv"
    rows = ["p02,s0,p02,s1", "p02,s0,p03,s1", "nobody,s0,p02,s1", "p00,s0,p00,s1", "p02,s0,p02,s1"]
    pairs.write_text("reference_person,reference_sample,probe_person,probe_sample\n" + "\n".join(rows) + "\n")
    out = tmp_path / "out.json"
    run("match", index, "--no-cache", "--workers", 1, "--json", out, "--pairs", pairs)
    document, text = json.loads(out.read_text()), capsys.readouterr().out
    validate(document)
    lines = {(p["line"], p["message"]) for p in document["problems"]}
    assert {n for n, m in lines if "pairs.csv" not in m} == {2, 6, *range(good + 1, good + 5)}
    assert {n for n, m in lines if "pairs.csv" in m} == {4, 6}
    expected = (
        "No such file",
        "neither PNG nor JPEG",
        "stands on line 14 already",
        "outside the index's folder",
        "person is empty",
        "2 cells",
        "nobody/s0",
    )
    for words in expected:
        assert any(words in m for _, m in lines), words
        assert words in text, words
    assert document["counts"]["bad_rows"] == 4
    assert document["counts"]["failed_to_acquire"] == 2
    assert document["counts"]["genuine_failed"] == 1, "the pair of the missing picture is a failed genuine comparison"
    assert str(folder) not in text
