"""Simulates what a camera sees of a print or of a screen that shows a photograph. Everything here is simulated; ranges are chosen, not measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.liveness.camera import Camera
from models.training.synthesis.optics import linear

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
PRINT, SCREEN = "simulated print", "simulated screen"
SPECIES: Final = (PRINT, SCREEN)
_ANGLES: Final = np.radians((15.0, 75.0, 0.0))
"""Of the cyan, magenta and yellow screens, as printers set them (ISO 12647)."""
_NEAR: Final = 0.5
"""Share of prints and screens that are smaller than a face and held closer than one."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Linear light (h, w, 3) and the five points in it (5, 2); `blur` is what focus and movement blur, a standard deviation in eye distances."""

    light: F32
    points: F32
    blur: float = 0.0

    @property
    def eyes_px(self) -> float:
        """Return the distance between the eyes."""
        return float(np.hypot(*(self.points[1] - self.points[0])))


def recaptured(scene: Scene, species: str, rng: np.random.Generator) -> Scene:
    """Return the light of a print or of a screen that shows a photograph of the scene. Raises KeyError for another species."""
    shown = _photograph(scene, rng)
    if species == SCREEN:
        return _glazed(_placed(Scene(_screen(shown, rng), scene.points), rng), rng, haze=0.04)
    if species != PRINT:
        raise KeyError(species)
    process = PROCESSES[int(rng.choice(len(PROCESSES), p=[q.share for q in PROCESSES]))]
    paper = _placed(Scene(_print(shown, process, rng), scene.points), rng)
    lit = Scene(paper.light * _light(paper.light.shape, rng)[..., None], paper.points)
    return _glazed(lit, rng, haze=0.05) if rng.random() < process.glossy else lit


def own_blur(rng: np.random.Generator) -> float:
    """Return the blur of a face, or of a sheet as far away as a face: most are in focus and still."""
    return float(min(rng.exponential(0.008), 0.03)) if rng.random() < 0.35 else 0.0


def sheet_blur(rng: np.random.Generator) -> float:
    """Return the blur of a sheet: as a face's where it is as far away, more where a pocket-size one is held close to a lens of fixed focus.

    A lens of 4 mm at F/2.4 that is focused at 1 m draws a point at 150 mm as a disc of 0.04 mm, about 6 pixels of 640 in a row: a standard
    deviation of 1.6 pixels, or 0.03 eye distances of a face that fills the picture.
    """
    return float(rng.uniform(0, 0.045)) if rng.random() < _NEAR else own_blur(rng)


def _photograph(scene: Scene, rng: np.random.Generator) -> F32:
    """Return what the attacker has: a photograph by another camera, as linear light in the scene's frame."""
    own = Camera.draw(rng, (40.0, 160.0))
    picture = own.see(scene.light, scene.eyes_px, rng)
    size = scene.light.shape[1::-1]
    return linear(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC))


@dataclass(frozen=True, slots=True)
class Process:
    """How a print is made. share: of all prints. grey: share without colour. gamut: saturation that is kept. black, white: reflectance of full
    ink and of paper. fibres: standard deviation of the paper's reflectance. dots: shares of no dots, screened dots and scattered ones. glossy:
    share that mirrors.
    """

    share: float
    grey: float
    gamut: tuple[float, float]
    black: tuple[float, float]
    white: tuple[float, float]
    fibres: float
    dots: tuple[float, float, float]
    glossy: float


PROCESSES: Final = (
    Process(0.5, 0.03, (0.65, 1.1), (0.01, 0.07), (0.78, 0.95), 0.005, (0.5, 0.05, 0.45), 0.8),
    Process(0.25, 0.1, (0.45, 0.95), (0.04, 0.15), (0.7, 0.92), 0.025, (0.15, 0.25, 0.6), 0.1),
    Process(0.25, 0.4, (0.5, 1.0), (0.01, 0.1), (0.7, 0.92), 0.02, (0.15, 0.75, 0.1), 0.35),
)
"""Photograph paper (laboratory or inkjet), inkjet on plain paper, laser print. Ranges from what such prints are, not from an evaluation set."""
_KINDS: Final = ("continuous", "dots", "scattered")


def _print(shown: F32, process: Process, rng: np.random.Generator) -> F32:
    """Return the reflectance of the print: ink's gamut, black and white of the paper, dots, fibres."""
    grey = shown @ np.array([0.21, 0.72, 0.07], np.float32)
    strength = 0.0 if rng.random() < process.grey else float(rng.uniform(*process.gamut))
    inked = grey[..., None] + np.float32(strength) * (shown - grey[..., None])
    mixing = np.eye(3) + rng.normal(0, 0.05, (3, 3))
    inked = np.clip(inked @ (mixing / mixing.sum(0)).astype(np.float32), 0.001, 1) ** np.float32(np.exp(rng.normal(0, 0.2)))
    kind = _KINDS[int(rng.choice(3, p=process.dots))]
    if kind == "dots":
        inked = _dots(inked, rng)
    elif kind == "scattered":
        # Error diffusion at hundreds of dots an inch: to the camera, grain that is strongest in the midtones.
        grain = rng.standard_normal(inked.shape, np.float32)
        grain = cv2.GaussianBlur(grain, (0, 0), float(rng.uniform(0.5, 1.2)))
        inked = inked + np.float32(rng.uniform(0.02, 0.35)) * grain * np.sqrt(inked * (1 - np.minimum(inked, 1)))
    black, white = float(rng.uniform(*process.black)), float(rng.uniform(*process.white))
    tint = 1 + rng.normal(0, 0.04, 3)
    fibres = 1 + np.float32(process.fibres) * cv2.GaussianBlur(rng.standard_normal(shown.shape[:2], np.float32), (0, 0), 1.0)
    out = (black + (white - black) * np.clip(inked, 0, 1)) * tint * fibres[..., None]
    return np.asarray(cv2.GaussianBlur(out.astype(np.float32), (0, 0), float(rng.uniform(0.3, 1.3))), np.float32)


