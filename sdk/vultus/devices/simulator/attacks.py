"""Build the surfaces that an attacker holds up: a print, flat or bent, and a screen.

The face is shown life-size. A print is carbon toner on matt paper, which keeps its contrast in the infrared (the stronger of the two
common kinds: dye ink nearly vanishes there). A screen gives off its own light, is almost black in the infrared and
mirrors the illuminator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from vultus import pictures
from vultus.devices.simulator.head import EYE_DISTANCE_MM, Surface, linear, slopes
from vultus.devices.simulator.portraits import Portrait
from vultus.types import F32, U8

A4_MM: Final = (210.0, 297.0)
TABLET_MM: Final = (180.0, 248.0)
"""Width and height of a sheet of paper (ISO 216) and of a tablet with a 10.9-inch screen, held upright."""
BEND_RADIUS_MM: Final = 110.0
"""Radius to which a sheet is bent around its upright axis: about that of a head."""
_PITCH: Final = 0.6
_MARGIN_MM: Final = 5.0
_BEZEL_MM: Final = 9.0


@dataclass(frozen=True, slots=True)
class _Layout:
    """A picture laid out on a sheet: linear colour (h, w, 3), True where the picture is, sheet coordinates and landmarks in mm."""

    colour: F32 = field(repr=False)
    picture: npt.NDArray[np.bool_] = field(repr=False)
    x: F32 = field(repr=False)
    y: F32 = field(repr=False)
    landmarks: npt.NDArray[np.float64] = field(repr=False)
    origin: tuple[float, float]


def _lay_out(portrait: Portrait, size_mm: tuple[float, float], border_mm: float) -> _Layout:
    """Put the portrait on a sheet with the face in the upper middle, the rest cropped."""
    columns, rows = (round(side / _PITCH) for side in size_mm)
    origin = ((columns - 1) / 2, (rows - 1) / 2)
    v, u = np.mgrid[0:rows, 0:columns].astype(np.float32)
    x, y = (u - np.float32(origin[0])) * np.float32(_PITCH), (v - np.float32(origin[1])) * np.float32(_PITCH)
    points = portrait.landmarks.astype(np.float64)
    mm = EYE_DISTANCE_MM / float(np.hypot(*(points[1] - points[0])))
    # The nose tip comes to lie 10 mm above the middle, as in a passport picture.
    nose = points[2]
    source = (x / mm + np.float32(nose[0]), (y + 10) / mm + np.float32(nose[1]))
    image: U8 = pictures.sample(portrait.image, source[0].astype(np.float32), source[1].astype(np.float32))
    half = np.array(size_mm) / 2 - border_mm
    inside = (source[0] >= 0) & (source[0] < portrait.image.shape[1]) & (source[1] >= 0) & (source[1] < portrait.image.shape[0])
    picture = (np.abs(x) < half[0]) & (np.abs(y) < half[1]) & inside
    landmarks = (points - nose) * mm - (0.0, 10.0)
    return _Layout(linear(image), picture, x, y, landmarks, origin)


def _surface(layout: _Layout, height: F32, colour: F32, matter: tuple[F32, F32], emits: float, gloss: float) -> Surface:
    slope_x, slope_y = slopes(height, _PITCH)
    nir, loses = matter
    cover = np.ones((*height.shape, 1), np.float32)
    columns = np.clip(np.round(layout.landmarks / _PITCH + layout.origin).astype(int), 0, np.array(height.shape[::-1]) - 1)
    z = -height[columns[:, 1], columns[:, 0]].astype(np.float64)
    return Surface(
        height,
        np.dstack([colour, cover]),
        np.dstack([nir, slope_x, slope_y, loses]),
        _PITCH,
        layout.origin,
        np.column_stack([layout.landmarks, z]),
        float(height.max()) + 2.0,
        float(height.min()) - 2.0,
        emits,
        gloss,
    )


def print_surface(portrait: Portrait, *, bent: bool = False) -> Surface:
    """Print the portrait in toner on A4, life-size; `bent` curves the sheet around its upright axis, the middle towards the camera."""
    layout = _lay_out(portrait, A4_MM, _MARGIN_MM)
    ink = np.where(layout.picture[..., None], 0.03 + 0.82 * layout.colour, 0.85).astype(np.float32)
    # Toner is carbon in every colour's shadow but the colours' own pigments are half transparent at 850 nm.
    grey = ink @ np.array([0.4, 0.4, 0.2], np.float32)
    nir = (0.25 * 0.8 + 0.75 * grey).astype(np.float32)
    height = np.zeros_like(nir)
    if bent:
        # x is measured across the chord; the sheet of 210 mm spans 180 mm of it at this radius.
        height = (np.sqrt(np.maximum(BEND_RADIUS_MM**2 - layout.x**2, 1.0)) - BEND_RADIUS_MM).astype(np.float32)
    return _surface(layout, height, ink, (nir, np.zeros_like(nir)), emits=0.0, gloss=0.05)


def screen_surface(portrait: Portrait) -> Surface:
    """Show the portrait on a tablet: it emits the colours, absorbs nearly all infrared and mirrors the illuminator as a small glare."""
    layout = _lay_out(portrait, TABLET_MM, _BEZEL_MM)
    # A dark grid at the pixel pitch stands for what makes moire; the tablet's black is not quite black.
    grid = 1 - 0.06 * (np.sin(layout.x * 7.9) * np.sin(layout.y * 7.9))
    half = np.array(TABLET_MM) / 2 - _BEZEL_MM
    glass = (np.abs(layout.x) < half[0]) & (np.abs(layout.y) < half[1])
    shown = np.where(layout.picture[..., None], 0.02 + 0.95 * layout.colour, 0.02) * grid[..., None]
    colour = np.where(glass[..., None], shown, 0.012).astype(np.float32)
    nir = np.where(glass, 0.035, 0.06).astype(np.float32)
    return _surface(layout, np.zeros_like(nir), colour, (nir, np.zeros_like(nir)), emits=1.0, gloss=1.2)
