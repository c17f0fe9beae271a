"""The C core through its Python door: what each operation computes, by a second definition in numpy, on every instruction set."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus import _native

ISAS = ["ref", "avx2", "avx512"]
FALLS_BACK_TO = {"ref": {"ref"}, "avx2": {"ref", "avx2"}, "avx512": {"avx2", "avx512"}}


@pytest.fixture(params=ISAS, autouse=True)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test on one instruction set; skip it where the machine has none such."""
    try:
        _native.force_isa(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    yield request.param
    _native.force_isa("best")


def random_image(seed: int, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """Return a picture with many extremes, since saturation goes wrong there."""
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    return np.where(rng.random(shape) < 0.1, rng.choice([0, top], shape), rng.integers(0, top, shape, endpoint=True)).astype(dtype)


def bilinear(image: np.ndarray, matrix: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Sample a grey picture in float64 with zeros around it."""
    height, width = image.shape
    padded = np.zeros((height + 2, width + 2))
    padded[1:-1, 1:-1] = image
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    sx = np.clip(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] + 1, 0, width + 1)
    sy = np.clip(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] + 1, 0, height + 1)
    ix, iy = np.minimum(sx.astype(int), width), np.minimum(sy.astype(int), height)
    fx, fy = sx - ix, sy - iy
    upper = padded[iy, ix] * (1 - fx) + padded[iy, ix + 1] * fx
    lower = padded[iy + 1, ix] * (1 - fx) + padded[iy + 1, ix + 1] * fx
    return upper * (1 - fy) + lower * fy


def cubic(image: np.ndarray, matrix: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Sample a grey picture in float64 by cubic convolution with a = -0.5 and zeros around it."""
    height, width = image.shape
    padded = np.zeros((height + 8, width + 8))
    padded[4:-4, 4:-4] = image
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    sx = np.clip(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] + 4, 1, width + 5)
    sy = np.clip(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] + 4, 1, height + 5)
    ix, iy = sx.astype(int), sy.astype(int)

    def weight(distance: np.ndarray, a: float = -0.5) -> np.ndarray:
        d = np.abs(distance)
        near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * (d**3 - 5 * d**2 + 8 * d - 4)
        return np.where(d <= 1, near, np.where(d < 2, far, 0))

    taps = [(i, j) for i in range(-1, 3) for j in range(-1, 3)]
    return sum(padded[iy + j, ix + i] * weight(sx - ix - i) * weight(sy - iy - j) for i, j in taps)


MATRICES = [
    np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    np.array([[0.83, -0.21, 11.3], [0.21, 0.83, 2.9]]),
    np.array([[2.7, 0.0, -9.5], [0.0, 2.7, -4.25]]),
    np.array([[-1.0, 0.0, 40.5], [0.0, -1.0, 30.5]]),
]


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("bgr", [False, True])
def test_warp_rgb_is_bilinear_with_zeros_outside(matrix: np.ndarray, *, bgr: bool) -> None:
    """A colour warp writes (value * scale + offset) as planes in the order that was asked for."""
    src = random_image(1, (31, 42, 3), np.uint8)
    out = np.full((3, 19, 27), np.nan, np.float32)
    _native.warp_rgb(src, matrix, out, bgr=bgr, scale=1 / 128, offset=-127.5 / 128)
    expected = np.stack([bilinear(src[..., c], matrix, 19, 27) for c in range(3)])[:: -1 if bgr else 1]
    np.testing.assert_allclose(out, (expected - 127.5) / 128, atol=1e-5)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("planes", [1, 3])
def test_warp_grey_exposes_then_curves(matrix: np.ndarray, dtype: type[np.generic], planes: int) -> None:
    """A grey warp multiplies by the gain, clips to 0..255, reads the curve in between its entries and repeats the plane."""
    src = random_image(2, (33, 44), dtype)
    gain = 2.5 * 255 / np.iinfo(dtype).max
    lut = (255 * (np.arange(256) / 255) ** 0.5).astype(np.float32)
    out = np.full((planes, 20, 29), np.nan, np.float32)
    _native.warp_grey(src, matrix, out, gain=gain, lut=lut, scale=0.5, offset=3.0)
    shown = np.interp(np.clip(bilinear(src, matrix, 20, 29) * gain, 0, 255), np.arange(256), lut)
    np.testing.assert_allclose(out, np.broadcast_to(shown * 0.5 + 3.0, out.shape), rtol=1e-5, atol=2e-2)
    _native.warp_grey(src, matrix, out, gain=gain, lut=None, scale=1.0, offset=0.0)
    np.testing.assert_allclose(out[0], np.clip(bilinear(src, matrix, 20, 29) * gain, 0, 255), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("matrix", MATRICES)
def test_cubic_warps_sharpen_and_stay_in_range(matrix: np.ndarray) -> None:
    """With `cubic` a warp is the cubic convolution of 4 x 4 pixels, clipped to 0..255, in colour and after the gain in grey."""
    src = random_image(4, (31, 42, 3), np.uint8)
    out = np.full((3, 19, 27), np.nan, np.float32)
    _native.warp_rgb(src, matrix, out, bgr=False, scale=1.0, offset=0.0, cubic=True)
    expected = np.stack([np.clip(cubic(src[..., c], matrix, 19, 27), 0, 255) for c in range(3)])
    np.testing.assert_allclose(out, expected, atol=1e-3)
    for dtype in (np.uint8, np.uint16):
        grey = random_image(5, (33, 44), dtype)
        gain = 1.5 * 255 / np.iinfo(dtype).max
        _native.warp_grey(grey, matrix, out, gain=gain, lut=None, scale=1.0, offset=0.0, cubic=True)
        np.testing.assert_allclose(out[1], np.clip(cubic(grey, matrix, 19, 27) * gain, 0, 255), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("matrix", MATRICES)
def test_warp_depth_takes_only_depths_that_were_measured(matrix: np.ndarray) -> None:
    """A depth warp copies the nearest pixel, and 0 outside."""
    src = random_image(3, (33, 44), np.uint16)
    out = np.ones((21, 30), np.uint16)
    _native.warp_depth(src, matrix, out)
    y, x = np.mgrid[0:21, 0:30].astype(float)
    sx = np.floor(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] + 0.5).astype(int)
    sy = np.floor(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] + 0.5).astype(int)
    inside = (sx >= 0) & (sx < 44) & (sy >= 0) & (sy < 33)
    np.testing.assert_array_equal(out, np.where(inside, src[np.clip(sy, 0, 32), np.clip(sx, 0, 43)], 0))


@given(st.integers(0, 2**32 - 1), st.integers(0, 70), st.integers(0, 6), st.sampled_from([np.uint8, np.uint16]))
def test_difference_saturates_at_zero(seed: int, width: int, height: int, dtype: type[np.generic]) -> None:
    """Lit minus ambient never wraps, whatever the size."""
    lit, ambient = random_image(seed, (height, width), dtype), random_image(seed + 1, (height, width), dtype)
    out = np.ones_like(lit)
    _native.difference(lit, ambient, out)
    np.testing.assert_array_equal(out, np.maximum(lit.astype(int) - ambient.astype(int), 0))


@given(st.integers(0, 2**32 - 1), st.integers(0, 70), st.integers(0, 5))
def test_luma_is_bt601_in_eight_bits(seed: int, width: int, height: int) -> None:
    """Luma is the rounded fixed-point sum of the three colours."""
    rgb = random_image(seed, (height, width, 3), np.uint8)
    out = np.zeros((height, width), np.uint8)
    _native.luma(rgb, out)
    np.testing.assert_array_equal(out, (rgb.astype(int) @ [77, 150, 29] + 128) >> 8)


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.uint8, np.uint16]), st.data())
def test_image_sums_are_exact_over_any_rectangle(seed: int, dtype: type[np.generic], data: st.DataObject) -> None:
    """All sums equal those of Python integers over the same rectangle."""
    img = random_image(seed, (23, 61), dtype)
    x, y = data.draw(st.integers(0, 61)), data.draw(st.integers(0, 23))
    width, height = data.draw(st.integers(0, 61 - x)), data.draw(st.integers(0, 23 - y))
    low, high = sorted(data.draw(st.lists(st.integers(0, np.iinfo(dtype).max), min_size=2, max_size=2)))
    part = img[y : y + height, x : x + width].astype(np.int64)
    inner = part[1:-1, 1:-1]
    laplacian = (
        4 * inner - part[1:-1, :-2] - part[1:-1, 2:] - part[:-2, 1:-1] - part[2:, 1:-1] if min(part.shape) > 2 else np.zeros(0, np.int64)
    )
    expected = (
        part.size,
        part.sum(),
        (part**2).sum(),
        (part <= low).sum(),
        (part >= high).sum(),
        laplacian.size,
        laplacian.sum(),
        (laplacian**2).sum(),
    )
    assert _native.image_sums(img, (x, y, width, height), low, high) == expected


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.uint8, np.uint16]), st.data())
def test_strobe_sums_leave_saturated_pixels_out(seed: int, dtype: type[np.generic], data: st.DataObject) -> None:
    """A pixel counts only when neither picture reaches the limit there."""
    lit, ambient = random_image(seed, (9, 53), dtype), random_image(seed + 1, (9, 53), dtype)
    width, high = data.draw(st.integers(0, 50)), data.draw(st.integers(0, np.iinfo(dtype).max))
    a, b = lit[2:8, 3 : 3 + width].astype(int), ambient[2:8, 3 : 3 + width].astype(int)
    kept = (a < high) & (b < high)
    assert _native.strobe_sums(lit, ambient, (3, 2, width, 6), high) == (kept.sum(), (~kept).sum(), a[kept].sum(), b[kept].sum())


