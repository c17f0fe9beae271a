"""The verification protocol from an index to its document, on data with known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vultus.errors import CalibrationError, DeviceNotFound, RecordingError
from vultus.evaluate.match import MatchOptions, run_match
from vultus.evaluate.report.tables import tables
from vultus.evaluate.samples import index_samples


def run(index, setting, **options):
    """Run the protocol and return its document."""
    return run_match(index_samples(index), MatchOptions(**options), setting).document


def test_the_document_counts_everything_and_meets_the_schema(index, setting, validate) -> None:
    """48 bona fide samples of 12 people make 72 genuine and 1056 impostor comparisons; attacks are left out and counted."""
    d = run(index, setting)
    validate(d)
    counts = {"people": 12, "samples": 48, "genuine": 72, "genuine_failed": 0, "impostor": 1056, "failed_to_acquire": 0}
    assert d["counts"] == {**counts, "bad_rows": 0, "attacks_left_out": 4}
    assert d["tar_at_far"]["1e-2"]["value"] == 1.0
    assert d["tar_at_far"]["1e-2"]["low"] == pytest.approx(0.735, abs=0.01), "twelve people bound a perfect rate no better"
    assert d["eer"]["value"] == 0.0
    assert d["identification"]["cmc"][0] == 1.0
    assert d["provenance"]["command"] == "vultus evaluate match 'a b.csv'"
    assert d["provenance"]["date"] == "2026-01-02T03:04:05+00:00"


def test_unsupported_rates_are_null_and_said_in_words(index, setting) -> None:
    """1056 comparisons support FAR 1e-2 and nothing lower; the table says so and prints no number."""
    d = run(index, setting)
    assert [name for name, e in d["tar_at_far"].items() if e is not None] == ["1e-2"]
    rows = {row[0]: row for row in tables(d)[0].rows}
    assert rows["TAR at FAR 1e-3"][1:] == ("not supported by 1,056 comparisons", "", "")
    assert d["tar_at_far"]["1e-2"]["thin"]
    assert "12 people: 66 pairs of people" in d["warnings"][0]


def test_bad_rows_are_listed_with_their_lines_and_failures_counted(index, setting, validate) -> None:
    """A missing, a damaged and a faceless picture fail to acquire and cost their genuine comparisons; malformed rows are listed."""
    folder = index.parent
    (folder / "p00" / "0.png").unlink()
    (folder / "p01" / "0.png").write_bytes((folder / "p01" / "0.png").read_bytes()[:200])
    from vultus import pictures

    (folder / "p02" / "0.png").write_bytes(pictures.encode_png(np.zeros((32, 32, 3), np.uint8)))
    with index.open("a") as file:
        file.write("p03,s0,p03/0.png,,,,bona_fide,,\n../../etc,x,../../etc/passwd,,,,bona_fide,,\n,nobody,p03/1.png,,,,bona_fide,,\n")
    d = run(index, setting)
    validate(d)
    assert d["counts"]["failed_to_acquire"] == 3
    assert d["counts"]["genuine"] == 72
    assert d["counts"]["genuine_failed"] == 9
    assert d["counts"]["impostor"] == 1056 - 3 * 44 + 3
    assert d["counts"]["bad_rows"] == 3
    lines = {p["line"]: p["message"] for p in d["problems"]}
    assert sorted(lines) == [2, 6, 54, 55, 56]
    assert "No such file" in lines[2]
    assert str(folder) not in "".join(lines.values())
    assert d["acquisition"] == {"rgb: unreadable": 2, "rgb: no_face": 1}
    assert d["tar_at_far"]["1e-2"]["value"] == pytest.approx(1 - 9 / 72)


def test_a_list_of_pairs_is_compared_alone(index, setting, validate, tmp_path) -> None:
    """Only the pairs of the file count; one that names nobody, stands there twice or compares a sample with itself is listed."""
    header = "reference_person,reference_sample,probe_person,probe_sample\n"
    rows = ["p00,s0,p00,s1", "p00,s0,p01,s1", "p02,s0,p03,s1", "p00,s0,p00,s1", "p00,s0,p00,s0", "p00,s9,p00,s0"]
    (tmp_path / "pairs.csv").write_text(header + "\n".join(rows) + "\n")
    d = run(index, setting, pairs=tmp_path / "pairs.csv")
    validate(d)
    assert (d["counts"]["genuine"], d["counts"]["impostor"]) == (1, 2)
    assert [p["line"] for p in d["problems"]] == [5, 6, 7]
    assert d["identification"] is None


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "reference_person,reference_sample,probe_person,probe_sample\n"])
def test_a_list_without_pairs_is_refused(index, setting, tmp_path, text) -> None:
    """A list that lacks its columns or has no usable row raises RecordingError with its name."""
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(RecordingError, match=r"pairs\.csv"):
        run(index, setting, pairs=tmp_path / "pairs.csv")
    with pytest.raises(DeviceNotFound):
        run(index, setting, pairs=tmp_path / "absent.csv")


def test_groups_have_their_own_rates_at_one_threshold(index, setting, validate) -> None:
    """Two groups of six people: impostors within the group, genuine of the group, and a warning that they are small."""
    g = run(index, setting, group="group")["groups"]
    assert {name: (r["people"], r["genuine"], r["impostor"]) for name, r in g["rows"].items()} == {
        "even": (6, 36, 240),
        "odd": (6, 36, 240),
    }
    assert all(r["fmr"] is None for r in g["rows"].values()), "240 comparisons do not support 1e-2"
    assert any("not supported by 240 comparisons" in w for w in g["warnings"])
    assert g["garbe"] is None
    validate(run(index, setting, group="group"))


def test_sessions_are_compared_across(index, setting) -> None:
    """References of session 1 against probes of session 2: ordered pairs, no comparison within a session."""
    d = run(index, setting, reference_where="session=1", probe_where="session=2")
    assert (d["counts"]["genuine"], d["counts"]["impostor"]) == (12 * 4, 24 * 24 - 12 * 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "colour"}, "colour"),
        ({"probe_where": "session=9"}, "session=9.*1, 2"),
        ({"probe_where": "session"}, "COLUMN=VALUE"),
        ({"probe": "nir"}, "no row with a nir picture"),
        ({"probe": "depth"}, "rgb, nir, fused"),
    ],
)
def test_options_that_do_not_fit_the_data_are_refused(index, setting, options, message) -> None:
    """A column, a condition or a modality that the index does not have raises ValueError that names it."""
    with pytest.raises(ValueError, match=message):
        run(index, setting, **options)


def test_data_without_any_face_is_refused(index, setting) -> None:
    """When no sample gives features there is nothing to evaluate, and the first reason is told."""
    for path in index.parent.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(RecordingError, match=r"no sample gave a face.*empty"):
        run(index, setting)


def test_corruption_lowers_the_rate_and_is_the_same_every_time(index, setting, validate) -> None:
    """Eight kinds at five strengths; heavy noise loses comparisons that clean probes keep, and a second run gives equal figures."""
    first, again = (run(index, setting, corrupt=True, corrupt_probes=12)["robustness"] for _ in range(2))
    assert first == again
    assert {len(k["points"]) for k in first["kinds"].values()} == {5}
    assert len(first["kinds"]) == 8
    assert first["clean"]["value"] == 0.0
    assert first["probes"] == 12
    fnmr = [p["fnmr"]["value"] for p in first["kinds"]["dark"]["points"]]
    assert fnmr[-1] > 0.5
    validate(run(index, setting, corrupt=True, corrupt_probes=3))


def test_a_calibration_of_another_recogniser_is_refused(index, setting) -> None:
    """Figures are never made with a calibration that another graph's scores made."""
    from vultus.evaluate.calibrated import load_calibration

    with pytest.raises(CalibrationError, match="another recogniser"):
        run(index, replace(setting, calibration=load_calibration(None, None)))


def test_a_calibration_states_ratios_and_is_checked_at_its_targets(index, setting, validate) -> None:
    """With a calibration there are Cllr, ECE and the rates that its thresholds really have here."""
    from vultus.evaluate.calibrated import load_calibration

    calibration = load_calibration(None, None)
    maker = replace(setting.maker, graph=calibration.graph)
    d = run(index, replace(setting, calibration=calibration, maker=maker))
    validate(d)
    assert d["cllr"] >= d["min_cllr"]
    assert d["provenance"]["calibration"] == calibration.id
    target = d["targets"]["1e-2"]
    assert target["fmr"]["low"] <= target["fmr"]["value"] <= target["fmr"]["high"]
    assert target["measurable"]
    assert not d["targets"]["1e-4"]["measurable"]
