"""Makes people up: a head from the model's identity modes, and skin, brows, lips, eyes, beard and hair painted by rule. No photograph."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.synthesis.mesh import F64, Mesh
from models.training.synthesis.optics import DEOXYGENATED, MELANIN_POWER, OXYGENATED, VISIBLE_NM
from models.training.synthesis.people import HAIR, IRIS, LIPS, SCLERA, SKIN, Person, swollen

F32 = npt.NDArray[np.float32]
_WIDTH: Final = 512
_HEIGHT: Final = 350
"""Pixels of a texture wound once around the head."""
_PER_CM: Final = 10.0
"""Pixels of a centimetre upward."""
_TOP_CM: Final = 15.0
_UPPER_LIDS: Final = ((36, 37, 38, 39), (42, 43, 44, 45))
_LOWER_LIDS: Final = ((39, 40, 41, 36), (45, 46, 47, 42))


def make_person(mesh: Mesh, number: int, seed: int = 0) -> Person:
    """Make person `number`; the same one every time for the same seed."""
    rng = np.random.default_rng((seed, number, 5))
    identity = rng.normal(0, 1, len(mesh.identity))
    shape = mesh.shaped(identity)
    shape[:, 0] += float(rng.normal(0, 0.02)) * shape[:, 1]
    line = float(rng.uniform(7.5, 11.5))
    vertices = swollen(mesh, shape, float(rng.uniform(0, 3)), line)
    places = _wound(mesh.neutral)
    marks = places[mesh.landmarks]
    melanin, blood, labels = _skin(marks, rng)
    light = _seen(melanin, blood, float(rng.uniform(0.6, 0.9)))
    _lips(light, labels, marks, rng)
    _eyes(light, labels, marks, _pupils(mesh, places), rng)
    hair = _hair_colour(rng)
    _brows(light, labels, marks, hair * float(rng.uniform(0.4, 1.0)), rng)
    _head_hair(light, labels, line, hair, rng)
    light *= np.exp(_field(rng, 90, 0.03))[..., None]
    texture = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055)
    return Person(f"made/{number}", vertices, np.asarray(np.clip(texture * 255 + 0.5, 0, 255), np.uint8), labels, places, "made")


def _wound(vertices: F64) -> F32:
    """Return where vertices lie in the texture: angle about the head's axis across, height downward."""
    angle = np.arctan2(vertices[:, 0], vertices[:, 2])
    return np.stack([(angle / (2 * np.pi) + 0.5) * _WIDTH, (_TOP_CM - vertices[:, 1]) * _PER_CM], axis=1).astype(np.float32)


def _pupils(mesh: Mesh, places: F32) -> F32:
    """Return where the front of each iris lies in the texture."""
    found = []
    for side in ("IrisRight", "IrisLeft"):
        parts = np.unique(mesh.triangles[mesh.parts(side)])
        front = parts[np.argsort(-mesh.neutral[parts, 2])[:40]]
        found.append(places[front].mean(0))
    return np.array(found)


