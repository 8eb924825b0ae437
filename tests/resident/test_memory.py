"""Memory of large arrays: kept while any array uses it, then given to the next one of its size."""

from __future__ import annotations

import gc
import pickle

import numpy as np
import pytest

from riskengine.kernels.aligned import LINE
from riskengine.resident.memory import Store


def place(x: np.ndarray) -> int:
    return x.__array_interface__["data"][0]


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_arrays_begin_on_a_line_and_can_be_written(real):
    x = Store().empty(3, 37, real)
    assert x.shape == (3, 37) and x.dtype == real and x.flags.c_contiguous and x.flags.writeable
    assert place(x) % LINE == 0
    x[:] = 7.0
    assert np.array_equal(pickle.loads(pickle.dumps(x)), np.full((3, 37), 7.0))


def test_memory_comes_back_when_the_last_view_is_gone():
    store = Store()
    x = store.empty(4, 1_000, np.float32)
    where, row = place(x), x[2, :10]
    row[:] = 5.0
    row.flags.writeable = False
    del x
    gc.collect()
    other = store.empty(4, 1_000, np.float32)
    assert place(other) != where and store.idle == 0
    other[:] = 1.0
    assert np.array_equal(row, np.full(10, 5.0))
    del row
    gc.collect()
    assert store.idle == 4 * 4_000 + LINE
    again = store.empty(4, 1_000, np.float32)
    assert place(again) == where and again.flags.writeable and store.idle == 0


def test_another_size_gets_memory_of_its_own():
    store = Store()
    x = store.empty(1, 1_000, np.float32)
    where = place(x)
    del x
    other = store.empty(1, 1_001, np.float32)
    assert place(other) != where and store.idle == 4_000 + LINE


def test_what_is_kept_is_bounded():
    store = Store(idle_bytes=10_000)
    held = [store.empty(1, 1_000, np.float32) for _ in range(5)]
    large = store.empty(1, 10_000, np.float32)
    del held, large
    gc.collect()
    assert store.idle == 2 * (4_000 + LINE)
