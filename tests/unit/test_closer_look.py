"""Closer look: how faces are cut out for the recogniser, and what becomes of templates that were cut out in another way."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vultus
from vultus import pictures
from vultus import pipeline as pipeline_module
from vultus.calibration import load
from vultus.devices import open_device
from vultus.devices.simulator.portraits import Portrait, carried_portrait
from vultus.errors import ModelMismatch, ModelMissing, StoreOutdated
from vultus.geometry import same_place
from vultus.graphs import open_graph
from vultus.manifest import load_manifest
from vultus.pipeline import Pipeline
from vultus.stages.detect import Detector
from vultus.stages.landmarks import Landmarks
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
def network() -> Landmarks:
    """Open the shipped landmark network."""
    return Landmarks(open_graph(load_manifest().entry("landmarks")))


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
def test_a_closer_look_places_the_landmarks_more_evenly(detector: Detector, network: Landmarks, name: str) -> None:
    """Moved by parts of a pixel and more, a small face keeps its landmarks to at least a third better than at the first look."""
    shown = carried_portrait(name)
    first, closer = [], []
    for left, top in ((0.0, 0.0), (0.3, 3.4), (2.5, 0.7), (5.25, 6.5), (7.8, 1.2), (3.6, 9.3)):
        image, matrix = shrunk(shown, left, top)
        face = detector.find(image, Stream.RGB)[0]
        for marks, out in ((face.landmarks, first), (network.closer(image, face).landmarks, closer)):
            out.append((marks - matrix[:, 2]) / matrix[0, 0])
    assert spread(closer) < spread(first) / 1.5, (spread(first), spread(closer))


@pytest.mark.parametrize("name", PORTRAITS)
def test_the_mirror_image_has_the_mirrored_landmarks(detector: Detector, network: Landmarks, name: str) -> None:
    """A closer look at a mirrored picture finds the mirror image of the landmarks, to a fifteenth of the eye distance."""
    image, _ = shrunk(carried_portrait(name), 1.0, 1.0)
    face = detector.find(image, Stream.RGB)[0]
    mirrored = np.ascontiguousarray(image[:, ::-1])
    there = np.array([image.shape[1] - 1, 0.0]) - face.landmarks * (1, -1)
    other = dataclasses.replace(face, landmarks=np.ascontiguousarray(there[[1, 0, 2, 4, 3]], np.float32))
    expected = np.array([image.shape[1] - 1, 0.0]) - network.closer(image, face).landmarks * (1, -1)
    assert np.abs(network.closer(mirrored, other).landmarks - expected[[1, 0, 2, 4, 3]]).max() < EYES / 15


def test_a_turned_picture_has_the_turned_landmarks(detector: Detector, network: Landmarks) -> None:
    """A quarter turn of the picture turns the landmarks with it, to a twentieth of the eye distance: the crop is upright in both."""
    image, _ = shrunk(carried_portrait("astronaut"), 0.0, 0.0)
    face = detector.find(image, Stream.RGB)[0]
    turned = np.ascontiguousarray(np.rot90(image))
    there = np.stack([face.landmarks[:, 1], image.shape[1] - 1 - face.landmarks[:, 0]], axis=1)
    found = network.closer(turned, dataclasses.replace(face, landmarks=there)).landmarks
    plain = network.closer(image, face).landmarks
    expected = np.stack([plain[:, 1], image.shape[1] - 1 - plain[:, 0]], axis=1)
    assert np.abs(found - expected).max() < EYES / 20


def test_the_same_picture_has_the_same_landmarks(detector: Detector, network: Landmarks) -> None:
    """Two looks, and one through a session of its own, give the same bytes."""
    image, _ = shrunk(carried_portrait("grace_hopper"), 0.0, 0.0)
    face = detector.find(image, Stream.RGB)[0]
    other = Landmarks(open_graph(load_manifest().entry("landmarks"), threads=2))
    looks = {one.closer(image, face).landmarks.tobytes() for one in (network, network, other)}
    assert len(looks) == 1


@pytest.mark.parametrize("what", ["black", "one point", "not finite"])
def test_a_face_that_cannot_be_looked_at_stays_as_it_was(network: Landmarks, what: str) -> None:
    """In a black NIR picture, with landmarks that coincide or are no numbers, the first landmarks are kept."""
    marks = np.array([[50, 60], [80, 60], [65, 80], [54, 95], [76, 95]], np.float32)
    if what == "one point":
        marks[:] = 70
    elif what == "not finite":
        marks[0, 0] = np.nan
    face = Face(Stream.NIR, (40.0, 40.0, 50.0, 70.0), marks, 0.8)
    assert network.closer(np.full((160, 160), 0 if what == "black" else 90, np.uint8), face) is face


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_whatever_the_picture_the_face_stays_in_its_place(network: Landmarks, seed: int) -> None:
    """Noise of any kind, colour or 8 or 16 bits of NIR, and any five points give finite landmarks within a quarter of the face's extent."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(8, 200, 2)
    shape = (height, width, 3) if rng.random() < 0.5 else (height, width)
    deep = len(shape) == 2 and rng.random() < 0.5
    image = rng.integers(0, int(rng.integers(1, 65536 if deep else 256)), shape).astype(np.uint16 if deep else np.uint8)
    marks = (rng.uniform(-20, 220, 2) + rng.normal(0, rng.uniform(0.1, 80), (5, 2))).astype(np.float32)
    face = Face(Stream.NIR if len(shape) == 2 else Stream.RGB, (0.0, 0.0, 10.0, 10.0), marks, 0.9)
    found = network.closer(image, face)
    assert np.isfinite(found.landmarks).all()
    assert same_place(found.landmarks, marks)
    assert (found.stream, found.box, found.score) == (face.stream, face.box, face.score)


@pytest.mark.parametrize("missing", ["entry", "file"])
def test_without_the_network_nothing_opens(tmp_path: Path, missing: str) -> None:
    """A manifest without the role, or without its file, is refused with a line that says so: no face is cut out in another way."""
    shipped = load_manifest()
    entries = tuple(
        dataclasses.replace(e, path=tmp_path / "gone.onnx") if e.role == "landmarks" else e
        for e in shipped.entries
        if missing == "file" or e.role != "landmarks"
    )
    with pytest.raises(ModelMissing, match="landmarks"):
        Pipeline(dataclasses.replace(shipped, entries=entries), load(shipped.root / "calibration").limits)


def test_a_graph_of_another_kind_is_refused() -> None:
    """A detector in the network's place is refused when it is opened."""
    with pytest.raises(ModelMismatch, match="not one crop and five points"):
        Landmarks(open_graph(load_manifest().entry("detector_near")))


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
    """A template whose embeddings carry the hash of the graph and of the detector's closer look, as before, asks for a new enrolment."""
    manifest = load_manifest()
    before = hashlib.sha256(f"{manifest.entry('recogniser').sha256} cut 2".encode()).hexdigest()
    assert before not in manifest.forms().values()
    policy = vultus.Policy(sources=frozenset({Source.SIMULATED}))
    with TemplateStore.open(tmp_path / "old.db") as store, vultus.Authenticator(policy=policy, store=store) as auth:
        found = auth.observe(shot("simulator:astronaut?seed=1")).embeddings
        old = tuple(dataclasses.replace(e, graph=before) for e in found.values())
        store.add(Template("ada", old, 1))
        with pytest.raises(StoreOutdated, match="enrol ada again"):
            auth.verify(shot("simulator:astronaut?seed=2"), user="ada")
