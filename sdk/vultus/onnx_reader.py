"""Reads nodes and constants out of the bytes of an ONNX file: as much of the format as the graphs that ship use.

Where the core runs a graph, ONNX Runtime need not load it, and the package `onnx` is for those who make graphs. Constants of one byte an
element are views of the file's bytes, so that weights are not copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_VARINT, _BYTES, _FIXED = 0, 2, {1: 8, 5: 4}
_NOTHING: Final = memoryview(b"")
_DTYPES: Final[dict[int, np.dtype[Any]]] = {
    1: np.dtype("<f4"),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
}
"""Element types by their number in onnx.proto."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation; `numbers` are its attributes that are an integer or several."""

    kind: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """What a file holds: nodes in the order in which they run, names of its inputs and outputs, constants by name, and metadata."""

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, npt.NDArray[Any]]
    properties: Mapping[str, str]


def read_onnx(data: bytes) -> OnnxGraph:
    """Read a file; raises ValueError when it is cut off, holds something that is not read here, or no graph."""
    graph: memoryview | None = None
    properties = {}
    for number, value in _fields(memoryview(data)):
        if number == 7:
            graph = _bytes(value)
        elif number == 14:
            entry = dict(_fields(_bytes(value)))
            properties[_text(entry.get(1, _NOTHING))] = _text(entry.get(2, _NOTHING))
    if graph is None:
        raise ValueError("no graph")
    nodes, constants = [], {}
    ends: dict[int, list[str]] = {11: [], 12: []}
    for number, value in _fields(graph):
        if number == 1:
            nodes.append(_node(_bytes(value)))
        elif number == 5:
            name, array = _tensor(_bytes(value))
            constants[name] = array
        elif number in ends:
            ends[number].append(_text(dict(_fields(_bytes(value))).get(1, _NOTHING)))
    return OnnxGraph(tuple(nodes), tuple(ends[11]), tuple(ends[12]), constants, properties)


def _node(data: memoryview) -> Node:
    kind = domain = ""
    inputs, outputs, numbers = [], [], {}
    for number, value in _fields(data):
        if number == 1:
            inputs.append(_text(value))
        elif number == 2:
            outputs.append(_text(value))
        elif number == 4:
            kind = _text(value)
        elif number == 5:
            name, found = _attribute(_bytes(value))
            numbers[name] = found
        elif number == 7:
            domain = _text(value)
    return Node(kind, domain, tuple(inputs), tuple(outputs), numbers)


def _attribute(data: memoryview) -> tuple[str, tuple[int, ...]]:
    name, numbers = "", []
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number in (3, 8):
            numbers += _numbers(value)
        elif number != 20:
            raise ValueError(f"the attribute {name!r} is neither an integer nor several")
    return name, tuple(numbers)


def _tensor(data: memoryview) -> tuple[str, npt.NDArray[Any]]:
    name, dims, kind, raw = "", [], 0, _NOTHING
    for number, value in _fields(data):
        if number == 1:
            dims += _numbers(value)
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 8:
            name = _text(value)
        elif number == 9:
            raw = _bytes(value)
        else:
            raise ValueError(f"the constant {name!r} is not stored as raw bytes")
    dtype = _DTYPES.get(kind)
    if dtype is None or any(n < 1 for n in dims) or prod(dims) * dtype.itemsize != len(raw):
        raise ValueError(f"the constant {name!r} has the type {kind}, the shape {dims} and {len(raw)} bytes")
    array = np.frombuffer(raw, dtype).reshape(dims)
    # Larger elements may lie at any byte of the file.
    return name, array if dtype.itemsize == 1 else array.copy()


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the fields of a protocol buffer: number, and an integer or the bytes of a longer value."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at) if data[at] >= 0x80 else (data[at], at + 1)
        wire = key & 7
        if wire == _VARINT:
            value, at = _varint(data, at) if at == end or data[at] >= 0x80 else (data[at], at + 1)
            yield key >> 3, value
            continue
        if wire != _BYTES:
            size = _FIXED.get(wire, end)
        elif at < end and data[at] < 0x80:
            size, at = data[at], at + 1
        else:
            size, at = _varint(data, at)
        if size > end - at:
            raise ValueError("the file is cut off or no ONNX file")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in zip(range(0, 70, 7), data[at : at + 10], strict=False):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + shift // 7 + 1
    raise ValueError("the file is cut off or no ONNX file")


def _numbers(value: int | memoryview) -> list[int]:
    """Return one integer, or those of a packed field."""
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, memoryview):
        return value
    raise ValueError("a number stands where bytes belong")


def _text(value: int | memoryview) -> str:
    return str(_bytes(value), "utf-8")
