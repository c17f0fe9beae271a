"""Products of small matrices in pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus import products
from vultus.products import between


@given(st.integers(1, 140), st.integers(1, 140), st.integers(0, 3), st.integers(0, 2**31))
def test_pieces_are_the_whole(rows: int, columns: int, planes: int, seed: int) -> None:
    """Whatever the shape, one plane or several, the product in pieces is the product."""
    rng = np.random.default_rng(seed)
    left, right = rng.random((rows, rows), np.float32), rng.random((columns, columns), np.float32)
    values = rng.random((planes, rows, columns) if planes else (rows, columns), np.float32)
    assert np.allclose(between(left, values, right), left @ values @ right, rtol=1e-4)


def test_no_piece_is_large_enough_for_a_second_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No single product has more multiplications than the size at which BLAS starts a thread."""
    sizes, matmul = [], np.matmul

    def counted(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> np.ndarray:
        sizes.append(max(a.shape[-2] * b.shape[0] * b.shape[1], out.shape[-2] * len(left) * a.shape[-1]))
        return matmul(a, b, out=out)

    left = np.ones((128, 128), np.float32)
    monkeypatch.setattr(products.np, "matmul", counted)
    between(left, left, left)
    assert len(sizes) > 1
    assert max(sizes) <= 2**18
