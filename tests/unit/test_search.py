"""Search: the small input finds what the large one finds, and leaves to it what it cannot see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus import pictures
from vultus.devices import open_device
from vultus.devices.simulator.portraits import carried_portrait
from vultus.exposure import grey_gain
from vultus.geometry import same_place
from vultus.graphs import Graph, open_graph
from vultus.manifest import load_manifest
from vultus.stages.detect import Detector, _decode, rivals
from vultus.types import U8, Stream

WIDTH, HEIGHT = 640, 480


class Counted(Graph):
    """A graph that counts its runs."""

    __slots__ = ("runs",)

    def run(self) -> tuple[np.ndarray, ...]:
        """Count and run."""
        self.runs = getattr(self, "runs", 0) + 1
        return super().run()


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Detector:
    """Open the shipped detector with graphs that count their runs."""
    monkeypatch.setattr("vultus.graphs.Graph", Counted)
    manifest = load_manifest()
    return Detector(open_graph(manifest.entry("detector")), open_graph(manifest.entry("detector_near")))


def runs(detector: Detector) -> tuple[int, int]:
    """Return how often the large and the small graph ran."""
    return tuple(getattr(graph, "runs", 0) for graph in (detector._full, detector._near))


def scene(*placed: tuple[str, float, float]) -> U8:
    """Return a grey room with portraits in it: name, pixels between the eyes, where their middle is across."""
    image = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
    for name, eyes, across in placed:
        shown = carried_portrait(name)
        scale = eyes / float(np.hypot(*(shown.landmarks[1] - shown.landmarks[0])))
        middle = shown.landmarks.mean(0)
        left, right = max(0, round(across - 1.8 * eyes)), min(WIDTH, round(across + 1.8 * eyes))
        top, bottom = max(0, round(HEIGHT / 2 - 2 * eyes)), min(HEIGHT, round(HEIGHT / 2 + 2 * eyes))
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        soft = pictures.blur(shown.image, 0.35 / scale)
        image[top:bottom, left:right] = pictures.sample(soft, (x - across) / scale + middle[0], (y - HEIGHT / 2) / scale + middle[1])
    return image


@pytest.mark.parametrize("eyes", [48.0, 70.0, 100.0])
def test_a_large_face_is_found_without_the_large_input(detector: Detector, eyes: float) -> None:
    """A face as near as at a sign-in is found where the large input finds it, by one run of the small one."""
    image = scene(("astronaut", eyes, 300.0))
    found = detector.search(image, Stream.RGB)
    assert runs(detector) == (0, 1)
    assert len(found) == 1
    exact = detector.find(image, Stream.RGB)[0]
    assert same_place(found[0].landmarks, exact.landmarks)
    assert np.abs(found[0].landmarks - exact.landmarks).max() < eyes / 4


def test_a_small_face_is_left_to_the_large_input(detector: Detector) -> None:
    """A face across the room is found as `find` finds it, to the byte."""
    image = scene(("astronaut", 24.0, 300.0))
    found = detector.search(image, Stream.RGB)
    assert runs(detector)[0] == 1
    assert [f.landmarks.tobytes() for f in found] == [f.landmarks.tobytes() for f in detector.find(image, Stream.RGB)]


def test_a_second_face_is_counted(detector: Detector) -> None:
    """Two faces of which one is a little smaller are two rivals, as in the large input."""
    image = scene(("astronaut", 60.0, 170.0), ("grace_hopper", 45.0, 470.0))
    found = detector.search(image, Stream.RGB)
    assert runs(detector)[0] == 0
    assert rivals(found) == rivals(detector.find(image, Stream.RGB)) == 2


@pytest.mark.parametrize("image", [np.full((HEIGHT, WIDTH, 3), 90, np.uint8), np.zeros((HEIGHT, WIDTH), np.uint16)], ids=["wall", "dark"])
def test_an_empty_picture_has_no_face(detector: Detector, image: U8) -> None:
    """Neither a wall in colour nor a black NIR picture has one, and the large input was asked."""
    assert detector.search(image, Stream.NIR if image.ndim == 2 else Stream.RGB) == []


@given(st.integers(0, 2**32 - 1))
def test_of_overlapping_candidates_the_best_stays(seed: int) -> None:
    """No two faces overlap by more than 0.3, each dropped candidate overlaps a better one that stays, and none below the limit counts."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 60))
    score = rng.uniform(0, 1.1, (n, 1)).astype(np.float32)
    box = np.concatenate([rng.uniform(0, 60, (n, 2)), rng.uniform(5, 40, (n, 2))], axis=1).astype(np.float32)
    box[rng.random(n) < 0.05] = np.nan
    points = rng.uniform(0, 100, (n, 10)).astype(np.float32)
    faces = _decode(score, box, points, 2.0, (3.0, 5.0), Stream.RGB, 0.6)
    assert [f.score for f in faces] == sorted((f.score for f in faces), reverse=True)
    places = [((f.box[0] - 3) / 2, (f.box[1] - 5) / 2, f.box[2] / 2, f.box[3] / 2) for f in faces]
    assert all(overlap(a, b) <= 0.3 + 1e-6 for i, a in enumerate(places) for b in places[:i])
    for i in np.flatnonzero((score[:, 0] > 0.6) & np.isfinite(box).all(1)):
        mine = next((f for f, p in zip(faces, places, strict=True) if np.allclose(p, box[i], atol=1e-4)), None)
        if mine is None:
            assert any(overlap(p, box[i]) > 0.3 - 1e-6 and f.score >= min(score[i, 0], 1.0) for f, p in zip(faces, places, strict=True))
        else:
            assert np.allclose(mine.landmarks, points[i].reshape(5, 2) * 2 + (3, 5), atol=1e-4)


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the intersection over union by counting: the part of each side that both share."""
    sides = [max(0.0, min(a[k] + a[k + 2], b[k] + b[k + 2]) - max(a[k], b[k])) for k in (0, 1)]
    both = sides[0] * sides[1]
    return float(both / (a[2] * a[3] + b[2] * b[3] - both))


def test_the_level_of_a_picture_is_that_of_every_fourth_row() -> None:
    """The gain of a NIR picture from a part of its rows is that of all of them, to a hundredth; a small picture is looked at whole."""
    with open_device("simulator:astronaut?seed=1") as camera:
        taken = camera.read()
    assert taken is not None
    assert taken.nir is not None
    image = taken.nir.data
    light = image.astype(np.float64)
    assert grey_gain(image) == pytest.approx(72.0 * light.sum() / (light**2).sum(), rel=0.01)
    small = image[100:250, 200:320]
    light = small.astype(np.float64)
    assert grey_gain(small) == pytest.approx(72.0 * light.sum() / (light**2).sum(), rel=1e-6)
    assert grey_gain(np.zeros_like(image)) is None
