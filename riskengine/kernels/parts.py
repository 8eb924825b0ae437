"""Parts of a held book in numbers: tail, mean and gain of sums of P&L rows, with their sums by draw.

    part(p) = Σ_g row_g(p) in the order of its leaves, float64          (of the whole book: its total)
    gain(p) = part(p) − the same without policy

    order statistics and tail sums of part          kernels.tails.smallest, to the bit
    Σ_p part, Σ_p gain                              kernels.tails.sum_by_tree, to the bit
    by draw d, in path order:  Σ gain · Σ part · #{x ≤ q_l} · Σ (q_l − x)⁺ / p_l    q_l: quantile of level l

One call takes a range of parts; nothing but vectors of one part is stored.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.quanta import sum_quanta, void_pointer
from riskengine.kernels.resident import BLOCK, lowest_bit, measure_row, not_above

TILE = 960
"""Paths per tile of the sums over leaves."""


class Parts(NamedTuple):
    """N parts of a book of G leaves.

    first : (N + 1,) int64; leaf : (…) int64, the leaves of each part.  whole : (N,) bool, the part is the
    book.
    rows, base : (G,) uint64, addresses of float32 vectors (P,) with and without policy; base (0,) without
    one.
    totals : (2,) uint64, addresses of float64 vectors (P,) with and without policy; (1,) without one.
    draw : (P,) int32.
    """

    first: np.ndarray
    leaf: np.ndarray
    whole: np.ndarray
    rows: np.ndarray
    base: np.ndarray
    totals: np.ndarray
    draw: np.ndarray


class Counts(NamedTuple):
    """ks : (M,) int64 ascending.  quantile : (L,) int64, place in ks of each level.  probability : (L,)."""

    ks: np.ndarray
    quantile: np.ndarray
    probability: np.ndarray


class PartSums(NamedTuple):
    """Written.  kth : (N, M).  sums : (N, L) of the smallest up to each level's quantile.  means : (N, 2)
    Σ part, Σ gain.  by_draw : (N, 2 + 2 L, D) gain, part, exceedances by level, excess by level; zero before
    the call.
    """

    kth: np.ndarray
    sums: np.ndarray
    means: np.ndarray
    by_draw: np.ndarray


@kernel
def add_leaves(rows, leaf, out):
    """out (P,) ← Σ of the rows *leaf*, one after the other."""
    paths = out.shape[0]
    for begin in range(0, paths, TILE):
        sums = out[begin : begin + TILE]
        for t in range(sums.shape[0]):
            sums[t] = 0.0
        for i in range(leaf.shape[0]):
            row = numba.carray(void_pointer(rows[leaf[i]]), (paths,), np.float32)[begin : begin + TILE]
            for t in range(sums.shape[0]):
                sums[t] += np.float64(row[t])


@kernel
def add_by_draw(x, draw, out):
    """out[draw[p]] += x[p] in path order"""
    for p in range(x.shape[0]):
        out[np.uint64(draw[p])] += x[p]


@kernel
def add_influence(value, draw, counts, kth, out):
    """One path of the tail: exceedances (rows 0 … L − 1 of out) and excess (the next L) of its draw."""
    levels = counts.quantile.shape[0]
    for level in range(levels):
        quantile = kth[counts.quantile[level]]
        out[level, draw] += np.float64(value <= quantile)
        out[levels + level, draw] += max(quantile - value, 0.0) / counts.probability[level]


@kernel
def add_tail(x, draw, counts, kth, out):
    """add_influence of every path at or below the outermost quantile, in path order."""
    threshold = kth[counts.quantile[0]]
    for level in range(1, counts.quantile.shape[0]):
        threshold = max(threshold, kth[counts.quantile[level]])
    whole = x.shape[0] // BLOCK * BLOCK
    for begin in range(0, whole, BLOCK):
        bits = not_above(x, begin, threshold)
        while bits != np.uint64(0):
            p = begin + np.int64(lowest_bit(bits))
            add_influence(x[p], np.uint64(draw[p]), counts, kth, out)
            bits = bits & (bits - np.uint64(1))
    for p in range(whole, x.shape[0]):
        if x[p] <= threshold:
            add_influence(x[p], np.uint64(draw[p]), counts, kth, out)


@kernel
def measure_parts(parts, counts, low, high, out):
    """Numbers of parts low … high − 1: Parts, Counts → PartSums.  A P&L that is not finite gives NaN."""
    paths = parts.draw.shape[0]
    pnl, gain = np.empty(paths), np.empty(paths)
    shocked = parts.totals.shape[0] > 1
    for n in range(low, high):
        leaf = parts.leaf[parts.first[n] : parts.first[n + 1]]
        if parts.whole[n]:
            pnl[:] = numba.carray(void_pointer(parts.totals[0]), (paths,), np.float64)
        else:
            add_leaves(parts.rows, leaf, pnl)
        kth, by_draw = out.kth[n], out.by_draw[n]
        out.means[n, 0] = measure_row(pnl, counts.ks, counts.quantile, kth, out.sums[n])
        out.means[n, 1] = 0.0
        add_by_draw(pnl, parts.draw, by_draw[1])
        if kth[0] == kth[0]:
            add_tail(pnl, parts.draw, counts, kth, by_draw[2:])
        if shocked:
            if parts.whole[n]:
                gain[:] = numba.carray(void_pointer(parts.totals[1]), (paths,), np.float64)
            else:
                add_leaves(parts.base, leaf, gain)
            for p in range(paths):
                gain[p] = pnl[p] - gain[p]
            out.means[n, 1] = sum_quanta(gain)
            add_by_draw(gain, parts.draw, by_draw[0])


@kernel
def count_bins(x, edges, out):
    """out[j] += #{p : edges_j ≤ x_p < edges_j+1}, x held within the edges, the last bin closed: np.histogram.

    edges : (B + 1,) ascending, nearly equal widths.  out : (B,) int64.
    """
    bins = out.shape[0]
    low, high = edges[0], edges[bins]
    scale = bins / (high - low)
    for p in range(x.shape[0]):
        value = min(max(x[p], low), high)
        j = min(np.int64((value - low) * scale), bins - 1)
        while j > 0 and value < edges[j]:
            j -= 1
        while j < bins - 1 and value >= edges[j + 1]:
            j += 1
        out[j] += 1
