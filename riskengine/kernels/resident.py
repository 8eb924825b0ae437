"""What a held state is asked again and again: quadratic P&L on cached paths, totals, tails of many rows.

    x_k(p) = Σ_j N_kj s_j n_j(p) + μ_k[d(p)]             cached noise n, volatility scales s, response μ
    P&L_g  = c_g + Σ_k x_k (δ_gk + ½ Γ_gkk x_k) + Σ_{k<l} Γ_gkl x_k x_l
    total  = Σ_g P&L_g in the order of the groups, float64

P&L of a group is a row of its own (float32), so that a change of one group touches one row; kernels get the
rows by their addresses and the caller keeps them alive.  Paths are walked in tiles that stay in cache; each
path sees the same operations in the same order wherever its tile starts: the same bits on any number of
threads.

P&L of a group is a multiple of STEP: as long as no partial sum leaves ± EXACT_BELOW, sums of rows in float64
are exact, the same in any order, and a total moves by exactly what its changed rows move.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from riskengine.kernels import kernel
from riskengine.kernels.aligned import empty_rows
from riskengine.kernels.primitives import and32, bits_of_float32, float32_of_bits, fma, or32
from riskengine.kernels.quanta import sum_quanta, void_pointer
from riskengine.kernels.ranks import BUCKETS, find_ranks
from riskengine.kernels.tails import QUANTUM, add_pairwise, select

TILE, STRIDE = 512, 528
"""Paths per tile, and columns allocated for them: no power of two."""
STEP = 2.0**-10
"""USD."""
EXACT_BELOW = 2.0**53 * STEP
"""USD, nine trillion: float64 has every multiple of STEP up to here."""
_SHIFT = np.float32(2.0**23 * STEP).view(np.uint32)
"""y ± this − this is y rounded to STEP: with the sign of y, float32 has no finer step beyond it."""
_SIGN, _SIZE = np.uint32(1 << 31), np.uint32((1 << 31) - 1)
BLOCK = 64
"""Neighbours compared at once: the bits of one word."""
PILOT = 2048


class CachedMoves(NamedTuple):
    """Moves of the factors in use, R rows.

    noise : (K, P) float32 or float64.  scale : (K,) float32 of the noise.  draw : (P,) int32.
    used : (R,) int64 factors, ascending.  shift : (R, D) float32, or (R, 0) without a response.
    first : (R + 1,) int64; source : (…) int64 factors and weight : (…) float32, the rows of N; first (0,) for
    N = 1.
    """

    noise: np.ndarray
    scale: np.ndarray
    draw: np.ndarray
    used: np.ndarray
    shift: np.ndarray
    first: np.ndarray
    source: np.ndarray
    weight: np.ndarray


class Quadratic(NamedTuple):
    """Groups G as sums of terms; rows count within CachedMoves.used.

    constant : (G,) float32.  diagonal_first : (G + 1,) int64.  diagonal_row : (Q,) int64.
    diagonal : (Q, 2) float32 δ and ½ Γ.  cross_first : (G + 1,) int64.  cross_row : (C, 2) int64.  cross :
    (C,) float32.
    """

    constant: np.ndarray
    diagonal_first: np.ndarray
    diagonal_row: np.ndarray
    diagonal: np.ndarray
    cross_first: np.ndarray
    cross_row: np.ndarray
    cross: np.ndarray


class Totals(NamedTuple):
    """out : (P,) float64, written: base − Σ gone + Σ of the rows revalued.

    base : (P,) float64, or (0,): nothing.  gone : (N,) uint64, addresses of float32 vectors (P,).
    """

    out: np.ndarray
    base: np.ndarray
    gone: np.ndarray


@intrinsic
def not_above(typing_context, x, first, threshold):
    """Bit i of the result: x[first + i] ≤ threshold, for 64 neighbours of a contiguous vector."""
    scalar = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}[x.dtype]
    size = x.dtype.bitwidth // 8
    vector = ir.VectorType(scalar, BLOCK)

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        values = builder.load(builder.bitcast(place, vector.as_pointer()), align=size)
        undefined = ir.Constant(vector, ir.Undefined)
        spread = builder.insert_element(undefined, arguments[2], ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK)
        spread = builder.shuffle_vector(spread, undefined, zeros)
        return builder.bitcast(builder.fcmp_ordered("<=", values, spread), ir.IntType(BLOCK))

    return types.uint64(x, types.int64, x.dtype), generate


@intrinsic
def lowest_bit(typing_context, word):
    """Position of the lowest set bit of a word that is not zero."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic
def ordered_bits(typing_context, x):
    """A word that orders like the float x (no NaN): sign flipped for x ≥ 0, all bits for x < 0; 0 and −0
    differ."""
    size = x.bitwidth

    def generate(context, builder, signature, arguments):
        word = ir.IntType(size)
        bits = builder.bitcast(arguments[0], word)
        sign = builder.ashr(bits, ir.Constant(word, size - 1))
        flipped = builder.xor(bits, builder.or_(sign, ir.Constant(word, 1 << (size - 1))))
        return flipped if size == 64 else builder.zext(flipped, ir.IntType(64))

    return types.uint64(x), generate


