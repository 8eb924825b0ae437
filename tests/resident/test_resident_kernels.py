"""Kernels of the held state against their plain counterparts."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from riskengine.kernels.aligned import LINE, empty_rows, part_of_row
from riskengine.kernels.quanta import sum_gains_of_rows, sum_quanta, sum_rows
from riskengine.kernels.ranks import BUCKETS, find_ranks
from riskengine.kernels.resident import CachedMoves, Quadratic, Totals, measure_row, revalue_quadratic
from riskengine.kernels.tails import smallest, total
from riskengine.resident.cache import addresses

SAMPLES = {
    "student": lambda g: g.standard_t(3, 30_011) * 1e7,
    "ties": lambda g: np.round(g.standard_normal(9_999)) * 1e6,
    "constant": lambda g: np.zeros(4_096),
    "atom in the tail": lambda g: np.maximum(g.standard_normal(90_000), -1.2) * 1e6,
    "atom of zeros": lambda g: np.where(g.random(60_000) < 0.02, -g.random(60_000), 0.0),
    "signed zeros": lambda g: np.array([1.0, -0.0, 0.0, 2.0] * 600),
    "falling": lambda g: np.sort(g.standard_normal(20_000))[::-1].copy(),
    "rising": lambda g: np.sort(g.standard_normal(20_000)),
    "short": lambda g: g.standard_normal(70),
    "spikes at the pilot": lambda g: np.where(np.arange(40_960) % 20 == 0, 0.0, -1.0 - g.random(40_960)),
}


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("name", SAMPLES)
def test_tails_have_the_bits_of_the_reference(name, real):
    x = SAMPLES[name](np.random.default_rng(5)).astype(real)
    ks = np.array([1, max(1, x.size // 40), max(2, x.size // 3)], dtype=np.int64)
    kth, sums = np.empty(3), np.empty(3)
    whole = measure_row(x, ks, np.arange(3), kth, sums)
    want_kth, want_sums = smallest(x.astype(np.float64), ks)
    assert np.array_equal(kth, want_kth)
    assert np.array_equal(sums, want_sums)
    assert whole == total(x.astype(np.float64)) == sum_quanta(x)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_shows_in_the_sum(bad):
    x = np.random.default_rng(1).standard_normal(5_000)
    x[4_321] = bad
    assert not np.isfinite(measure_row(x, np.array([50]), np.array([0]), np.empty(1), np.empty(1)))


@pytest.mark.parametrize("buckets", [1, 50, BUCKETS])
@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*SAMPLES, "huge", "tiny"])
def test_ranks_of_a_sample(name, real, buckets):
    if name in SAMPLES:
        x = SAMPLES[name](np.random.default_rng(6)).astype(real)
    else:
        x = np.array({"huge": [-1.5e308, 3.0, 1.7e308, 0.0, -4.0], "tiny": [0.0, 5e-324, 0.0, 1e-323]}[name])
    ks = np.array([1, 2, x.size // 2, x.size - 1, x.size], dtype=np.int64)
    found = np.empty(5)
    starts, after = np.empty((2, buckets + 1), np.int64)
    find_ranks(x, ks, np.empty_like(x), np.empty(x.size, np.uint32), starts, after, found)
    assert np.array_equal(found, np.sort(x)[ks - 1].astype(np.float64))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_peak_of_rows_tells_of_what_is_not_finite(bad):
    noise = np.random.default_rng(2).standard_normal((1, 1_000)).astype(np.float32)
    none, index = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)
    book = Quadratic(np.ones(1, np.float32), np.array([0, 1]), np.array([0]),
                     np.array([[1e3, 0.0]], np.float32), np.array([0, 0]), index.reshape(0, 2), none)
    row, out = np.empty((1, 1_000), np.float32), np.empty(1_000)
    for value in (noise[0, 777], bad):
        noise[0, 777] = value
        moves = CachedMoves(noise, np.ones(1, np.float32), np.zeros(1_000, np.int32), np.array([0]),
                            none.reshape(1, 0), index, index, none)
        totals = Totals(out, np.empty(0), np.empty(0, np.uint64))
        peak = revalue_quadratic(moves, book, 0, 1_000, addresses(row), totals)
        assert peak == (np.abs(row).max() if np.isfinite(value) else np.inf)
        assert np.array_equal(out, row[0].astype(np.float64), equal_nan=True)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_aligned_rows_and_their_parts(real):
    x = empty_rows(3, 37, np.empty(0, dtype=real))
    assert x.shape == (3, 37) and x.dtype == real and x.flags.c_contiguous and x.ctypes.data % LINE == 0
    x[:] = np.arange(111).reshape(3, 37)
    cut = x[:, 5:30]
    part = _copy_part(cut, 2, 4, 9)
    assert np.array_equal(part, cut[2, 4:13])


@numba.njit
def _copy_part(x, row, begin, width):
    return part_of_row(x, row, begin, width).copy()
