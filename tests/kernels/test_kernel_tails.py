"""Tails against NumPy's partition and a full sort; the reduction tree; ties, infinities, NaN."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from riskengine.base.sampling import REDUCTION_QUANTUM
from riskengine.kernels import tails


def check(x, ks):
    ks = np.asarray(ks, dtype=np.int64)
    kth, sums = tails.smallest(x, ks)
    ordered = np.sort(x)
    assert np.array_equal(kth, ordered[ks - 1])
    assert np.array_equal(kth, np.partition(x, ks - 1)[ks - 1])
    for k, got in zip(ks, sums, strict=True):
        exact = math.fsum(ordered[:k])
        assert abs(got - exact) <= 1e-14 * math.fsum(np.abs(ordered[:k])) + 1e-300
    return kth, sums


@pytest.mark.parametrize("paths", [1, 2, 1023, 1024, 1025, 8191, 100_352])
def test_normal_sample(paths):
    x = np.random.default_rng(paths).standard_normal(paths) * 1e7
    ks = sorted({max(1, math.ceil(paths * a)) for a in (0.001, 0.01, 0.025, 0.05, 0.5, 1.0)})
    check(x, ks)


def test_structured_samples_that_mislead_the_pilot():
    ramp = np.arange(100_352.0)
    wave, comb = np.sin(ramp * 2 * np.pi / 12), np.where(ramp % 12 == 0, 5.0, -ramp)
    for x in (ramp, -ramp, wave, comb, 0 * ramp):
        check(x, [1, 1004, 2509, 5018, 100_352])


def test_ties_enter_with_the_missing_number():
    x = np.array([3.0, -1.0, -1.0, -1.0, 7.0, -2.0])
    kth, sums = tails.smallest(x, np.array([1, 2, 3, 4, 5]))
    assert kth.tolist() == [-2, -1, -1, -1, 3]
    assert sums.tolist() == [-2, -3, -4, -5, -2]


def test_rank_one_to_all_and_repeated_counts():
    x = np.random.default_rng(0).integers(-5, 6, 3000).astype(float)
    check(x, np.arange(1, 3001))
    check(x, [7, 7, 7, 100, 100])


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e9, 1e9)), st.data())
def test_any_sample(x, data):
    ks = sorted(data.draw(st.lists(st.integers(1, x.size), min_size=1, max_size=5)))
    check(x, ks)


def test_infinite_loss():
    x = np.array([1.0, -np.inf, np.inf, 0.0])
    kth, sums = tails.smallest(x, np.array([1, 2]))
    assert kth.tolist() == [-np.inf, 0.0]
    assert np.all(np.isneginf(sums))


@pytest.mark.parametrize("place", [0, 1, 4567, 99_999])
def test_nan_is_refused_with_its_place(place):
    x = np.random.default_rng(1).standard_normal(100_000)
    x[place] = np.nan
    with pytest.raises(ValueError, match=f"path {place}"):
        tails.smallest(x, np.array([10]))


@pytest.mark.parametrize("ks", [[0], [5, 4], [11], [-1]])
def test_counts_out_of_range_or_order_are_refused(ks):
    with pytest.raises(ValueError, match="ascend"):
        tails.smallest(np.arange(10.0), np.array(ks))


def tree(x):
    """The reduction tree in plain Python."""
    leaves = []
    for q in range(0, len(x), 1024):
        part = 0.0
        for value in x[q : q + 1024]:
            part += value
        leaves.append(part)
    while len(leaves) > 1:
        pairs = [leaves[i] + leaves[i + 1] for i in range(0, len(leaves) - 1, 2)]
        leaves = pairs + ([leaves[-1]] if len(leaves) % 2 else [])
    return leaves[0]


@pytest.mark.parametrize("paths", [1, 1024, 1025, 5000, 70_001])
def test_sums_follow_the_fixed_tree_to_the_bit(paths):
    x = np.random.default_rng(paths).standard_normal(paths)
    assert tails.total(x) == tree(x.tolist())
    k = max(1, paths // 20)
    kth, sums = tails.smallest(x, np.array([k]))
    below = [value if value < kth[0] else 0.0 for value in x]
    assert sums[0] == tree(below) + (k - np.count_nonzero(x < kth[0])) * kth[0]


def test_input_is_left_alone():
    x = np.random.default_rng(2).standard_normal(20_000)
    before = x.copy()
    tails.smallest(x, np.array([5, 500]))
    assert np.array_equal(x, before)


def test_the_quantum_is_the_engines():
    assert tails.QUANTUM == REDUCTION_QUANTUM
