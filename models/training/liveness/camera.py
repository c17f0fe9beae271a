"""Simulates a colour camera that looks at a scene: blur, mosaic, noise, tone, sharpening, compression. The same draw serves live and attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
_WHITE: Final = 4095.0


@dataclass(frozen=True, slots=True)
class Camera:
    """One draw of a camera and its settings.

    eyes_px: distance between the eyes in its pictures. blur_px: standard deviation of lens and motion in its pixels. gain: exposure. balance:
    white balance by channel. photons: electrons of white. read: standard deviation of the reader in shares of white. gamma, knee: tone curve.
    colourful: saturation. sharpen: amount of the unsharp mask. smooth: radius of its noise filter. quality: of the JPEG file, 101 = none.
    """

    eyes_px: float
    blur_px: float
    gain: float
    balance: tuple[float, float, float]
    mosaic: bool
    photons: float
    read: float
    gamma: float
    knee: float
    colourful: float
    sharpen: float
    smooth: float
    quality: int

    @classmethod
    def draw(cls, rng: np.random.Generator, eyes_px: tuple[float, float] = (26.0, 110.0)) -> Camera:
        """Draw from ranges that cover webcams and telephones; chosen, not measured, and not changed after an evaluation set was looked at."""
        low, high = np.log(eyes_px)
        warm = float(rng.normal(0, 0.12))
        return cls(
            float(np.exp(rng.uniform(low, high))),
            float(0.35 + rng.exponential(0.35)),
            float(np.exp(rng.normal(0, 0.3))),
            (1.0 + warm, 1.0, 1.0 - warm + float(rng.normal(0, 0.05))),
            bool(rng.random() < 0.6),
            float(np.exp(rng.uniform(np.log(400), np.log(20000)))),
            float(rng.uniform(0, 0.006)),
            float(rng.uniform(1.8, 2.6)),
            float(rng.uniform(0, 0.35)),
            float(rng.uniform(0.6, 1.35)),
            float(rng.choice((0.0, rng.uniform(0.2, 1.6)))),
            float(rng.choice((0.0, rng.uniform(0.4, 1.2)))),
            int(rng.choice((101, rng.integers(45, 97)))),
        )

    def see(self, light: F32, eyes_px: float, rng: np.random.Generator, blur: float = 0.0) -> U8:
        """Return the picture (h, w, 3) of linear light (H, W, 3) in which the eyes lie `eyes_px` apart, blurred by `blur` eye distances more."""
        share = self.eyes_px / eyes_px
        seen = cv2.GaussianBlur(light, (0, 0), float(np.hypot(self.blur_px / share, blur * eyes_px)))
        size = tuple(max(8, round(n * share)) for n in light.shape[1::-1])
        seen = cv2.resize(seen, size, interpolation=cv2.INTER_AREA) * np.array(self.balance, np.float32) * self.gain
        return self._compressed(self._toned(self._developed(seen, rng)))

    def _developed(self, seen: F32, rng: np.random.Generator) -> F32:
        """Count electrons behind a mosaic of filters, or behind none."""
        noisy = seen + rng.standard_normal(seen.shape, np.float32) * np.sqrt(np.maximum(seen, 0) / self.photons + self.read**2)
        noisy = np.clip(noisy, 0, 1)
        if not self.mosaic:
            return np.asarray(noisy, np.float32)
        raw = noisy[..., 1].copy()
        raw[0::2, 0::2], raw[1::2, 1::2] = noisy[0::2, 0::2, 0], noisy[1::2, 1::2, 2]
        whole = cv2.cvtColor((raw * _WHITE).astype(np.uint16), cv2.COLOR_BayerRG2BGR)
        return np.asarray(whole / _WHITE, np.float32)

    def _toned(self, light: F32) -> U8:
        """Apply the tone curve, the saturation, the noise filter and the unsharp mask, in the order that cameras have them."""
        v = np.clip(light, 0, 1) ** np.float32(1 / self.gamma)
        v = v + np.float32(self.knee) * v * (1 - v) * (2 * v - 1)
        grey = v @ np.array([0.299, 0.587, 0.114], np.float32)
        v = grey[..., None] + np.float32(self.colourful) * (v - grey[..., None])
        if self.smooth:
            v = cv2.GaussianBlur(v, (0, 0), self.smooth)
        if self.sharpen:
            v = v + np.float32(self.sharpen) * (v - cv2.GaussianBlur(v, (0, 0), 1.0))
        return np.clip(v * 255 + 0.5, 0, 255).astype(np.uint8)

    def _compressed(self, picture: U8) -> U8:
        return picture if self.quality > 100 else jpeg(picture, self.quality)


def jpeg(picture: npt.NDArray[Any], quality: int) -> U8:
    """Return a picture as its JPEG file shows it."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
