"""Training of the landmark network: what it learns from, that a killed run goes on, and that the graph is the network."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from models.recipes import source  # noqa: E402 - only after torch is known to be there
from models.recipes.landmarks import MIRRORED, SIDE, build_landmarks, read_weights  # noqa: E402
from models.training.landmarks import sources  # noqa: E402
from models.training.landmarks.card import card, figures  # noqa: E402
from models.training.landmarks.config import make_run, read_run  # noqa: E402
from models.training.landmarks.crops import draw  # noqa: E402
from models.training.landmarks.export import export, trained  # noqa: E402
from models.training.landmarks.network import Landmarks  # noqa: E402
from models.training.landmarks.sources import Faces, Material, _gathered, _portraits, kept_aside, unit_of  # noqa: E402
from models.training.landmarks.teacher import Teacher  # noqa: E402
from models.training.landmarks.train import Crops, numbers_of, train, watch  # noqa: E402
from models.training.synthesis.pool import open_pool  # noqa: E402
from tests.models.egg import write_egg  # noqa: E402

from vultus.geometry import TARGET  # noqa: E402
from vultus.graphs import open_graph  # noqa: E402
from vultus.manifest import load_manifest  # noqa: E402
from vultus.stages.landmarks import EYES, TEMPLATE  # noqa: E402
from vultus.types import Stream  # noqa: E402

RUNS = Path(__file__).parents[2] / "models" / "training" / "landmarks" / "runs"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch a run by a few crops."""
    monkeypatch.setattr("models.training.landmarks.train._WATCHED", 32)


@pytest.fixture(scope="module")
def faces() -> Faces:
    """The two portraits that installed libraries carry, with the teacher's landmarks."""
    return _gathered(_portraits(Teacher.of(open_graph(load_manifest().entry("detector")))))


@pytest.fixture(scope="module")
def found(faces: Faces) -> Material:
    return Material(faces, faces, faces, "portraits")


@pytest.fixture(scope="module")
def yunet() -> bytes:
    """Return YuNet's published file; skip with the reason where it cannot be downloaded."""
    try:
        return source.fetch()[source.YUNET]
    except source.SourceUnavailable as error:
        pytest.skip(str(error))


def test_the_kept_runs_differ_in_the_photographs_alone() -> None:
    """The two runs that are compared are valid and differ in nothing but whether they learn from photographs of London and Canada."""
    made, photographs = (read_run(RUNS / f"{name}.toml") for name in ("made", "photographs"))
    assert made.photographs == 0 < photographs.photographs
    assert dataclasses.replace(made, photographs=photographs.photographs) == photographs
    assert made.digest() != photographs.digest()


def test_a_wrong_key_is_named() -> None:
    """An unknown key, a text for a number and a step count of none are refused by name."""
    for raw, name in (({"crop": 5}, "crop"), ({"batch": "8"}, "batch"), ({"steps": 0}, "steps")):
        with pytest.raises(ValueError, match=name):
            make_run(raw)


def test_nobody_is_both_learnt_from_and_measured(tmp_path: Path) -> None:
    """Every second person of each set is kept aside, with all of their pictures, as the table of `models.matching` takes every second file."""
    for name in (
        "london/neutral_front/001_03",
        "london/neutral_front/002_03",
        "london/neutral_front/003_03",
        "london/smiling_front/001_08",
    ):
        (tmp_path / f"{name}.jpg").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.jpg").touch()
    (tmp_path / "canada").mkdir()
    for name in ("003f", "008f"):
        (tmp_path / "canada" / f"{name}.jpg").touch()
    assert kept_aside(tmp_path) == {"london/001", "london/003", "canada/003f"}


def test_a_run_without_photographs_needs_no_set_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the head model alone a run learns from made-up people and portraits, the same again out of the cache; one with photographs says what is missing."""
    write_egg(tmp_path / "data")
    monkeypatch.setattr(sources, "open_pool", lambda recipe, data, cache, *_: open_pool(recipe, data, cache, None, "none"))
    monkeypatch.setattr(Teacher, "truth", lambda _, picture, face: face.landmarks)
    graph = open_graph(load_manifest().entry("detector"))
    run = make_run({"made": 2, "lights": 1, "portraits": 3})
    found = sources.material(run, tmp_path / "data", tmp_path / "cache", graph)
    again = sources.material(run, tmp_path / "data", tmp_path / "cache", graph)
    assert found.digest == again.digest
    assert [p.tobytes() for p in found.train.pictures] == [p.tobytes() for p in again.train.pictures]
    assert set(found.train.people.tolist()) == {"made/0", "made/1", "grace_hopper", "astronaut"}
    assert len(found.train.pictures) == 2 * 5 * 2 + 2 * 3
    assert {p.ndim for p in found.train.pictures} == {2, 3}
    with pytest.raises(FileNotFoundError, match="london"):
        sources.material(make_run({"made": 2, "photographs": 1}), tmp_path / "data", tmp_path / "cache", graph)


def test_the_teacher_is_of_one_mind_about_a_portrait_and_its_mirror_image(faces: Faces) -> None:
    """The landmarks of a portrait are those of its mirror image turned back, to a fortieth of the eye distance."""
    teacher = Teacher.of(open_graph(load_manifest().entry("detector")))
    for picture, marks in zip(faces.pictures, faces.marks, strict=True):
        turned = np.ascontiguousarray(picture[:, ::-1, ::-1])
        seen = teacher.detector.find(turned, Stream.RGB)[0]
        other = teacher.truth(turned, seen)
        assert other is not None
        back = (np.array([picture.shape[1] - 1, 0]) - other * (1, -1))[list(MIRRORED)]
        assert np.abs(back - marks).max() < unit_of(marks) / 40


def test_the_unit_of_a_frontal_face_is_its_eye_distance() -> None:
    """The recogniser's own five points, and the same halved, have their eye distance as unit; a narrower head keeps more of it than its eyes do."""
    eyes = float(np.hypot(*(TARGET[1] - TARGET[0])))
    assert unit_of(TARGET.astype(np.float32)) == pytest.approx(eyes, rel=1e-5)
    assert unit_of((TARGET / 2).astype(np.float32)) == pytest.approx(eyes / 2, rel=1e-5)
    assert unit_of((TARGET * (0.5, 1)).astype(np.float32)) > 0.6 * eyes


