"""A device that renders RGB + NIR + depth frame sets from a portrait photograph: `simulator:PORTRAIT?scene=...&distance_mm=...`.

PORTRAIT is `grace_hopper`, `astronaut` or a picture file. Nothing here is a measurement of a real sensor: the head is a generic
relief, the infrared is estimated from colour, and the noise follows published orders of magnitude. It shows that the pipeline
works, not how well it works on people; every frame set says that it is simulated.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from vultus import pictures
from vultus.devices.base import Capabilities, Device, StreamFormat
from vultus.devices.registry import Options
from vultus.devices.simulator.attacks import print_surface, screen_surface
from vultus.devices.simulator.head import Surface, head_surface
from vultus.devices.simulator.optics import Placement, look, project, rotation
from vultus.devices.simulator.portraits import FindLandmarks, Portrait, carried_portrait, load_portrait, portrait_names
from vultus.devices.simulator.sensor import Light, Noise, Sensor, add_glints, depth_frame, nir_frames, rgb_frame, room, vignette
from vultus.types import F32, DeviceIdentity, Frame, FrameSet, Source, Stream

PERIOD_NS: Final = 33_333_333
_START_NS: Final = 1_000_000_000
# Start of exposure after that of RGB: a frame for the lit picture, the next field for the ambient one.
_OFFSET_NS: Final = {Stream.RGB: 0, Stream.NIR: 4_000_000, Stream.NIR_AMBIENT: 20_000_000, Stream.DEPTH: 4_000_000}


class SceneKind(enum.StrEnum):
    """What stands before the sensor. The first three are bona fide presentations, NO_FACE is an empty room, the others are attacks."""

    BONA_FIDE = "bona_fide"
    OTHER_PERSON = "other_person"
    TWO_FACES = "two_faces"
    NO_FACE = "no_face"
    FLAT_PRINT = "flat_print"
    TILTED_PRINT = "tilted_print"
    BENT_PRINT = "bent_print"
    SCREEN_REPLAY = "screen_replay"

    @property
    def attack(self) -> bool:
        """True for a print or a screen."""
        return self in (SceneKind.FLAT_PRINT, SceneKind.TILTED_PRINT, SceneKind.BENT_PRINT, SceneKind.SCREEN_REPLAY)


@dataclass(frozen=True, slots=True)
class Scene:
    """A presentation: the middle of the face at (x_mm, y_mm, distance_mm) from the camera, turned by yaw (nose to larger x), pitch
    (nose up) and roll (crown to larger x) in degrees; `motion` scales how far it sways over a second or two (1: 2 degrees and 6 mm).
    """

    kind: SceneKind = SceneKind.BONA_FIDE
    distance_mm: float = 500.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    x_mm: float = 0.0
    y_mm: float = 0.0
    light: Light = field(default_factory=Light)
    motion: float = 1.0

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"a scene's {name} must be {low:g} to {high:g}")


_LIMITS: Final = {
    "distance_mm": (300, 1100),
    "yaw": (-40, 40),
    "pitch": (-35, 35),
    "roll": (-45, 45),
    "x_mm": (-400, 400),
    "y_mm": (-300, 300),
    "motion": (0, 5),
}
_LIGHT_LIMITS: Final = {"level": (0, 4), "warmth": (-1, 1), "side": (-1, 1), "infrared": (0, 2)}


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is known about a rendered frame set: five landmarks (5, 2) of each face in pixels, the same in all streams; pose in degrees;
    distance of the middle of the face in mm; distance between the eyes in mm.
    """

    kind: SceneKind
    landmarks: tuple[F32, ...] = field(repr=False)
    yaw: float
    pitch: float
    roll: float
    distance_mm: float
    eye_distance_mm: float


