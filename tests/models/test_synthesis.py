"""Simulated heads: the drawing of triangles, the fit to landmarks, light, cameras, depth, and that a seed decides all of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.training.synthesis.crops import nir_crop, plain_crop, shape_of
from models.training.synthesis.fitting import fit
from models.training.synthesis.frames import Camera, capture
from models.training.synthesis.made import make_person
from models.training.synthesis.mesh import MODEL, Mesh, normals, read_mesh
from models.training.synthesis.people import IRIS, LIPS, SCLERA, photographed
from models.training.synthesis.pool import Recipe, open_pool
from models.training.synthesis.raster import draw
from models.training.synthesis.sheet import write_sheet
from models.training.synthesis.view import SIDE, View, look, rotation
from tests.models.egg import write_egg


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with the stand-in of the head model."""
    return write_egg(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def mesh(data: Path) -> Mesh:
    """Return the stand-in."""
    return read_mesh(data / MODEL)


@pytest.fixture(scope="module")
def view(mesh: Mesh) -> View:
    """Return a frontal look at a made-up person."""
    return look(mesh, make_person(mesh, 0), np.random.default_rng(4), frontal=True)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_a_drawn_triangle_covers_what_a_reference_covers(seed: int) -> None:
    """A pixel is drawn exactly when its middle lies in the triangle, and the weights give it back."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-5, 25, (3, 2))
    a, b, c = points
    if (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0:
        points = points[::-1]
    drawn = draw(points, np.ones(3), np.array([[0, 1, 2]], np.int32), (20, 20))
    ys, xs = np.mgrid[0:20, 0:20]
    inside = np.array(
        [cv2.pointPolygonTest(points.astype(np.float32), (float(x), float(y)), True) for x, y in zip(xs.ravel(), ys.ravel(), strict=True)]
    )
    sure = np.abs(inside) > 1e-3
    assert np.array_equal(drawn.inside.ravel()[sure], (inside > 0)[sure])
    back = drawn.spread(points, np.array([[0, 1, 2]], np.int32))
    assert np.allclose(back[drawn.inside], np.stack([xs, ys], 2)[drawn.inside], atol=1e-3)


def test_the_nearest_triangle_is_seen_and_a_turned_one_is_not() -> None:
    """Of two triangles at one place the nearer wins, whatever their order; one that shows its back is not drawn."""
    points = np.array([[0, 0], [0, 10], [10, 0]] * 2, float)
    distance = np.array([5, 5, 5, 3, 3, 3.0])
    for order in ((0, 1), (1, 0)):
        drawn = draw(points, distance, np.array([[0, 1, 2], [3, 4, 5]], np.int32)[list(order)], (11, 11))
        assert set(drawn.z[drawn.inside].tolist()) == {3.0}
    assert not draw(points, distance, np.array([[0, 2, 1]], np.int32), (11, 11)).inside.any()


def test_a_turned_head_hides_its_far_side(mesh: Mesh) -> None:
    """At 60 degrees the far eye's triangles are covered by the nose or the brow more than at 0."""

    def seen(yaw: float) -> int:
        moved = mesh.neutral @ rotation(yaw, 0, 0).T
        z = 60 - moved[:, 2]
        drawn = draw(np.stack([96 + 400 * moved[:, 0] / z, 96 - 400 * moved[:, 1] / z], 1), z, mesh.triangles, (192, 192))
        return int(mesh.parts("ScleraLeft", "IrisLeft")[np.maximum(drawn.triangle, 0)][drawn.inside].sum())

    assert seen(0) > 20
    assert min(seen(60), seen(-60)) < 0.5 * seen(0)


def test_the_fit_finds_the_head_it_was_shown(mesh: Mesh) -> None:
    """Landmarks projected from a bent, turned and scaled head are met within a pixel and its pose is found again."""
    rng = np.random.default_rng(0)
    truth = mesh.shaped(rng.normal(0, 0.7, len(mesh.identity)))
    corners = mesh.landmarks[17:68]
    shown = (truth @ rotation(4, -3, 2).T)[corners, :2] * 20 * (1, -1) + (300, 280)
    found = fit(mesh, corners, shown, np.ones(len(corners)))
    assert np.abs(found.places[corners] - shown).max() < 1
    assert found.error < 0.3
    with pytest.raises(ValueError, match="at least 6"):
        fit(mesh, corners[:5], shown[:5], np.ones(5))


def test_a_seed_decides_a_frame_set(mesh: Mesh, view: View) -> None:
    """The same seed gives the same person, look and frames; another one other frames."""
    again = look(mesh, make_person(mesh, 0), np.random.default_rng(4), frontal=True)
    assert np.array_equal(view.albedo, again.albedo)
    one, two, other = (capture(view, np.random.default_rng(s)) for s in (1, 1, 2))
    for name in ("colour", "nir", "nir_ambient", "depth"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert one.nir.shape != other.nir.shape or not np.array_equal(one.nir, other.nir)


@pytest.mark.parametrize("head", [50.0, 90.0, 200.0])
def test_frames_are_as_large_as_the_head_asks(view: View, head: float) -> None:
    """A head of 50 pixels gives small frames, one of 200 large ones; all streams of a set have one size and points inside."""
    frames = capture(view, np.random.default_rng(3), head)
    size = round(SIDE * head / 120)
    assert frames.nir.shape == frames.nir_ambient.shape == frames.depth.shape == (size, size)
    assert frames.colour.shape == (size, size, 3)
    assert ((frames.points > 0) & (frames.points < size)).all()


def test_the_lamp_is_what_the_pair_of_pictures_differs_by(view: View) -> None:
    """Over many seeds the face is never darker with the lamp on than with it off, but for noise and motion."""
    gains = []
    for seed in range(12):
        frames = capture(view, np.random.default_rng(seed), 100)
        x, y = frames.points.mean(0).astype(int)
        gains.append(
            float(frames.nir[y - 9 : y + 10, x - 9 : x + 10].mean()) - float(frames.nir_ambient[y - 9 : y + 10, x - 9 : x + 10].mean())
        )
    assert min(gains) > -3
    assert np.median(gains) > 20


def test_nearer_skin_is_brighter_under_the_lamp(view: View) -> None:
    """The nose is not darker than the wall behind the head: light falls off with the square of the distance."""
    ratios = []
    for seed in range(8):
        frames = capture(view, np.random.default_rng(seed), 120)
        x, y = frames.points[2].astype(int)
        ratios.append(float(frames.nir[y - 3 : y + 4, x - 3 : x + 4].mean()) / (float(frames.nir[2:12, 2:12].mean()) + 1))
    assert np.median(ratios) > 1.5


def test_depth_is_the_head_with_noise_and_holes(view: View) -> None:
    """Measured depth lies about the true one, has gaps on the head and nothing beside it."""
    errors, gaps = [], []
    for seed in range(10):
        frames = capture(view, np.random.default_rng(seed), 120)
        truth = view.depth / 10
        both = (frames.depth > 0) & (truth > 0)
        errors.append(float(np.median(np.abs(frames.depth - truth)[both])))
        gaps.append(float((frames.depth[truth > 0] == 0).mean()))
        assert not frames.depth[truth == 0].any()
    assert 0.1 < np.median(errors) < 6
    assert 0.001 < np.median(gaps) < 0.6


def test_the_shape_of_a_slope_is_that_slope() -> None:
    """A plane that comes nearer to the right has a positive slope there, none downward, and is known everywhere."""
    depth = np.broadcast_to(600 - np.arange(112) // 2, (112, 112)).astype(np.uint16)
    shape = shape_of(depth)
    middle = shape[:, 30:80, 30:80].mean((1, 2))
    assert middle[1] == pytest.approx(0.25, abs=0.05)
    assert middle[2] == pytest.approx(0, abs=0.02)
    assert middle[3] == 1
    assert not shape_of(np.zeros((112, 112), np.uint16)).any()


def test_crops_of_one_view_lie_on_each_other(view: View) -> None:
    """The goal shows the same pixels as the NIR crop: the edges of the head coincide."""
    rng = np.random.default_rng(1)
    crop, shape, to, scale = nir_crop(view, capture(view, rng, 120), rng)
    goal = plain_crop(view, to, scale, rng)
    assert crop.shape == (112, 112)
    assert goal.shape == (112, 112, 3)
    head = np.ptp(goal.reshape(-1, 3), axis=1).reshape(112, 112) > 8
    assert (head & (shape[3] > 0)).sum() > 0.8 * (shape[3] > 0).sum()


def test_a_camera_never_leaves_eight_bits() -> None:
    """Light from nothing to a thousand times white is clipped, not wrapped."""
    rng = np.random.default_rng(0)
    scene = np.array([[0, 0.5], [1, 1000]], np.float32)
    seen = Camera(1.0, 1000, 0.01, 0.0, 0.0, 1.0).see(scene, rng)
    assert seen[1, 1] == 255
    assert seen[0, 0] < 10


def test_a_made_person_has_all_parts(mesh: Mesh) -> None:
    """Made-up people differ, and each has eyes and lips to light."""
    one, two = make_person(mesh, 1), make_person(mesh, 2)
    assert {IRIS, SCLERA, LIPS} <= set(np.unique(one.labels).tolist())
    assert np.abs(one.vertices - two.vertices).max() > 0.3
    assert np.array_equal(one.texture, make_person(mesh, 1).texture)
    assert not np.array_equal(one.texture, make_person(mesh, 1, seed=1).texture)
    assert np.allclose(np.linalg.norm(normals(one.vertices, mesh.triangles)[:100], axis=1), 1)


def test_a_pool_is_rendered_once_and_named_by_what_made_it(data: Path, tmp_path: Path) -> None:
    """A second call reads what the first one wrote; another recipe has another name; nobody to render is an error."""
    first = open_pool(Recipe((), 2, 2), data, tmp_path, None, "x")
    stamp = (tmp_path / f"views-{first.digest}" / "albedo.npy").stat().st_mtime_ns
    again = open_pool(Recipe((), 2, 2), data, tmp_path, None, "x")
    assert (tmp_path / f"views-{again.digest}" / "albedo.npy").stat().st_mtime_ns == stamp
    assert again.names == ("made/0", "made/1")
    assert again.people.tolist() == [0, 0, 1, 1]
    assert open_pool(Recipe((), 2, 2), data, tmp_path, None, "y").digest != first.digest
    with pytest.raises(ValueError, match="nobody to render"):
        open_pool(Recipe(), data, tmp_path, None, "x")


@pytest.mark.parametrize("name", ["lfw", "rap3df-2017", "nuaa-dev", "print-screen"])
def test_an_evaluation_set_cannot_be_rendered(data: Path, mesh: Mesh, name: str) -> None:
    """Naming any set but the permitted ones is an error."""
    with pytest.raises(ValueError, match="may not be trained on"):
        next(photographed(data, mesh, (name,)))


def test_a_contact_sheet_stays_outside_the_repository(data: Path, tmp_path: Path) -> None:
    """The sheet is written where it is asked for, and refused inside the repository."""
    assert write_sheet(tmp_path / "sheet.png", Recipe((), 2), data, 2, 0) == 2
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (24 + 2 * 160, 7 * 160, 3)
    with pytest.raises(ValueError, match="stay outside"):
        write_sheet(Path(__file__).parent / "sheet.png", Recipe((), 2), data, 2, 0)
