"""Layers in 8-bit integers, by a second definition in numpy, on every instruction set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from vultus import _native
from vultus._native import Layer, Layers, Sums

SIDE = 9


@pytest.fixture(params=["ref", "avx2", "avxvnni", "avx512"], autouse=True)
def isa(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the test on one instruction set; skip it where the machine has none such."""
    try:
        _native.force_isa(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    yield
    _native.force_isa("best")


def drawn(rng: np.random.Generator, rows: int, taps: int) -> Sums:
    """Return weights of which most sums fall within the levels."""
    weights = rng.integers(-127, 128, (rows, taps)).astype(np.int8)
    scale = (rng.uniform(0.2, 1.0, rows) / (30 * np.sqrt(taps))).astype(np.float32)
    return Sums(weights, rng.integers(-9000, 9000, rows).astype(np.int32), scale)


def level(total: np.ndarray, scale: np.ndarray, zero: int) -> np.ndarray:
    """Return sums as levels without the zero point."""
    return np.clip(np.rint(total.astype(np.float32) * scale), -zero, 255 - zero)


def point(levels: np.ndarray, sums: Sums, slope: np.ndarray, step: np.ndarray, zeros: tuple[int, int]) -> np.ndarray:
    """Return a 1 x 1 layer with PRelu by definition."""
    total = (levels.astype(np.int64) - zeros[0]) @ sums.weights.T.astype(np.int64) + sums.bias
    x = level(total, sums.scale, zeros[1])
    bent = np.clip(np.rint((x * slope).astype(np.float32) * step), -zeros[1], 255 - zeros[1])
    return (np.maximum(x, bent) + zeros[1]).astype(np.uint8)


def depth(levels: np.ndarray, pair: tuple[Sums, Sums], stride: int, zeros: tuple[int, int]) -> np.ndarray:
    """Return a depthwise layer of two sums by definition."""
    padded = np.pad(levels.astype(np.int64) - zeros[0], ((1, 1), (1, 1), (0, 0)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))[::stride, ::stride].reshape(-1, levels.shape[2], 9)
    made = [level(np.einsum("pct,ct->pc", seen, s.weights.astype(np.int64)) + s.bias, s.scale, zeros[1]) for s in pair]
    side = (len(levels) - 1) // stride + 1
    return (np.maximum(*made) + zeros[1]).astype(np.uint8).reshape(side, side, -1)


def test_layers_are_convolutions_rounded_once() -> None:
    """A row of layers gives the levels of the definition, every one of them, with and without a stride and for a single pixel too."""
    rng = np.random.default_rng(3)
    levels = rng.integers(0, 256, (SIDE, SIDE, 64)).astype(np.uint8)
    layers, wanted, zero, channels = [], levels, 40, 64
    for i, (made, stride) in enumerate(((128, 1), (128, 2), (64, 1), (64, 1), (192, 1), (192, 2), (64, 1))):
        zeros = (zero, int(rng.integers(20, 200)))
        if i % 2:
            pair = drawn(rng, channels, 9), drawn(rng, channels, 9)
            layers.append(Layer(_native.pack_depth(*pair, zero), (0, made), len(wanted), stride, zeros))
            wanted = depth(wanted, pair, stride, zeros)
        else:
            sums, slope = drawn(rng, made, channels), rng.choice([-127, 127, 90], made).astype(np.int8)
            step = (rng.uniform(0, 1, made) / 127).astype(np.float32)
            layers.append(Layer(_native.pack_point(sums, slope, step, zero), (channels, made), len(wanted), 1, zeros))
            wanted = point(wanted, sums, slope, step, zeros)
        zero, channels = zeros[1], made
        row = Layers(layers)
        out = np.zeros(row.shape_out, np.uint8)
        row.run(levels, out)
        assert out.shape == wanted.shape
        assert (out == wanted).all()
        assert len(np.unique(out)) > 100, "the levels are spread, so that the comparison means something"


def test_the_last_matrix_adds_up_exactly() -> None:
    """The head is the integer sum of all channels and pixels, times a scale; rows go by channel, then by pixel."""
    rng = np.random.default_rng(4)
    levels = rng.integers(0, 256, (3, 5, 64)).astype(np.uint8)
    sums = Sums(
        rng.integers(-128, 128, (levels.size, 128)).astype(np.int8),
        rng.integers(-(2**20), 2**20, 128).astype(np.int32),
        rng.random(128).astype(np.float32),
    )
    out = np.zeros(128, np.float32)
    _native.head(levels, sums, out)
    total = levels.transpose(2, 0, 1).reshape(-1).astype(np.int64) @ sums.weights.astype(np.int64) + sums.bias
    assert (out == total.astype(np.float32) * sums.scale).all()


def test_what_does_not_fit_is_refused() -> None:
    """Weights, scales, slopes and layers that the core cannot run raise before anything is packed or run."""
    rng = np.random.default_rng(5)
    sums, slope, step = drawn(rng, 64, 64), np.full(64, 127, np.int8), np.full(64, 1 / 127, np.float32)
    _native.pack_point(sums, slope, step, 0)
    for bad in (
        replace(sums, scale=np.ones(64, np.float32)),
        replace(sums, scale=np.full(64, np.nan, np.float32)),
        replace(sums, bias=np.full(64, 2**31 - 1, np.int32)),
        replace(sums, weights=sums.weights[:, :63].copy()),
        replace(sums, bias=sums.bias[1:]),
    ):
        with pytest.raises(ValueError, match=r"number|channel"):
            _native.pack_point(bad, slope, step, 0)
    with pytest.raises(ValueError, match="number"):
        _native.pack_point(sums, slope, np.full(64, 0.01, np.float32), 0)
    with pytest.raises(ValueError, match="number"):
        _native.pack_point(sums, slope, step, 256)
    with pytest.raises(TypeError):
        _native.pack_point(replace(sums, scale=sums.scale.astype(np.float64)), slope, step, 0)
    with pytest.raises(ValueError, match="shape"):
        _native.pack_depth(sums, sums, 0)
    whole = _native.pack_point(sums, slope, step, 7), _native.pack_depth(drawn(rng, 64, 9), drawn(rng, 64, 9), 9)
    first, second = Layer(whole[0], (64, 64), 4, 1, (7, 9)), Layer(whole[1], (0, 64), 4, 2, (9, 3))
    for wrong in (
        (second,),
        (first, first),
        (first, replace(second, side=5)),
        (first, replace(second, zeros=(8, 3))),
        (replace(first, packed=whole[0][:-64]),),
    ):
        with pytest.raises(ValueError, match="fit"):
            Layers(wrong)
    row, out = Layers((first, second)), np.full((2, 2, 64), 5, np.uint8)
    with pytest.raises(ValueError, match="shape"):
        row.run(np.zeros((4, 5, 64), np.uint8), out)
    assert (out == 5).all()
