"""Full revaluation of a book on many paths: P&L by group, never paths × positions.

The legs are those of ``instruments/legs.py``::

    exponential  a · exp(c₁ x₁ + c₂ x₂ (+ c₃ x₃))
    option       w q (A e^x N(w d₁) − B e^y N(w d₂)),
                 s = s₀ e^v,  d₁ = (ln(A/B) + x − y)/s + s/2,  d₂ = d₁ − s
    payoff       q max(w (S e^x − K), 0)
    property     q max(n / max(c + x, c_min) − d, 0)

Cash flows of one asset between two key rates share the exponentials of a few nodes (NodeArrays).

Paths are taken in tiles that stay in cache, inside a tile leg after leg in the order of the arrays: each
path sees the same operations in the same order wherever it sits, so its P&L has the same bits in any chunk.
Chains of dependent operations, not their number, fill the time of an option: two paths go side by side.
Black and Scholes (1973); Garman and Kohlhagen (1983).

Cash flows are most of the work, so theirs is a shorter exponential: coefficients are turned to base 2 once
per leg and tile, 2^s = 2^n 2^r with n = round(s), |r| ≤ ½, and 2^r = 1 + r q(r), q of degree 10 (Chebyshev
interpolation in 60-digit arithmetic, relative error 2e-17): exactly 1 where nothing moves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from riskengine.kernels import inline, kernel
from riskengine.kernels.aligned import empty_rows
from riskengine.kernels.primitives import bits_of_float64, exp, float64_of_bits, fma, log

TILE = 240
"""Paths per tile: a multiple of 16, not a power of two."""
HALF = TILE // 2
PANEL = 4
"""Weights of one group on neighbouring nodes, applied together."""


class LegArrays(NamedTuple):
    """Structure of arrays of one book; every ``*_index`` row starts with the group.

    constant : (G,) USD.  pair_index (L, 3) group, row, row; pair_terms (L, 3) a, c₁, c₂.
    triple_index (L, 4); triple_terms (L, 4) a, c₁, c₂, c₃.
    option_index (L, 5) group, asset row, curve row, curve row, volatility row;
    option_terms (L, 7) w, q, A, B, s₀, curve weight, curve weight (minus the life times the weights).
    payoff_index (L, 2) group, row; payoff_terms (L, 4) w, q, S, K.
    property_index (L, 2) group, row; property_terms (L, 5) q, n, c, d, c_min.
    Rows count the factors first, then the fixings.
    """

    constant: np.ndarray
    pair_index: np.ndarray
    pair_terms: np.ndarray
    triple_index: np.ndarray
    triple_terms: np.ndarray
    option_index: np.ndarray
    option_terms: np.ndarray
    payoff_index: np.ndarray
    payoff_terms: np.ndarray
    property_index: np.ndarray
    property_terms: np.ndarray


class NodeArrays(NamedTuple):
    """Exponentials shared by all groups, and the groups' weights on them (``instruments/ladder.py``).

    rows (M, 3), terms (M, 3) : exp(Σ_j terms[m, j] x[rows[m, j]]).
    panels (P, 2) group, first node, in the order of the nodes; weights (P, PANEL) USD on the nodes from there
    on.
    """

    rows: np.ndarray
    terms: np.ndarray
    panels: np.ndarray
    weights: np.ndarray


_LOG2_E = 1.4426950408889634
_ROUND = 6755399441055744.0
"""1.5·2**52: adding and subtracting it rounds to an integer."""
_Q = (0.6931471805599453, 0.24022650695910097, 0.0555041086648216, 0.009618129107606888,
      0.0013333558146416936, 0.0001540353044173605, 1.525273382983612e-05, 1.321544258792169e-06,
      1.0178062445845774e-07, 7.072585949269223e-09, 4.4549605981865186e-10)
"""2^r = 1 + r q(r): coefficients of q, ascending."""
_CENTRE = 5.5
_EVEN = (-0.002189836915050541, 0.0017689075433132287, 0.08871195764891793, 0.4355547982477749,
         1.07118748178412, 1.5475392529038352)
_ODD = (-0.0003515030906304255, -0.0021556521052051012, -0.030380807230465896, -0.22003413665121974,
        -0.7341380559873254, -1.3703672837222463)
"""Coefficients of the tail's polynomial, even and odd powers, descending."""
_FARTHEST = 9.0
"""Φ(−9) = 1e-19: beyond it a tail weighs nothing against the 1e-16 that a value is rounded to."""
_SIGN = np.uint64(1 << 63)


