"""Full revaluation of held paths: moves, legs and rows of P&L in one pass over the tiles.

    x_k(p)   = Σ_j N_kj n_j(p) + μ_k[d(p)]                        cached noise n, response μ of the draw
    x_f(p)   = n_f(p) − Σ_j C_fj n_j(p) + μ_f[d(p)]               fixings; C: what pinned factors explain
    row_g    = P&L of group g, rounded to float32;  total = Σ_g row_g in the order of the groups, float64

The operations and their order are those of ``engine.paths`` (shift_moves, reprice, round_groups), each
rounded on its own: the same bits as a full run.  Nothing of size factors × paths is stored.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.quanta import void_pointer
from riskengine.kernels.reprice import (
    TILE, LegArrays, NodeArrays, aligned_tile, make_scratch, value_tile,
)


class FullMoves(NamedTuple):
    """Moves of the R factors in use and of F fixings.

    noise : (K, P) float32 or float64.  fixings : (F,) uint64, addresses of vectors (P,) of the same type.
    draw : (P,) int32.  used : (R,) int64 factors, ascending.
    shift : (R + F, D) float64, or (R + F, 0) without a response.
    first : (R + F + 1,) int64; source : (…) int64 factors and weight : (…) float64, the rows of N and of C;
    first (0,) for N = 1, C = 0.
    """

    noise: np.ndarray
    fixings: np.ndarray
    draw: np.ndarray
    used: np.ndarray
    shift: np.ndarray
    first: np.ndarray
    source: np.ndarray
    weight: np.ndarray


class FullBook(NamedTuple):
    """Legs and shared exponentials on the rows of FullMoves."""

    legs: LegArrays
    nodes: NodeArrays


class WrittenRows(NamedTuple):
    """rows : (G,) uint64, addresses of G float32 vectors (P,).  total : (P,) float64; (0,) when not
    wanted."""

    rows: np.ndarray
    total: np.ndarray


@kernel
def add_product(moves, r, begin, width, out):
    """out[t] = Σ_j weight_rj noise_j, one rounded product after the other"""
    for t in range(width):
        out[t] = 0.0
    for i in range(moves.first[r], moves.first[r + 1]):
        weight = moves.weight[i]
        source = moves.noise[moves.source[i], begin : begin + width]
        for t in range(width):
            out[t] += weight * np.float64(source[t])


@kernel
def add_response(shift, draw, row):
    """row[t] += shift[draw[t]]"""
    for t in range(draw.shape[0]):
        row[t] += shift[np.uint64(draw[t])]  # unsigned: no test for an index from the end


@kernel
def load_full_moves(moves, begin, width, known, x):
    """x (R + F, TILE) ← moves of paths begin … begin + width − 1; known (TILE,) is overwritten."""
    plain = moves.first.shape[0] == 0
    shifted = moves.shift.shape[1] > 0
    paths = moves.noise.shape[1]
    factors = moves.used.shape[0]
    draw = moves.draw[begin : begin + width]
    for r in range(x.shape[0]):
        row = x[r]
        if r >= factors:
            address = void_pointer(moves.fixings[r - factors])
            source = numba.carray(address, (paths,), moves.noise.dtype)[begin : begin + width]
            for t in range(width):
                row[t] = np.float64(source[t])
            if not plain:
                add_product(moves, r, begin, width, known)
                for t in range(width):
                    row[t] -= known[t]
        elif plain:
            source = moves.noise[moves.used[r], begin : begin + width]
            for t in range(width):
                row[t] = np.float64(source[t])
        else:
            add_product(moves, r, begin, width, row)
        if shifted:
            add_response(moves.shift[r], draw, row)


@kernel
def revalue_full(moves, book, low, high, out):
    """P&L of the groups of *book* on paths low … high − 1: FullMoves, FullBook → WrittenRows."""
    x = aligned_tile(moves.used.shape[0] + moves.fixings.shape[0])
    x[:] = 0.0
    y, known, scratch = aligned_tile(out.rows.shape[0]), aligned_tile(1)[0], make_scratch(x.shape[0])
    paths = moves.noise.shape[1]
    wanted = out.total.shape[0] > 0
    for begin in range(low, high, TILE):
        width = min(TILE, high - begin)
        load_full_moves(moves, begin, width, known, x)
        value_tile(book.legs, book.nodes, x, scratch, y)
        if wanted:
            out.total[begin : begin + width] = 0.0
        for g in range(out.rows.shape[0]):
            row = numba.carray(void_pointer(out.rows[g]), (paths,), np.float32)[begin : begin + width]
            source = y[g]
            for t in range(width):
                row[t] = np.float32(source[t])
            if wanted:
                sums = out.total[begin : begin + width]
                for t in range(width):
                    sums[t] += np.float64(row[t])
