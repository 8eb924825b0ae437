"""Exact order statistics and tail sums without a sort.

For a sample x of size P and counts k: the k-th smallest value x_(k) and the sum of the k smallest,

    Σ_{i: x_i < x_(k)} x_i + (k − #{x_i < x_(k)}) · x_(k),

so that ties at x_(k) enter with exactly the number that is missing, whatever their places.  A pilot (a
strided sample) gives a threshold just above the largest count; one pass keeps what lies at or below it,
in path order; quickselect (Hoare 1961, CACM 4) runs on that remainder.  A pilot that was too low is
noticed by the count and the whole sample is kept: the answer is exact in every case.

Sums run through a fixed tree: the paths of each quantum of 1,024 in path order, then quanta pairwise. 
The same bits for any number of threads and any chunking.
"""

from __future__ import annotations

import math

import numpy as np

from riskengine.kernels import kernel

QUANTUM = 1024
"""Paths per leaf of the reduction tree (equal to base.sampling.REDUCTION_QUANTUM)."""
_PILOT = 8192
_FEWEST = 512
"""Paths of the pilot: at most, and at least of every sixteenth path of a small sample."""


def smallest(x: np.ndarray, ks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """k-th smallest value and sum of the k smallest.

    Parameters
    ----------
    x : (P,) float64, P&L by path in path order.  NaN is refused; infinities order as usual.
    ks : (L,) counts, ascending, 1 ≤ k ≤ P.

    Returns
    -------
    kth : (L,) x_(k).  sums : (L,) sum of the k smallest, in the unit of *x*.

    Raises
    ------
    ValueError : NaN in *x*, or counts out of order or range.
    """
    x = np.ascontiguousarray(x, dtype=np.float64)
    ks = np.ascontiguousarray(ks, dtype=np.int64)
    if x.ndim != 1 or ks.ndim != 1:
        raise ValueError(f"x and ks must be one-dimensional, got {x.shape} and {ks.shape}")
    if ks.size and (ks[0] < 1 or ks[-1] > x.size or np.any(np.diff(ks) < 0)):
        raise ValueError(f"counts must ascend within 1 … {x.size}, got {ks.tolist()}")
    kth = np.empty(ks.size)
    sums = np.empty(ks.size)
    if ks.size and select_smallest(x, ks, kth, sums):
        raise ValueError(f"x contains NaN, first at path {int(np.flatnonzero(np.isnan(x))[0])}")
    return kth, sums


def total(x: np.ndarray) -> float:
    """Sum of *x* (P,) float64 through the fixed tree."""
    return float(sum_by_tree(np.ascontiguousarray(x, dtype=np.float64)))


@kernel
def select(a, low, high, k):
    """Reorder a[low:high] so that a[k] is what a full sort would put there; returns it."""
    left = low
    right = high - 1
    while left < right:
        x = a[left]
        y = a[(left + right) >> 1]
        z = a[right]
        pivot = max(min(x, y), min(max(x, y), z))
        i = left
        j = right
        while i <= j:
            while a[i] < pivot:
                i += 1
            while a[j] > pivot:
                j -= 1
            if i <= j:
                a[i], a[j] = a[j], a[i]
                i += 1
                j -= 1
        if k <= j:
            right = j
        elif k >= i:
            left = i
        else:
            break
    return a[k]


@kernel
def add_pairwise(leaves):
    """Sum of *leaves* (Q,), overwritten: neighbours in pairs, an odd last one carried up."""
    n = leaves.shape[0]
    if n == 0:
        return 0.0
    while n > 1:
        half = n // 2
        for i in range(half):
            leaves[i] = leaves[2 * i] + leaves[2 * i + 1]
        if n % 2:
            leaves[half] = leaves[n - 1]
        n = half + n % 2
    return leaves[0]


@kernel
def sum_by_tree(x):
    """Σ x through the fixed tree: x (P,) float64."""
    quanta = (x.shape[0] + QUANTUM - 1) // QUANTUM
    leaves = np.zeros(quanta)
    for q in range(quanta):
        part = 0.0
        for i in range(q * QUANTUM, min((q + 1) * QUANTUM, x.shape[0])):
            part += x[i]
        leaves[q] = part
    return add_pairwise(leaves)


@kernel
def select_smallest(x, ks, kth, sums):
    """Body of smallest(); returns True when *x* holds a NaN (then the outputs mean nothing)."""
    paths = x.shape[0]
    largest = ks[-1]
    stride = max(1, paths // _PILOT, min(16, paths // _FEWEST))
    pilot = np.empty(paths // stride)
    for i in range(pilot.shape[0]):
        pilot[i] = x[i * stride]
    expected = largest * pilot.shape[0] / paths
    rank = min(pilot.shape[0] - 1, int(expected + 5.0 * math.sqrt(expected) + 8.0))
    for i in range(pilot.shape[0]):
        if pilot[i] != pilot[i]:
            return True
    threshold = select(pilot, 0, pilot.shape[0], rank)

    quanta = (paths + QUANTUM - 1) // QUANTUM
    kept = np.empty(paths + 1)
    ends = np.empty(quanta, dtype=np.int64)
    count = 0
    ordered = True
    for q in range(quanta):
        for i in range(q * QUANTUM, min((q + 1) * QUANTUM, paths)):
            value = x[i]
            kept[count] = value
            count += value <= threshold
            ordered &= value == value
        ends[q] = count
    if not ordered:
        return True
    if count < largest:
        for i in range(paths):
            kept[i] = x[i]
        for q in range(quanta):
            ends[q] = min((q + 1) * QUANTUM, paths)
        count = paths

    work = kept[:count].copy()
    leaves = np.empty(quanta)
    low = 0
    for level in range(ks.shape[0]):
        k = ks[level]
        value = select(work, low, count, k - 1)
        low = k - 1
        below = 0
        begin = 0
        for q in range(quanta):
            part = 0.0
            for i in range(begin, ends[q]):
                if kept[i] < value:
                    part += kept[i]
                    below += 1
            leaves[q] = part
            begin = ends[q]
        tied = 0.0
        if k > below:
            tied = (k - below) * value
        kth[level] = value
        sums[level] = add_pairwise(leaves) + tied
    return False
