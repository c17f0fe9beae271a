"""`vultus calibrate`: people of one's own in, a device calibration out, chosen by the device's identity afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vultus import calibration as cal
from vultus import settings
from vultus.cli.entry import main
from vultus.errors import CalibrationError
from vultus.evaluate.device_calibration import write_whole
from vultus.manifest import load_manifest
from vultus.types import DeviceIdentity, Modality, Source


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(("more", "least"), [(["--no-whiten"], 0.5e-2), ([], 0.2e-2)])
def test_a_real_sensor_is_calibrated_and_checked(
    more: list[str], least: float, data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On 62 people of a real sensor the check on held-out people is at most twice 1e-2 for each pair, not far below it, and the file loads."""
    out = tmp_path / "kinect.json"
    index = data_root / "rap3df-2017" / "index.csv"
    assert (
        main(
            ["calibrate", str(index), "--kind", "images", "--model", "index.csv", "--source", "images", "--out", str(out), "--json", *more]
        )
        == 0
    )
    document = json.loads(capsys.readouterr().out)
    checks = [c for c in document["check"] if c["target_fmr"] == 1e-2]
    assert len(checks) == 3
    assert all(least <= c["fmr"] <= 2e-2 for c in checks), checks
    device = cal.carry(cal.load(load_manifest().root / "calibration"), out)
    assert (device.space is None) == bool(more)
    assert device.holds_for(DeviceIdentity("images", "index.csv", "9", Source.IMAGES))
    assert device.tables[Modality.NIR, Modality.NIR].extrapolated


def test_a_model_must_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --model the calibration would serve any sensor, so it is asked for."""
    assert main(["calibrate", str(tmp_path / "i.csv")]) == 2
    assert "--model" in capsys.readouterr().err


def test_named_calibrations_are_used_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    """VULTUS_CALIBRATION names files in order; a missing one is a CalibrationError when it is read, not a silent fallback."""
    named = settings.load({"VULTUS_CALIBRATION": f"{tmp_path / 'a.json'}:{tmp_path / 'b.json'}"}).calibrations
    assert named == (tmp_path / "a.json", tmp_path / "b.json")
    with pytest.raises(CalibrationError, match="no calibration"):
        cal.carry(cal.load(load_manifest().root / "calibration"), named[0])


def test_a_refused_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """When the folder cannot be written, the error says so and nothing is left behind."""
    with pytest.raises(CalibrationError, match="nothing was changed"):
        write_whole(tmp_path / "no" / "c.json", {"a": 1})
    assert list(tmp_path.iterdir()) == []
