"""Simulates registered RGB, NIR and depth of a head before a wall: lamp, room, cameras, noise, holes. Everything here is simulated."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.liveness.camera import Camera
from models.training.liveness.heads import Model, Pose, View, coloured, view
from models.training.liveness.worn import worn
from models.training.synthesis.optics import Optics, reflectance

from vultus.simulation.triplets import Triplet

F32 = npt.NDArray[np.float32]
WIDTH: Final = 144
HEIGHT: Final = 176
FOCAL: Final = (330.0, 620.0)
"""Focal lengths in pixels from a Kinect v2's depth camera to a 640-pixel camera of 55 degrees."""
_STEPS: Final = (1, 1, 2, 4, 5, 8)
"""Quantisation in mm below 1024 mm; phase cameras that store eighths of a bit step by up to 8."""


def triplet(model: Model, picture: F32, points: F32, rng: np.random.Generator) -> tuple[Triplet, float]:
    """Return a bona fide triplet of a random head that carries the linear colours of a frontal picture, and the focal length in pixels."""
    vertices = model.person(rng)
    colours = coloured(model, vertices, picture, points)
    focal = float(rng.uniform(*FOCAL))
    # From 20 to 38 pixels between the eyes: further out, or with less of the shoulders.
    distance = 63.0 * focal / float(np.exp(rng.uniform(np.log(20), np.log(38))))
    angles = tuple((rng.normal(0, 1, 3) * (14, 9, 6)).clip((-40, -30, -20), (40, 30, 20)).tolist())
    centre = (WIDTH / 2 + float(rng.normal(0, 4)), HEIGHT * 0.42 + float(rng.normal(0, 6)))
    seen = view(model, vertices, colours, Pose(angles, distance, focal, WIDTH, HEIGHT, centre))
    seen, behind_glass = worn(seen, rng)
    scene = _surrounded(seen, distance, focal, rng)
    depth = _measured(scene.depth, seen.depth > 0, rng)
    depth[behind_glass] = 0
    nir = _lit(scene, focal, rng)
    if rng.random() < 0.5:
        nir[depth == 0] = 0
    rgb = _coloured_light(scene, rng)
    if rng.random() < 0.5:
        rgb[_hidden(seen.depth > 0, depth, rng)] = 0
    jitter = rng.normal(0, 0.025, (5, 2)) * np.hypot(*(seen.points[1] - seen.points[0]))
    return Triplet(rgb, nir, depth, (seen.points + jitter).astype(np.float32)), focal


def _surrounded(seen: View, distance: float, focal: float, rng: np.random.Generator) -> View:
    """Put shoulders under the head and a wall, or nothing, behind it."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    mm = distance / focal
    eyes = seen.points[:2].mean(0)
    across, down = (x - eyes[0]) * mm, (y - eyes[1]) * mm
    half, top = float(rng.uniform(170, 230)), float(rng.uniform(140, 190))
    slope = top + (np.abs(across) / half) ** 2 * float(rng.uniform(40, 90))
    body = (down > slope) & (np.abs(across) < half)
    bulge = np.sqrt(np.clip(1 - (across / half) ** 2, 0, 1)) * float(rng.uniform(60, 110))
    chest = distance + float(rng.uniform(70, 160)) - bulge
    wall = np.zeros_like(x) if rng.random() < 0.35 else distance + float(rng.uniform(200, 2500)) + 0.3 * float(rng.normal()) * across
    depth = np.where(seen.depth > 0, seen.depth, np.where(body, chest, wall)).astype(np.float32)
    if rng.random() < 0.25:
        # Hair that falls beside the face to the shoulders.
        locks = (
            (np.abs(across) > rng.uniform(60, 75)) & (np.abs(across) < rng.uniform(85, 115)) & (down > -40) & (down < rng.uniform(80, 200))
        )
        locks &= (depth == 0) | (depth > distance + 60)
        depth = np.where(locks, distance + 60 + 0.3 * np.abs(across), depth).astype(np.float32)
    cloth, plain = (_textured(rng) * rng.uniform(0.03, 0.7, 3).astype(np.float32) for _ in range(2))
    albedo = np.where((seen.depth > 0)[..., None], seen.albedo, np.where(body[..., None], cloth, plain)).astype(np.float32)
    normals = np.where((seen.depth > 0)[..., None], seen.normals, np.array([0, 0, 1], np.float32))
    return replace(seen, depth=depth, normals=normals, albedo=albedo)


def _hidden(head: npt.NDArray[np.bool_], depth: npt.NDArray[np.uint16], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return where a colour picture mapped onto depth is black: where depth has no answer, and beside the head, which hides what the second lens sees."""
    aside = int(rng.integers(-6, 7))
    return np.asarray((depth == 0) | (np.roll(head, aside, 1) & ~head), np.bool_)


def _textured(rng: np.random.Generator) -> F32:
    noise = cv2.GaussianBlur(rng.standard_normal((HEIGHT, WIDTH), np.float32), (0, 0), float(np.exp(rng.uniform(0, 3))))
    return np.asarray(np.exp(float(rng.uniform(0, 0.5)) * noise / noise.std())[..., None], np.float32)


