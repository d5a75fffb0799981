from __future__ import annotations

import gc
import pickle

import numpy as np
import pytest

from ingestion.dicom import memory
from ingestion.dicom.memory import SMALL, float32_array

LARGE = (SMALL // 4 // 256 + 1, 16, 16)


@pytest.mark.parametrize("shape", [(0, 4, 4), (3, 4, 5), LARGE])
def test_the_array_is_an_ordinary_one(shape: tuple[int, ...]) -> None:
    array = float32_array(shape)
    assert (array.shape, array.dtype) == (shape, np.float32)
    assert array.flags.writeable and array.flags.c_contiguous and array.flags.aligned
    array[...] = np.arange(array.size, dtype=np.float32).reshape(shape)
    assert np.array_equal(pickle.loads(pickle.dumps(array)), array)
    part = array[1:]
    del array
    gc.collect()
    assert part.size == 0 or part.ravel()[-1] == part.size + np.prod(shape[1:]) - 1  # a view keeps the memory


def test_without_the_call_numpy_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "POPULATE", None)
    assert float32_array(LARGE).base is None


def test_memory_that_is_not_there_is_numpys_error() -> None:
    with pytest.raises(MemoryError):
        float32_array((2**50, 4))
