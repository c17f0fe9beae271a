"""Closer look: how faces are cut out for the recogniser, and what becomes of templates that were cut out in another way."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import vultus
from vultus import pictures
from vultus import pipeline as pipeline_module
from vultus.calibration import load
from vultus.devices import open_device
from vultus.devices.simulator.portraits import Portrait, carried_portrait
from vultus.errors import StoreOutdated
from vultus.graphs import open_graph
from vultus.manifest import load_manifest
from vultus.pipeline import Pipeline
from vultus.stages.detect import Detector, same_place
from vultus.store import TemplateStore
from vultus.templates import Template
from vultus.types import F32, U8, Extrinsics, Face, FrameSet, Modality, Source, Stream

PORTRAITS = ("grace_hopper", "astronaut")
EYES = 30.0
"""Pixels between the eyes: the heads of rap3df-2017."""


@pytest.fixture(scope="module")
def detector() -> Detector:
    """Open the shipped detector."""
    manifest = load_manifest()
    return Detector(open_graph(manifest.entry("detector")), open_graph(manifest.entry("detector_near")))


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """Open the shipped pipeline."""
    manifest = load_manifest()
    return Pipeline(manifest, load(manifest.root / "calibration").limits)


def shrunk(shown: Portrait, left: float, top: float) -> tuple[U8, np.ndarray]:
    """Return a portrait as a small sensor sees it, moved by a part of a pixel, and the matrix that takes its landmarks there."""
    scale = EYES / float(np.hypot(*(shown.landmarks[1] - shown.landmarks[0])))
    height, width = (round(n * scale) for n in shown.image.shape[:2])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    soft = pictures.blur(shown.image, 0.35 / scale)
    return pictures.sample(soft, (x - left) / scale, (y - top) / scale), np.array([[scale, 0, left], [0, scale, top]])


def spread(found: list[np.ndarray]) -> float:
    """Return how far landmarks of one face lie from their own mean, root of the mean square in pixels of the portrait."""
    marks = np.stack(found)
    return float(np.sqrt(((marks - marks.mean(0)) ** 2).sum(2).mean()))


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_closer_look_places_the_landmarks_more_evenly(detector: Detector, name: str) -> None:
    """Moved by parts of a pixel and more, a small face keeps its landmarks to at least a third better than at the first look."""
    shown = carried_portrait(name)
    first, closer = [], []
    for left, top in ((0.0, 0.0), (0.3, 3.4), (2.5, 0.7), (5.25, 6.5), (7.8, 1.2), (3.6, 9.3)):
        image, matrix = shrunk(shown, left, top)
        face = detector.find(image, Stream.RGB)[0]
        for marks, out in ((face.landmarks, first), (detector.closer(image, face).landmarks, closer)):
            out.append((marks - matrix[:, 2]) / matrix[0, 0])
    assert spread(closer) < spread(first) / 1.5, (spread(first), spread(closer))


@pytest.mark.parametrize("name", PORTRAITS)
def test_the_mirror_image_has_the_mirrored_landmarks(detector: Detector, name: str) -> None:
    """A closer look at a mirrored picture finds the mirror image of the landmarks, to a fifteenth of a pixel."""
    image, _ = shrunk(carried_portrait(name), 1.0, 1.0)
    face = detector.find(image, Stream.RGB)[0]
    mirrored = np.ascontiguousarray(image[:, ::-1])
    there = np.array([image.shape[1] - 1, 0.0]) - face.landmarks * (1, -1)
    other = dataclasses.replace(face, landmarks=np.ascontiguousarray(there[[1, 0, 2, 4, 3]], np.float32))
    expected = np.array([image.shape[1] - 1, 0.0]) - detector.closer(image, face).landmarks * (1, -1)
    assert np.abs(detector.closer(mirrored, other).landmarks - expected[[1, 0, 2, 4, 3]]).max() < 1 / 15


def test_a_face_that_is_not_found_again_stays_as_it_was(detector: Detector) -> None:
    """Where neither look finds a face, or finds one elsewhere, the first landmarks are kept."""
    marks = np.array([[50, 60], [80, 60], [65, 80], [54, 95], [76, 95]], np.float32)
    face = Face(Stream.RGB, (40.0, 40.0, 50.0, 70.0), marks, 0.8)
    assert detector.closer(np.full((160, 160, 3), 90, np.uint8), face) is face
    image, _ = shrunk(carried_portrait("astronaut"), 0.0, 0.0)
    found = detector.find(image, Stream.RGB)[0]
    beside = dataclasses.replace(found, landmarks=found.landmarks + np.float32([0.6 * np.ptp(found.landmarks, axis=0).max(), 0.0]))
    assert not same_place(beside.landmarks, found.landmarks)
    assert detector.closer(image, beside) is beside


def shot(url: str) -> FrameSet:
    """Return one simulated frame set."""
    with open_device(url) as camera:
        taken = camera.read()
    assert taken is not None
    return taken


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> dict[Modality, F32]:
    """Return where the faces of the last frame set were cut out, filled while the pipeline runs."""
    found: dict[Modality, F32] = {}

    def watch(name: str, modality: Modality) -> None:
        plain = getattr(pipeline_module, name)

        def watched(picture: object, landmarks: F32, *rest: object, **named: object) -> object:
            found[modality] = landmarks
            return plain(picture, landmarks, *rest, **named)

        monkeypatch.setattr(pipeline_module, name, watched)

    watch("align_rgb", Modality.RGB)
    watch("align_nir", Modality.NIR)
    return found


def test_nir_is_cut_out_where_a_registered_colour_picture_has_the_face(pipeline: Pipeline, cuts: dict[Modality, F32]) -> None:
    """A NIR face that a registered colour picture shows is cut out at the colour landmarks."""
    pipeline.process(shot("simulator:astronaut?seed=3"))
    assert (cuts[Modality.NIR] == cuts[Modality.RGB]).all()


@pytest.mark.parametrize("how", ["alone", "aside", "not registered"])
def test_nir_is_cut_out_by_itself_otherwise(pipeline: Pipeline, cuts: dict[Modality, F32], how: str) -> None:
    """Without colour, with a colour face elsewhere or a camera that is not registered, NIR is cut out at a closer look of its own."""
    taken = shot("simulator:astronaut?seed=3")
    assert taken.nir is not None
    assert taken.rgb is not None
    rgb, nir = taken.rgb, taken.nir
    aside = dataclasses.replace(rgb, data=np.roll(rgb.data, rgb.width // 4, axis=1))
    apart = dataclasses.replace(nir, extrinsics=Extrinsics((1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0), (0.0, 0.0, 0.0)))
    changed = {"alone": {"rgb": None}, "aside": {"rgb": aside}, "not registered": {"nir": apart, "nir_ambient": None}}[how]
    probe = pipeline.process(dataclasses.replace(taken, **changed))
    own, first = cuts[Modality.NIR], probe.found[Stream.NIR].landmarks
    assert same_place(own, first)
    assert np.abs(own - first).max() > 0.01
    if how != "alone":
        assert np.abs(own - cuts[Modality.RGB]).max() > 0.01


def test_a_template_of_another_cut_is_refused(tmp_path: Path) -> None:
    """A template whose embeddings carry the bare hash of the graph, as before faces were cut out anew, asks for a new enrolment."""
    entry = load_manifest().entry("recogniser")
    assert entry.form != entry.sha256
    policy = vultus.Policy(sources=frozenset({Source.SIMULATED}))
    with TemplateStore.open(tmp_path / "old.db") as store, vultus.Authenticator(policy=policy, store=store) as auth:
        found = auth.observe(shot("simulator:astronaut?seed=1")).embeddings
        old = tuple(dataclasses.replace(e, graph=entry.sha256) for e in found.values())
        store.add(Template("ada", old, 1))
        with pytest.raises(StoreOutdated, match="enrol ada again"):
            auth.verify(shot("simulator:astronaut?seed=2"), user="ada")
