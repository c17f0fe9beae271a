"""A whole small training run through a tiny recogniser: it learns, resumes, and two processes do what one does."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from models.recipes.layers import Layer, Network  # noqa: E402 - only after torch is known to be there
from models.training.normaliser.config import Run  # noqa: E402
from models.training.normaliser.data import Material  # noqa: E402
from models.training.normaliser.nir import Shape  # noqa: E402
from models.training.normaliser.portraits import Portraits  # noqa: E402
from models.training.normaliser.recogniser import Recogniser  # noqa: E402
from models.training.normaliser.train import train  # noqa: E402
from models.training.normaliser.variants import VARIANTS, parameters  # noqa: E402

ROOT = Path(__file__).parents[2]


def tiny() -> Recogniser:
    """Return a recogniser of the same form with two random layers."""
    rng = np.random.default_rng(0)
    layers = []
    for i, (a, b) in enumerate([(3, 8), (8, 8)]):
        one = np.ones(b)
        layers.append(Layer(f"l{i}", rng.normal(0, 0.3, (b, a, 3, 3)), rng.normal(0, 0.1, b), 0.25 * one, 0 * one, one, 1, 4, 1))
    return Recogniser(Network(tuple(layers), rng.normal(0, 0.1, (128, 8, 7, 7)), np.zeros(128)))


def material() -> Material:
    """Return six people of smooth random colours, one watched."""
    rng = np.random.default_rng(1)
    crops = np.repeat(np.repeat(rng.integers(20, 235, (6, 14, 14, 3), np.uint8), 8, 1), 8, 2)
    normals = np.dstack([np.zeros((112, 112, 2)), np.ones((112, 112))]).astype(np.float32)
    shape = Shape(normals, np.full((112, 112), 3, np.float32))
    train, watch = Portraits(crops, np.arange(6)).split()
    return Material(train, watch, shape, "synthetic")


def losses(folder: Path) -> list[float]:
    """Return the loss of every step of a run."""
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return [float(r["loss"]) for r in csv.DictReader(file)]


RUN = Run("affine", steps=8, batch=8, learning_rate=0.05, watch_every=4, keep_every=2)


def test_training_lowers_the_loss_and_writes_every_step(tmp_path: Path) -> None:
    """The same crops cost less after the run than before; each step is a row."""
    found, recogniser = material(), tiny()
    train(RUN, recogniser, found, tmp_path)
    after = train(Run("affine", steps=40, batch=8, learning_rate=0.05, watch_every=40), recogniser, found, tmp_path / "long")
    curve = losses(tmp_path / "long")
    assert len(losses(tmp_path)) == 8
    assert len(curve) == 40
    assert np.mean(curve[-10:]) < np.mean(curve[:10])
    assert any(
        float((p - q).detach().abs().max()) > 0.01 for p, q in zip(after.parameters(), VARIANTS["affine"]().parameters(), strict=True)
    )


def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    """Stopped after five steps and started again, the losses and the result are those of a run without a stop."""
    found, recogniser = material(), tiny()
    whole = train(RUN, recogniser, found, tmp_path / "whole")
    train(RUN, recogniser, found, tmp_path / "cut", stop_after=5)
    resumed = train(RUN, recogniser, found, tmp_path / "cut")
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    for p, q in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    """A folder never mixes two runs, and a damaged checkpoint is one clear line."""
    train(RUN, tiny(), material(), tmp_path, stop_after=2)
    with pytest.raises(ValueError, match="another run"):
        train(Run("affine", steps=8, batch=8, learning_rate=0.01), tiny(), material(), tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ValueError, match="damaged"):
        train(RUN, tiny(), material(), tmp_path)


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """Under torchrun with two processes over gloo the loss curve is that of one process."""
    train(RUN, tiny(), material(), tmp_path / "one")
    script = tmp_path / "two.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from tests.models.test_normaliser_training import RUN, material, tiny\n"
        "from models.training.normaliser.train import train\n"
        "train(RUN, tiny(), material(), Path(sys.argv[1]))\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script), str(tmp_path / "two")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk")]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)


@pytest.mark.parametrize(("name", "most"), [("direct", 0), ("levels", 0), ("affine", 6), ("prepended", 1500), ("encoder", 100_000)])
def test_every_variant_keeps_its_budget_and_shape(name: str, most: int) -> None:
    """A variant gives three planes of the same size and has no more parameters than its row of the table says."""
    model = VARIANTS[name]()
    assert model(torch.zeros(2, 1, 112, 112)).shape == (2, 3, 112, 112)
    assert parameters(model) <= most