def _field(rng: np.random.Generator, cells: int, strength: float) -> F32:
    """Return smooth noise over the texture, with `cells` blotches across."""
    coarse = rng.normal(0, 1, (max(cells * _HEIGHT // _WIDTH, 2), cells)).astype(np.float32)
    return np.asarray(strength * cv2.resize(coarse, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC), np.float32)


def _spot(at: npt.NDArray[Any], radius: float) -> F32:
    ys, xs = np.mgrid[0:_HEIGHT, 0:_WIDTH]
    return np.asarray(np.exp(-((xs - at[0]) ** 2 + (ys - at[1]) ** 2) / (2 * radius**2)), np.float32)


def _skin(marks: F32, rng: np.random.Generator) -> tuple[F32, F32, npt.NDArray[np.uint8]]:
    """Return optical depth of melanin at 610 nm and of blood at 540 nm, from pale to dark, with blush, freckles, moles, lines and beard."""
    melanin = float(np.exp(rng.uniform(np.log(0.06), np.log(1.6)))) * np.exp(
        _field(rng, 6, 0.08) + _field(rng, 40, 0.06) + _field(rng, 200, 0.05)
    )
    blood = float(rng.uniform(0.08, 0.5)) * np.exp(_field(rng, 5, 0.15) + _field(rng, 25, 0.12))
    for at, radius in ((marks[[36, 48, 31]].mean(0), 16), (marks[[45, 54, 35]].mean(0), 16), (marks[30], 8)):
        blood = blood + float(rng.uniform(0, 0.3)) * _spot(at, radius)
    for lids in _LOWER_LIDS:
        melanin = melanin * (1 + float(rng.uniform(0, 0.4)) * _spot(marks[list(lids)].mean(0) + np.array([0, 6]), 6))
    middle = marks[[27, 30, 51]].mean(0)
    for _ in range(int(rng.choice((0, 3, 60)))):
        melanin = melanin + float(rng.uniform(0.1, 0.4)) * _spot(middle + rng.normal(0, 28, 2), float(rng.uniform(0.7, 1.6)))
    for _ in range(int(rng.integers(0, 5))):
        melanin = melanin + float(rng.uniform(0.5, 1.5)) * _spot(middle + rng.normal(0, 40, 2), float(rng.uniform(0.8, 2)))
    lines = np.zeros((_HEIGHT, _WIDTH), np.float32)
    depth = float(rng.uniform(0, 0.5))
    for nose, mouth in ((31, 48), (35, 54)):
        fold = [
            marks[nose] + (np.sign(nose - 33) * 3, -4),
            (marks[nose] + marks[mouth]) / 2 + (np.sign(nose - 33) * 6, 0),
            marks[mouth] + (np.sign(nose - 33) * 5, 3),
        ]
        cv2.polylines(lines, [np.round(fold).astype(np.int32)], False, depth, 2, cv2.LINE_AA)
    for k in range(int(rng.integers(0, 4))):
        y = int(marks[19, 1]) - 14 - 9 * k
        cv2.ellipse(lines, (int(marks[27, 0]), y), (int(rng.integers(15, 40)), 3), 0, 190, 350, float(rng.uniform(0, 0.3)), 1, cv2.LINE_AA)
    melanin = melanin * (1 + cv2.GaussianBlur(lines, (0, 0), 1.2))
    if rng.random() < 0.45:
        jaw = cv2.fillPoly(
            np.zeros((_HEIGHT, _WIDTH), np.float32), [np.round([*marks[2:15], *marks[[54, 53, 51, 49, 48]]]).astype(np.int32)], 1.0
        )
        grain = np.clip(1 + _field(rng, 250, 0.25), 0, None)
        melanin = (
            melanin
            + float(np.exp(rng.uniform(np.log(0.05), np.log(2.0)))) * cv2.GaussianBlur(jaw, (0, 0), float(rng.uniform(3, 9))) * grain
        )
    return np.asarray(melanin, np.float32), np.asarray(blood, np.float32), np.full((_HEIGHT, _WIDTH), SKIN, np.uint8)


def _seen(melanin: F32, blood: F32, bright: float) -> F32:
    """Return linear R, G, B of skin, by the law that `optics` inverts."""
    planes = []
    for nm in VISIBLE_NM:
        mixed = (0.75 * OXYGENATED[nm] + 0.25 * DEOXYGENATED[nm]) / (0.75 * OXYGENATED[540.0] + 0.25 * DEOXYGENATED[540.0])
        planes.append(bright * np.exp(-melanin * (nm / VISIBLE_NM[0]) ** MELANIN_POWER - blood * mixed))
    return np.stack(planes, axis=2).astype(np.float32)


def _mix(light: F32, mask: npt.NDArray[Any], colour: npt.NDArray[Any]) -> None:
    light += (np.asarray(colour, np.float32) - light) * mask[..., None].astype(np.float32)


def _lips(light: F32, labels: npt.NDArray[np.uint8], marks: F32, rng: np.random.Generator) -> None:
    outer = np.round(marks[48:60]).astype(np.int32)
    mask = cv2.fillPoly(np.zeros(labels.shape, np.float32), [outer], 1.0)
    labels[mask > 0] = LIPS
    tone = light[mask > 0].mean(0) * (1, float(rng.uniform(0.35, 0.85)), float(rng.uniform(0.4, 0.9))) * float(rng.uniform(0.6, 1.05))
    _mix(light, cv2.GaussianBlur(mask, (0, 0), 1.2) * float(rng.uniform(0.4, 1)), tone)
    seam = cv2.polylines(
        np.zeros(labels.shape, np.float32), [np.round(marks[[48, 60, 61, 62, 63, 64, 54]]).astype(np.int32)], False, 1.0, 1, cv2.LINE_AA
    )
    _mix(light, seam * 0.7, tone * 0.3)


def _eyes(light: F32, labels: npt.NDArray[np.uint8], marks: F32, pupils: F32, rng: np.random.Generator) -> None:
    white = np.array([0.62, 0.58, 0.55]) * float(rng.uniform(0.7, 1.1))
    iris = np.array(((0.05, 0.025, 0.012), (0.13, 0.07, 0.03), (0.12, 0.14, 0.08), (0.13, 0.2, 0.28)))[
        rng.choice(4, p=(0.45, 0.25, 0.15, 0.15))
    ]
    radius = float(rng.uniform(5.5, 6.5))
    dark = float(rng.uniform(0.2, 1))
    for pupil, upper, lower in zip(pupils, _UPPER_LIDS, _LOWER_LIDS, strict=True):
        opening = cv2.convexHull(marks[[*upper, *lower]]).reshape(-1, 2)
        eye = cv2.dilate(cv2.fillPoly(np.zeros(labels.shape, np.uint8), [np.round(opening).astype(np.int32)], 1), np.ones((3, 3), np.uint8))
        ring = _disc(labels.shape, pupil, radius) * eye
        labels[eye > 0], labels[ring > 0.5] = SCLERA, IRIS
        _mix(light, eye, white)
        _mix(light, ring, iris * (1 + _field(rng, 220, 0.3)).clip(0.3, 2)[..., None])
        _mix(light, _disc(labels.shape, pupil, radius * float(rng.uniform(0.3, 0.5))) * eye, np.full(3, 0.006))
        lash = cv2.polylines(
            np.zeros(labels.shape, np.float32), [np.round(marks[list(upper)]).astype(np.int32)], False, 1.0, 2, cv2.LINE_AA
        )
        _mix(light, cv2.GaussianBlur(lash, (0, 0), 0.7) * dark, np.full(3, 0.01))


def _disc(size: tuple[int, ...], at: npt.NDArray[Any], radius: float) -> F32:
    ys, xs = np.mgrid[0 : size[0], 0 : size[1]]
    return np.asarray(np.clip(radius - np.hypot(xs - at[0], ys - at[1]) + 0.5, 0, 1), np.float32)


def _hair_colour(rng: np.random.Generator) -> F64:
    kinds = np.array(
        ((0.008, 0.007, 0.006), (0.03, 0.018, 0.01), (0.09, 0.055, 0.03), (0.3, 0.21, 0.1), (0.16, 0.06, 0.025), (0.35, 0.34, 0.33))
    )
    return np.asarray(kinds[rng.choice(6, p=(0.35, 0.25, 0.15, 0.1, 0.05, 0.1))] * float(rng.uniform(0.7, 1.4)), np.float64)


def _brows(light: F32, labels: npt.NDArray[np.uint8], marks: F32, colour: F64, rng: np.random.Generator) -> None:
    thick, full, lift = float(rng.uniform(3, 8)), float(rng.uniform(0.35, 1)), rng.normal(0, 2, 2)
    taper = np.array([0.45, 0.8, 1.0, 1.0, 0.8])
    for brow, order in ((range(17, 22), 1), (range(22, 27), -1)):
        upper = marks[list(brow)] + (0, lift[0])
        lower = upper + np.stack([np.zeros(5), thick * taper[::order]], axis=1)
        mask = cv2.fillPoly(np.zeros(labels.shape, np.float32), [np.round([*upper, *lower[::-1]]).astype(np.int32)], 1.0)
        labels[mask > 0] = HAIR
        strands = np.clip(1 + _field(rng, 240, 0.4), 0.2, 1.2)
        _mix(light, np.clip(cv2.GaussianBlur(mask, (0, 0), 0.8) * strands, 0, 1) * full, colour)


def _head_hair(light: F32, labels: npt.NDArray[np.uint8], line: float, colour: F64, rng: np.random.Generator) -> None:
    """Paint hair above a hairline that falls to the sides, behind the ears, unless the person is bald."""
    if rng.random() < 0.1:
        return
    ys, xs = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(np.float32)
    angle = np.abs(xs / _WIDTH - 0.5) * 2
    edge = (_TOP_CM - line) * _PER_CM + np.clip((angle - float(rng.uniform(0.25, 0.42))) / 0.12, 0, 1) * float(rng.uniform(50, 140))
    mask = np.clip((edge + _field(rng, 30, float(rng.uniform(1, 5))) - ys) / float(rng.uniform(2, 6)), 0, 1)
    strands = np.exp(cv2.GaussianBlur(_field(rng, 256, 0.8), (0, 0), sigmaX=0.6, sigmaY=float(rng.uniform(1, 8))))
    labels[mask > 0.5] = HAIR
    _mix(light, mask, colour[None, None] * strands[..., None])