def exact_colours(y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return BT.601 limited range as float R, G, B from its definition: Kr = 0.299, Kb = 0.114."""
    luma, pb, pr = (y - 16.0) / 219, (u - 128.0) / 224, (v - 128.0) / 224
    red, blue = luma + 2 * (1 - 0.299) * pr, luma + 2 * (1 - 0.114) * pb
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return np.clip(np.stack([red, green, blue], -1) * 255, 0, 255)


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(0, 4), st.sampled_from(["rgb", "bgr"]))
def test_yuyv_becomes_the_colours_of_bt601(seed: int, pairs: int, height: int, order: str) -> None:
    """Every level of a YUYV picture is within 0.6 of the exact one, for views with gaps between their rows too."""
    src = random_image(seed, (height, 2 * pairs + 3, 2), np.uint8)[:, : 2 * pairs]
    out = np.zeros((height, 2 * pairs, 3), np.uint8)
    (_native.yuyv_to_bgr if order == "bgr" else _native.yuyv_to_rgb)(src, out)
    u, v = (np.repeat(src[:, start::2, 1], 2, 1).astype(float) for start in (0, 1))
    expected = exact_colours(src[..., 0].astype(float), u, v)
    np.testing.assert_allclose(out[..., ::-1] if order == "bgr" else out, expected, rtol=0, atol=0.6)


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(0, 3), st.sampled_from(["rgb", "bgr"]))
def test_nv12_becomes_the_colours_of_bt601(seed: int, pairs: int, halves: int, order: str) -> None:
    """Every level of an NV12 picture is within 0.6 of the exact one; four pixels share their chroma."""
    y, uv = random_image(seed, (2 * halves, 2 * pairs), np.uint8), random_image(seed + 1, (halves, 2 * pairs), np.uint8)
    out = np.zeros((2 * halves, 2 * pairs, 3), np.uint8)
    (_native.nv12_to_bgr if order == "bgr" else _native.nv12_to_rgb)(y, uv, out)
    u, v = (np.repeat(np.repeat(uv[:, start::2], 2, 0), 2, 1).astype(float) for start in (0, 1))
    np.testing.assert_allclose(out[..., ::-1] if order == "bgr" else out, exact_colours(y.astype(float), u, v), rtol=0, atol=0.6)


@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.integers(0, 140))
def test_products_are_those_of_numpy(seed: int, count: int, dim: int) -> None:
    """float32 products agree within rounding and int8 products exactly, for gaps between the rows too."""
    rng = np.random.default_rng(seed)
    query, rows = rng.standard_normal(dim).astype(np.float32), rng.standard_normal((count, dim + 3)).astype(np.float32)[:, :dim]
    out = np.empty(count, np.float32)
    _native.dot_f32(query, rows, out)
    np.testing.assert_allclose(out, rows.astype(float) @ query, atol=1e-5)
    small, matrix = rng.integers(-128, 128, dim).astype(np.int8), rng.integers(-128, 128, (count, dim)).astype(np.int8)
    exact = np.empty(count, np.int32)
    _native.dot_i8(small, matrix, exact)
    np.testing.assert_array_equal(exact, matrix.astype(int) @ small.astype(int))


def test_views_with_gaps_between_rows_are_read_in_place() -> None:
    """A part of a larger picture gives what its copy gives."""
    rgb = random_image(7, (40, 60, 3), np.uint8)
    part = rgb[5:25, 7:47]
    out, expected = np.empty((20, 40), np.uint8), np.empty((20, 40), np.uint8)
    _native.luma(part, out)
    _native.luma(part.copy(), expected)
    np.testing.assert_array_equal(out, expected)
    assert _native.image_sums(out[:, 3:33], (0, 0, 30, 20), 0, 255) == _native.image_sums(out, (3, 0, 30, 20), 0, 255)


def test_threads_may_call_at_once() -> None:
    """Calls from several threads give what one call gives."""
    img = random_image(8, (480, 640), np.uint16)
    expected = _native.image_sums(img, (0, 0, 640, 480), 10, 60000)
    found: list[_native.ImageSums] = []
    threads = [
        threading.Thread(target=lambda: found.extend(_native.image_sums(img, (0, 0, 640, 480), 10, 60000) for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 80


def test_the_instruction_set_is_that_which_was_asked_for(isa: str) -> None:
    """Every operation reports the set it runs, the next lower one where it has no kernel, and an unknown name changes nothing."""
    before = dict(_native.isa())
    assert set(before.values()) == FALLS_BACK_TO[isa]
    assert before["dot_i8"] == isa
    with pytest.raises(ValueError, match="no instruction set 'mmx'"):
        _native.force_isa("mmx")
    assert dict(_native.isa()) == before
