"""Turns a colour picture of a face into what an NIR camera with its own lamp would see, by skin optics. Everything here is simulated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

VISIBLE_NM: Final = (610.0, 540.0, 460.0)
"""Where the red, green and blue channels of a camera see, about the middle of each."""
MELANIN_POWER: Final = -3.33
"""Melanin absorbs as wavelength to this power (Jacques 2013, Phys. Med. Biol. 58 R37, section 4.1)."""
OXYGENATED: Final = {610.0: 1506.0, 540.0: 53236.0, 460.0: 44480.0, 850.0: 1058.0, 940.0: 1214.0}
DEOXYGENATED: Final = {610.0: 9443.6, 540.0: 46592.0, 460.0: 23388.8, 850.0: 691.3, 940.0: 693.4}
"""Molar extinction of haemoglobin in 1/(cm M) (Prahl's compilation, omlc.org/spectra/hemoglobin)."""


@dataclass(frozen=True, slots=True)
class Optics:
    """One draw of skin and lamp. nm: 850 or 940. saturation: share of oxygenated blood. spread: error of the spectra in each channel."""

    nm: float
    saturation: float
    power: float
    spread: tuple[float, float, float]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Optics:
        """Draw from ranges of people and cameras; none of them was chosen by looking at an evaluation set."""
        return cls(
            float(rng.choice((850.0, 940.0))),
            float(rng.uniform(0.5, 0.95)),
            MELANIN_POWER + float(rng.normal(0, 0.3)),
            (float(rng.normal(0, 0.15)), float(rng.normal(0, 0.15)), float(rng.normal(0, 0.15))),
        )

    def weights(self) -> F32:
        """Return how log NIR reflectance is made of log R, G, B reflectance.

        Log reflectance is shading less melanin and blood, each times its absorption. Three channels determine the three, and with
        them what is seen at another wavelength; the weights sum to 1 because shading is the same at all wavelengths.
        """
        rows = [(1.0, -self._melanin(nm), -self._blood(nm)) for nm in VISIBLE_NM]
        wanted = (1.0, -self._melanin(self.nm), -self._blood(self.nm))
        exact = np.linalg.solve(np.array(rows).T, np.array(wanted)) + self.spread
        return np.asarray(exact / exact.sum(), np.float32)

    def _melanin(self, nm: float) -> float:
        return float((nm / VISIBLE_NM[0]) ** self.power)

    def _blood(self, nm: float) -> float:
        mixed = {at: self.saturation * OXYGENATED[at] + (1 - self.saturation) * DEOXYGENATED[at] for at in (nm, 540.0)}
        return mixed[nm] / mixed[540.0]


def linear(picture: npt.NDArray[np.uint8]) -> F32:
    """Return sRGB bytes as linear light 0..1."""
    v = picture.astype(np.float32) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)


def reflectance(rgb: npt.NDArray[np.uint8], optics: Optics, lift: float) -> F32:
    """Return the NIR reflectance 0..1 (h, w) of an RGB picture; `lift` is how far dark hair and irises brighten, 0..0.3."""
    light = np.maximum(linear(rgb), 0.004)
    nir = np.exp(np.log(light) @ optics.weights())
    # Eumelanin of hair and iris is as clear in NIR as that of skin, but scatters within: what is black gets a floor.
    floor = lift * np.exp(-light.mean(2) / 0.05)
    return np.asarray(np.clip(nir + floor, 0, 1), np.float32)
