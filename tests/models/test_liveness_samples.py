"""What the liveness networks are trained on: the simulated camera, recapture and heads, what may be read, and a run's file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.recipes.crops import data_folder
from models.training.liveness import heads, sources
from models.training.liveness.batches import Batches
from models.training.liveness.camera import Camera
from models.training.liveness.config import Run, make_run, read_run
from models.training.liveness.recapture import PRINT, SCREEN, Scene, recaptured
from models.training.liveness.samples import LIVE, MESH, Maker, Samples
from models.training.liveness.triplets import triplet
from models.training.normaliser.face_shape import mean_face

RUNS = Path(__file__).parents[2] / "models" / "training" / "liveness" / "runs"
POINTS = np.array([[142, 150], [242, 150], [192, 210], [155, 265], [229, 265]], np.float32)


def face() -> np.ndarray:
    """Return smooth linear light with dark eyes and fine detail, (384, 384, 3)."""
    rng = np.random.default_rng(0)
    light = np.full((384, 384, 3), (0.5, 0.33, 0.25), np.float32)
    light *= np.exp(0.3 * cv2.GaussianBlur(rng.standard_normal(light.shape, np.float32), (0, 0), 1.0))
    for x, y in POINTS[:2].astype(int):
        cv2.circle(light, (int(x), int(y)), 12, (0.03, 0.03, 0.03), -1)
    return light


def mesh() -> heads.Model:
    """Return half an ellipsoid with a nose, big enough for a face, whose 68 landmarks lie where a face has them."""
    u, v = (a.ravel() for a in np.meshgrid(np.linspace(-1, 1, 61), np.linspace(-1, 1, 61)))
    x, y = 80 * u, 110 * v
    z = 90 * np.sqrt(np.clip(1.05 - u**2 * 0.8 - v**2 * 0.2, 0, None)) + 25 * np.exp(-((x / 9) ** 2) - (y / 16) ** 2)
    points = np.stack([x, y, z], 1).astype(np.float32)
    n = np.arange(60 * 61).reshape(60, 61)[:, :-1].ravel()
    triangles = np.concatenate([np.stack([n, n + 1, n + 61], 1), np.stack([n + 1, n + 62, n + 61], 1)])
    at = dict.fromkeys(range(68), (0.0, 15.0))
    at |= (
        dict.fromkeys(range(36, 42), (-31.0, 37.0))
        | dict.fromkeys(range(42, 48), (31.0, 37.0))
        | {27: (0, 37), 30: (0, 0), 48: (-25, -32), 54: (25, -32)}
    )
    marks = np.array([int(np.argmin((x - a) ** 2 + (y - b) ** 2)) for a, b in at.values()])
    none = np.zeros((1, len(points), 3), np.float32)
    return heads.Model(points, none, none, triangles, marks, ("none",))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_camera_draws_alike_for_one_seed_and_keeps_the_size_it_states(seed: int) -> None:
    """The same draw sees the same picture, and the eyes lie as far apart in it as the draw says, to a pixel's rounding."""
    pictures = []
    for _ in range(2):
        rng = np.random.default_rng(seed)
        camera = Camera.draw(rng)
        pictures.append(camera.see(face(), 100.0, rng))
    assert np.array_equal(*pictures)
    assert pictures[0].shape[1] == pytest.approx(384 * camera.eyes_px / 100, abs=1)


def test_what_is_recaptured_keeps_the_face_and_loses_contrast() -> None:
    """A print or a screen shows the eyes where its points say, darker than what is around them but less so than in the scene."""
    scene = Scene(face(), POINTS)
    for species in (PRINT, SCREEN):
        ratios = []
        for seed in range(12):
            shown = recaptured(scene, species, np.random.default_rng(seed))
            assert shown.light.shape == scene.light.shape
            assert np.abs(shown.points - scene.points).max() < 60
            smooth = cv2.GaussianBlur(shown.light.mean(-1), (0, 0), 4)
            x, y = np.rint(shown.points[0]).astype(int)
            assert smooth[y, x] < np.median(smooth)
            ratios.append(np.median(smooth) / smooth[y, x])
        smooth = cv2.GaussianBlur(scene.light.mean(-1), (0, 0), 4)
        assert np.median(ratios) < np.median(smooth) / smooth[150, 142]


def test_another_species_of_recapture_is_refused() -> None:
    """A species that the simulation does not know raises KeyError."""
    with pytest.raises(KeyError):
        recaptured(Scene(face(), POINTS), "hologram", np.random.default_rng(0))


