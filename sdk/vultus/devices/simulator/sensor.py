"""Turn scenery into the frames of a simulated RGB + NIR + depth sensor: light, exposure, noise, quantisation and depth holes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import pictures
from vultus.devices.simulator.optics import Scenery
from vultus.types import F32, U8, U16, Intrinsics

RGB_FULL_WELL: Final = 5000.0
NIR_FULL_WELL: Final = 2500.0
"""Electrons at full scale: small pixels of a webcam and of a global-shutter infrared sensor (5000 and 2500 are typical orders)."""
READ_NOISE: Final = 5.0
"""Electrons of read noise, an order typical of such sensors."""
MAX_GAIN: Final = 8.0
"""Largest exposure gain of the RGB camera over that for an office (light = 1): below 1/8 of that light the picture gets dark."""
LIT_REFERENCE_MM: Final = 500.0
"""Distance at which the infrared illuminator gives one unit of light."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """A simulated head of sensors with one view point: frame size, focal length in pixels and how strong its noise is (1 = as stated)."""

    width: int = 640
    height: int = 480
    focal_px: float = 600.0
    noise: float = 1.0

    def __post_init__(self) -> None:
        if not (64 <= self.width <= 2048 and 64 <= self.height <= 2048) or self.width % 2 or self.height % 2:
            raise ValueError("a simulated sensor has even sides of 64 to 2048 pixels")
        if not (0.3 * self.width <= self.focal_px <= 8 * self.width):
            raise ValueError("focal_px must be 0.3 to 8 times the width")
        if not 0 <= self.noise <= 10:
            raise ValueError("noise must be 0 to 10")

    @property
    def intrinsics(self) -> Intrinsics:
        """Return the pinhole camera that all streams share."""
        return Intrinsics(self.focal_px, self.focal_px, (self.width - 1) / 2, (self.height - 1) / 2, self.width, self.height)


@dataclass(frozen=True, slots=True)
class Light:
    """Room light 0 (dark) to 1 (office) and above; warmth -1 (blue) to 1 (red); side -1 to 1 is where it comes from in the picture;
    infrared is the share of the room's light that the NIR camera sees (0.1 lamps, 1 sun).
    """

    level: float = 0.6
    warmth: float = 0.0
    side: float = 0.0
    infrared: float = 0.1


class Noise:
    """Normal deviates from one seeded bank, drawn as views at random offsets: a hundred times cheaper than fresh ones."""

    def __init__(self, rng: np.random.Generator, largest: int) -> None:
        self._bank: F32 = rng.standard_normal(largest + 65536, dtype=np.float32)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> F32:
        """Return a read-only view of deviates of `shape`."""
        count = int(np.prod(shape))
        at = int(rng.integers(0, self._bank.size - count + 1))
        return self._bank[at : at + count].reshape(shape)


def room(camera: Intrinsics, rng: np.random.Generator) -> Scenery:
    """Make the empty scene: a wall with a few blurred rectangles 1.2 to 2 m away."""
    h, w = camera.height, camera.width
    wall = rng.uniform(0.25, 0.5) * np.array([1.0, 0.97, 0.9], np.float32) * (1 + rng.uniform(-0.08, 0.08, 3).astype(np.float32))
    colour = np.tile(wall.astype(np.float32), (h, w, 1))
    nir = np.full((h, w), 0.55, np.float32)
    depth = np.full((h, w), rng.uniform(1500, 2000), np.float32)
    depth += np.linspace(-80, 80, w, dtype=np.float32)[None, :] * np.float32(rng.uniform(-1, 1))
    for _ in range(int(rng.integers(3, 7))):
        x0, y0 = int(rng.integers(-40, w - 20)), int(rng.integers(-40, h - 20))
        part = (slice(max(y0, 0), y0 + int(rng.integers(h // 6, h))), slice(max(x0, 0), x0 + int(rng.integers(w // 10, w // 3))))
        colour[part] = rng.uniform(0.04, 0.5) * (1 + rng.uniform(-0.12, 0.12, 3))
        nir[part] = rng.uniform(0.2, 0.7)
        depth[part] -= np.float32(rng.uniform(20, 250))
    colour, nir = pictures.blur(colour, w / 200), pictures.blur(nir, w / 200)
    zeros = np.zeros((h, w), np.float32)
    ones = np.ones((h, w), np.float32)
    return Scenery(colour, np.zeros_like(colour), nir, ones, zeros.copy(), np.maximum(depth, 1200), zeros.copy(), zeros.copy())


def vignette(camera: Intrinsics, strength: float) -> F32:
    """Return the fall-off towards the corners: 1 in the middle, 1 - strength in the corners."""
    y, x = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float32)
    r2 = ((x - camera.cx) ** 2 + (y - camera.cy) ** 2) / (camera.cx**2 + camera.cy**2)
    return np.asarray(1 - np.float32(strength) * r2, np.float32)


def _shade(seen: Scenery, light: Light) -> F32:
    shade: F32 = np.float32(0.85) + np.float32(0.15) * seen.cosine + np.float32(0.45 * light.side) * seen.side
    return np.asarray(np.maximum(shade, np.float32(0.1)))


def _expose(light: F32, gain: float, well: float, strength: float, noise: F32) -> F32:
    """Count electrons and amplify: `light` is 1 at full scale for gain 1."""
    spread: F32 = np.sqrt(light * np.float32(1 / well) + np.float32((READ_NOISE / well) ** 2))
    spread *= noise
    spread *= np.float32(strength)
    spread += light
    spread *= np.float32(gain)
    np.clip(spread, 0, 1, out=spread)
    return spread


def rgb_frame(seen: Scenery, light: Light, shading: F32, noise: F32, strength: float) -> U8:
    """Expose the colour camera; `shading` is its vignette. The tone curve is a square root."""
    lamp = np.float32(light.level) * np.array([1 + 0.25 * light.warmth, 1, 1 - 0.35 * light.warmth], np.float32)
    shade = _shade(seen, light) * shading
    picture = seen.colour * lamp
    picture *= shade[..., None]
    glow = float(seen.emission.max())
    if glow > 0:
        picture += seen.emission * (np.float32(0.55) * shading[..., None])
    brightest = max(light.level, 0.55 if glow > 0 else 0.0)
    picture = pictures.blur(picture, 0.6)
    exposed = _expose(picture, min(MAX_GAIN, 0.95 / max(brightest, 1e-3)), RGB_FULL_WELL, strength, noise)
    np.sqrt(exposed, out=exposed)
    exposed *= 255.0
    exposed += 0.5
    return exposed.astype(np.uint8)


def nir_frames(seen: Scenery, light: Light, shading: F32, noise: tuple[F32, F32], strength: float, distance_mm: float) -> tuple[U8, U8]:
    """Expose the infrared camera, illuminator on and off, at one exposure chosen for a surface at `distance_mm`; linear in light."""
    near = np.float32(LIT_REFERENCE_MM) / seen.depth
    lit = near * near
    lit *= seen.nir
    lit *= np.float32(0.25) + np.float32(0.75) * seen.cosine
    lit += seen.glare
    ambient = seen.nir * _shade(seen, light)
    ambient *= np.float32(light.level * light.infrared)
    ambient *= shading
    lit *= shading
    lit += ambient
    # Exposed for a white surface there, under both lights; the illuminator is not dimmed below nor the gain raised beyond a range.
    gain = 0.9 / (float(np.clip((LIT_REFERENCE_MM / distance_mm) ** 2, 0.28, 2.5)) + light.level * light.infrared)
    out = []
    for picture, deviates in ((lit, noise[0]), (ambient, noise[1])):
        exposed = _expose(pictures.blur(picture, 0.6), gain, NIR_FULL_WELL, strength, deviates)
        exposed *= 255.0
        exposed += 0.5
        out.append(exposed.astype(np.uint8))
    return out[0], out[1]


def depth_frame(seen: Scenery, noise: F32, holes: F32, strength: float) -> U16:
    """Measure depth in mm: axial noise sigma = 1.2 mm + 1.9 mm * (z / m - 0.4)^2 (Nguyen, Izadi and Lovell 2012), whole millimetres,
    and no return (0) at depth edges, grazing angles, glare and in dark hair, where `holes`, normal deviates smooth over pixels, says so.
    """
    z = seen.depth
    sigma = np.float32(1.9e-6) * (z - 400.0) ** 2 + np.float32(1.2)
    measured = z + sigma * noise * np.float32(strength)
    lost = np.zeros(z.shape, bool)
    # A jump of 25 mm between neighbours is an edge: half of its pixels see both sides and return nothing.
    jump_x = np.abs(z[:, 1:] - z[:, :-1]) > 25
    jump_y = np.abs(z[1:] - z[:-1]) > 25
    lost[:, 1:] |= jump_x
    lost[:, :-1] |= jump_x
    lost[1:] |= jump_y
    lost[:-1] |= jump_y
    lost &= noise > -0.2
    lost |= seen.cosine < 0.12
    lost |= seen.glare > 0.3
    lost |= (seen.loses > 0.2) & (seen.loses > np.float32(0.75) + np.float32(0.6) * holes)
    measured[lost] = 0
    return np.clip(measured + 0.5, 0, 65535).astype(np.uint16)


def add_glints(picture: U8, eyes: npt.NDArray[Any], strength: float) -> None:
    """Add the illuminator's mirror image on each cornea, a spot of about two pixels, in place."""
    for x, y in eyes:
        column, row = round(float(x)), round(float(y)) - 1
        if 2 <= column < picture.shape[1] - 2 and 2 <= row < picture.shape[0] - 2:
            dy, dx = np.mgrid[-2:3, -2:3]
            spot = 255 * strength * np.exp(-0.5 * (dx**2 + dy**2) / 0.8**2)
            window = picture[row - 2 : row + 3, column - 2 : column + 3]
            window[:] = np.clip(window + spot, 0, 255).astype(np.uint8)