def test_a_crop_holds_the_face_where_it_says(faces: Faces) -> None:
    """Crops are in 0..255, their landmarks lie about the template, and on average a picture of the eyes is darker than one of the cheeks below."""
    rng = np.random.default_rng(0)
    below = []
    for k in range(60):
        crop, marks = draw(faces.pictures[k % 2], faces.marks[k % 2], rng)
        assert crop.shape == (3, SIDE, SIDE)
        assert 0 <= crop.min() <= crop.max() <= 255
        assert np.abs(marks - TEMPLATE).mean() < 0.3 * EYES
        (x0, y0), (x1, y1) = np.clip(marks[:2].round().astype(int), 8, SIDE - 20)
        rows = [crop[:, y + dy - 1 : y + dy + 2, x - 1 : x + 2].mean() for x, y in ((x0, y0), (x1, y1)) for dy in (0, 10)]
        below.append(rows[1] + rows[3] - rows[0] - rows[2])
    assert np.mean(below) > 5


def test_crops_come_in_the_mirror_with_their_landmarks(faces: Faces) -> None:
    """The same number gives the same crop again, and turned its mirror image with left and right exchanged."""
    crops = Crops(faces, 3, 4)
    numbers = np.array([2, 2])
    shown, there = crops.batch(numbers, np.array([False, True]))
    assert torch.equal(shown[0], shown[1].flip(2))
    assert torch.allclose(there[1][list(MIRRORED)] * torch.tensor([-1.0, 1.0]) + torch.tensor([SIDE - 1.0, 0.0]), there[0], atol=1e-4)
    again = Crops(faces, 3, 4).batch(np.array([1, 2]), np.array([False, False]))
    assert torch.equal(again[0][1], shown[0])


def test_every_crop_comes_once_before_any_comes_again() -> None:
    """The steps of one turn hold every number exactly once, also where a step reaches into the next turn."""
    run = make_run({"crops": 10, "batch": 4, "steps": 5})
    taken = np.concatenate([numbers_of(run, step)[0] for step in range(5)])
    assert sorted(taken[:10].tolist()) == sorted(taken[10:].tolist()) == list(range(10))
    assert taken[:10].tolist() != taken[10:].tolist()


def test_a_killed_run_goes_on_as_if_nothing_had_been(yunet: bytes, found: Material, tmp_path: Path) -> None:
    """Stopped after two steps and started again, a run ends with the same weights to the bit; another run's folder is refused."""
    run = make_run({"crops": 8, "batch": 4, "steps": 4, "watch_every": 4, "keep_every": 1})
    whole = train(run, yunet, found, tmp_path / "whole")
    train(run, yunet, found, tmp_path / "parts", stop_after=2)
    parts = train(run, yunet, found, tmp_path / "parts")
    for p, q in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(p, q)
    with pytest.raises(ValueError, match="another run"):
        train(make_run({"crops": 8, "batch": 4, "steps": 5}), yunet, found, tmp_path / "parts")
    kept = trained(tmp_path / "whole")
    graph, difference = export(kept, watch(found.photographs)[0][:8])
    told = figures(run, kept, found, graph, difference, open_graph(load_manifest().entry("detector")))
    assert told["people"] == 2
    assert "photographs of London and Canada: none" in card(told)


def test_training_brings_the_landmarks_nearer(yunet: bytes, found: Material, tmp_path: Path) -> None:
    """Thirty steps on two faces at least halve the error that YuNet's weights begin with."""
    run = make_run({"crops": 64, "batch": 16, "steps": 30, "watch_every": 30})
    train(run, yunet, found, tmp_path)
    rows = np.genfromtxt(tmp_path / "metrics.csv", delimiter=",", names=True)
    assert rows["watch_frontal"][-1] < 0.5 * rows["watch_frontal"][0]


def test_the_graph_is_the_network(found: Material) -> None:
    """A network of random weights and its graph agree, the graph's weights make the same graph again, and a changed weight is noticed."""
    torch.manual_seed(1)
    model = Landmarks().eval()
    crops = watch(found.photographs)[0][:4]
    graph, difference = export(model, crops)
    assert difference < 1e-3
    assert build_landmarks(read_weights(graph)) == graph
    with pytest.raises(FileNotFoundError, match="no finished run"):
        trained(Path("/nowhere"))


def test_the_shipped_graph_is_a_network_that_torch_runs_alike(found: Material) -> None:
    """The committed graph's weights in PyTorch give the landmarks that ONNX Runtime gives, to a thousandth of a pixel."""
    model = Landmarks.of(read_weights(load_manifest().entry("landmarks").read())).eval()
    assert export(model, watch(found.photographs)[0][:8])[1] < 1e-3
