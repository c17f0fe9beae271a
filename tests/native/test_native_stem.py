"""The recogniser's first layers in the core, by a second definition in numpy, on every instruction set."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from vultus import _native
from vultus.stem import pack, unpack

SHAPES = (("full", 27, 32, 1), ("depth", 9, 32, 1), ("point", 32, 64, 1), ("depth", 9, 64, 2), ("point", 64, 128, 1), ("depth", 9, 128, 1))


@pytest.fixture(params=["ref", "avx2", "avx512"], autouse=True)
def isa(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the test on one instruction set; skip it where the machine has none such."""
    try:
        _native.force_isa(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    yield
    _native.force_isa("best")


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights that keep the size of what comes in, the last layer spread over the levels, and a crop."""
    rng = np.random.default_rng(seed)
    parts = []
    for i, (_, taps, channels, _) in enumerate(SHAPES):
        size = 150.0 if i == 5 else 1.0
        parts += [
            rng.normal(0, size / np.sqrt(taps), (taps, channels)),
            rng.normal(0, 0.2 * size, channels),
            rng.uniform(-0.7, 1.2, (2, channels)),
        ]
    return np.concatenate([p.ravel() for p in parts]).astype(np.float32), rng.normal(0, 0.5, (3, 112, 112)).astype(np.float32)


def windows(x: np.ndarray, stride: int) -> np.ndarray:
    """Return the 3 x 3 neighbourhoods of (channels, h, w) with zeros around: (h, w, channels, 9)."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::stride, ::stride]
    return seen.transpose(1, 2, 0, 3, 4).reshape(*seen.shape[1:3], len(x), 9)


def exact(weights: np.ndarray, crop: np.ndarray, zero: int) -> np.ndarray:
    """Return the levels by definition, layer after layer in float64, before rounding and clipping."""
    x, at = crop.astype(np.float64), 0
    for kind, taps, channels, stride in SHAPES:
        n = taps * channels
        w = weights[at : at + n].astype(np.float64).reshape(taps, channels)
        bias, pos, neg = weights[at + n : at + n + 3 * channels].astype(np.float64).reshape(3, channels)
        at += n + 3 * channels
        if kind == "point":
            y = np.tensordot(x, w, (0, 0))
        else:
            seen = windows(x, stride)
            y = np.tensordot(seen.reshape(*seen.shape[:2], -1), w, (2, 0)) if kind == "full" else np.einsum("yxct,tc->yxc", seen, w)
        y = y + bias
        x = np.where(y > 0, pos * y, neg * y).transpose(2, 0, 1)
    assert at == len(weights) == _native.STEM_WEIGHTS
    return x.transpose(1, 2, 0) + zero


@cache
def exact_of_first() -> np.ndarray:
    """Return the exact levels of the first draw at 100, which every instruction set is held to."""
    return exact(*drawn(1), 100)


def test_the_stem_is_six_convolutions() -> None:
    """Every level is the rounded and clipped result of the layers' definition, to one step where that lies beside a half."""
    weights, crop = drawn(1)
    out, scratch = np.zeros(_native.STEM_OUT, np.uint8), np.full(_native.STEM_SCRATCH, np.nan, np.float32)
    _native.stem(weights, crop, 100, out, scratch)
    wanted = np.clip(exact_of_first(), 0, 255)
    assert np.abs(out - wanted).max() < 0.51
    assert len(np.unique(out)) > 100, "the levels are spread, so that the comparison means something"


def test_what_does_not_fit_is_refused() -> None:
    """A wrong shape, dtype or level, and memory that is too short, raise before anything is written."""
    weights, crop = drawn(3)
    out, scratch = np.full(_native.STEM_OUT, 7, np.uint8), np.zeros(_native.STEM_SCRATCH, np.float32)
    for arguments, error in (
        ((weights[:-1], crop, 0, out, scratch), ValueError),
        ((weights, crop[:, 1:], 0, out, scratch), ValueError),
        ((weights, crop, 256, out, scratch), ValueError),
        ((weights, crop, 0, out[1:], scratch), ValueError),
        ((weights, crop, 0, out, scratch[:-1]), ValueError),
        ((weights.astype(np.float64), crop, 0, out, scratch), TypeError),
    ):
        with pytest.raises(error):
            _native.stem(*arguments)
    assert (out == 7).all()


def test_a_stem_is_read_as_it_was_packed() -> None:
    """The metadata of a graph gives the same levels as the weights themselves; cut, altered and non-finite entries are refused."""
    weights, crop = drawn(4)
    out, other = np.zeros(_native.STEM_OUT, np.uint8), np.zeros((1, *_native.STEM_OUT), np.uint8)
    _native.stem(weights, crop, 31, out, np.zeros(_native.STEM_SCRATCH, np.float32))
    text = pack(weights, 31)
    unpack(text).run(crop[None], other)
    assert (other[0] == out).all()
    weights[5] = np.inf
    for bad in (text[:-8], "*" + text[1:], "", pack(weights, 31)):
        with pytest.raises(ValueError, match="first layers"):
            unpack(bad)