def _measured(surface: F32, head: npt.NDArray[np.bool_], rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """See a surface as a depth camera does: fine and broad noise, mixed pixels and holes at edges, blobs without return, steps."""
    edge = cv2.morphologyEx(surface, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 40
    sigma = float(np.exp(rng.uniform(np.log(0.3), np.log(3.0)))) * (np.maximum(surface, 1) / 700) ** 2
    z = surface + rng.standard_normal(surface.shape, np.float32) * sigma
    broad = cv2.GaussianBlur(rng.standard_normal(surface.shape, np.float32), (0, 0), float(rng.uniform(1.5, 6)))
    z = z + broad / broad.std() * float(rng.uniform(0, 1.8))
    if rng.random() < 0.6:
        # A pixel on an edge sees both sides.
        z = np.where(edge, cv2.blur(z.astype(np.float32), (3, 3)), z)
    z = cv2.GaussianBlur(z.astype(np.float32), (0, 0), float(rng.uniform(0.5, 1.2))) if rng.random() < 0.3 else z
    lost = edge & (rng.random(surface.shape) < rng.uniform(0, 1))
    lost |= rng.random(surface.shape) < rng.choice((0.0, 0.002, 0.01))
    for _ in range(int(rng.integers(0, 4))):
        at, size = rng.uniform((0, 0), (WIDTH, HEIGHT)), rng.uniform(1, 6)
        y, x = np.ogrid[0:HEIGHT, 0:WIDTH]
        lost |= (x - at[0]) ** 2 + (y - at[1]) ** 2 < size**2
    if rng.random() < 0.4:
        # Hair returns little: the top and the rim of the head come and go.
        rim = head & ~(cv2.erode(head.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
        lost |= rim & (rng.random(surface.shape) < rng.uniform(0, 0.8))
    step = int(rng.choice(_STEPS))
    steps = np.where(z < 1024, step, 2 * step)
    out = np.clip(np.rint(z / steps) * steps, 0, 65535)
    return np.asarray(np.where(lost | (surface == 0), 0, out), np.uint16)


def _lit(scene: View, focal: float, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Return 16-bit linear NIR under the device's lamp: skin optics, slope, the square of the distance, glints, what is left of the room."""
    albedo = np.clip(scene.albedo ** np.float32(1 / 2.2) * 255, 0, 255).astype(np.uint8)
    skin = reflectance(albedo, Optics.draw(rng), float(rng.uniform(0, 0.3)))
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    z = np.where(scene.depth > 0, scene.depth, 5000.0).astype(np.float32)
    lamp = rng.normal(0, 1, 3) * (30, 20, 5)
    at = np.stack([(x - WIDTH / 2) * z / focal, -(y - HEIGHT / 2) * z / focal, -z], -1)
    to_lamp = lamp - at
    far = np.linalg.norm(to_lamp, axis=2)
    facing = np.clip((scene.normals * to_lamp).sum(2) / far, 0.03, 1) ** float(rng.uniform(0.4, 1.2))
    # Skin shines a little where it mirrors the lamp.
    shine = float(rng.uniform(0, 0.35)) * facing ** float(rng.uniform(8, 40))
    light = (skin + 0.2 * shine) * facing * (500 / far) ** 2 + skin * float(rng.choice((0.0, rng.uniform(0, 0.2))))
    for point in scene.points[:2]:
        if rng.random() < 0.6:
            place = np.rint(point + rng.normal(0, 0.7, 2)).astype(int)
            if 0 <= place[0] < WIDTH and 0 <= place[1] < HEIGHT:
                light[place[1], place[0]] = light.max() * rng.uniform(0.6, 1.3)
    light = cv2.GaussianBlur(light.astype(np.float32), (0, 0), float(0.35 + rng.exponential(0.3)))
    level = float(np.median(light[scene.normals[..., 2] < 0.999])) if (scene.normals[..., 2] < 0.999).any() else float(np.median(light))
    light = light / max(level, 1e-6)
    grain = float(np.exp(rng.uniform(np.log(0.004), np.log(0.05))))
    light = light * (1 + grain * rng.standard_normal(light.shape)) + rng.uniform(0, 0.01) * rng.standard_normal(light.shape)
    return np.asarray(np.clip(light * 2**14 * np.exp(rng.normal(0, 0.3)), 1, 65535), np.uint16)


def _coloured_light(scene: View, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """See the scene by the room's light with a colour camera of the same frame."""
    towards = rng.normal(0, 1, 3) * (1, 0.6, 0.3) + (0, 0.3, 0.8)
    towards = towards / np.linalg.norm(towards)
    even = float(rng.uniform(0.3, 0.9))
    shade = even + (1 - even) * np.clip(scene.normals @ towards.astype(np.float32), 0, 1)
    light = scene.albedo * shade[..., None].astype(np.float32)
    eyes = float(np.hypot(*(scene.points[1] - scene.points[0])))
    camera = Camera.draw(rng, (eyes, eyes + 1e-3))
    out = camera.see(light * np.float32(rng.uniform(0.7, 1.6)), eyes, rng)
    return np.asarray(cv2.resize(out, (WIDTH, HEIGHT)) if out.shape[:2] != (HEIGHT, WIDTH) else out, np.uint8)
