"""Spoil probe pictures on purpose: eight kinds at five strengths, in units of the face where the face decides.

Strengths are chosen so that the first is hardly seen and the last is beyond what a user would try twice.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[Any]

STRENGTHS: Final[Mapping[str, tuple[float, ...]]] = {
    "blur": (0.03, 0.06, 0.1, 0.15, 0.2),
    "noise": (0.03, 0.06, 0.1, 0.15, 0.25),
    "dark": (0.5, 0.25, 0.12, 0.06, 0.03),
    "bright": (1.4, 2.0, 2.8, 4.0, 5.6),
    "jpeg": (50, 30, 15, 8, 4),
    "low_resolution": (32, 24, 16, 12, 8),
    "occlusion": (0.15, 0.25, 0.35, 0.45, 0.55),
    "rotation": (10, 20, 30, 45, 60),
}
UNITS: Final[Mapping[str, str]] = {
    "blur": "standard deviation in eye distances",
    "noise": "standard deviation as a share of white",
    "dark": "share of the light, read noise of 0.5 % added",
    "bright": "times the light, clipped at white",
    "jpeg": "quality",
    "low_resolution": "eye distance in pixels",
    "occlusion": "share of the face's height covered from the chin up",
    "rotation": "degrees in the plane",
}
_READ_NOISE: Final = 0.005
"""Of white: about 1.3 of 255 levels, a small webcam's; without it darkness would only be a gain, which the recogniser ignores."""


@dataclass(frozen=True, slots=True)
class Corruption:
    """One kind at one strength; `box` (x, y, width, height) and `eyes` (their distance in pixels) are those of the clean picture."""

    kind: str
    strength: float
    box: tuple[float, float, float, float]
    eyes: float
    seed: int

    @property
    def name(self) -> str:
        """Everything that decides the result, for the cache key."""
        return f"{self.kind}:{self.strength:g}:{','.join(f'{v:.2f}' for v in (*self.box, self.eyes))}:{self.seed}"

    def apply(self, picture: Picture) -> Picture:
        """Return the spoilt picture in the same shape and dtype."""
        spoilt = _KINDS[self.kind](picture.astype(np.float32), self)
        out: Picture = np.clip(np.rint(spoilt), 0, _white(picture)).astype(picture.dtype)
        return out


def corruption_of(kind: str, strength: float, found: Mapping[str, Any], sample: str) -> Corruption:
    """Describe a corruption of a sample whose clean face is known; the seed comes from the sample's name."""
    x, y, width, height = found["box"]
    (x0, y0), (x1, y1) = found["landmarks"][0], found["landmarks"][1]
    seed = int.from_bytes(hashlib.sha256(f"{sample}:{kind}".encode()).digest()[:4], "little")
    return Corruption(kind, strength, (x, y, width, height), max(math.hypot(x1 - x0, y1 - y0), 1.0), seed)


def _white(picture: Picture) -> float:
    """Return the highest level: the dtype's for 8 bits; for 16 bits, which sensors rarely fill, the picture's own."""
    return 255.0 if picture.dtype == np.uint8 else float(max(picture.max(initial=1), 1))


def _level(picture: Picture) -> float:
    """Return white for a picture that was converted to float: 255 unless levels above it occur."""
    top = float(picture.max(initial=1.0))
    return max(255.0, top)


def _axes(picture: Picture, sigma: float) -> tuple[float, ...]:
    """Return a width for each axis, none across colours."""
    return (sigma, sigma, 0.0)[: picture.ndim]


def _blur(picture: Picture, c: Corruption) -> Picture:
    from scipy.ndimage import gaussian_filter

    out: Picture = gaussian_filter(picture, _axes(picture, c.strength * c.eyes))
    return out


def _noise(picture: Picture, c: Corruption) -> Picture:
    return picture + np.random.default_rng(c.seed).normal(0.0, c.strength * _level(picture), picture.shape)


def _dark(picture: Picture, c: Corruption) -> Picture:
    return picture * c.strength + np.random.default_rng(c.seed).normal(0.0, _READ_NOISE * _level(picture), picture.shape)


def _bright(picture: Picture, c: Corruption) -> Picture:
    return np.minimum(picture * c.strength, _level(picture))


def _jpeg(picture: Picture, c: Corruption) -> Picture:
    """Compress at the given quality and read back; 16-bit pictures are brought to 8 bits and back, as a video link does."""
    import io

    from PIL import Image

    scale = 255.0 / _level(picture)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.rint(picture * scale), 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=int(c.strength))
    return np.asarray(Image.open(buffer), np.float32) / scale


def _low_resolution(picture: Picture, c: Corruption) -> Picture:
    """Average down until the eyes are `strength` pixels apart, and back up; a picture that is coarser already stays."""
    from scipy.ndimage import gaussian_filter, zoom

    factor = c.strength / c.eyes
    if factor >= 1.0:
        return picture
    # The blur that keeps a down-sampling by 1/factor free of aliases (sigma of half a new pixel).
    soft = gaussian_filter(picture, _axes(picture, 0.5 / factor))
    small = [max(1, round(n * factor)) for n in picture.shape[:2]]
    down = zoom(
        soft, [small[0] / picture.shape[0], small[1] / picture.shape[1], 1.0][: picture.ndim], order=1, grid_mode=True, mode="nearest"
    )
    back = [picture.shape[0] / down.shape[0], picture.shape[1] / down.shape[1], 1.0][: picture.ndim]
    out: Picture = zoom(np.rint(down), back, order=1, grid_mode=True, mode="nearest")
    return out


def _occlusion(picture: Picture, c: Corruption) -> Picture:
    """Cover the lower face with a flat grey, as a scarf or a mask does."""
    x, y, width, height = c.box
    top, bottom = round(y + height * (1 - c.strength)), round(y + height)
    left, right = round(x), round(x + width)
    out = picture.copy()
    out[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 0.4 * _level(picture)
    return out


def _rotation(picture: Picture, c: Corruption) -> Picture:
    """Turn about the face's centre, to the side that the seed says; what comes in from outside repeats the edge."""
    from scipy.ndimage import affine_transform

    angle = math.radians(c.strength if c.seed % 2 else -c.strength)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    x, y, width, height = c.box
    centre = np.array([y + height / 2, x + width / 2])
    planes = picture[..., None] if picture.ndim == 2 else picture
    shift = centre - turn @ centre
    turned = [affine_transform(planes[..., k], turn, shift, order=1, mode="nearest") for k in range(planes.shape[2])]
    out: Picture = np.stack(turned, axis=-1).reshape(picture.shape)
    return out


_KINDS: Final[Mapping[str, Callable[[Picture, Corruption], Picture]]] = {
    "blur": _blur,
    "noise": _noise,
    "dark": _dark,
    "bright": _bright,
    "jpeg": _jpeg,
    "low_resolution": _low_resolution,
    "occlusion": _occlusion,
    "rotation": _rotation,
}
