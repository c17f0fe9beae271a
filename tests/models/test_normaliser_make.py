"""The whole way of a small run: rendered heads, training, graphs held against PyTorch, measurement, model card."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from models.recipes.crops import Faces  # noqa: E402 - only after torch is known to be there
from models.recipes.normaliser import read_trained  # noqa: E402
from models.training.normaliser.compare import clearly_better, embedded, table  # noqa: E402
from models.training.normaliser.config import Run  # noqa: E402
from models.training.normaliser.data import Material  # noqa: E402
from models.training.normaliser.export import export, picture_graph  # noqa: E402
from models.training.normaliser.make import make, simulated  # noqa: E402
from models.training.normaliser.precision import precision  # noqa: E402
from models.training.normaliser.real import rap3df  # noqa: E402
from models.training.normaliser.variants import VARIANTS  # noqa: E402
from tests.models.test_normaliser_training import tiny  # noqa: E402

from vultus.devices.simulator.portraits import carried_portrait  # noqa: E402


def faces(inputs: np.ndarray) -> Faces:
    """Return the inputs as faces of four people in both modalities."""
    count = len(inputs) // 4 * 4
    who = np.array([f"p{i // 4 % 4}" for i in range(count)])
    tensors = np.repeat(inputs[:count, :1], 3, axis=1)
    return Faces(tensors, who, np.array([f"s{i}" for i in range(count)]), np.array(["rgb", "nir"] * (count // 2)), count)


def test_real_faces_are_cut_as_the_sdk_cuts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One frame set of a portrait before a wall gives a colour and an NIR crop in the recogniser's range, NIR in three equal planes, and no relief."""
    portrait = carried_portrait("astronaut")
    folder = tmp_path / "rap3df-2017"
    folder.mkdir()
    grey = portrait.image.mean(2)
    pictures = {"rgb": portrait.image[:, :, ::-1], "nir": (grey * 60).astype(np.uint16), "depth": np.full(grey.shape, 700, np.uint16)}
    for name, picture in pictures.items():
        assert cv2.imwrite(str(folder / f"{name}.png"), picture)
    (folder / "index.csv").write_text("person,sample,rgb,nir,depth\nada,1,rgb.png,nir.png,depth.png\n")
    monkeypatch.setenv("VULTUS_DATA", str(tmp_path))
    found, inputs = rap3df()
    assert found.modalities.tolist() == ["rgb", "nir"]
    assert np.abs(found.tensors).max() <= 1
    assert found.tensors.std((1, 2, 3)).min() > 0.2
    assert np.array_equal(found.tensors[1, 0], found.tensors[1, 2])
    assert np.array_equal(inputs[:, 0], found.tensors[:, 0])
    assert not inputs[1, 1].any()


@pytest.mark.parametrize("variant", ["stem", "encoder"])
def test_a_run_goes_all_the_way_to_graph_and_card(found: Material, tmp_path: Path, variant: str) -> None:
    """One call trains, writes graphs that give what PyTorch gives, measures, and says in the card what it was made of; a second call changes nothing."""
    inputs = simulated(found, 1, 16)
    run = Run(variant, sets=(), made=6, looks=3, steps=2, batch=4, watch_every=2, picture=0.5)
    told = make(run, tiny(), found, tmp_path, (faces(inputs), inputs), 12)
    card = json.loads((tmp_path / "card.json").read_text())
    assert (tmp_path / told["chosen"]).is_file()
    assert card["graphs"]["float"]["difference"] < 1e-3
    assert card["graphs"]["float"]["cosine"] > 0.999
    assert card["hashes"]["material"] == found.digest
    assert card["counts"]["people trained on"] == len(found.people)
    assert len(card["real"]) == 6
    text = (tmp_path / "card.md").read_text()
    assert "ICT-FaceKit" in text
    assert "London" not in text
    assert (tmp_path / "stem.onnx").is_file() is (variant == "stem")
    if variant == "stem":
        kept = torch.load(tmp_path / "normaliser.pt", weights_only=True)["model"]
        layers = read_trained((tmp_path / "stem.onnx").read_bytes(), tiny().network)
        np.testing.assert_allclose(layers[0].weight.sum(1, keepdims=True), kept["weight0"].numpy(), atol=1e-6)
        np.testing.assert_array_equal(layers[4].bias.astype(np.float32), kept["bias4"].numpy())
    float_graph = (tmp_path / "float.onnx").read_bytes()
    make(run, tiny(), found, tmp_path, None, 12)
    assert (tmp_path / "float.onnx").read_bytes() == float_graph
    assert json.loads((tmp_path / "card.json").read_text())["ships"] is False