class Simulator(Device):
    """Renders a scene as fast as it is read, 30 frame sets in a second of its own time; for ever unless `count` is given.

    The same seed gives the same frames. `other` is the second person of OTHER_PERSON and TWO_FACES.
    """

    def __init__(
        self,
        portrait: Portrait,
        scene: Scene | None = None,
        sensor: Sensor | None = None,
        *,
        other: Portrait | None = None,
        seed: int = 0,
        count: int | None = None,
        streams: frozenset[Stream] = frozenset(Stream),
    ) -> None:
        super().__init__(DeviceIdentity("simulator", "simulated RGB + NIR + depth", "simulated", Source.SIMULATED))
        self.scene = scene or Scene()
        self.sensor = sensor or Sensor()
        if self.scene.kind is SceneKind.OTHER_PERSON and other is None:
            raise ValueError("the scene other_person needs another portrait: other=...")
        if streams <= {Stream.NIR_AMBIENT} or (Stream.NIR_AMBIENT in streams and Stream.NIR not in streams):
            raise ValueError("streams must hold rgb, nir or depth, and nir where it holds nir_ambient")
        self._portrait, self._other = portrait, other
        self._seed, self._count, self._streams = seed, count, streams
        self._at = 0
        self._truth: Truth | None = None
        self._ready: _Stage | None = None

    @property
    def truth(self) -> Truth | None:
        """Return what is known about the frame set that was read last; None before the first."""
        return self._truth

    def _open(self) -> Capabilities:
        self._stage()
        self._at = 0
        self._truth = None
        s = self.sensor
        depth = {Stream.DEPTH: "uint16"}
        formats = tuple(StreamFormat(t, s.width, s.height, depth.get(t, "uint8")) for t in Stream if t in self._streams)
        return Capabilities(formats, rate_hz=1e9 / PERIOD_NS, finite=self._count is not None, hardware_time=False)

    def _next(self, deadline: float) -> FrameSet | None:
        del deadline
        if self._count is not None and self._at >= self._count:
            return None
        frame_set, self._truth = self.render(self._at)
        self._at += 1
        return frame_set

    def _close(self) -> None:
        self._ready = None

    def _stage(self) -> _Stage:
        if self._ready is None:
            self._ready = _Stage(self._portrait, self._other, self.scene, self.sensor, self._seed)
        return self._ready

    def render(self, sequence: int) -> tuple[FrameSet, Truth]:
        """Render any frame set by its number, in any state, and what is known about it."""
        stage = self._stage()
        pictures_, truth = stage.shoot(sequence)
        start = _START_NS + sequence * PERIOD_NS
        frames: dict[str, Frame] = {}
        for stream in self._streams:
            data = pictures_[stream]
            data.flags.writeable = False
            frames[stream.value] = Frame(stream, data, start + _OFFSET_NS[stream], self.sensor.intrinsics)
        return FrameSet(self.identity, sequence, **frames), truth