@inline
def _bounded(s):
    """s held within ±1,000 (rates would have to move by more than 2,000%)."""
    return min(max(s, -1000.0), 1000.0)


@inline
def _power_of_two(s):
    """2^s, the exponent held within ±1,000."""
    s = _bounded(s)
    shifted = s + _ROUND
    r = s - (shifted - _ROUND)
    # Estrin's scheme: a short chain of dependent operations instead of a long one
    r2 = r * r
    r4 = r2 * r2
    low = fma(r2, fma(r, _Q[3], _Q[2]), fma(r, _Q[1], _Q[0]))
    middle = fma(r2, fma(r, _Q[7], _Q[6]), fma(r, _Q[5], _Q[4]))
    high = fma(r2, _Q[10], fma(r, _Q[9], _Q[8]))
    q = fma(r4 * r4, high, fma(r4, middle, low))
    return float64_of_bits((bits_of_float64(shifted) << np.uint64(52)) + bits_of_float64(fma(r, q, 1.0)))


@inline
def _powers_within(s1, s2):
    """2^s₁ and 2^s₂ for |s| ≤ 1,000: the operations of ``_power_within``, the two side by side."""
    shifted1, shifted2 = s1 + _ROUND, s2 + _ROUND
    r1, r2 = s1 - (shifted1 - _ROUND), s2 - (shifted2 - _ROUND)
    square1, square2 = r1 * r1, r2 * r2
    low1, low2 = fma(r1, _Q[3], _Q[2]), fma(r2, _Q[3], _Q[2])
    base1, base2 = fma(r1, _Q[1], _Q[0]), fma(r2, _Q[1], _Q[0])
    low1, low2 = fma(square1, low1, base1), fma(square2, low2, base2)
    middle1, middle2 = fma(r1, _Q[7], _Q[6]), fma(r2, _Q[7], _Q[6])
    base1, base2 = fma(r1, _Q[5], _Q[4]), fma(r2, _Q[5], _Q[4])
    middle1, middle2 = fma(square1, middle1, base1), fma(square2, middle2, base2)
    high1, high2 = fma(r1, _Q[9], _Q[8]), fma(r2, _Q[9], _Q[8])
    high1, high2 = fma(square1, _Q[10], high1), fma(square2, _Q[10], high2)
    square1, square2 = square1 * square1, square2 * square2
    low1, low2 = fma(square1, middle1, low1), fma(square2, middle2, low2)
    square1, square2 = square1 * square1, square2 * square2
    low1, low2 = fma(square1, high1, low1), fma(square2, high2, low2)
    low1, low2 = fma(r1, low1, 1.0), fma(r2, low2, 1.0)
    return (float64_of_bits((bits_of_float64(shifted1) << np.uint64(52)) + bits_of_float64(low1)),
            float64_of_bits((bits_of_float64(shifted2) << np.uint64(52)) + bits_of_float64(low2)))


