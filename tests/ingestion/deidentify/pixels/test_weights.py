"""Denormal weights become zero, all else stays; the detector answers the same."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingestion.deidentify.pixels import detector
from ingestion.deidentify.pixels.weights import NoModelError, without_denormals

TINY = np.finfo(np.float32).tiny
FLOAT, INT = 1, 6


def varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def part(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def model_of(numbers: NDArray[np.generic], kind: int = FLOAT) -> bytes:
    tensor = part(1, numbers.size) + part(2, kind) + part(8, b"w0") + part(9, numbers.tobytes())
    graph = part(1, b"a node") + part(2, b"name") + part(5, tensor) + part(5, tensor)
    return part(1, 8) + varint(14 << 3 | 5) + b"four" + varint(15 << 3 | 1) + b"and eight"[:8] + part(7, graph)


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=40))
def test_denormal_weights_become_zero_and_the_others_stay(values: list[float]) -> None:
    numbers = np.array([*values, TINY / 2, -TINY / 8, TINY, -TINY, 0.0, np.inf], np.float32)
    expected = np.where(np.abs(numbers) < TINY, np.float32(0), numbers)
    assert without_denormals(model_of(numbers)) == model_of(expected)


def test_numbers_of_another_kind_stay() -> None:
    made = model_of(np.array([1, 2, 3], np.int32), INT)
    assert without_denormals(made) == made


@given(st.binary(max_size=80), st.integers(0, 80), st.binary(max_size=4))
def test_what_is_no_model_is_refused_or_stays_as_long_as_it_is(junk: bytes, at: int, noise: bytes) -> None:
    made = model_of(np.array([1.0, TINY / 2], np.float32))
    for broken in (junk, made[:at], made[:at] + noise + made[at + len(noise) :]):
        try:
            assert len(without_denormals(broken)) == len(broken)
        except NoModelError:
            continue


def test_the_detector_has_denormal_weights_and_answers_the_same_without() -> None:
    file = detector._model_file()
    found = detector.find_detector()
    if file is None or found is None:
        pytest.skip("rapidocr, which carries the model, is not installed")
    assert without_denormals(file.read_bytes()) != file.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    as_carried = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(3)
    for rows, columns in ((96, 160), (160, 96)):
        looks = rng.uniform(-1, 1, (1, 3, rows, columns)).astype(np.float32)
        asked = {as_carried.get_inputs()[0].name: looks}
        (old,), (new,) = as_carried.run(None, asked), found.session.run(None, asked)
        assert np.allclose(old, new, atol=1e-6)