def test_live_and_attack_of_a_pair_share_camera_and_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colour samples come in pairs, live first, and neither half is smaller or differently framed."""
    monkeypatch.setattr("models.training.liveness.samples._PAIRS", 12)
    photographs = sources.Photographs((face() ** (1 / 2.2) * 255).astype(np.uint8)[None], POINTS[None], np.zeros(1, np.int64))
    normals = np.dstack([np.zeros((112, 112, 2)), np.ones((112, 112))]).astype(np.float32)
    made = Maker("colour", photographs, False, mesh(), normals).piece((3,))
    assert (made.species[::2] == LIVE).all()
    assert set(made.species[1::2]) == {PRINT, SCREEN}
    assert made.seen.shape[1:] == (128, 128, 3)
    assert (made.maps[::2] == 255).all()
    assert (made.maps[1::2] == 0).all()


def test_a_simulated_triplet_is_a_head_at_its_distance() -> None:
    """The nose stands before the cheeks, the landmarks lie on the face, and the depth at the face is that of an adult's eye distance."""
    model = mesh()
    for seed in range(6):
        shown, focal = triplet(model, face(), POINTS, np.random.default_rng(seed))
        assert shown.depth.dtype == np.uint16
        assert shown.nir.min() >= 0
        assert shown.rgb.shape[:2] == shown.depth.shape == shown.nir.shape
        assert 63 * focal / shown.distance_mm() == pytest.approx(shown.eye_distance, rel=0.35)


@pytest.mark.real_data
def test_the_mean_face_looks_at_the_camera_and_its_nose_is_nearest() -> None:
    """Normals are of unit length and face the camera at the forehead; the depth is least at the nose and grows to the ears."""
    path = data_folder() / MESH
    if not path.is_file():
        pytest.skip(f"needs {MESH} below {data_folder()}")
    normals, depth = mean_face(path)
    assert np.allclose(np.linalg.norm(normals, axis=2), 1, atol=1e-3)
    assert normals[40, 56, 2] > 0.9
    assert depth[60:76, 50:62].min() == depth.min()
    assert depth[60, 10] > depth[70, 56] + 3


def test_only_permitted_photographs_are_read(tmp_path: Path) -> None:
    """A set for evaluation is refused by name, and an empty choice is too."""
    with pytest.raises(ValueError, match="nuaa-dev may not be trained on"):
        sources.load(tmp_path, None, ("nuaa-dev",))
    with pytest.raises(ValueError, match="no photographs to train on"):
        sources.load(tmp_path, None, ())


def test_the_public_portraits_are_cut_out_with_level_eyes() -> None:
    """Both are read without any data set, and their eyes lie in one row at the stated distance."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("skimage")
    found = sources.load(Path("nowhere"), None, (sources.PUBLIC,))
    assert found.pictures.shape == (2, 384, 384, 3)
    across = found.points[:, 1] - found.points[:, 0]
    assert np.allclose(across, (sources.EYES_PX, 0), atol=0.01)
    assert all(len(part.people) == 2 for part in found.split())


def samples(kind: str) -> Samples:
    """Return a few samples of noise."""
    rng = np.random.default_rng(2)
    seen = (
        rng.integers(0, 255, (12, 128, 128, 3), np.uint8)
        if kind == "colour"
        else rng.normal(size=(12, 4, 64, 64)).clip(-2, 2).astype(np.float16)
    )
    species = np.array([LIVE, "a", "b"] * 4)
    return Samples(seen, species, np.where(species == LIVE, 255, 0).astype(np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2))


@pytest.mark.parametrize("kind", ["colour", "triplet"])
def test_a_batch_is_half_live_and_the_same_for_any_number_of_processes(kind: str) -> None:
    """Two processes' shares interleaved are one process's batch."""
    batches = Batches(samples(kind), Run(kind, batch=8))
    whole = batches.batch(5)
    assert whole.live.mean() == 0.5
    for rank in (0, 1):
        assert np.array_equal(batches.batch(5, rank, 2).seen, whole.seen[rank::2])
    assert np.abs(whole.seen).max() <= 4


def test_a_species_left_out_is_never_drawn() -> None:
    """Without species a, every attack is b; a species that does not exist is refused by name."""
    found = samples("triplet")
    marked = Samples(
        np.where(found.species == "a", 3, 0).astype(np.float16)[:, None, None, None].repeat(4, 1).repeat(64, 2).repeat(64, 3),
        *(found.species, found.maps),
    )
    for step in range(6):
        assert np.abs(Batches(marked, Run("triplet", batch=8, without=("a",))).batch(step).seen[:, 1]).max() < 1
    with pytest.raises(ValueError, match="without names hologram"):
        Batches(found, Run("triplet", without=("hologram",)))


@pytest.mark.parametrize("path", sorted(RUNS.glob("*.toml")), ids=lambda p: p.stem)
def test_every_committed_run_can_be_read(path: Path) -> None:
    """Each run's file names keys and sets that exist."""
    assert read_run(path).kind in {"colour", "triplet"}


@pytest.mark.parametrize(
    ("raw", "message"),
    [({}, "kind must be one of"), ({"kind": "colour", "step": 3}, "unknown key step"), ({"kind": "colour", "batch": "8"}, "batch is '8'"),
     ({"kind": "triplet", "steps": 0}, "steps is 0"), ({"kind": "triplet", "sets": [1]}, "sets lists names")],
)  # fmt: skip
def test_a_wrong_key_is_named(raw: dict[str, object], message: str) -> None:
    """The message names the key and what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        make_run(raw)
