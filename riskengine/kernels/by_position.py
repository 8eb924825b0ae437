"""P&L by position on a few thousand paths: ``reprice`` with each distinct exponential once for all.

    y_i(x) = constant_i + Σ_{l in i} a_l e_{s(l)}(x) + …,     e_s(x) = exp(c₁ x₁ + c₂ x₂)

Thousands of securities pay on a few hundred dates.  On a tile of paths every distinct e_s that a position of
the block needs is computed once and stays in cache; a leg is then one multiplication and addition per path.
The operations on a path, and their order, are those of ``reprice``: the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.primitives import fma
from riskengine.kernels.reprice import (
    TILE, _LOG2_E, _add_options, _add_payoffs, _add_properties, _add_triples, _power_of_two, _raise_rows,
    aligned_tile, make_scratch,
)


class SharedPairs(NamedTuple):
    """Distinct exponentials of the pairs of a LegArrays: rows (S, 2) int64, terms (S, 2) c₁, c₂; place
    (L,) int64 of each pair among them."""

    rows: np.ndarray
    terms: np.ndarray
    place: np.ndarray


@kernel
def _fill_shared(shared, needed, x, values):
    """values[s] = exp(c₁ x[r₁] + c₂ x[r₂]) for the s that are needed"""
    for s in range(needed.shape[0]):
        if needed[s]:
            one, two, value = x[shared.rows[s, 0]], x[shared.rows[s, 1]], values[s]
            c1, c2 = shared.terms[s, 0] * _LOG2_E, shared.terms[s, 1] * _LOG2_E
            for t in range(TILE):
                value[t] = _power_of_two(fma(c1, one[t], c2 * two[t]))


@kernel
def reprice_positions(legs, shared, moves, fixing_moves, out):
    """Write the P&L of every position of a block: ``reprice`` without nodes, to the bit.

    legs : LegArrays whose groups are positions.  shared : SharedPairs of its pairs.
    moves : (K, n) and fixing_moves : (F, n) float64, C-contiguous.  out : (N, n), USD.
    """
    factors, fixings, positions = moves.shape[0], fixing_moves.shape[0], out.shape[0]
    inputs = factors + fixings
    needed = np.zeros(shared.rows.shape[0], dtype=np.bool_)
    for i in range(shared.place.shape[0]):
        needed[shared.place[i]] = True
    x, y, scratch = aligned_tile(inputs), aligned_tile(positions), make_scratch(inputs)
    values, poison = aligned_tile(needed.shape[0]), scratch.poison
    x[:] = 0.0
    for start in range(0, moves.shape[1], TILE):
        count = min(TILE, moves.shape[1] - start)
        for k in range(factors):
            for t in range(count):
                x[k, t] = moves[k, start + t]
        for k in range(fixings):
            for t in range(count):
                x[factors + k, t] = fixing_moves[k, start + t]
        for t in range(TILE):
            poison[t] = 0.0
        for k in range(inputs):
            for t in range(TILE):
                poison[t] += 0.0 * x[k, t]
        for g in range(positions):
            for t in range(TILE):
                y[g, t] = legs.constant[g] + poison[t]
        _fill_shared(shared, needed, x, values)
        for i in range(shared.place.shape[0]):
            a, value, target = legs.pair_terms[i, 0], values[shared.place[i]], y[legs.pair_index[i, 0]]
            for t in range(TILE):
                target[t] = fma(a, value[t], target[t])
        _add_triples(legs.triple_index, legs.triple_terms, x, y)
        _raise_rows(legs.option_index, 1, 1.0, x, scratch.grown)
        _raise_rows(legs.option_index, 4, 1.0, x, scratch.wider)
        _raise_rows(legs.option_index, 4, -1.0, x, scratch.narrower)
        _add_options(legs.option_index, legs.option_terms, x, scratch.grown, scratch.wider,
                     scratch.narrower, y)
        _add_payoffs(legs.payoff_index, legs.payoff_terms, x, y)
        _add_properties(legs.property_index, legs.property_terms, x, y)
        for g in range(positions):
            for t in range(count):
                out[g, start + t] = y[g, t]
