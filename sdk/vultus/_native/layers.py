"""Layers in 8-bit integers: packing their weights, and running them one after the other."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus._native.arrays import I8, I32, aligned, done, ffi, lib, packed, writable
from vultus.types import F32

U8 = npt.NDArray[np.uint8]
HEAD_OUT: Final = lib.VULTUS_HEAD_OUT


@dataclass(frozen=True, slots=True)
class Sums:
    """Weights int8, one row an output channel, with a bias (int32) and a scale (float32) for each."""

    weights: I8
    bias: I32
    scale: F32


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: packed weights, channels in (0 where depthwise) and out, side of the square picture that comes in, stride, zero points."""

    packed: U8
    channels: tuple[int, int]
    side: int
    stride: int
    zeros: tuple[int, int]


def pack_point(sums: Sums, slope: I8, step: F32, zero: int) -> U8:
    """Pack a 1 x 1 layer whose input has the zero point `zero`; weights are (out, in). Raises ValueError for what the core cannot run."""
    made, count = sums.weights.shape
    _each(made, sums, slope, step)
    room = _room(count, made) if count else _room(-1, made)
    parts = _pointers(sums), packed(slope, "slope", 1, np.int8), packed(step, "step", 1, np.float32)
    place = packed(room, "packed", 1, np.uint8)
    done(lib.vultus_pack_point(*parts[0], *parts[1:], count, made, operator.index(zero), place, room.size), "packing a layer")
    return room


def pack_depth(first: Sums, second: Sums, zero: int) -> U8:
    """Pack a depthwise layer with its two sums; weights are (channels, 9)."""
    channels = len(first.weights)
    for sums in (first, second):
        _each(channels, sums)
        if sums.weights.shape != (channels, 9):
            raise ValueError(f"weights must have the shape ({channels}, 9); got {sums.weights.shape}")
    room = _room(0, channels)
    weights, bias, scale = zip(_pointers(first), _pointers(second), strict=True)
    pairs = ffi.new("int8_t *[2]", list(weights)), ffi.new("int32_t *[2]", list(bias)), ffi.new("float *[2]", list(scale))
    done(lib.vultus_pack_depth(*pairs, channels, operator.index(zero), packed(room, "packed", 1, np.uint8), room.size), "packing a layer")
    return room


class Layers:
    """Layers in a row with their memory allocated once: a 1 x 1 first, then depthwise and 1 x 1 in turns. Not thread-safe."""

    __slots__ = ("_count", "_kept", "_layers", "_scratch", "shape_in", "shape_out")

    def __init__(self, layers: Sequence[Layer]) -> None:
        """Raises ValueError for layers that do not fit each other."""
        self._kept = tuple(layers)
        self._count = len(self._kept)
        rows = [(packed(a.packed, "packed", 1, np.uint8), a.packed.size, *a.channels, a.side, a.stride, *a.zeros) for a in self._kept]
        self._layers = ffi.new("struct vultus_layer[]", rows)
        room = lib.vultus_layers_room(self._layers, self._count)
        if room < 0:
            raise ValueError("the layers do not fit each other")
        self._scratch = np.empty(room, np.uint8)
        first, last = self._kept[0], self._kept[-1]
        made = (last.side - 1) // last.stride + 1
        self.shape_in, self.shape_out = (first.side, first.side, first.channels[0]), (made, made, last.channels[1])

    def run(self, levels: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """Write the last layer's levels, uint8 `shape_out`, of `levels`, uint8 `shape_in`."""
        source, target = packed(levels, "levels", 3, np.uint8), packed(out, "out", 3, np.uint8)
        writable(out, "out")
        if levels.shape != self.shape_in or out.shape != self.shape_out:
            raise ValueError(f"levels must have the shape {self.shape_in} and out {self.shape_out}; got {levels.shape} and {out.shape}")
        scratch = packed(self._scratch, "scratch", 1, np.uint8)
        done(lib.vultus_layers_u8(self._layers, self._count, source, target, scratch, self._scratch.size), "layers")


def head(levels: npt.NDArray[Any], sums: Sums, out: npt.NDArray[Any]) -> None:
    """Write (bias + sum of levels * weights) * scale to `out`, float32 (HEAD_OUT,), of uint8 (h, w, channels).

    A row of weights stands for one channel and pixel, channel by channel: (channels * h * w, HEAD_OUT).
    """
    height, width, channels = levels.shape
    _each(HEAD_OUT, sums)
    writable(out, "out")
    if sums.weights.shape != (levels.size, HEAD_OUT) or out.shape != (HEAD_OUT,):
        raise ValueError(f"weights must have the shape {(levels.size, HEAD_OUT)}; got {sums.weights.shape}, and out {out.shape}")
    source, target = packed(levels, "levels", 3, np.uint8), packed(out, "out", 1, np.float32)
    done(lib.vultus_head_u8(source, height * width, channels, *_pointers(sums), target), "head")


def _each(count: int, sums: Sums, *others: npt.NDArray[Any]) -> None:
    if any(a.shape != (count,) for a in (sums.bias, sums.scale, *others)):
        raise ValueError(f"every output channel, {count} of them, must have a bias, a scale and, with PRelu, a slope")


def _pointers(sums: Sums) -> tuple[Any, Any, Any]:
    weights = packed(sums.weights, "weights", 2, np.int8)
    return weights, packed(sums.bias, "bias", 1, np.int32), packed(sums.scale, "scale", 1, np.float32)


def _room(count: int, made: int) -> U8:
    size = lib.vultus_packed_size(count, made)
    if size < 0:
        raise ValueError(f"the core runs no layer from {count} to {made} channels")
    return aligned(size, np.uint8)
