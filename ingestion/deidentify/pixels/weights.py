"""A network's weights without denormal numbers: so small that they add nothing, and each costs a hundred cycles.

A quarter of the weights of two layers of the detector are denormal, and these two took four fifths of its time. The
answers stay the same to the bit. A processor can be told to take such numbers for zero, but then all of the process
computes so.

An ONNX file is a protocol buffer (protobuf.dev, "Encoding"; onnx.proto): a model holds a graph, a graph its initial
values, a value its numbers, little endian.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_GRAPH, _INITIALIZER, _DATA_TYPE, _RAW_DATA = 7, 5, 2, 9
"""Fields of ModelProto, GraphProto and (two) TensorProto."""
_FLOAT = 1
_LONGEST_VARINT = 10
Field = tuple[int, int, int, int]
"""Number; the value of a varint, else 0; start and stop of the bytes."""


class NoModelError(ValueError):
    """The bytes are no ONNX model that could be read."""


def without_denormals(model: bytes) -> bytes:
    """``model`` with every denormal 32-bit weight set to zero; of the same length.

    Raises:
        NoModelError: it cannot be read.
    """
    made = bytearray(model)
    for number, _, start, stop in _fields(made, 0, len(made)):
        if number == _GRAPH:
            for kind, _, first, last in _fields(made, start, stop):
                if kind == _INITIALIZER:
                    _flush(made, first, last)
    return bytes(made)


def _flush(made: bytearray, start: int, stop: int) -> None:
    found = {number: (value, first, last) for number, value, first, last in _fields(made, start, stop)}
    if _RAW_DATA not in found or found.get(_DATA_TYPE, (0, 0, 0))[0] != _FLOAT:
        return
    _, first, last = found[_RAW_DATA]
    if (last - first) % 4:
        raise NoModelError("a weight of 32 bits is cut off")
    weights = np.frombuffer(made, "<f4", (last - first) // 4, first)
    weights[np.abs(weights) < np.finfo(np.float32).tiny] = 0


def _fields(data: bytearray, position: int, end: int) -> Iterator[Field]:
    while position < end:
        key, position = _varint(data, position, end)
        value, start = 0, position
        match key & 7:
            case 0:
                value, position = _varint(data, position, end)
            case 1:
                position += 8
            case 2:
                size, start = _varint(data, position, end)
                position = start + size
            case 5:
                position += 4
            case _:
                raise NoModelError("a field of no known kind")
        if position > end:
            raise NoModelError("a field passes the end")
        yield key >> 3, value, start, position


def _varint(data: bytearray, position: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(_LONGEST_VARINT):
        if position >= end:
            raise NoModelError("it ends within a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, position
    raise NoModelError("a number does not end")
