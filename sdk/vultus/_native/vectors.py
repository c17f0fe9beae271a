"""Products of one vector with the rows of a matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from vultus._native.arrays import I8, I32, done, image, lib, packed, writable
from vultus.types import F32


def dot_f32(query: F32, rows: F32, out: F32) -> None:
    """Write the float32 products of `query` (d,) with each of `rows` (n, d) to `out` (n,)."""
    _dot(lib.vultus_dot_f32, np.float32, np.float32, query, rows, out)


def dot_i8(query: I8, rows: I8, out: I32) -> None:
    """Write the exact int32 products of int8 `query` (d,) with each of int8 `rows` (n, d) to `out` (n,)."""
    _dot(lib.vultus_dot_i8, np.int8, np.int32, query, rows, out)


def _dot(
    run: Callable[..., int],
    dtype: type[np.generic],
    out_dtype: type[np.generic],
    query: npt.NDArray[Any],
    rows: npt.NDArray[Any],
    out: npt.NDArray[Any],
) -> None:
    vector = packed(query, "query", 1, dtype)
    matrix, stride = image(rows, "rows", dtype)
    target = packed(out, "out", 1, out_dtype)
    writable(out, "out")
    if rows.shape != (out.shape[0], query.shape[0]):
        raise ValueError(f"rows must have the shape {(out.shape[0], query.shape[0])}; got {rows.shape}")
    done(run(vector, matrix, stride, rows.shape[0], rows.shape[1], target), "dot")