class _Stage:
    """A scene made ready: surfaces, empty room, lens and noise."""

    def __init__(self, portrait: Portrait, other: Portrait | None, scene: Scene, sensor: Sensor, seed: int) -> None:
        self.scene, self.sensor, self.seed = scene, sensor, seed
        self.camera = sensor.intrinsics
        rng = np.random.default_rng([seed, 0])
        self.room = room(self.camera, rng)
        self.vignette = vignette(self.camera, 0.25)
        self.noise = Noise(rng, sensor.width * sensor.height * 3)
        self.holes = pictures.blur(self.noise.draw((sensor.height, sensor.width), rng), 3.0)
        self.holes /= self.holes.std()
        self.phases = rng.uniform(0, 2 * np.pi, 7)
        self.surfaces = _surfaces(scene.kind, portrait, other)

    def sway(self, sequence: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return seven slow, independent movements of about -1..1: three angles, three positions, light."""
        # Periods in frame sets, about one to three seconds and with no common multiple: nobody sways like a clock.
        periods = np.array([41.0, 53.0, 67.0, 47.0, 59.0, 83.0, 31.0])
        moves: np.ndarray[Any, np.dtype[np.float64]] = np.sin(2 * np.pi * sequence / periods + self.phases)
        return moves

    def shoot(self, sequence: int) -> tuple[dict[Stream, Any], Truth]:
        """Render the pictures of one frame set."""
        s, scene, camera = self.sensor, self.scene, self.camera
        rng = np.random.default_rng([self.seed, 1, sequence])
        move = self.sway(sequence) * scene.motion
        tilt = (22.0, -12.0) if scene.kind is SceneKind.TILTED_PRINT else (0.0, 0.0)
        angles = np.array([scene.yaw + tilt[0], scene.pitch + tilt[1], scene.roll]) + move[:3] * (2.0, 1.5, 1.0)
        middle = np.array([scene.x_mm, scene.y_mm, scene.distance_mm]) + move[3:6] * (4.0, 3.0, 6.0)
        seen = self.room.copy()
        turn = rotation(*angles)
        faces = []
        for surface, shift in self.surfaces:
            placement = Placement(turn, middle + shift - turn @ surface.landmarks.mean(axis=0))
            look(surface, placement, camera, seen)
            faces.append(project(placement.place(surface.landmarks), camera))
        lamp = scene.light
        light = Light(lamp.level * (1 + 0.03 * float(np.clip(move[6], -3, 3))), lamp.warmth, lamp.side, lamp.infrared)
        flat, deep = (s.height, s.width), (s.height, s.width, 3)
        rgb = rgb_frame(seen, light, self.vignette, self.noise.draw(deep, rng), s.noise)
        grains = (self.noise.draw(flat, rng), self.noise.draw(flat, rng))
        lit, ambient = nir_frames(seen, light, self.vignette, grains, s.noise, scene.distance_mm)
        depth = depth_frame(seen, self.noise.draw(flat, rng), np.roll(self.holes, int(rng.integers(s.width)), axis=1), s.noise)
        if not scene.kind.attack:
            for face in faces:
                add_glints(lit, face[:2], 0.5)
        eyes = float(np.linalg.norm(self.surfaces[0][0].landmarks[1] - self.surfaces[0][0].landmarks[0])) if self.surfaces else 0.0
        truth = Truth(scene.kind, tuple(faces), float(angles[0]), float(angles[1]), float(angles[2]), float(middle[2]), eyes)
        return {Stream.RGB: rgb, Stream.NIR: lit, Stream.NIR_AMBIENT: ambient, Stream.DEPTH: depth}, truth


def _surfaces(kind: SceneKind, portrait: Portrait, other: Portrait | None) -> list[tuple[Surface, Any]]:
    """Return the surfaces of a scene, each with its shift in mm."""
    still = np.zeros(3)
    if kind is SceneKind.NO_FACE:
        return []
    if kind in (SceneKind.FLAT_PRINT, SceneKind.TILTED_PRINT):
        return [(print_surface(portrait), still)]
    if kind is SceneKind.BENT_PRINT:
        return [(print_surface(portrait, bent=True), still)]
    if kind is SceneKind.SCREEN_REPLAY:
        return [(screen_surface(portrait), still)]
    if kind is SceneKind.OTHER_PERSON:
        return [(head_surface(other or portrait), still)]
    if kind is SceneKind.TWO_FACES:
        # Heads 260 mm apart touch shoulders; the second stands a step behind.
        return [(head_surface(portrait), np.array([-110.0, 0, 0])), (head_surface(other or portrait), np.array([150.0, 10.0, 140.0]))]
    return [(head_surface(portrait), still)]


def _portrait(name: str, landmarks: Any, find: FindLandmarks | None) -> Portrait:
    if name in portrait_names():
        return carried_portrait(name)
    points = None
    if landmarks is not None:
        numbers = landmarks.split(",") if isinstance(landmarks, str) else landmarks
        points = np.asarray(numbers, np.float32).reshape(-1, 2)
    return load_portrait(Path(name), points, find)


def from_url(path: str, options: Options) -> Device:
    """Make the device of a `simulator:` URL."""
    kind = SceneKind(options.text("scene", SceneKind.BONA_FIDE.value, tuple(k.value for k in SceneKind)))
    light = Light(**{n: options.number("light" if n == "level" else n, getattr(Light(), n), *span) for n, span in _LIGHT_LIMITS.items()})
    place = {name: options.number(name, getattr(Scene(), name), *span) for name, span in _LIMITS.items()}
    other = options.text("other", "")
    seed, count = options.whole("seed", 0, 0, 2**31), options.whole("count", 0, 0, 10**9)
    names = options.text("streams", ",".join(Stream)).split(",")
    sensor = Sensor(noise=options.number("noise", 1.0, 0, 10))
    find = options.take("find_landmarks")
    points, other_points = options.take("landmarks"), options.take("other_landmarks")
    options.done()
    unknown = set(names) - set(Stream)
    if unknown:
        raise ValueError(f"simulator: unknown stream {', '.join(sorted(unknown))}; known: {', '.join(Stream)}")
    streams = frozenset(Stream(n) for n in names)
    second = _portrait(other, other_points, find) if other else None
    scene = Scene(kind, light=light, **place)
    return Simulator(_portrait(path, points, find), scene, sensor, other=second, seed=seed, count=count or None, streams=streams)
