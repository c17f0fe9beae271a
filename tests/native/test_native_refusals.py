"""What the Python door of the C core refuses before any work."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vultus import _native

EYE = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
GREY = np.zeros((20, 30), np.uint8)
RGB = np.zeros((20, 30, 3), np.uint8)
DEPTH = np.zeros((20, 30), np.uint16)
PLANES = np.zeros((3, 8, 8), np.float32)


def frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only copy."""
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def warp_rgb(src: object = RGB, matrix: object = EYE, out: object = PLANES, **tone: float) -> None:
    """Warp colour with one argument changed."""
    _native.warp_rgb(src, matrix, out, **{"bgr": False, "scale": 1.0, "offset": 0.0, **tone})


def warp_grey(src: object = GREY, out: object = PLANES, **tone: object) -> None:
    """Warp grey with one argument changed."""
    _native.warp_grey(src, EYE, out, **{"gain": 1.0, "lut": None, "scale": 1.0, "offset": 0.0, **tone})


def nv12(y: tuple[int, ...] = (4, 6), uv: tuple[int, ...] = (2, 6), out: tuple[int, ...] = (4, 6, 3)) -> None:
    """Convert black NV12 with one shape changed."""
    _native.nv12_to_bgr(np.zeros(y, np.uint8), np.zeros(uv, np.uint8), np.zeros((y[0], *out[1:]), np.uint8))


TYPE_ERRORS: dict[str, Callable[[], object]] = {
    "a list": lambda: warp_rgb([[1]]),
    "float source": lambda: warp_rgb(RGB.astype(np.float32)),
    "float64 output": lambda: warp_rgb(out=PLANES.astype(np.float64)),
    "float32 matrix": lambda: warp_rgb(matrix=EYE.astype(np.float32)),
    "signed grey": lambda: warp_grey(GREY.astype(np.int16)),
    "big-endian depth": lambda: _native.warp_depth(DEPTH.astype(">u2"), EYE, DEPTH.copy()),
    "float64 curve": lambda: warp_grey(lut=np.zeros(256)),
    "8-bit depth": lambda: _native.warp_depth(GREY, EYE, DEPTH),
    "mixed vectors": lambda: _native.dot_f32(np.zeros(4, np.float32), np.zeros((2, 4)), np.zeros(2, np.float32)),
    "float rectangle": lambda: _native.image_sums(GREY, (0, 0, 1.5, 1), 0, 255),
    "float level": lambda: _native.image_sums(GREY, (0, 0, 1, 1), 0, 25.5),
}

VALUE_ERRORS: dict[str, tuple[str, Callable[[], object]]] = {
    "grey as colour": ("3 dimensions", lambda: warp_rgb(GREY)),
    "four channels": (r"height, width, 3", lambda: warp_rgb(np.zeros((4, 4, 4), np.uint8))),
    "gaps between pixels": ("no gaps", lambda: warp_rgb(RGB[:, ::2])),
    "reversed colours": ("no gaps", lambda: warp_rgb(RGB[..., ::-1])),
    "reversed colours of one column": ("no gaps", lambda: warp_rgb(RGB[:, :1, ::-1])),
    "upside down": ("stride", lambda: warp_rgb(RGB[::-1])),
    "transposed grey": ("no gaps", lambda: warp_grey(GREY.T)),
    "short matrix": (r"\(2, 3\)", lambda: warp_rgb(matrix=np.eye(2))),
    "nan in the matrix": ("not finite", lambda: warp_rgb(matrix=EYE * np.nan)),
    "infinite scale": ("not finite", lambda: warp_rgb(scale=float("inf"))),
    "two planes": ("1 or 3", lambda: warp_grey(out=np.zeros((2, 8, 8), np.float32))),
    "strided output": ("contiguous", lambda: warp_rgb(out=np.zeros((3, 8, 16), np.float32)[:, :, ::2])),
    "read-only output": ("read-only", lambda: warp_rgb(out=frozen(PLANES))),
    "short curve": ("256", lambda: warp_grey(lut=np.zeros(255, np.float32))),
    "negative gain": ("out of its range", lambda: warp_grey(gain=-1.0)),
    "too wide": ("above the limit", lambda: warp_grey(np.zeros((1, 8193), np.uint8))),
    "other shape": ("one shape", lambda: _native.difference(GREY, GREY[1:], GREY.copy())),
    "other dtype": ("one dtype", lambda: _native.difference(GREY, DEPTH, GREY.copy())),
    "luma of another size": (r"\(20, 30\)", lambda: _native.luma(RGB, np.zeros((20, 31), np.uint8))),
    "rectangle outside": ("leaves its image", lambda: _native.image_sums(GREY, (20, 0, 11, 1), 0, 255)),
    "negative rectangle": ("leaves its image", lambda: _native.image_sums(GREY, (0, 0, -1, 1), 0, 255)),
    "rectangle beyond any int": ("leaves its image", lambda: _native.image_sums(GREY, (0, 0, 2**40, 1), 0, 255)),
    "three numbers": ("x, y, width, height", lambda: _native.image_sums(GREY, (0, 0, 1), 0, 255)),
    "level above 8 bits": (r"0\.\.255", lambda: _native.image_sums(GREY, (0, 0, 1, 1), 0, 256)),
    "odd YUYV": ("width must be even", lambda: _native.yuyv_to_bgr(np.zeros((4, 5, 2), np.uint8), np.zeros((4, 5, 3), np.uint8))),
    "odd NV12": ("height must be even", lambda: nv12(y=(5, 6), uv=(2, 6))),
    "chroma of another size": ("uv must have", lambda: nv12(uv=(3, 6))),
    "colours of another size": ("out must have", lambda: nv12(out=(4, 8, 3))),
    "vectors of other lengths": ("rows must have", lambda: _native.dot_f32(*(np.zeros(s, np.float32) for s in (4, (2, 5), 2)))),
    "fewer scores than rows": ("rows must have", lambda: _native.dot_f32(*(np.zeros(s, np.float32) for s in (4, (2, 4), 1)))),
}


@pytest.mark.parametrize("case", sorted(TYPE_ERRORS))
def test_a_wrong_type_raises_type_error(case: str) -> None:
    """An array or number of another kind is refused, never converted."""
    with pytest.raises(TypeError):
        TYPE_ERRORS[case]()


@pytest.mark.parametrize("case", sorted(VALUE_ERRORS))
def test_a_wrong_value_raises_value_error_that_says_why(case: str) -> None:
    """A shape, layout or number that cannot be worked with is refused with a line that names it."""
    match, call = VALUE_ERRORS[case]
    with pytest.raises(ValueError, match=match):
        call()


def test_a_refused_call_leaves_the_output_alone() -> None:
    """Nothing is written before every argument was checked."""
    out = np.full((3, 8, 8), 7.0, np.float32)
    with pytest.raises(ValueError, match="not finite"):
        warp_rgb(matrix=np.full((2, 3), np.inf), out=out)
    assert (out == 7.0).all()
