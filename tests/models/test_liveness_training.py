"""A whole small training run of a liveness network: it learns, resumes, and its 8-bit graph says what the float one says."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from models.recipes.liveness_network import Weights, build_float, build_integer  # noqa: E402 - only after torch is known to be there
from models.training.liveness.cache import Material  # noqa: E402
from models.training.liveness.config import Run  # noqa: E402
from models.training.liveness.networks import FORMS, Tower, parameters, products  # noqa: E402
from models.training.liveness.samples import LIVE, Samples  # noqa: E402
from models.training.liveness.train import scores_of, train, watch  # noqa: E402
from models.training.liveness.weights import folded, limits_of  # noqa: E402

ROOT = Path(__file__).parents[2]
RUN = Run("triplet", steps=8, batch=8, watch_every=4, keep_every=2)


def material(n: int = 48) -> Material:
    """Return heads that bulge and sheets that do not, in noise."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    seen = 0.3 * rng.standard_normal((n, 4, 64, 64))
    seen[::2, 0] += 1.5 * np.exp(-3 * (x**2 + y**2))
    seen[:, 1] = 1
    species = np.array([LIVE, "sheet"] * (n // 2))
    made = Samples(
        seen.astype(np.float16), species, np.where(species == LIVE, 255, 0).astype(np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
    )
    return Material(made, made, "synthetic")


def losses(folder: Path) -> list[float]:
    """Return the loss of every step of a run."""
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return [float(r["loss"]) for r in csv.DictReader(file)]


def test_training_tells_heads_from_sheets(tmp_path: Path) -> None:
    """After forty steps no sheet scores above the limit that heads reach, and the limits are in order."""
    found = material()
    model = train(Run("triplet", steps=40, batch=16, watch_every=40), found, tmp_path)
    assert watch(model, found.watch) == {"watch_eer": 0.0, "watch_worst": 0.0}
    assert len(losses(tmp_path)) == 40
    assert limits_of(model, found.watch)["fail"] <= limits_of(model, found.watch)["pass"]


def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    """Stopped after five steps and started again, the losses and the result are those of a run without a stop; another run is refused."""
    found = material()
    whole = train(RUN, found, tmp_path / "whole")
    train(RUN, found, tmp_path / "cut", stop_after=5)
    resumed = train(RUN, found, tmp_path / "cut")
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    for p, q in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(p, q)
    with pytest.raises(ValueError, match="another run"):
        train(Run("triplet", steps=9, batch=8), found, tmp_path / "cut")


def test_two_processes_finish_one_run(tmp_path: Path) -> None:
    """Under torchrun each process takes its share of every step, and one of them writes the rows."""
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nsys.path[:0] = [sys.argv[1], sys.argv[2]]\n"
        "from test_liveness_training import RUN, material\nfrom models.training.liveness.train import train\n"
        "train(RUN, material(), Path(sys.argv[3]))\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(ROOT), str(Path(__file__).parent), str(tmp_path / "out")],
        env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(losses(tmp_path / "out")) == 8


@pytest.mark.parametrize("kind", sorted(FORMS))
def test_the_graphs_say_what_the_network_says(kind: str) -> None:
    """Folded and written, the float graph is the network to rounding and the 8-bit one within a few hundredths of the scores' spread."""
    import onnxruntime

    torch.manual_seed(3)
    model = Tower(kind)
    rng = np.random.default_rng(4)
    shape = (64, 128, 128, 3) if kind == "colour" else (64, 4, 64, 64)
    seen = rng.integers(0, 255, shape).astype(np.uint8) if kind == "colour" else rng.normal(size=shape).astype(np.float16)
    model.train()
    with torch.no_grad():
        for _ in range(5):
            model(torch.from_numpy(rng.normal(size=(16, FORMS[kind].planes, FORMS[kind].side, FORMS[kind].side)).astype(np.float32)))
    exact = scores_of(model, seen)
    weights = Weights.unpacked(folded(model, seen).packed())
    inputs = ((seen.astype(np.float32).transpose(0, 3, 1, 2) - 127.5) / 128) if kind == "colour" else seen.astype(np.float32)
    found = []
    for graph in (build_float(weights), build_integer(weights)):
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        found.append(np.array([session.run(["score"], {"input": x[None]})[0][0, 0] for x in inputs]))
    assert np.abs(found[0] - exact).max() < 1e-4
    assert np.abs(found[1] - exact).max() < 0.05
    assert build_integer(weights) == build_integer(Weights.unpacked(weights.packed()))
    assert parameters(model) <= 500_000
    assert products(kind) <= 20e6
