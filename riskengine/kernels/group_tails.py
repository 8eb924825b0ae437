"""Tails of many P&L vectors of either precision, straight from the simulation's float32 or float64 rows.

As in ``kernels/tails.py`` the k-th smallest value is exact and sums run through the fixed tree over quanta of
1,024 paths; here they are sums of the gaps x_(k) − x ≥ 0, in which ties weigh nothing:

    Σ_{k smallest} x = k x_(k) − Σ_{x < x_(k)} (x_(k) − x)

What differs is the pass over the paths: 64 at a time are compared with the pilot's threshold in vector
registers, and the bits of the comparison say which few are kept, with their path numbers.  The kept paths
serve the order statistics (equal-width buckets, then quickselect inside one), the sums, the second moments
behind the standard errors, and the Euler contributions of each group to the total.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from riskengine.kernels import kernel
from riskengine.kernels.ranks import BUCKETS, find_ranks
from riskengine.kernels.tails import QUANTUM, add_pairwise, select

LANES = 64
_PILOT = 8192
_QUANTUM_BITS = 10
assert 1 << _QUANTUM_BITS == QUANTUM


class Scratch(NamedTuple):
    """Memory that one series after the other works in: fresh pages cost more than the arithmetic on them.

    values, work : (n,) float64.  places : (n,) int64.  bucket : (n,) uint32.
    starts, after : counts by bucket.
    leaves, squares : (3, quanta of the paths).
    """

    values: np.ndarray
    work: np.ndarray
    places: np.ndarray
    bucket: np.ndarray
    starts: np.ndarray
    after: np.ndarray
    leaves: np.ndarray
    squares: np.ndarray


def room_of(paths: int, largest: int) -> int:
    """Kept paths to make room for when the *largest* smallest of *paths* are wanted."""
    return min(paths, largest + largest // 4 + 4096)


def scratch_of(paths: int, kept: int) -> Scratch:
    """Scratch for series of *paths* of which *kept* are kept."""
    quanta = (paths + QUANTUM - 1) // QUANTUM
    return Scratch(np.empty(kept), np.empty(kept), np.empty(kept, np.int64), np.empty(kept, np.uint32),
                   np.empty(BUCKETS + 1, np.int64), np.empty(BUCKETS + 1, np.int64), np.empty((3, quanta)),
                   np.empty((3, quanta)))


@intrinsic
def mask_at_most(typing_context, x, offset, threshold):
    """uint64 whose bit j says that x[offset + j] ≤ threshold or is NaN; x 1-d, C-contiguous, of its type."""
    scalar = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}[x.dtype]
    size = x.dtype.bitwidth // 8
    vector = ir.VectorType(scalar, LANES)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), vector.as_pointer())
        values = builder.load(place, align=size)
        undefined = ir.Constant(vector, ir.Undefined)
        spread = builder.insert_element(undefined, arguments[2], ir.Constant(ir.IntType(32), 0))
        spread = builder.shuffle_vector(spread, undefined, zeros)
        return builder.bitcast(builder.fcmp_unordered("<=", values, spread), ir.IntType(LANES))

    return types.uint64(x, types.int64, x.dtype), generate


@intrinsic
def trailing_zeros(typing_context, bits):
    """Number of zero bits below the lowest one of a uint64 other than 0."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@kernel
def keep_at_most(x, threshold, values, places):
    """Values (as float64) and path numbers of x ≤ threshold, in path order; their count, NaN included.

    Counts on when *values* is full, without storing.
    """
    paths = x.shape[0]
    room = values.shape[0]
    count = 0
    whole = paths // LANES * LANES
    for offset in range(0, whole, LANES):
        bits = mask_at_most(x, offset, threshold)
        while bits != np.uint64(0):
            if count < room:
                place = offset + trailing_zeros(bits)
                values[count] = x[place]
                places[count] = place
            count += 1
            bits &= bits - np.uint64(1)
    for place in range(whole, paths):
        if not x[place] > threshold:
            if count < room:
                values[count] = x[place]
                places[count] = place
            count += 1
    return count


