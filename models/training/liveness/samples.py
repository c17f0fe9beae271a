"""Makes the samples that a run trains on, in pieces, each the same for its seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from models.training.liveness import camera, heads, recapture, sources, triplets
from models.training.liveness.config import COLOUR
from models.training.liveness.crops import COLOUR_SIDE, PLANES, SIDE, Crops, colour_crop
from models.training.liveness.recapture import Scene, recaptured
from models.training.liveness.sources import Photographs
from models.training.synthesis.optics import linear

from vultus.geometry import similarity
from vultus.simulation import attacks
from vultus.simulation.attacks import TRAINING, attack
from vultus.simulation.triplets import Triplet
from vultus.stages.assess import level_of
from vultus.types import Face, Stream

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
LIVE: Final = "bona_fide"
MESH: Final = "ict-face/ict_face_model.npz"
_MAP: Final = 8
_PAIRS: Final = 100
_CAMERAS: Final = 2
"""Cameras that look at each face and at each sheet."""
_HEADS: Final = 100
_LOOKS: Final = 2
"""Live samples of each simulated head, with landmarks that err differently."""
_EACH: Final = 15
"""Attacks of each species made from a piece's heads."""
_PAINTED: Final = 60
_JITTER: Final = 0.02
"""Error of the detector's landmarks in eye distances."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What the network sees, uint8 (n, 128, 128, 3) or float16 (n, 4, 64, 64), the species of each, and the live share of each map cell."""

    seen: npt.NDArray[Any]
    species: npt.NDArray[np.str_]
    maps: npt.NDArray[np.uint8]

    @classmethod
    def joined(cls, parts: list[Samples]) -> Samples:
        """Return the samples of all parts in order."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("seen", "species", "maps")))


@dataclass(frozen=True, slots=True, eq=False)
class Maker:
    """Makes pieces of samples: photographs to take people from, the mesh, and the mean face's normals for light."""

    kind: str
    photographs: Photographs | None
    painted: bool
    mesh: heads.Model
    normals: F32

    def piece(self, seed: tuple[int, ...]) -> Samples:
        """Return one piece; the same for the same seed."""
        rows = list(self._colours(seed) if self.kind == COLOUR else self._triplets(seed))
        seen, species, maps = zip(*rows, strict=True)
        return Samples(np.stack(seen), np.array(species), np.stack(maps))

    def _colours(self, seed: tuple[int, ...]) -> Iterator[tuple[U8, str, npt.NDArray[np.uint8]]]:
        """Yield what the network sees of each picture."""
        for picture, points, label in self.pictures(seed, _PAIRS // _CAMERAS):
            yield framed(picture, points), label, np.full((_MAP, _MAP), 255 * (label == LIVE), np.uint8)

    def pictures(self, seed: tuple[int, ...], count: int) -> Iterator[tuple[U8, F32, str]]:
        """Yield pictures with five points, which err as a detector's do: of a face as a camera sees it, and of a print or a screen of it before
        the same camera; each before several cameras.
        """
        for i in range(count):
            rng = np.random.default_rng((*seed, i))
            at = int(rng.integers(len(self._people.people)))
            # The photograph that is shown was taken in another light than that before the camera.
            scene, then = self._scene(at, rng), self._scene(at, rng)
            species = recapture.SPECIES[int(rng.random() < 0.4)]
            shown = recaptured(then, species, rng)
            for _ in range(_CAMERAS):
                eyepiece = camera.Camera.draw(rng)
                live = replace(scene, blur=recapture.own_blur(rng))
                for label, seen in ((LIVE, live), (species, replace(shown, blur=recapture.sheet_blur(rng)))):
                    yield *_taken(seen, eyepiece, rng), label

    @property
    def _people(self) -> Photographs:
        if self.photographs is None:
            raise ValueError("colour samples need photographs or painted heads")
        return self.photographs

    def _scene(self, at: int, rng: np.random.Generator) -> Scene:
        """Return a photographed face in another light: what the photograph shows times the mean face's shading."""
        picture, points = self._people.pictures[at], self._people.points[at]
        matrix = similarity(points)
        normals = cv2.warpAffine(self.normals, matrix, picture.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        towards = rng.normal(0, 1, 3) * (0.9, 0.6, 0.3) + (0, 0.2, 0.8)
        towards = (towards / np.linalg.norm(towards)).astype(np.float32)
        even = float(rng.uniform(0.35, 1.0))
        shade = even + (1 - even) * np.clip(normals @ towards, 0, 1) ** np.float32(rng.uniform(0.7, 1.5))
        return Scene(np.asarray(linear(picture) * shade[..., None] * np.float32(rng.uniform(0.6, 1.5)), np.float32), points)

    def _triplets(self, seed: tuple[int, ...]) -> Iterator[tuple[npt.NDArray[np.float16], str, npt.NDArray[np.uint8]]]:
        """Yield live heads and every species of attack made from them."""
        made = [self._head(np.random.default_rng((*seed, i))) for i in range(_HEADS)]
        crops = Crops()
        for i in range(_HEADS * _LOOKS):
            rng = np.random.default_rng((*seed, 10_000 + i))
            planes = look(crops, _shaken(made[i // _LOOKS][0], rng))
            if planes is not None:
                yield planes, LIVE, np.full((_MAP, _MAP), 255, np.uint8)
        for number, species in enumerate(attacks.SPECIES):
            for i in range(_EACH):
                rng = np.random.default_rng((*seed, 20_000 + number, i))
                at, shift = int(rng.integers(_HEADS)), int(rng.integers(1, _HEADS))
                (victim, focal), (other, _) = made[at], made[(at + shift) % _HEADS]
                shown = attack(species, victim, other, rng, replace(TRAINING, focal_px=focal))
                planes = look(crops, _shaken(shown, rng))
                if planes is not None:
                    yield (
                        planes,
                        species,
                        _live_cells(crops, shown, other) if species == "eye_glasses" else np.zeros((_MAP, _MAP), np.uint8),
                    )

    def _head(self, rng: np.random.Generator) -> tuple[Triplet, float]:
        if self.photographs is None or (self.painted and rng.random() < 0.5):
            picture, points = heads.painted(self.mesh, self.mesh.person(rng), rng)
        else:
            at = int(rng.integers(len(self.photographs.people)))
            picture, points = linear(self.photographs.pictures[at]), self.photographs.points[at]
        return triplets.triplet(self.mesh, picture, points, rng)


def look(crops: Crops, shown: Triplet) -> npt.NDArray[np.float16] | None:
    """Return what the network sees of a triplet, float16 (4, 64, 64); None where the face has no depth or no light."""
    box = (*shown.landmarks.min(0).tolist(), *np.ptp(shown.landmarks, 0).tolist())
    level = level_of(Face(Stream.NIR, box, shown.landmarks, 1.0), shown.nir)
    if level is None:
        return None
    luma = np.rint(shown.rgb @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    out = np.empty((PLANES, SIDE, SIDE), np.float32)
    found = crops.planes(out, shown.depth, shown.landmarks, shown.nir, shown.landmarks, level, luma, shown.landmarks)
    return out.astype(np.float16) if found else None


def _live_cells(crops: Crops, shown: Triplet, other: Triplet) -> npt.NDArray[np.uint8]:
    """Return which cells show what the wearer's own face shows: 255 where nothing was put before it."""
    mine = look(crops, replace(other, landmarks=shown.landmarks))
    theirs = look(crops, shown)
    if mine is None or theirs is None:
        return np.zeros((_MAP, _MAP), np.uint8)
    changed = (np.abs(mine.astype(np.float32) - theirs) > 0.15).any(0).astype(np.float32)
    share = changed.reshape(_MAP, SIDE // _MAP, _MAP, SIDE // _MAP).mean((1, 3))
    return np.where(share > 0.25, 0, 255).astype(np.uint8)


def _shaken(shown: Triplet, rng: np.random.Generator) -> Triplet:
    jitter = rng.normal(0, _JITTER, (5, 2)) * shown.eye_distance
    return replace(shown, landmarks=(shown.landmarks + jitter).astype(np.float32))


def _taken(scene: Scene, eyepiece: camera.Camera, rng: np.random.Generator) -> tuple[U8, F32]:
    """Return the picture that a camera takes, and where a detector finds the five points in it."""
    picture = eyepiece.see(scene.light, scene.eyes_px, rng, scene.blur)
    scale = np.array(picture.shape[1::-1]) / np.array(scene.light.shape[1::-1])
    points = (scene.points + 0.5) * scale - 0.5
    points = points + rng.normal(0, _JITTER, (5, 2)) * np.hypot(*(points[1] - points[0]))
    return np.ascontiguousarray(picture), points.astype(np.float32)


def framed(picture: U8, points: F32) -> U8:
    """Return the crop (128, 128, 3) of a picture, cut out as the SDK does."""
    out = np.empty((3, COLOUR_SIDE, COLOUR_SIDE), np.float32)
    colour_crop(picture, points, out)
    return np.asarray(np.clip(out.transpose(1, 2, 0) * 128 + 128, 0, 255), np.uint8)


def piece_size(kind: str) -> int:
    """Return how many samples a piece has at most."""
    return 2 * _PAIRS if kind == COLOUR else _HEADS * _LOOKS + _EACH * len(attacks.SPECIES)


def with_painted(found: Photographs | None, mesh: heads.Model) -> Photographs:
    """Add pictures of painted heads, each another person, to the photographs."""
    rows = [_portrait(mesh, np.random.default_rng((17, i))) for i in range(_PAINTED)]
    first = 0 if found is None else int(found.people.max()) + 1
    pictures, points = (np.stack(part) for part in zip(*rows, strict=True))
    added = Photographs(pictures, points, np.arange(first, first + _PAINTED))
    if found is None:
        return added
    return Photographs(*(np.concatenate([getattr(found, n), getattr(added, n)]) for n in ("pictures", "points", "people")))


def _portrait(mesh: heads.Model, rng: np.random.Generator) -> tuple[U8, F32]:
    """Return a picture (384, 384, 3) of a painted head in even light, near to frontal, with its five points."""
    vertices = mesh.person(rng)
    colours = heads.coloured(mesh, vertices, *heads.painted(mesh, vertices, rng))
    side = sources.SIDE
    angles = tuple((rng.normal(0, 1, 3) * (8, 5, 1)).tolist())
    pose = heads.Pose(angles, 1200.0, 1200.0 * sources.EYES_PX / 63.0, side, side, (side / 2, 150.0))
    seen = heads.view(mesh, vertices, colours, pose)
    wall = rng.uniform(0.1, 0.8, 3).astype(np.float32)
    light = np.where((seen.depth > 0)[..., None], seen.albedo * (0.75 + 0.25 * seen.normals[..., 2:]), wall)
    return (np.clip(cv2.GaussianBlur(light, (0, 0), 0.6), 0, 1) ** (1 / 2.2) * 255).astype(np.uint8), seen.points