@inline
def _twice_scaled_tails(inverse1, inverse2):
    """2 exp(a²/2) Φ(−a) for two inverses = 1/(a + 5.5), 0 ≤ a ≤ 9, side by side.

    Polynomial of degree 11 in t = (a − 5.5)/(a + 5.5), fitted to the least largest error of Φ(−a) itself,
    1.0e-15: far out relative accuracy is given up, which a price does not see and which halves the degree.
    Even and odd powers apart: short chains of dependent operations.
    """
    t1, t2 = fma(-2.0 * _CENTRE, inverse1, 1.0), fma(-2.0 * _CENTRE, inverse2, 1.0)
    square1, square2 = t1 * t1, t2 * t2
    even1, even2 = fma(square1, _EVEN[0], _EVEN[1]), fma(square2, _EVEN[0], _EVEN[1])
    odd1, odd2 = fma(square1, _ODD[0], _ODD[1]), fma(square2, _ODD[0], _ODD[1])
    even1, even2 = fma(square1, even1, _EVEN[2]), fma(square2, even2, _EVEN[2])
    odd1, odd2 = fma(square1, odd1, _ODD[2]), fma(square2, odd2, _ODD[2])
    even1, even2 = fma(square1, even1, _EVEN[3]), fma(square2, even2, _EVEN[3])
    odd1, odd2 = fma(square1, odd1, _ODD[3]), fma(square2, odd2, _ODD[3])
    even1, even2 = fma(square1, even1, _EVEN[4]), fma(square2, even2, _EVEN[4])
    odd1, odd2 = fma(square1, odd1, _ODD[4]), fma(square2, odd2, _ODD[4])
    even1, even2 = fma(square1, even1, _EVEN[5]), fma(square2, even2, _EVEN[5])
    odd1, odd2 = fma(square1, odd1, _ODD[5]), fma(square2, odd2, _ODD[5])
    return fma(t1, odd1, even1) * inverse1, fma(t2, odd2, even2) * inverse2


@inline
def _with_sign(value, sign):
    """value · sign(sign): −value where *sign* is negative."""
    return float64_of_bits(bits_of_float64(value) ^ (bits_of_float64(sign) & _SIGN))


@kernel
def aligned_tile(rows):
    """(rows, TILE) float64, not filled, that starts on a cache line."""
    return empty_rows(rows, TILE, np.empty(0))


@kernel
def _add_pairs(index, terms, x, y):
    """y[g] += a exp(c₁ x[r₁] + c₂ x[r₂])"""
    for i in range(index.shape[0]):
        one, two, target = x[index[i, 1]], x[index[i, 2]], y[index[i, 0]]
        a, c1, c2 = terms[i, 0], terms[i, 1] * _LOG2_E, terms[i, 2] * _LOG2_E
        for t in range(TILE):
            target[t] = fma(a, _power_of_two(fma(c1, one[t], c2 * two[t])), target[t])


@kernel
def _add_triples(index, terms, x, y):
    """y[g] += a exp(c₁ x[r₁] + c₂ x[r₂] + c₃ x[r₃])"""
    for i in range(index.shape[0]):
        one, two, three, target = x[index[i, 1]], x[index[i, 2]], x[index[i, 3]], y[index[i, 0]]
        a, c1, c2, c3 = terms[i, 0], terms[i, 1] * _LOG2_E, terms[i, 2] * _LOG2_E, terms[i, 3] * _LOG2_E
        for t in range(TILE):
            s = fma(c1, one[t], fma(c2, two[t], c3 * three[t]))
            target[t] = fma(a, _power_of_two(s), target[t])


@kernel
def _add_nodes(nodes, x, values, y):
    """y[g] += Σ_m weight_gm exp(c₁ x[r₁] + c₂ x[r₂] + c₃ x[r₃]), each exponential once for all groups

    PANEL nodes at a time, for every group that has weights on them while they are in the fastest cache.
    """
    p, weights = 0, nodes.weights
    for m in range(0, nodes.rows.shape[0], PANEL):
        for j in range(PANEL):
            rows, terms, value = nodes.rows[m + j], nodes.terms[m + j], values[j]
            one, two, three = x[rows[0]], x[rows[1]], x[rows[2]]
            c1, c2, c3 = terms[0] * _LOG2_E, terms[1] * _LOG2_E, terms[2] * _LOG2_E
            for t in range(TILE):
                value[t] = _power_of_two(fma(c1, one[t], fma(c2, two[t], c3 * three[t])))
        v0, v1, v2, v3 = values[0], values[1], values[2], values[3]
        while p < nodes.panels.shape[0] and nodes.panels[p, 1] == m:
            target = y[nodes.panels[p, 0]]
            w0, w1, w2, w3 = weights[p, 0], weights[p, 1], weights[p, 2], weights[p, 3]
            for t in range(TILE):
                target[t] = fma(w0, v0[t], fma(w1, v1[t], fma(w2, v2[t], fma(w3, v3[t], target[t]))))
            p += 1