@kernel
def pilot_threshold(x, largest):
    """A value that the *largest*-th smallest of x most likely does not exceed; NaN when the pilot has one."""
    paths = x.shape[0]
    stride = max(1, paths // _PILOT)
    pilot = np.empty(paths // stride, dtype=x.dtype)
    for i in range(pilot.shape[0]):
        pilot[i] = x[i * stride]
        if pilot[i] != pilot[i]:
            return pilot[i]
    expected = largest * pilot.shape[0] / paths
    rank = min(pilot.shape[0] - 1, int(expected + 5.0 * math.sqrt(expected) + 8.0))
    return select(pilot, 0, pilot.shape[0], rank)


@kernel
def sum_gaps(values, places, one, two, three, leaves, squares):
    """Leaves (3, quanta) of the trees of Σ max(v − x, 0) and of its squares, over kept paths in path order.

    Three v at a time: each sum waits for its last addition, so three take the time of one.
    """
    i = 0
    for leaf in range(leaves.shape[1]):
        end = (leaf + 1) << _QUANTUM_BITS
        a = b = c = 0.0
        d = e = f = 0.0
        while i < values.shape[0] and places[i] < end:
            x = values[i]
            gap = max(one - x, 0.0)
            a += gap
            d += gap * gap
            gap = max(two - x, 0.0)
            b += gap
            e += gap * gap
            gap = max(three - x, 0.0)
            c += gap
            f += gap * gap
            i += 1
        leaves[0, leaf], leaves[1, leaf], leaves[2, leaf] = a, b, c
        squares[0, leaf], squares[1, leaf], squares[2, leaf] = d, e, f


@kernel
def measure_kept(values, places, paths, ks, wanted, out, scratch):
    """Order statistics and sums from the kept paths.

    Parameters
    ----------
    values, places : (n,) kept paths in path order; at least the ks[-1] smallest of all *paths*.
    ks : (L,) ascending counts.  wanted : (L,) bool, are sums wanted at this count?
    out : (L, 3) written: x_(k), Σ (x_(k) − x) over the k smallest, Σ (x_(k) − x)² (0, 0 where not wanted).
    scratch : Scratch with room for n kept paths.
    """
    leaves, squares = scratch.leaves, scratch.squares
    out[:] = 0.0
    find_ranks(values, ks, scratch.work, scratch.bucket, scratch.starts, scratch.after, out[:, 0])
    levels = np.flatnonzero(wanted)
    for begin in range(0, levels.shape[0], 3):
        one = out[levels[begin], 0]
        two = out[levels[begin + 1], 0] if begin + 1 < levels.shape[0] else -math.inf
        three = out[levels[begin + 2], 0] if begin + 2 < levels.shape[0] else -math.inf
        sum_gaps(values, places, one, two, three, leaves, squares)
        for j in range(min(3, levels.shape[0] - begin)):
            out[levels[begin + j], 1] = add_pairwise(leaves[j])
            out[levels[begin + j], 2] = add_pairwise(squares[j])


@kernel
def measure_series(x, ks, wanted, out, scratch):
    """All of one series x (P,): fills *out* (measure_kept) and returns how many paths were kept.

    They are the first entries of scratch.values and scratch.places.  A NaN anywhere makes the kept values
    hold one (the caller checks).  −1: there is no room for all that must be kept; call again with a Scratch
    for all the paths.
    """
    paths = x.shape[0]
    largest = ks[-1]
    values, places = scratch.values, scratch.places
    count = keep_at_most(x, pilot_threshold(x, largest), values, places)
    if count < largest or count > values.shape[0]:
        if values.shape[0] < paths:
            return -1
        for i in range(paths):
            values[i] = x[i]
            places[i] = i
        count = paths
    for i in range(count):
        if values[i] != values[i]:
            return count
    measure_kept(values[:count], places[:count], paths, ks, wanted, out, scratch)
    return count


@kernel
def weigh_tail(values, quantiles, expected, columns, weights):
    """Weights of the total's tail in the contributions: of values below the quantile 1/(P p), of those equal to it
    what is left of the tail in equal parts.

    values : (n,) kept values of the total.  quantiles, expected : (L,) x_(k) and P p.
    columns : (n,) int64, weights : (L, n), written from the left; returns how many: values at or below the
    largest quantile.
    """
    widest = quantiles.max()
    count = 0
    for i in range(values.shape[0]):
        if values[i] <= widest:
            columns[count] = i
            count += 1
    for level in range(quantiles.shape[0]):
        quantile, weight = quantiles[level], weights[level]
        below = ties = 0
        for i in range(count):
            below += values[columns[i]] < quantile
            ties += values[columns[i]] == quantile
        inside, tied = 1.0 / expected[level], (expected[level] - below) / (ties * expected[level])
        for i in range(count):
            value = values[columns[i]]
            weight[i] = inside if value < quantile else (tied if value == quantile else 0.0)
    return count


@kernel
def add_components(x, places, weights, out):
    """Euler contributions of one group: out[l] = −Σ_i weights[l, i] x[places[i]].

    x : (P,) the group.  places : (n,) tail paths of the total, in path order.  weights : (L, n).
    Four partial sums, i modulo 4, then added in pairs.
    """
    paths = places.shape[0]
    kept = np.zeros((paths + 3) // 4 * 4)
    for i in range(paths):
        kept[i] = x[places[i]]
    for level in range(weights.shape[0]):
        weight = weights[level]
        a = 0.0
        b = 0.0
        c = 0.0
        d = 0.0
        whole = paths // 4 * 4
        for i in range(0, whole, 4):
            a += weight[i] * kept[i]
            b += weight[i + 1] * kept[i + 1]
            c += weight[i + 2] * kept[i + 2]
            d += weight[i + 3] * kept[i + 3]
        for i in range(whole, paths):
            a += weight[i] * kept[i]
        out[level] = -((a + b) + (c + d))