@intrinsic
def value_of_bits(typing_context, key, like):
    """Inverse of ordered_bits for the type of *like*."""
    size = like.bitwidth

    def generate(context, builder, signature, arguments):
        word = ir.IntType(size)
        key = arguments[0] if size == 64 else builder.trunc(arguments[0], word)
        top = ir.Constant(word, 1 << (size - 1))
        negative = builder.icmp_unsigned("<", key, top)
        bits = builder.select(negative, builder.not_(key), builder.xor(key, top))
        return builder.bitcast(bits, ir.FloatType() if size == 32 else ir.DoubleType())

    return like(types.uint64, like), generate


# ---------------------------------------------------------------- P&L
@kernel
def load_moves(moves, begin, width, x):
    """x (R, STRIDE) float32 ← moves of paths begin … begin + width − 1."""
    plain = moves.first.shape[0] == 0
    for r in range(moves.used.shape[0]):
        row = x[r]
        if plain:
            k = moves.used[r]
            scale = moves.scale[k]
            source = moves.noise[k, begin : begin + width]
            for t in range(width):
                row[t] = scale * np.float32(source[t])
        else:
            row[:] = np.float32(0.0)
            for i in range(moves.first[r], moves.first[r + 1]):
                weight = moves.weight[i] * moves.scale[moves.source[i]]
                source = moves.noise[moves.source[i], begin : begin + width]
                for t in range(width):
                    row[t] = fma(weight, np.float32(source[t]), row[t])
        if moves.shift.shape[1] > 0:
            shift = moves.shift[r]
            draw = moves.draw[begin : begin + width]
            for t in range(width):
                row[t] += shift[np.uint64(draw[t])]


@kernel
def add_terms(book, g, lanes, x, y):
    """y (≥ lanes,) float32 ← P&L of group g on the first *lanes* columns of the moves x, in STEPs."""
    constant = book.constant[g]
    for t in range(lanes):
        y[t] = constant
    for q in range(book.diagonal_first[g], book.diagonal_first[g + 1]):
        delta, half = book.diagonal[q, 0], book.diagonal[q, 1]
        move = x[book.diagonal_row[q]]
        for t in range(lanes):
            y[t] = fma(move[t], fma(half, move[t], delta), y[t])
    for q in range(book.cross_first[g], book.cross_first[g + 1]):
        gamma = book.cross[q]
        one, two = x[book.cross_row[q, 0]], x[book.cross_row[q, 1]]
        for t in range(lanes):
            y[t] = fma(gamma * one[t], two[t], y[t])
    for t in range(lanes):
        shift = float32_of_bits(or32(and32(bits_of_float32(y[t]), _SIGN), _SHIFT))
        y[t] = (y[t] + shift) - shift


@kernel
def begin_sums(totals, begin, width, sums):
    """sums (≥ width,) ← base − Σ gone on paths begin … begin + width − 1, or 0 without a base."""
    paths = totals.base.shape[0]
    if paths == 0:
        sums[:] = 0.0
        return
    sums[:width] = totals.base[begin : begin + width]
    for g in range(totals.gone.shape[0]):
        row = numba.carray(void_pointer(totals.gone[g]), (paths,), np.float32)[begin : begin + width]
        for t in range(width):
            sums[t] -= np.float64(row[t])


@kernel
def revalue_quadratic(moves, book, low, high, rows, totals):
    """P&L of the groups of *book* on paths low … high − 1; returns the largest |P&L| of a group on a path,
    infinite when one is not a number.

    rows : (G,) uint64, addresses of G float32 vectors (P,), written between low and high.
    totals : Totals, written between low and high.
    """
    x = empty_rows(moves.used.shape[0], STRIDE, np.empty(0, np.float32))
    x[:] = 0.0
    y, peaks = empty_rows(1, STRIDE, x)[0], np.zeros(STRIDE, dtype=np.uint32)
    sums = empty_rows(1, STRIDE, totals.out)[0]
    paths = moves.noise.shape[1]
    for begin in range(low, high, TILE):
        width = min(TILE, high - begin)
        lanes = (width + 15) // 16 * 16
        load_moves(moves, begin, width, x)
        begin_sums(totals, begin, width, sums)
        for g in range(rows.shape[0]):
            add_terms(book, g, lanes, x, y)
            out = numba.carray(void_pointer(rows[g]), (paths,), np.float32)[begin : begin + width]
            for t in range(width):
                out[t] = y[t]
            for t in range(lanes):
                sums[t] += np.float64(y[t])
            for t in range(lanes):
                size = and32(bits_of_float32(y[t]), _SIZE)  # ordered like |y|, what is not a number at the end
                peaks[t] = size if size > peaks[t] else peaks[t]
        totals.out[begin : begin + width] = sums[:width]
    peak = float32_of_bits(peaks.max())
    return peak if peak < np.float32(np.inf) else np.float32(np.inf)