@kernel
def _raise_rows(index, column, sign, x, raised):
    """raised[r] = exp(± x[r]) for the rows r in *column* of index, each once"""
    done = np.zeros(x.shape[0], dtype=np.bool_)
    for i in range(index.shape[0]):
        r = index[i, column]
        if not done[r]:
            done[r] = True
            source, target = x[r], raised[r]
            for t in range(TILE):
                target[t] = exp(sign * source[t])


@kernel
def _add_options(index, terms, x, grown, wider, narrower, y):
    """y[g] += w q (A e^x N(w d₁) − B e^y N(w d₂))

    grown: e^x of the asset rows; wider, narrower: e^v, e^−v of the volatility rows.

    With T = Φ(−|d|), w N(w d) = w/2 + sign(d) (½ − T): no branch, and puts as calls.  A e^x φ(d₁) = B e^y φ(d₂):
    both T are one exponential times a polynomial.  Error at most 2e-15 of A e^x + B e^y.
    """
    for i in range(index.shape[0]):
        move, one, two, target = x[index[i, 1]], x[index[i, 2]], x[index[i, 3]], y[index[i, 0]]
        growth, wide, narrow = grown[index[i, 1]], wider[index[i, 4]], narrower[index[i, 4]]
        w, half, inverse = terms[i, 0], 0.5 * terms[i, 4], 1.0 / terms[i, 4]
        asset, cash = 0.5 * terms[i, 1] * terms[i, 2], 0.5 * terms[i, 1] * terms[i, 3]
        c1, c2 = _LOG2_E * terms[i, 5], _LOG2_E * terms[i, 6]
        moneyness, slope = inverse * log(terms[i, 2] / terms[i, 3]), -inverse / _LOG2_E
        for t in range(HALF):
            # a path of each half of the tile side by side (suffix _u), every constant loaded once for both
            u = t + HALF
            curve, curve_u = fma(c1, one[t], c2 * two[t]), fma(c1, one[u], c2 * two[u])
            now, now_u = asset * growth[t], asset * growth[u]
            centre = fma(slope, curve, fma(inverse, move[t], moneyness)) * narrow[t]
            centre_u = fma(slope, curve_u, fma(inverse, move[u], moneyness)) * narrow[u]
            d1, d2 = fma(half, wide[t], centre), fma(-half, wide[t], centre)
            d1_u, d2_u = fma(half, wide[u], centre_u), fma(-half, wide[u], centre_u)
            a1, a2 = min(abs(d1), _FARTHEST), min(abs(d2), _FARTHEST)
            a1_u, a2_u = min(abs(d1_u), _FARTHEST), min(abs(d2_u), _FARTHEST)
            far1, far2 = a1 + _CENTRE, a2 + _CENTRE
            far1_u, far2_u = a1_u + _CENTRE, a2_u + _CENTRE
            both, both_u = 1.0 / (far1 * far2), 1.0 / (far1_u * far2_u)
            discount, discount_u = _powers_within(_bounded(curve), _bounded(curve_u))
            decay, decay_u = _powers_within(-0.5 * _LOG2_E * a1 * a1, -0.5 * _LOG2_E * a1_u * a1_u)
            owed, owed_u = cash * discount, cash * discount_u
            density, density_u = now * decay, now_u * decay_u
            tail1, tail1_u = _twice_scaled_tails(both * far2, both_u * far2_u)
            tail2, tail2_u = _twice_scaled_tails(both * far1, both_u * far1_u)
            first, first_u = fma(-density, tail1, now), fma(-density_u, tail1_u, now_u)
            second, second_u = fma(-density, tail2, owed), fma(-density_u, tail2_u, owed_u)
            target[t] += fma(w, now - owed, _with_sign(first, d1) - _with_sign(second, d2))
            target[u] += fma(w, now_u - owed_u, _with_sign(first_u, d1_u) - _with_sign(second_u, d2_u))


