"""The ReLU student: its views, that it begins as its teacher and ends without a slope."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("skimage")

from models.recipes.build import MODELS  # noqa: E402
from models.recipes.layers import Layer, Network  # noqa: E402
from models.training.student.distil import Student, distil, without_training  # noqa: E402
from models.training.student.views import Views  # noqa: E402

from vultus.graphs import open_graph  # noqa: E402
from vultus.manifest import load_manifest  # noqa: E402


def network() -> Network:
    """Return a small network of the recogniser's form: 27 layers of which all but one keep the size."""
    rng = np.random.default_rng(3)
    layers = []
    for i in range(27):
        rows = 4 if i else 3
        weight = rng.normal(0, 0.6 / rows, (4, rows, 1, 1)) + (np.eye(4, rows)[:, :, None, None] if i else 0)
        layers.append(Layer(f"l{i}", weight, np.zeros(4), rng.uniform(0, 0.6, 4), np.zeros(4), np.ones(4), 1, 16 if i == 0 else 1, 0))
    return Network(tuple(layers), rng.normal(0, 0.1, (8, 4, 7, 7)), np.zeros(8))


@pytest.fixture(scope="module")
def views() -> Views:
    return Views(open_graph(load_manifest(MODELS).entry("detector")), 5)


def test_views_are_crops_and_the_seed_gives_them_again(views: Views) -> None:
    """A batch holds finite crops in the recogniser's range that differ from each other; the same seed draws the same ones."""
    first = views.batch(6)
    assert first.shape == (6, 3, 112, 112)
    assert np.isfinite(first).all()
    assert np.abs(first).max() <= 1.0
    assert len({crop.tobytes() for crop in first}) == 6
    again = Views(open_graph(load_manifest(MODELS).entry("detector")), 5)
    np.testing.assert_array_equal(again.batch(6), first)


def test_a_student_ends_without_slopes_and_nearer_to_its_teacher_than_untrained(views: Views) -> None:
    """After training no negative value passes an activation, and the embeddings follow the teacher better than slopes merely cut off."""
    teacher, seen = Student(network()).eval(), []
    student = distil(network(), views, 60, 8, 3e-3, lambda step, cosine, keep: seen.append((step, keep)))
    assert seen[0] == (1, 1.0)
    assert seen[-1] == (60, 0.0)
    crops = torch.from_numpy(views.batch(16))
    with torch.no_grad():
        *features, vectors = student.features(crops)
        assert all(float(f.min()) >= 0 for f in features)
        wanted = teacher(crops)
        assert (vectors * wanted).sum(1).mean() > (without_training(network())(crops) * wanted).sum(1).mean()