def test_the_affine_and_the_prepended_form_are_written_as_they_are(found: Material, tmp_path: Path) -> None:
    """With any numbers in them, the graphs of the other forms give what PyTorch gives."""
    recogniser, inputs = tiny(), simulated(found, 2, 8)
    for name in ("affine", "prepended"):
        model = VARIANTS[name](recogniser)
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
        (tmp_path / name).mkdir()
        forms, _ = export(model, recogniser, inputs, tmp_path / name)
        assert forms["float"].cosine > 0.9999
    with pytest.raises(TypeError, match="changes nothing"):
        picture_graph(VARIANTS["direct"](recogniser))


def test_a_form_without_parameters_is_refused(found: Material, tmp_path: Path) -> None:
    """The crop as it is has nothing to train, export or ship."""
    with pytest.raises(ValueError, match="nothing to train"):
        make(Run("direct", sets=(), made=6), tiny(), found, tmp_path, None)


def test_only_what_surely_gains_whitened_ships() -> None:
    """A normaliser ships that is surely better on one pair of modalities with NIR and not surely worse on any, as devices are calibrated."""
    row = ("whitened", "NIR-NIR", 3.0, 0.5, 99.0)
    assert clearly_better([row, ("whitened", "RGB-NIR", 0.0, -1.0, 1.0)])
    assert not clearly_better([row, ("whitened", "RGB-NIR", -3.0, -5.0, -1.0)])
    assert not clearly_better([row, ("whitened", "fused", -3.0, -5.0, -1.0)])
    assert not clearly_better([("whitened", "fused", 3.0, 1.0, 5.0), ("whitened", "NIR-NIR", 0.0, -1.0, 1.0)])
    assert not clearly_better([("as they are", *row[1:]), ("whitened", "NIR-NIR", 0.0, -1.0, 1.0)])


def test_normalisers_are_measured_by_frame_set(found: Material) -> None:
    """Colour and NIR of one frame set lie in one row, a modality without a face is zeros, and a form gains nothing over itself."""
    inputs, direct = simulated(found, 1, 24), VARIANTS["direct"](tiny()).eval()
    set_ = faces(inputs)
    set_ = dataclasses.replace(
        set_, samples=np.array([f"s{i // 2}" for i in range(len(set_.people))]), people=np.repeat(set_.people[::2], 2)
    )
    keep = np.arange(len(set_.people)) != 1
    few = Faces(set_.tensors[keep], set_.people[keep], set_.samples[keep], set_.modalities[keep], 24)
    vectors, people = embedded(tiny(), direct, few, inputs[keep])
    assert len(people) == len(vectors.probes["rgb"]) == 12
    first = int(np.flatnonzero(~vectors.probes["nir"].any(1))[0])
    assert vectors.probes["rgb"][first].any()
    assert (np.abs(vectors.probes["nir"]).max(1) > 0).sum() == 11
    rows = list(table(tiny(), few, inputs[keep], {"direct": direct, "again": direct}))
    assert rows[-1].count("0.0 (0.0 to 0.0)") >= 3


def test_bfloat16_and_float32_are_shown_side_by_side(found: Material, tmp_path: Path) -> None:
    """Both arithmetics take the same steps on the same crops; their losses are near each other and the ratio of time is said."""
    run = dataclasses.replace(Run("affine", sets=(), made=6, looks=3, batch=4), preserve=0.0)
    rows = list(precision(run, tiny(), found, tmp_path, steps=4))
    losses = [tuple(float(v) for v in row.split("|")[2:4]) for row in rows[2:-1]]
    assert len(losses) == 4
    assert all(a == pytest.approx(b, rel=0.1) for a, b in losses)
    assert "bfloat16 to float32" in rows[-1]
