"""Order statistics without a sort: values are counted in buckets of equal width, then selected in few of them.

The bucket of a value rises with the value, so the k-th smallest lies in the bucket in which the counts pass k;
quickselect (``kernels.tails.select``) finds it there.  Where the range has no width the values are one bucket.
"""

from __future__ import annotations

import math

import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.tails import select

BUCKETS = 4096
"""Of a long series; a short one needs no more buckets than values."""


@kernel
def extremes(values):
    """Smallest and largest of *values* (n ≥ 1, no NaN), four at a time: a comparison waits for the one before."""
    a = b = c = d = e = f = g = h = values[0]
    whole = values.shape[0] // 4 * 4
    for i in range(0, whole, 4):
        a, e = min(a, values[i]), max(e, values[i])
        b, f = min(b, values[i + 1]), max(f, values[i + 1])
        c, g = min(c, values[i + 2]), max(g, values[i + 2])
        d, h = min(d, values[i + 3]), max(h, values[i + 3])
    for i in range(whole, values.shape[0]):
        a, e = min(a, values[i]), max(e, values[i])
    return min(min(a, b), min(c, d)), max(max(e, f), max(g, h))


@kernel
def count_buckets(values, bucket, starts):
    """Buckets of equal width between the extremes: bucket (n,) of each value, starts (buckets + 1,) their counts
    added up.

    The bucket of a value rises with it, so that the k-th smallest lies in the bucket where the counts pass k.
    False, and nothing to use, when the range is not a positive finite number.
    """
    buckets = starts.shape[0] - 1
    low, high = extremes(values)
    width = (buckets - 1) / (high - low) if high > low else math.inf
    if not (math.isfinite(width) and math.isfinite(high - low)):
        return False
    for i in range(values.shape[0]):
        bucket[i] = np.uint32(min(int((values[i] - low) * width), buckets - 1))
    starts[:] = 0
    for i in range(values.shape[0]):
        starts[bucket[i] + 1] += 1
    for j in range(buckets):
        starts[j + 1] += starts[j]
    return True


@kernel
def find_ranks(values, ks, work, bucket, starts, after, found):
    """found[l] = the ks[l]-th smallest of *values* (n,), 1 ≤ ks ≤ n ascending, no NaN.

    Only the buckets that hold one are moved.  work : (≥ n,) of the type of *values*.  bucket : (≥ n,) uint32.
    starts, after : (buckets + 1,) int64.
    """
    if ks.shape[0] == 0:
        return
    count = values.shape[0]
    if not count_buckets(values, bucket, starts):
        for i in range(count):
            work[i] = values[i]
        for level in range(ks.shape[0]):
            found[level] = select(work, 0, count, ks[level] - 1)
        return
    after[:] = -1
    room = j = 0
    for level in range(ks.shape[0]):
        while starts[j + 1] < ks[level]:
            j += 1
        if after[j] < 0:
            after[j] = room
            room += starts[j + 1] - starts[j]
    for i in range(count):
        place = after[bucket[i]]
        if place >= 0:
            work[place] = values[i]
            after[bucket[i]] = place + 1
    j = 0
    for level in range(ks.shape[0]):
        while starts[j + 1] < ks[level]:
            j += 1
        begin = after[j] - (starts[j + 1] - starts[j])
        found[level] = select(work, begin, after[j], begin + ks[level] - 1 - starts[j])