@kernel
def add_rows(rows, low, high, total):
    """total[p] = Σ_g row_g[p] in the order of *rows*, low ≤ p < high; rows as in revalue_quadratic."""
    paths = total.shape[0]
    for begin in range(low, high, TILE):
        end = min(begin + TILE, high)
        sums = total[begin:end]
        sums[:] = 0.0
        for g in range(rows.shape[0]):
            row = numba.carray(void_pointer(rows[g]), (paths,), np.float32)[begin:end]
            for t in range(end - begin):
                sums[t] += np.float64(row[t])


# ---------------------------------------------------------------- tails
@kernel
def keep_not_above(x, threshold, kept, ends):
    """Values x ≤ threshold in path order; ends[q] how many up to the end of quantum q; returns how many, or
    −1 when *kept* is too small for one more quantum."""
    paths = x.shape[0]
    count = 0
    for q in range(ends.shape[0]):
        if count + QUANTUM > kept.shape[0]:
            return -1
        high = min((q + 1) * QUANTUM, paths)
        whole = high - (high - q * QUANTUM) % BLOCK
        for begin in range(q * QUANTUM, whole, BLOCK):
            bits = not_above(x, begin, threshold)
            while bits != np.uint64(0):
                kept[count] = x[begin + np.int64(lowest_bit(bits))]
                count += 1
                bits = bits & (bits - np.uint64(1))
        for i in range(whole, high):
            if x[i] <= threshold:
                kept[count] = x[i]
                count += 1
        ends[q] = count
    return count


@kernel
def sum_below(kept, ends, value, k, leaves):
    """Sum of the k smallest of which *value* is the largest: quantum by quantum in path order, ties at the
    end."""
    below = 0
    begin = 0
    for q in range(ends.shape[0]):
        part = 0.0
        for i in range(begin, ends[q]):
            inside = np.int64(kept[i] < value)
            part += np.float64(kept[i]) * np.float64(inside)  # no branch: which ones are inside is random
            below += inside
        leaves[q] = part
        begin = ends[q]
    tied = 0.0
    if k > below:
        tied = (k - below) * np.float64(value)
    return add_pairwise(leaves) + tied


@kernel
def measure_row(x, ks, summed, kth, sums):
    """kernels.tails.select_smallest to the bit, faster, and Σ x; *ks* ascending.  NaN in Σ x tells of a NaN
    in x.  summed : (S,) int64, places in ks whose sums are wanted; sums : (S,)."""
    paths = x.shape[0]
    largest = ks[-1]
    stride = max(1, paths // PILOT)
    pilot = np.empty(paths // stride, dtype=x.dtype)
    for i in range(pilot.shape[0]):
        pilot[i] = x[i * stride]
    total = sum_quanta(x)
    if not total - total == 0.0:
        kth[:] = np.nan
        sums[:] = np.nan
        return total
    expected = largest * pilot.shape[0] / paths
    rank = min(pilot.shape[0] - 1, int(expected + 5.0 * math.sqrt(expected) + 8.0))
    threshold = select(pilot, 0, pilot.shape[0], rank)
    kept = np.empty(min(paths, 3 * largest) + 4 * QUANTUM, dtype=x.dtype)
    quanta = (paths + QUANTUM - 1) // QUANTUM
    ends = np.empty(quanta, dtype=np.int64)
    count = keep_not_above(x, threshold, kept, ends)
    atom = False
    if count < 0:  # many paths share the threshold: keep what lies below, at least *largest* are not above it
        below_threshold = threshold
        while below_threshold == threshold:
            below_threshold = value_of_bits(ordered_bits(below_threshold) - np.uint64(1), threshold)
        count = keep_not_above(x, below_threshold, kept, ends)
        atom = count >= 0
    if count < largest and not atom:
        kept = x.copy()
        for q in range(quanta):
            ends[q] = min((q + 1) * QUANTUM, paths)
        count = paths
    inside = 0
    while inside < ks.shape[0] and ks[inside] <= count:
        inside += 1
    buckets = min(max(count, 1), BUCKETS)
    find_ranks(kept[:count], ks[:inside], np.empty_like(kept), np.empty(count, np.uint32),
               np.empty(buckets + 1, np.int64), np.empty(buckets + 1, np.int64), kth)
    for level in range(inside, ks.shape[0]):
        kth[level] = threshold
    leaves = np.empty(quanta)
    for level in range(summed.shape[0]):
        k, value = ks[summed[level]], kth[summed[level]]
        sums[level] = sum_below(kept, ends, x.dtype.type(value), k, leaves)
    return total