@kernel
def _add_payoffs(index, terms, x, y):
    """y[g] += q max(w (S e^x − K), 0)"""
    for i in range(index.shape[0]):
        move, target = x[index[i, 1]], y[index[i, 0]]
        w, q, spot, strike = terms[i, 0], terms[i, 1], terms[i, 2], terms[i, 3]
        for t in range(TILE):
            target[t] = fma(q, max(w * fma(spot, exp(move[t]), -strike), 0.0), target[t])


@kernel
def _add_properties(index, terms, x, y):
    """y[g] += q max(n / max(c + x, c_min) − d, 0)"""
    for i in range(index.shape[0]):
        move, target = x[index[i, 1]], y[index[i, 0]]
        q, noi, cap, debt, floor = terms[i, 0], terms[i, 1], terms[i, 2], terms[i, 3], terms[i, 4]
        for t in range(TILE):
            target[t] = fma(q, max(noi / max(cap + move[t], floor) - debt, 0.0), target[t])


class Scratch(NamedTuple):
    """Rows of a tile: values (PANEL, TILE) of nodes; grown, wider, narrower (R, TILE); poison (TILE,)."""

    values: np.ndarray
    grown: np.ndarray
    wider: np.ndarray
    narrower: np.ndarray
    poison: np.ndarray


@kernel
def make_scratch(rows):
    """Room for value_tile with *rows* of moves."""
    return Scratch(aligned_tile(PANEL), aligned_tile(rows), aligned_tile(rows), aligned_tile(rows),
                   aligned_tile(1)[0])


@kernel
def value_tile(legs, nodes, x, scratch, y):
    """y (G, TILE) ← P&L by group on the moves x (R, TILE) of a tile: factors, then fixings."""
    poison = scratch.poison
    # a move that is not a number, or infinite, makes the whole path's P&L not a number
    for t in range(TILE):
        poison[t] = 0.0
    for k in range(x.shape[0]):
        for t in range(TILE):
            poison[t] += 0.0 * x[k, t]
    for g in range(y.shape[0]):
        for t in range(TILE):
            y[g, t] = legs.constant[g] + poison[t]
    _add_nodes(nodes, x, scratch.values, y)
    _add_pairs(legs.pair_index, legs.pair_terms, x, y)
    _add_triples(legs.triple_index, legs.triple_terms, x, y)
    _raise_rows(legs.option_index, 1, 1.0, x, scratch.grown)
    _raise_rows(legs.option_index, 4, 1.0, x, scratch.wider)
    _raise_rows(legs.option_index, 4, -1.0, x, scratch.narrower)
    _add_options(legs.option_index, legs.option_terms, x, scratch.grown, scratch.wider, scratch.narrower, y)
    _add_payoffs(legs.payoff_index, legs.payoff_terms, x, y)
    _add_properties(legs.property_index, legs.property_terms, x, y)


@kernel
def reprice(legs, nodes, moves, fixing_moves, part, out):
    """Write the P&L by group of paths part[0] … part[1] − 1 into the same columns of out.

    legs : LegArrays.  nodes : NodeArrays, of the cash flows that are not among the legs.
    moves : (K, n) and fixing_moves : (F, n) float64, C-contiguous.  part : two int64.  out : (G, n), USD.
    """
    factors = moves.shape[0]
    fixings = fixing_moves.shape[0]
    groups = out.shape[0]
    inputs = factors + fixings
    x, y, scratch = aligned_tile(inputs), aligned_tile(groups), make_scratch(inputs)
    x[:] = 0.0
    for start in range(part[0], part[1], TILE):
        count = min(TILE, part[1] - start)
        for k in range(factors):
            for t in range(count):
                x[k, t] = moves[k, start + t]
        for k in range(fixings):
            for t in range(count):
                x[factors + k, t] = fixing_moves[k, start + t]
        value_tile(legs, nodes, x, scratch, y)
        for g in range(groups):
            for t in range(count):
                out[g, start + t] = y[g, t]
