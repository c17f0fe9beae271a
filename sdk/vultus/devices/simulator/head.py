"""Turn a portrait photograph into a relief with colour and near-infrared reflectance that the simulator can render.

The head is generic: an ellipsoid with a nose, brows, eye sockets, lips and a chin, on a neck and shoulders, bent to the
portrait's five landmarks. It is nobody's true shape. Head coordinates are millimetres, origin midway between the eyes,
x right and y down in the portrait, z away from the viewer; a relief value h is the height towards the viewer, z = -h.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import pictures
from vultus.devices.simulator.portraits import Portrait
from vultus.types import F32, U8

EYE_DISTANCE_MM: Final = 63.0
"""Mean distance between adult pupils (about 63 mm; 54 to 74 covers nearly all adults)."""

# Landmarks of the generic head in its own coordinates: the 112 x 112 alignment target scaled to EYE_DISTANCE_MM.
_GENERIC: Final = np.array([(-31.5, 0.0), (31.5, 0.0), (0.0, 36.0), (-26.2, 72.6), (26.2, 72.6)], np.float64)

FLOOR_MM: Final = -150.0
"""Height of everything that is not part of a surface: behind the head, so that a ray that ends there has missed."""
BACK_MM: Final = -120.0


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A relief in front of the camera: maps share one grid, whose pixel (u, v) is at x = (u - u0) * pitch, y = (v - v0) * pitch.

    height: mm towards the viewer. colour: float32 (h, w, 4), linear R, G, B and coverage 0..1. matter: float32 (h, w, 4),
    NIR reflectance, the height's slopes along x and y, and how readily depth is lost there (0..1). emits: 1 when the
    colour is light that the surface gives off, as a screen does. gloss: strength of the illuminator's mirror image. landmarks: (5, 3) mm.
    """

    height: F32 = field(repr=False)
    colour: F32 = field(repr=False)
    matter: F32 = field(repr=False)
    pitch: float
    origin: tuple[float, float]
    landmarks: npt.NDArray[np.float64] = field(repr=False)
    top_mm: float
    floor_mm: float
    emits: float = 0.0
    gloss: float = 0.0


def linear(image: U8) -> F32:
    """Return a uint8 picture as linear light 0..1; the tone curve is a square, near enough to sRGB and cheap to undo."""
    table = (np.arange(256, dtype=np.float32) / 255.0) ** 2
    return table[image]


def slopes(height: F32, pitch: float) -> tuple[F32, F32]:
    """Return the height's slopes along x and y."""
    along_y, along_x = np.gradient(height, np.float32(pitch))
    return np.asarray(along_x, np.float32), np.asarray(along_y, np.float32)


