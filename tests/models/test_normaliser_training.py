"""A whole small training run through a tiny recogniser: it learns, resumes, and two processes do what one does."""

from __future__ import annotations

import csv
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from models.recipes.layers import Layer, Network  # noqa: E402 - only after torch is known to be there
from models.training.normaliser.config import Run  # noqa: E402
from models.training.normaliser.data import Material, sample  # noqa: E402
from models.training.normaliser.losses import Learner, alike, several  # noqa: E402
from models.training.normaliser.recogniser import Recogniser  # noqa: E402
from models.training.normaliser.train import Colour, train  # noqa: E402
from models.training.normaliser.variants import VARIANTS, parameters  # noqa: E402

ROOT = Path(__file__).parents[2]
RUN = Run("affine", sets=(), made=6, looks=3, steps=6, batch=4, learning_rate=0.05, watch_every=6, keep_every=2)


def tiny() -> Recogniser:
    """Return a recogniser of the same form with six small random layers."""
    rng = np.random.default_rng(0)
    layers = []
    for i, (a, b, groups, stride) in enumerate(
        [(3, 8, 1, 4), (8, 8, 8, 1), (8, 16, 1, 1), (16, 16, 16, 2), (16, 16, 1, 1), (16, 16, 16, 2)]
    ):
        one = np.ones(b)
        kernel = 1 if i in (2, 4) else 3
        weight = rng.normal(0, 1 / np.sqrt(a // groups * kernel**2), (b, a // groups, kernel, kernel))
        layers.append(Layer(f"l{i}", weight, rng.normal(0, 0.1, b), 0.25 * one, 0 * one, one, groups, stride, kernel // 2))
    return Recogniser(Network(tuple(layers), rng.normal(0, 0.1, (128, 16, 7, 7)), np.zeros(128)))


def losses(folder: Path) -> list[float]:
    """Return the loss of every step of a run."""
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return [float(r["loss"]) for r in csv.DictReader(file)]


def test_training_lowers_the_loss_and_writes_every_step(found: Material, tmp_path: Path) -> None:
    """The loss of an encoder that is to show the face in soft light falls over a run, and each step is a row."""
    weights = {"picture": 1.0, "prototype": 0.0, "contrast": 0.0}
    run = Run("encoder", sets=(), made=6, looks=3, steps=14, batch=6, learning_rate=0.02, watch_every=14, **weights)
    train(run, tiny(), found, tmp_path)
    curve = losses(tmp_path)
    assert len(curve) == 14
    assert np.mean(curve[-4:]) < np.mean(curve[:4])


def test_a_trained_stem_brings_nir_nearer_to_its_people(found: Material, tmp_path: Path) -> None:
    """On crops that no step saw, the mean cosine to the person's colour is a tenth nearer to 1 after the run than before it."""
    recogniser = tiny()
    views = np.flatnonzero(np.isin(found.pool.people, found.people))
    inputs = torch.from_numpy(np.stack([sample(found.pool, int(at), np.random.default_rng((9, int(at))))[0] for at in views]))
    colour = Colour.seen(recogniser, found, found.people)
    own = colour.anchors[[colour.rows[p] for p in found.pool.people[views].tolist()]]
    run = Run("stem", sets=(), made=6, looks=3, steps=14, batch=6, learning_rate=0.01, temperature=0.3, contrast=0, watch_every=14)
    models = VARIANTS["stem"](recogniser), train(run, recogniser, found, tmp_path)
    with torch.inference_mode():
        before, after = (float((recogniser(m(inputs), m.enters) * own).sum(1).mean()) for m in models)
    assert 1 - after < 0.9 * (1 - before)


def test_a_killed_run_goes_on_as_if_nothing_had_been(found: Material, tmp_path: Path) -> None:
    """Stopped after five steps and started again, the losses and the result are those of a run without a stop."""
    recogniser = tiny()
    whole = train(RUN, recogniser, found, tmp_path / "whole")
    train(RUN, recogniser, found, tmp_path / "cut", stop_after=5)
    resumed = train(RUN, recogniser, found, tmp_path / "cut")
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    for p, q in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(p, q)


def test_half_way_is_the_mean_of_before_and_after(found: Material, tmp_path: Path) -> None:
    """With `way` of a half, every weight that is kept is the mean of what training began with and what it ended with; the steps are the same."""
    run = Run("stem", sets=(), made=6, looks=3, steps=3, batch=4, learning_rate=0.05, watch_every=3)
    whole = train(run, tiny(), found, tmp_path / "whole").state_dict()
    half = train(dataclasses.replace(run, way=0.5), tiny(), found, tmp_path / "half").state_dict()
    begun = VARIANTS["stem"](tiny()).state_dict()
    kept = torch.load(tmp_path / "half" / "normaliser.pt", weights_only=True)["model"]
    assert any(not torch.equal(whole[k], begun[k]) for k in whole)
    for key, value in half.items():
        assert torch.allclose(value, (begun[key] + whole[key]) / 2, atol=1e-6)
        assert torch.equal(value, kept[key])


def test_a_checkpoint_of_another_run_is_refused(found: Material, tmp_path: Path) -> None:
    """A folder never mixes two runs, and a damaged checkpoint is one clear line."""
    train(RUN, tiny(), found, tmp_path, stop_after=1)
    with pytest.raises(ValueError, match="another run"):
        train(Run("affine", sets=(), made=6, looks=3, steps=6, batch=4, learning_rate=0.01), tiny(), found, tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ValueError, match="damaged"):
        train(RUN, tiny(), found, tmp_path)


def test_two_processes_train_as_one(found: Material, heads: Path, tmp_path: Path) -> None:
    """Under torchrun with two processes over gloo the loss curve is that of one process."""
    train(RUN, tiny(), found, tmp_path / "one")
    script = tmp_path / "two.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from tests.models.heads import material\n"
        "from tests.models.test_normaliser_training import RUN, tiny\n"
        "from models.training.normaliser.train import train\n"
        "train(RUN, tiny(), material(Path(sys.argv[2])), Path(sys.argv[1]) / 'two')\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script), str(tmp_path), str(heads)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)


def test_several_positives_share_the_softmax() -> None:
    """With one positive it is cross-entropy; with all positive it costs nothing; a row without any is left out."""
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0], [3.0, 1.0, 1.0]])
    one = torch.tensor([[True, False, False], [False, False, False], [False, False, False]])
    assert float(several(logits, one)) == pytest.approx(float(torch.nn.functional.cross_entropy(logits[:1], torch.tensor([0]))))
    assert float(several(logits, torch.ones(3, 3, dtype=torch.bool))) == pytest.approx(0, abs=1e-6)


def test_nir_of_earlier_steps_is_compared_too() -> None:
    """The queue keeps the newest embeddings; every pair of one person counts on its own, and nothing is asked where nobody has a mate."""
    eye = torch.eye(4)
    learner = Learner(VARIANTS["direct"](tiny()), eye, queue=3)
    assert float(alike(eye[:2], torch.tensor([0, 1]), learner, 0.5)) == 0
    learner.keep(eye[:2], torch.tensor([0, 1]))
    learner.keep(eye[2:], torch.tensor([2, 3]))
    assert learner.queue_own.tolist() == [2, 3, 0]
    assert torch.equal(learner.queue, eye[[2, 3, 0]])
    # One mate at cosine 1 in the queue, three strangers at 0: the share of the mate is e^2 / (e^2 + 3).
    found = float(alike(eye[:2], torch.tensor([0, 1]), learner, 0.5))
    assert found == pytest.approx(float(np.log1p(3 * np.exp(-2))), rel=1e-5)


def test_a_run_with_a_queue_goes_on_as_if_nothing_had_been(found: Material, tmp_path: Path) -> None:
    """A stopped run that compares with earlier crops and with the same look in colour resumes with its queue."""
    run = dataclasses.replace(RUN, moment=2.0, alike=1.0, queue=8, steps=4)
    train(run, tiny(), found, tmp_path / "whole")
    train(run, tiny(), found, tmp_path / "cut", stop_after=2)
    train(run, tiny(), found, tmp_path / "cut")
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


@pytest.mark.parametrize(("name", "most"), [("direct", 0), ("affine", 6), ("prepended", 1500), ("encoder", 100_000), ("stem", 15_000)])
def test_every_variant_keeps_its_budget_and_begins_as_no_change(name: str, most: int) -> None:
    """Before training every form gives what the crop as it is gives, and has no more parameters than its row of the table says."""
    recogniser = tiny()
    model = VARIANTS[name](recogniser)
    x = torch.from_numpy(np.random.default_rng(0).normal(0, 0.5, (2, 5, 112, 112)).astype(np.float32))
    plain = recogniser(x[:, :1].expand(-1, 3, -1, -1))
    assert torch.allclose(recogniser(model(x), model.enters), plain, atol=1e-5)
    assert parameters(model) <= most


def test_the_folded_affine_is_the_affine() -> None:
    """Gain and offset folded into the first convolution give what they give on the bordered crop before it."""
    recogniser = tiny()
    model = VARIANTS["affine"](recogniser)
    with torch.no_grad():
        model.gain.copy_(torch.tensor([0.7, 1.3, 0.9]))
        model.offset.copy_(torch.tensor([0.2, -0.1, 0.05]))
    x = torch.from_numpy(np.random.default_rng(1).normal(0, 0.5, (2, 5, 112, 112)).astype(np.float32))
    weight, bias, slope = recogniser.layer(0)
    stride, _, groups = recogniser.forms[0]
    unfolded = torch.nn.functional.prelu(torch.nn.functional.conv2d(model.picture(x), weight, bias, stride, 0, 1, groups), slope)
    assert torch.allclose(model(x), unfolded, atol=1e-5)
