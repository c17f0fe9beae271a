"""Heads of the ICT face model: random people, coloured by a photograph or painted, seen by a camera as depth, normals and albedo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.recipes.liveness_limits import rotation
from models.training.normaliser.face_shape import _CORNERS

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
_SEEN: Final = ("M_Face", "M_BackHead", "M_ScleraLeft", "M_IrisLeft", "M_ScleraRight", "M_IrisRight")
"""Materials that a camera sees of a closed mouth; lashes and the clear shells over the eyes are left out."""
_NEUTRAL_SIDE: Final = 384
_EYES_AT: Final = 150.0
_LIPS: Final = slice(48, 60)
_BROWS: Final = ((17, 22), (22, 27))


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """The mesh: vertices in mm, y up, z towards the camera; `five` are the vertex pairs whose middles are the five landmarks."""

    neutral: F32
    identities: F32
    expressions: F32
    triangles: npt.NDArray[np.int64]
    marks: npt.NDArray[np.int64]
    names: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Model:
        """Read ict_face_model.npz, one unit of which is taken as a centimetre. Raises OSError when it is missing."""
        with np.load(path) as file:
            names = file["material_names"].tolist()
            seen = np.isin(file["triangle_material"], [names.index(n) for n in _SEEN])
            return cls(
                10 * file["neutral"], 10 * file["identity_modes"].astype(np.float32), 10 * file["expression_modes"].astype(np.float32),
                file["triangles"][seen].astype(np.int64), file["landmarks68"].astype(np.int64), tuple(file["expression_names"].tolist()),
            )  # fmt: skip

    def person(self, rng: np.random.Generator) -> F32:
        """Return the vertices (n, 3) in mm of a random person, with a slight expression half the time."""
        out = self.neutral + np.tensordot(rng.normal(0, 1, len(self.identities)).astype(np.float32), self.identities, 1)
        if rng.random() < 0.5:
            for at in rng.integers(len(self.names), size=3):
                out = out + np.float32(rng.uniform(0, 0.4)) * self.expressions[at]
        return self._with_hair(np.asarray(out, np.float32), rng)

    def _with_hair(self, vertices: F32, rng: np.random.Generator) -> F32:
        """Lift the scalp by the thickness of the hair, uneven as locks are, half the time: the model is bald."""
        if rng.random() < 0.5:
            return vertices
        bridge = vertices[self.marks[27]]
        scalp = (vertices[:, 2] < bridge[2] - 70) | (vertices[:, 1] > bridge[1] + rng.uniform(55, 75))
        scalp &= vertices[:, 1] > bridge[1] - rng.uniform(-30, 120)
        outwards = vertices - (bridge - np.array([0, 0, 90], np.float32))
        outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-6)
        waves = rng.normal(0, 0.04, (3, 3))
        uneven = np.sin(vertices @ waves.T + rng.uniform(0, 6.3, 3)).sum(1) / 3
        thick = rng.uniform(3, 30) * (1 + 0.5 * uneven)
        return np.asarray(vertices + np.where(scalp, thick, 0)[:, None] * outwards, np.float32)

    def landmarks(self, vertices: F32) -> F32:
        """Return the five landmarks (5, 3) in mm, the eye at the smaller x first."""
        return np.array([(vertices[self.marks[a]] + vertices[self.marks[b]]) / 2 for a, b in _CORNERS], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a pinhole camera sees: depth (h, w) in mm, 0 beside the head; normals (h, w, 3), z towards it; linear albedo; five points (5, 2)."""

    depth: F32
    normals: F32
    albedo: F32
    points: F32


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees of yaw, pitch and roll, distance in mm, focal length in pixels, the frame's size, and where the nose bridge lies in it."""

    angles: tuple[float, float, float]
    distance: float
    focal: float
    width: int
    height: int
    centre: tuple[float, float]


def view(model: Model, vertices: F32, colours: F32, pose: Pose) -> View:
    """Draw a head point by point, some for every pixel that a triangle covers, nearest last; holes of single pixels are closed."""
    turned = (vertices - vertices[model.marks[27]]) @ rotation(*pose.angles).T.astype(np.float32)
    z = np.float32(pose.distance) - turned[:, 2]
    pixels = np.stack([turned[:, 0] / z, -turned[:, 1] / z], 1) * np.float32(pose.focal) + np.array(pose.centre, np.float32)
    a, b, c = (turned[model.triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    front = np.flatnonzero(normals[:, 2] > 0.02)
    corners = model.triangles[front]
    along, across = (pixels[corners[:, k]] - pixels[corners[:, 0]] for k in (1, 2))
    covered = np.abs(along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]) / 2
    front = np.repeat(front, np.clip(np.ceil(covered * 6), 2, 400).astype(np.int64))
    corners = model.triangles[front]
    shares = np.random.default_rng(0).dirichlet((1.0, 1.0, 1.0), len(front)).astype(np.float32)
    spot = np.rint(_mixed(shares, pixels[corners])).astype(np.int64)
    deep = _mixed(shares, z[corners][..., None])[:, 0]
    inside = (spot >= 0).all(1) & (spot[:, 0] < pose.width) & (spot[:, 1] < pose.height)
    order = np.flatnonzero(inside)
    order = order[np.argsort(-deep[order], kind="stable")]
    at = spot[order, 1], spot[order, 0]
    depth = np.zeros((pose.height, pose.width), np.float32)
    facing, albedo = np.zeros((*depth.shape, 3), np.float32), np.zeros((*depth.shape, 3), np.float32)
    depth[at], facing[at], albedo[at] = deep[order], normals[front[order]], _mixed(shares[order], colours[corners[order]])
    five = model.landmarks(turned)
    five_z = np.float32(pose.distance) - five[:, 2]
    points = np.stack([five[:, 0] / five_z, -five[:, 1] / five_z], 1) * pose.focal + np.array(pose.centre)
    return _closed(depth, facing, albedo, points.astype(np.float32))


def _mixed(shares: F32, corners: F32) -> F32:
    """Return what lies at a share of each of three corners: (n, 3) and (n, 3, d) to (n, d)."""
    return np.asarray(np.einsum("nk,nkd->nd", shares, corners), np.float32)


def _closed(depth: F32, normals: F32, albedo: F32, points: F32) -> View:
    """Fill pixels that no point fell on, or through which a far point shows, from their neighbours."""
    middle = cv2.medianBlur(depth, 3)
    holes = (middle > 0) & ((depth == 0) | (depth - middle > 15))
    weight = np.where(holes | (depth == 0), 0, 1).astype(np.float32)
    around = cv2.blur(weight, (3, 3))
    for picture in (normals, albedo):
        mean = cv2.blur(picture * weight[..., None], (3, 3)) / np.maximum(around, 1e-3)[..., None]
        picture[holes] = mean[holes]
    depth[holes] = middle[holes]
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-6)
    return View(depth, normals, albedo, points)


