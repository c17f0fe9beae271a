"""Turns a lit view into what cameras deliver: a colour picture, an NIR picture with the lamp on and one with it off, and depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.synthesis.depth_camera import measure
from models.training.synthesis.light import light
from models.training.synthesis.view import HEAD, SIDE, View

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
F32 = npt.NDArray[np.float32]
HEADS: Final = (50.0, 200.0)
"""Width of the head in pixels of the camera: from a Kinect across a room to a laptop's camera at arm's length."""


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """One moment. colour: (s, s, 3). nir, nir_ambient: (s, s) of 65 535, lamp on and off, as the driver delivers them. depth: (s, s) mm.

    points: (5, 2) eyes, nose, mouth corners in `nir` and `depth`. colour_points: the same in `colour`, a little later. head: pixels.
    """

    colour: U8
    nir: U16
    nir_ambient: U16
    depth: U16
    points: F32
    colour_points: F32
    head: float


def capture(view: View, rng: np.random.Generator, head: float | None = None) -> Frames:
    """See a view through cameras drawn at random, with the head as wide as `head` pixels or drawn from HEADS."""
    lit = light(view, rng)
    wide = float(np.exp(rng.uniform(*np.log(HEADS)))) if head is None else head
    scale = wide / HEAD
    size = round(SIDE * scale)
    blur = float(rng.exponential(0.35))
    moved = rng.normal(0, 0.8, (2, 2)) * scale
    room = lit.room * float(rng.choice((0, 1))) * float(np.exp(rng.uniform(np.log(0.02), np.log(1.0)))) * _lamp_level(lit.lamp, view)
    on = _resized(lit.lamp + room, size, blur)
    off = _moved(_resized(room, size, blur), moved[0])
    colour = _moved(_resized(lit.colour, size, blur), moved[1])
    scaled = (view.points + 0.5) * scale - 0.5
    nir_camera = Camera.draw_nir(rng, float(np.median(on[_face(view, size)])))
    colour_camera = Camera.draw(rng, float(np.median(colour[_face(view, size)])))
    return Frames(
        np.asarray(colour_camera.see(colour, rng), np.uint8),
        nir_camera.see(on, rng).astype(np.uint16) * np.uint16(nir_camera.step),
        nir_camera.see(off, rng).astype(np.uint16) * np.uint16(nir_camera.step),
        measure(view, size, rng),
        np.asarray(scaled, np.float32),
        np.asarray(scaled + moved[1], np.float32),
        wide,
    )


@dataclass(frozen=True, slots=True)
class Camera:
    """One draw of a camera. gain: digital level of a unit of light. photons: of a full well. read: noise of the dark, of full scale.

    vignette: light lost in a corner. banding: of lines, of full scale. curve: exponent of the tone curve; 1 is linear. top: highest level.
    """

    gain: float
    photons: float
    read: float
    vignette: float
    banding: float
    curve: float
    top: int = 255

    @classmethod
    def draw(cls, rng: np.random.Generator, level: float) -> Camera:
        """Draw a colour camera that shows a face of this light somewhere between too dark and blown out."""
        return cls._drawn(rng, level, (0.08, 0.5), (0.4, 0.6), 200, 255)

    @classmethod
    def draw_nir(cls, rng: np.random.Generator, level: float) -> Camera:
        """Draw an NIR camera of 8 to 16 bits, three in four without a tone curve; the darkest shows a face at a hundredth of full scale."""
        bits = int(rng.choice((8, 10, 12, 16)))
        curve = (1.0, 1.0) if rng.random() < 0.75 else (0.4, 1.0)
        # What has few levels is exposed to use them; what has many is not.
        return cls._drawn(rng, level, (0.04 if bits == 8 else 0.01, 0.6), curve, 600, 2**bits - 1)

    @classmethod
    def _drawn(
        cls, rng: np.random.Generator, level: float, exposure: tuple[float, float], curve: tuple[float, float], photons: float, top: int
    ) -> Camera:
        wanted = float(np.exp(rng.uniform(*np.log(exposure)))) if top != 255 else float(rng.uniform(*exposure))
        if rng.random() < 0.03:
            wanted = float(rng.choice((0.015, 1.2)))
        return cls(
            wanted / max(level, 1e-4),
            # A camera that shows a face dark has wells to spare, or nobody would use it.
            float(np.exp(rng.uniform(np.log(photons), np.log(20000)))) * max(0.04 / wanted, 1),
            min(float(rng.uniform(0, 0.01)), wanted / 8),
            float(rng.uniform(0, 0.3)),
            float(rng.choice((0, 0, 0, 0.01))) * min(wanted / 0.12, 1),
            float(rng.uniform(*curve)),
            top,
        )

    @property
    def step(self) -> int:
        """Return what one level is of 65 535, as drivers put few bits into sixteen."""
        return 65535 // self.top

    def see(self, scene: F32, rng: np.random.Generator) -> U8 | U16:
        """Return levels 0 to `top` of linear light (h, w) or (h, w, 3)."""
        height, width = scene.shape[:2]
        ys, xs = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        dim = 1 - self.vignette * (xs**2 + ys**2) / 2
        dim = dim if scene.ndim == 2 else dim[..., None]
        value = np.clip(scene * self.gain * dim, 0, None)
        value = value + rng.normal(0, 1, value.shape) * np.sqrt(np.minimum(value, 1) / self.photons + self.read**2)
        if self.banding:
            bands = self.banding * np.sin(np.arange(height) * float(rng.uniform(0.1, 1.5)) + float(rng.uniform(0, 6)))
            value = value + (bands[:, None] if scene.ndim == 2 else bands[:, None, None])
        kind = np.uint8 if self.top == 255 else np.uint16
        return np.asarray(np.clip(np.clip(value, 0, 1) ** self.curve * self.top + 0.5, 0, self.top), kind)


def _lamp_level(lamp: F32, view: View) -> float:
    """Return the lamp's median light on the head, what ambient light is measured in."""
    return float(np.median(lamp[view.labels > 0])) if (view.labels > 0).any() else 1.0


def _face(view: View, size: int) -> npt.NDArray[np.bool_]:
    """Return the middle of the face at a camera's size."""
    middle = view.points.mean(0) / SIDE
    ys, xs = np.mgrid[0:size, 0:size] / size
    return np.asarray((np.abs(xs - middle[0]) < 0.15) & (np.abs(ys - middle[1]) < 0.2), np.bool_)


def _resized(scene: F32, size: int, blur: float) -> F32:
    """Return the scene at a camera's size: pixels gather the light of their area, the lens blurs by `blur` of them."""
    shrink = SIDE / size
    soft = cv2.GaussianBlur(scene, (0, 0), shrink * float(np.hypot(0.45, blur)))
    return np.asarray(cv2.resize(soft, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def _moved(scene: F32, by: npt.NDArray[np.float64]) -> F32:
    """Return the scene as the head's motion between two exposures leaves it."""
    matrix = np.array([[1, 0, by[0]], [0, 1, by[1]]])
    return np.asarray(
        cv2.warpAffine(scene, matrix, scene.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