def similarity(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> tuple[complex, complex]:
    """Fit target = a * source + b over 2-D points written as complex numbers, by least squares."""
    s, t = source @ (1, 1j), target @ (1, 1j)
    sc, tc = s - s.mean(), t - t.mean()
    a = complex((np.conj(sc) @ tc) / (np.conj(sc) @ sc))
    return a, complex(t.mean() - a * s.mean())


def _to_millimetres(points: npt.NDArray[np.float64]) -> tuple[complex, complex]:
    """Return a and b of mm = a * pixel + b: the rotation that fits all landmarks, the scale that puts the eyes EYE_DISTANCE_MM apart."""
    turn, _ = similarity(points, _GENERIC)
    scale = turn / abs(turn) * EYE_DISTANCE_MM / float(np.hypot(*(points[1] - points[0])))
    return scale, complex(_GENERIC.mean(axis=0) @ (1, 1j) - scale * (points.mean(axis=0) @ (1, 1j)))


def _bump(x: F32, y: F32, at: tuple[float, float], spread: tuple[float, float]) -> F32:
    return np.asarray(np.exp(-0.5 * (((x - at[0]) / spread[0]) ** 2 + ((y - at[1]) / spread[1]) ** 2)), np.float32)


def _cap(x: F32, y: F32, centre: tuple[float, float, float], axes: tuple[float, float, float], power: float = 2.0) -> F32:
    """Return the front of an ellipsoid as height; BACK_MM outside it."""
    inside = 1.0 - np.abs((x - centre[0]) / axes[0]) ** power - np.abs((y - centre[1]) / axes[1]) ** power
    return np.where(inside > 0, centre[2] + axes[2] * np.sqrt(np.maximum(inside, 0)), BACK_MM).astype(np.float32)


def generic_head(x: F32, y: F32) -> F32:
    """Return the height of the generic head, neck and shoulders at head coordinates x, y in mm.

    Proportions are those of an average adult: head 152 mm wide and 230 mm high, the nose 19 mm proud of the face around it.
    """
    skull = _cap(x, y, (0, 0, -92), (76, 121, 98), 2.3)
    # The jaw narrows downwards: the lower ellipsoid is slimmer and reaches further down.
    jaw = _cap(x, y, (0, 40, -80), (66, 88, 86), 2.2)
    head = np.maximum(skull, jaw)
    ridge = np.clip((y + 4.0) / 40.0, 0, 1)
    below = np.where(y > 36, np.exp(-(((y - 36) / 7.0) ** 2)), 1.0)
    nose = (4 + 15 * ridge**1.3) * (y > -4) * below * np.exp(-0.5 * (x / (6.5 + 6.5 * ridge)) ** 2)
    relief = 4.5 * (_bump(x, y, (-28, -18), (17, 7)) + _bump(x, y, (28, -18), (17, 7)))
    relief -= 7.0 * (_bump(x, y, (-31, 2), (13, 9)) + _bump(x, y, (31, 2), (13, 9)))
    relief += 4.0 * (_bump(x, y, (-40, 30), (14, 12)) + _bump(x, y, (40, 30), (14, 12)))
    relief += 7.0 * _bump(x, y, (0, 71), (20, 9)) + 8.0 * _bump(x, y, (0, 108), (17, 11)) - 3.0 * _bump(x, y, (0, 88), (18, 5))
    face = head + nose.astype(np.float32) + relief
    neck = np.where(y > 60, _cap(x, np.zeros_like(x), (0, 0, -118), (58, 1e6, 62)), BACK_MM)
    chest = _cap(x, y, (0, 370, -135), (250, 235, 105), 2.4)
    ears = _cap(x, y, (0, 12, -96), (92, 40, 22))
    hair = _cap(x, y, (0, -20, -112), (112, 135, 62), 2.2)
    out = face
    for part in (neck, chest, ears, hair):
        out = np.maximum(out, part)
    return np.asarray(np.maximum(out, BACK_MM), np.float32)


def _person(upright: U8, x: F32, y: F32) -> npt.NDArray[np.bool_]:
    """Cut the person out of the upright picture by colour, starting from where a generic person would be."""
    height, width = x.shape
    step = max(1, round(max(height, width) / 256))
    xs, ys = x[::step, ::step], y[::step, ::step]
    small = pictures.resize(upright, xs.shape[1], xs.shape[0])
    likely = generic_head(xs, ys) > BACK_MM
    sure = (_cap(xs, ys, (0, 30, 0), (58, 85, 1)) > BACK_MM) | (_cap(xs, ys, (0, 400, 0), (150, 220, 1)) > BACK_MM)
    side = np.interp(ys, (0, 30, 55, 98, 300), (112, 98, 84, 84, 480))
    far = (np.abs(xs) > side) | ((ys < 0) & (np.abs(xs / 115) ** 3 + np.abs(ys / 155) ** 3 > 1))
    guess = np.where(sure, 1, np.where(far, 0, np.where(likely, 3, 2))).astype(np.uint8)
    person = pictures.foreground(small, guess)
    soft = pictures.blur(person.astype(np.float32), 1.0)
    return np.asarray(pictures.resize(soft, width, height) > 0.55)


def _near_infrared(colour: F32, skin: F32, mm_per_pixel: float) -> F32:
    """Estimate reflectance at 850 nm from linear R, G, B; `skin` is 1 on the face, 0 on hair and cloth.

    Skin: R * (R / G)^k, which takes the melanin out of the red channel, k = 0.5 between none and the 1.1 that a
    two-pigment model gives; its contrast is then compressed, since melanin and blood absorb little there. Hair and dyed cloth come
    out brighter than in colour.
    """
    red, green = np.maximum(colour[..., 0], 0.004), np.maximum(colour[..., 1], 0.004)
    grey = colour @ np.array([0.4, 0.4, 0.2], np.float32)
    ratio = np.clip(red / green, 0.6, 2.0)
    as_skin = np.clip(red * np.sqrt(ratio), 0.01, 1.0)
    on_face = skin > 0.5
    middle = float(np.exp(np.mean(np.log(as_skin[on_face])))) if on_face.any() else 0.4
    as_skin = 0.68 * (as_skin / middle) ** 0.6
    as_skin = pictures.blur(as_skin, 0.7 / mm_per_pixel)
    as_cloth = np.clip(0.10 + 0.75 * np.maximum(red, grey) ** 0.75, 0, 0.9)
    return np.clip(skin * as_skin + (1 - skin) * as_cloth, 0.01, 1.0).astype(np.float32)


def _skin(colour: F32, x: F32, y: F32) -> F32:
    """Return 1 where the picture has the cheeks' colour in or near the face, 0 elsewhere, soft between."""
    red, green, blue = (np.maximum(colour[..., c], 0.004) for c in range(3))
    tone = np.log(np.dstack([red / green, green / blue, red]))
    cheeks = (_bump(x, y, (-30, 35), (10, 10)) + _bump(x, y, (30, 35), (10, 10)) + _bump(x, y, (0, -35), (14, 8))) > 0.5
    away = (tone - np.median(tone[cheeks], axis=0)) / np.array([0.35, 0.55, 1.3], np.float32)
    like = np.clip(2.2 - np.sqrt((away**2).sum(axis=2)), 0, 1)
    # Eyes, lips and nostrils have other colours than the cheeks but belong to the face.
    middle = np.clip(4.0 * (1.0 - (x / 56) ** 2 - ((y - 34) / 66) ** 2), 0, 1)
    near = np.clip(3.0 * (1.0 - (x / 105) ** 2 - ((y - 20) / 130) ** 2), 0, 1)
    return pictures.blur(np.maximum(like * near, middle).astype(np.float32), 1.0)


def _bend(x: F32, y: F32, own: npt.NDArray[np.complexfloating[Any, Any]]) -> tuple[F32, F32]:
    """Return where to look up the generic head so that its landmarks come to lie on the portrait's own."""
    apart = own[:, None] - own[None, :]
    spread = 30.0
    weights = np.linalg.solve(np.exp(-0.5 * np.abs(apart / spread) ** 2), _GENERIC @ (1, 1j) - own)
    shift_x, shift_y = np.zeros_like(x), np.zeros_like(y)
    for weight, mine in zip(weights, own, strict=True):
        bump = _bump(x, y, (mine.real, mine.imag), (spread, spread))
        shift_x += bump * np.float32(weight.real)
        shift_y += bump * np.float32(weight.imag)
    return x + shift_x, y + shift_y


@lru_cache(maxsize=4)
def head_surface(portrait: Portrait) -> Surface:
    """Build the relief of the person in a portrait; takes about half a second, most of it the cut-out."""
    points = portrait.landmarks.astype(np.float64)
    to_mm, shift = _to_millimetres(points)
    own = to_mm * (points @ (1, 1j)) + shift
    pitch = float(np.clip(abs(to_mm), 0.6, 1.5))
    v, u = np.mgrid[0 : round(620 / pitch), 0 : round(560 / pitch)].astype(np.float32)
    u0, v0 = 280 / pitch, 200 / pitch
    x, y = (u - np.float32(u0)) * np.float32(pitch), (v - np.float32(v0)) * np.float32(pitch)
    source = (x + 1j * y - shift) / to_mm
    upright: U8 = pictures.sample(portrait.image, source.real.astype(np.float32), source.imag.astype(np.float32))
    # Beyond the sides of the portrait nothing is known; below it the last row goes on.
    inside = (source.real >= 0) & (source.real < portrait.image.shape[1]) & (source.imag >= 0)
    person = _person(upright, x, y) & inside
    relief = generic_head(*_bend(x, y, own))
    # The outline is rounded off over 25 mm so that hair and shoulders do not end like cut cardboard.
    edge = np.clip(pictures.inside_distance(person) * pitch / 25.0, 0, 1)
    relief = pictures.blur(np.maximum(relief - 30.0 * (1 - edge) ** 2, BACK_MM), 1.5 / pitch)
    colour = linear(upright)
    skin = _skin(colour, x, y)
    nir = _near_infrared(colour, skin, pitch)
    loses_depth = np.clip((0.16 - colour.max(axis=2)) / 0.12, 0, 1) * (1 - skin) * (y < 130)
    # The photograph has its own shading in the small forms; the illuminator adds that of the large ones.
    slope_x, slope_y = slopes(pictures.blur(relief, 7.0 / pitch), pitch)
    coverage = pictures.blur(person.astype(np.float32), 0.7)
    height = np.where(person, relief, FLOOR_MM).astype(np.float32)
    depth_at = [relief[round(p.imag / pitch + v0), round(p.real / pitch + u0)] for p in own]
    landmarks = np.column_stack([own.real, own.imag, -np.array(depth_at, np.float64)])
    return Surface(
        height,
        np.dstack([colour, coverage]),
        np.dstack([nir, slope_x, slope_y, loses_depth.astype(np.float32)]),
        pitch,
        (u0, v0),
        landmarks,
        top_mm=float(relief.max()) + 1.0,
        floor_mm=BACK_MM - 5.0,
    )
