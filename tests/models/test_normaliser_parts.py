"""Skin optics, the pictures that may be trained on, and the file of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from models.training.normaliser.config import make_run, read_run
from models.training.normaliser.portraits import files
from models.training.synthesis.optics import Optics, reflectance


def middling(nm: float = 850.0) -> Optics:
    """Return optics without a draw's error."""
    return Optics(nm, 0.75, -3.33, (0.0, 0.0, 0.0))


def seen_through(melanin: float, blood: float, shading: float = 0.8) -> np.ndarray:
    """Return an sRGB picture of skin by the same law of absorption that the simulation inverts."""
    mixed = {540.0: 51574.8, 610.0: 3490.4, 460.0: 39207.2}
    light = [shading * np.exp(-melanin * (nm / 610) ** -3.33 - blood * mixed[nm] / mixed[540.0]) for nm in (610.0, 540.0, 460.0)]
    v = np.array([12.92 * x if x <= 0.0031308 else 1.055 * x ** (1 / 2.4) - 0.055 for x in light])
    return np.broadcast_to(np.round(v * 255).astype(np.uint8), (4, 4, 3))


@given(st.integers(0, 10_000))
def test_a_grey_surface_is_as_bright_in_nir_whatever_the_draw(seed: int) -> None:
    """The weights of the three channels sum to 1, so shading alone carries over unchanged."""
    optics = Optics.draw(np.random.default_rng(seed))
    assert optics.weights().sum() == pytest.approx(1, abs=1e-4)
    grey = np.full((2, 2, 3), 150, np.uint8)
    assert reflectance(grey, optics, 0).item(0) == pytest.approx(0.305, abs=0.002)


def test_blood_disappears_and_melanin_fades_in_nir() -> None:
    """A blush changes NIR by under a tenth of what it changes green; dark and fair skin come nearer than they are in red."""
    pale, flushed = seen_through(0.3, 0.2), seen_through(0.3, 0.8)
    dark = seen_through(1.2, 0.2)
    nir = [float(np.log(reflectance(p, middling(), 0).mean())) for p in (pale, flushed, dark)]
    assert abs(nir[0] - nir[1]) < 0.06
    assert 0.15 < nir[0] - nir[2] < 0.5
    assert nir[0] > nir[2]


@pytest.mark.parametrize("name", ["lfw", "rap3df-2017", "nuaa-dev", "print-screen"])
def test_an_evaluation_set_cannot_be_trained_on(name: str, tmp_path: Path) -> None:
    """Naming any set but the permitted ones is an error, even when its pictures are there."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "a_1.jpg").write_bytes(b"x")
    with pytest.raises(ValueError, match="may not be trained on"):
        files(tmp_path, ("london", name))


def test_no_photographs_says_what_to_set(tmp_path: Path) -> None:
    """An empty data folder is an error that names the setting."""
    with pytest.raises(FileNotFoundError, match="VULTUS_DATA"):
        files(tmp_path)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "variant is missing"),
        ({"variant": "affine", "stepz": 3}, "unknown key stepz"),
        ({"variant": "affine", "steps": "3"}, "steps is '3'"),
        ({"variant": "affine", "batch": -1}, "batch is -1"),
        ({"variant": "affine", "half": 1}, "half is 1"),
        ({"variant": "affine", "batch": 7}, "batch is 7"),
        ({"variant": "affine", "sets": []}, "nobody to train on"),
        ({"variant": "stem", "way": 1.5}, "way is 1.5"),
    ],
)
def test_a_wrong_key_is_named(raw: dict[str, object], said: str) -> None:
    """Every key of a run is known, of its type and in range, or the error names it."""
    with pytest.raises(ValueError, match=said):
        make_run(raw)


def test_the_digest_tells_what_decides_the_result(tmp_path: Path) -> None:
    """Threads do not change a run's name, the learning rate does; a damaged file is one clear line."""
    plain = make_run({"variant": "affine"})
    assert plain.digest() == make_run({"variant": "affine", "threads": 2}).digest()
    assert plain.digest() != make_run({"variant": "affine", "learning_rate": 1}).digest()
    (tmp_path / "r.toml").write_text("variant = ")
    with pytest.raises(ValueError, match="not TOML"):
        read_run(tmp_path / "r.toml")
