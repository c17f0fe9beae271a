"""Spoilt pictures: every kind at every strength, on colour and infrared."""

from __future__ import annotations

import numpy as np
import pytest

from vultus.evaluate.corrupt import STRENGTHS, UNITS, corruption_of

FOUND = {"box": [20.0, 15.0, 50.0, 50.0], "landmarks": [[27.0, 30.0], [63.0, 30.0], [45.0, 45.0], [32.0, 55.0], [58.0, 55.0]]}
"""A face whose eyes are 36 pixels apart, more than any strength of "low_resolution" asks for."""


def picture(dtype: type, channels: int) -> np.ndarray:
    """Return a smooth picture with detail in the face."""
    y, x = np.mgrid[0:80, 0:90]
    grey = 90 + 40 * np.sin(x / 3) + 30 * np.cos(y / 4)
    grey = grey * (1 if dtype is np.uint8 else 150)
    return (np.repeat(grey[..., None], 3, 2) if channels == 3 else grey).astype(dtype)


@pytest.mark.parametrize("kind", list(STRENGTHS))
@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.uint8, 1), (np.uint16, 1)])
def test_every_kind_keeps_the_layout_and_grows_with_its_strength(kind, dtype, channels) -> None:
    """Shape and dtype stay, the picture changes, and the strongest differs more from the clean one than the weakest."""
    clean = picture(dtype, channels)
    spoilt = [corruption_of(kind, s, FOUND, "ada/1").apply(clean) for s in STRENGTHS[kind]]
    assert all(s.shape == clean.shape and s.dtype == clean.dtype for s in spoilt)
    away = [np.abs(s.astype(float) - clean).mean() for s in spoilt]
    assert away[-1] > 1.2 * away[0] or kind == "rotation"
    assert min(away[1:]) > 0


def test_the_same_sample_is_spoilt_the_same_way() -> None:
    """Noise comes from the sample's name: equal for one sample, different for another."""
    clean = picture(np.uint8, 3)
    one, again, other = (corruption_of("noise", 0.1, FOUND, name).apply(clean) for name in ("ada/1", "ada/1", "ada/2"))
    assert (one == again).all()
    assert (one != other).any()


def test_occlusion_covers_the_lower_face_and_nothing_else() -> None:
    """The stated share of the face box is covered from below."""
    clean = picture(np.uint8, 3)
    changed = (corruption_of("occlusion", 0.4, FOUND, "a").apply(clean) != clean).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert (rows.min(), rows.max()) == (45, 64)
    assert (columns.min(), columns.max()) == (20, 69)


def test_a_picture_that_is_coarser_already_stays() -> None:
    """Asking for more pixels between the eyes than there are changes nothing."""
    clean = picture(np.uint8, 1)
    assert (corruption_of("low_resolution", 40, FOUND, "a").apply(clean) == clean).all()


def test_every_kind_has_its_unit_and_its_own_name() -> None:
    """Kinds and units match, and no two corruptions share a cache key."""
    assert STRENGTHS.keys() == UNITS.keys()
    names = [corruption_of(k, s, FOUND, "a").name for k, strengths in STRENGTHS.items() for s in strengths]
    assert len(set(names)) == len(names) == 40