def _dots(inked: F32, rng: np.random.Generator) -> F32:
    """Screen each ink at its own angle, with dots that grow with its amount and edges as soft as ink on paper."""
    h, w = inked.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    pitch, turn, hard = float(rng.uniform(1.3, 5.0)), float(rng.uniform(0, np.pi)), float(rng.uniform(0.6, 3.0))
    out = np.empty_like(inked)
    for i, angle in enumerate(_ANGLES + turn):
        c, s = (2 * np.pi / pitch * np.array([np.cos(angle), np.sin(angle)])).astype(np.float32)
        wave = (np.cos(c * x + s * y) + np.cos(c * y - s * x)) / 4 + 0.5
        out[..., i] = np.clip((inked[..., i] - wave) * hard + 0.5 + (inked[..., i] - 0.5) * 0.5, 0, 1)
    return out


def _screen(shown: F32, rng: np.random.Generator) -> F32:
    """Return the light of a panel: its curve and white, the black that it cannot reach, stripes of three colours, bands of the backlight."""
    h, w = shown.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    curve, white = np.float32(np.exp(rng.normal(0, 0.15))), 1 + rng.normal((-0.06, 0, 0.08), 0.06)
    panel = np.clip(shown, 0, 1) ** curve
    pitch, turn, depth = float(rng.uniform(0.8, 3.6)), float(rng.normal(0, 0.12)), float(rng.uniform(0.1, 0.9))
    at = 2 * np.pi / pitch * (np.cos(turn) * x + np.sin(turn) * y)
    down = 2 * np.pi / pitch * (np.cos(turn) * y - np.sin(turn) * x)
    rows = 1 + 0.5 * depth * np.cos(down)
    out = np.empty_like(panel)
    for i in range(3):
        out[..., i] = panel[..., i] * (1 + depth * np.cos(at + 2 * np.pi * i / 3)) * rows
    bands = 1 + float(rng.choice((0.0, rng.uniform(0.02, 0.12)))) * np.sin(2 * np.pi * (y / rng.uniform(20, 200) + rng.random()))
    return np.asarray(out * white * bands[..., None] + rng.uniform(0.002, 0.05), np.float32)


def _placed(scene: Scene, rng: np.random.Generator) -> Scene:
    """Hold the sheet a little aslant, and bend it now and then; the points move with it."""
    h, w = scene.light.shape[:2]
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    to_view = cv2.getPerspectiveTransform(corners, (corners + rng.uniform(-0.05, 0.05, (4, 2)) * (w, h)).astype(np.float32))
    sag = float(rng.choice((0.0, rng.uniform(-0.03, 0.03)))) * w
    along = float(rng.uniform(0.6, 1.6)) * np.pi / w
    phase = float(rng.uniform(0, np.pi))
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    flat = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(to_view).T.astype(np.float32)
    u, v = flat[..., 0] / flat[..., 2], flat[..., 1] / flat[..., 2]
    u = u - sag * np.sin(along * u + phase)
    light = cv2.remap(scene.light, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    bent = scene.points.astype(np.float64)
    bent[:, 0] += sag * np.sin(along * bent[:, 0] + phase)
    moved = np.column_stack([bent, np.ones(len(bent))]) @ to_view.T
    return Scene(light, (moved[:, :2] / moved[:, 2:]).astype(np.float32))


def _light(shape: tuple[int, ...], rng: np.random.Generator) -> F32:
    """Return the light on a sheet: a level and a slope."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    slope = rng.normal(0, 0.25, 2)
    lit = 1 + slope[0] * (x / shape[1] - 0.5) + slope[1] * (y / shape[0] - 0.5)
    return np.asarray(np.clip(lit, 0.3, 2) * np.float32(rng.uniform(0.8, 1.2)), np.float32)


def _glazed(scene: Scene, rng: np.random.Generator, haze: float) -> Scene:
    """Add what a smooth surface mirrors: an even veil, and a lamp or a window now and then."""
    h, w = scene.light.shape[:2]
    veil = np.full((h, w), float(rng.uniform(0, haze)), np.float32)
    if rng.random() < 0.4:
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        at, size = rng.uniform(0, 1, 2) * (w, h), rng.uniform(0.06, 0.5, 2) * w
        veil += np.float32(rng.uniform(0.03, 0.4)) * np.exp(-(((x - at[0]) / size[0]) ** 2) - ((y - at[1]) / size[1]) ** 2)
    return Scene(np.asarray(scene.light + veil[..., None], np.float32), scene.points)