def coloured(model: Model, vertices: F32, picture: F32, points: F32) -> F32:
    """Return each vertex' linear colour (n, 3) from a frontal picture (h, w, 3): laid on by the affine map of the five points.

    What looks away from the photographer takes the hair's colour: the darkest fifth of what the head shows.
    """
    five = model.landmarks(vertices)[:, :2] * (1, -1)
    design = np.column_stack([five, np.ones(5)])
    matrix = np.linalg.lstsq(design, points.astype(np.float64), rcond=None)[0]
    flat = np.column_stack([vertices[:, 0], -vertices[:, 1], np.ones(len(vertices))]) @ matrix
    u, v = flat.astype(np.float32).T
    colours = cv2.remap(picture, u[None], v[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    behind = vertices[:, 2] < vertices[model.marks[27], 2] - 75
    hair = np.percentile(colours[~behind], 10, axis=0)
    colours[behind] = hair
    return np.asarray(colours, np.float32)


def painted(model: Model, vertices: F32, rng: np.random.Generator) -> tuple[F32, F32]:
    """Paint a frontal picture of linear albedo (384, 384, 3) for a head, and return it with its five points: no photograph goes in."""
    five = model.landmarks(vertices)[:, :2] * (1, -1)
    scale = 100.0 / float(np.hypot(*(five[1] - five[0])))
    shift = np.array([_NEUTRAL_SIDE / 2, _EYES_AT]) - scale * five[:2].mean(0)
    marks = vertices[model.marks][:, :2] * (1, -1) * scale + shift
    melanin = float(rng.uniform(0, 1))
    skin = np.exp(np.log([0.62, 0.42, 0.32]) + melanin * np.log([0.16, 0.13, 0.11]) * rng.uniform(0.5, 0.9))
    side = (_NEUTRAL_SIDE, _NEUTRAL_SIDE)
    picture = np.tile(skin.astype(np.float32), (*side, 1))
    for size, amount in ((30.0, 0.12), (6.0, 0.08), (1.5, 0.06)):
        noise = cv2.GaussianBlur(rng.standard_normal((*side, 1), np.float32), (0, 0), size)
        picture *= np.exp(amount * noise / noise.std())[..., None] ** np.array([0.6, 1.0, 1.1], np.float32)
    hair = (skin * rng.uniform(0.03, 0.5)).astype(np.float32)
    picture = _blend(picture, marks[_LIPS], skin * rng.uniform((0.6, 0.35, 0.35), (0.95, 0.7, 0.75)), 2.0)
    for low, high in _BROWS:
        line = np.concatenate([marks[low:high], marks[low:high][::-1] + np.array([0, rng.uniform(4, 9)])])
        picture = _blend(picture, line, hair, 1.5)
    for corners in (slice(36, 42), slice(42, 48)):
        eye = marks[corners]
        picture = _blend(picture, eye, np.full(3, rng.uniform(0.35, 0.7)), 1.0)
        turns = np.linspace(0, 2 * np.pi, 16)
        iris = eye.mean(0) + 6.0 * np.stack([np.cos(turns), np.sin(turns)], 1)
        picture = _blend(picture, iris, np.array([0.05, 0.035, 0.025]) * rng.uniform(0.5, 4), 1.0)
    top = marks[17:27, 1].min() - rng.uniform(35, 80)
    y = np.mgrid[0 : side[0], 0 : side[1]][0].astype(np.float32)
    cover = 1 / (1 + np.exp((y - top) / rng.uniform(2, 10)))
    picture = picture * (1 - cover[..., None]) + hair * cover[..., None]
    points = (five * scale + shift).astype(np.float32)
    return np.asarray(picture, np.float32), points


def _blend(picture: F32, outline: npt.NDArray[Any], colour: npt.NDArray[Any], soft: float) -> F32:
    mask = np.zeros(picture.shape[:2], np.float32)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1.0)
    mask = cv2.GaussianBlur(mask, (0, 0), soft)[..., None]
    return np.asarray(picture * (1 - mask) + mask * colour.astype(np.float32), np.float32)
