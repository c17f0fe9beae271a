"""How a face is cut out: by which filter, and with what exposure."""

from __future__ import annotations

import numpy as np
import pytest

from vultus import _native
from vultus.geometry import TARGET, similarity
from vultus.stages.align import align_nir, align_rgb
from vultus.types import Frame, Stream


def crops(scale: float, *, cubic: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the aligned crop of a face whose landmarks are `scale` times as far apart as in the crop, the warp by a filter, and by the other."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (300, 300, 3), dtype=np.uint8)
    marks = (TARGET * scale + 20).astype(np.float32)
    out, one, other = (np.zeros((1, 3, 112, 112), np.float32) for _ in range(3))
    align_rgb(Frame(Stream.RGB, picture, 0), marks, out, mean=127.5, scale=1 / 128)
    for tensor, filter_ in ((one, cubic), (other, not cubic)):
        _native.warp_rgb(picture, similarity(marks), tensor[0], bgr=False, scale=1 / 128, offset=-127.5 / 128, cubic=filter_)
    return out, one, other


@pytest.mark.parametrize(("scale", "cubic"), [(0.6, True), (0.99, True), (1.01, False), (2.03, False)])
def test_a_face_is_cut_by_the_cubic_filter_where_that_enlarges_it(scale: float, *, cubic: bool) -> None:
    """A face smaller than the crop is enlarged by the cubic filter, a larger one shrunk by the bilinear one."""
    out, wanted, other = crops(scale, cubic=cubic)
    np.testing.assert_array_equal(out, wanted)
    assert np.abs(out - other).max() > 0.1


def test_nir_is_exposed_for_the_face_and_never_leaves_the_range() -> None:
    """A NIR face of any level has the same crop, also beside edges where the cubic filter overshoots."""
    picture = np.kron(np.array([[100, 3000], [3000, 100]], np.uint16), np.ones((60, 60), np.uint16))
    marks, out = (TARGET * 0.7 + 10).astype(np.float32), np.zeros((2, 1, 3, 112, 112), np.float32)
    align_nir(picture, marks, 1000.0, out[0], mean=0.0, scale=1.0)
    align_nir(np.asarray(picture * 4, np.uint16), marks, 4000.0, out[1], mean=0.0, scale=1.0)
    np.testing.assert_allclose(out[0], out[1], rtol=1e-5)
    assert 0 <= out.min() < out.max() <= 255


def test_nir_is_shown_by_a_weaker_curve_than_colour() -> None:
    """The face's mean lands at 137, what reflects 2.55 times as much at white, and between them light goes with the power 1 / 1.5."""
    shade = np.tile(np.linspace(0, 4000, 112).astype(np.uint16), (112, 1))
    out = np.zeros((1, 3, 112, 112), np.float32)
    align_nir(shade, TARGET.astype(np.float32), 1000.0, out, mean=0.0, scale=1.0)
    wanted = 255.0 * np.clip(shade[60] / 1000.0 * 100.0 / 255.0, 0, 1) ** (1 / 1.5)
    assert np.abs(out[0, 0, 60, 2:-2] - wanted[2:-2]).max() < 3.0
    assert abs(float(np.interp(1000.0, shade[60], out[0, 0, 60])) - 137) < 1.5
