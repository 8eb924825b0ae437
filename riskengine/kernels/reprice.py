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
Black and Scholes (1973); Garman and Kohlhagen (1983).

Cash flows are most of the work, so theirs is a shorter exponential: coefficients are turned to base 2 once
per leg and tile, 2^s = 2^n 2^r with n = round(s), |r| ≤ ½, and 2^r = 1 + r q(r), q of degree 10 (Chebyshev
interpolation in 60-digit arithmetic, relative error 2e-17): exactly 1 where nothing moves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from riskengine.kernels import inline, kernel
from riskengine.kernels.primitives import bits_of_float64, exp, float64_of_bits, fma, log

TILE = 240
"""Paths per tile: a multiple of 16, not a power of two."""
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
    panels (P, 2) group, first node; weights (P, PANEL) USD on the nodes from there on.
    """

    rows: np.ndarray
    terms: np.ndarray
    panels: np.ndarray
    weights: np.ndarray


_LOG2_E = 1.4426950408889634
_ROUND = 6755399441055744.0
"""1.5·2**52: adding and subtracting it rounds to an integer."""
_CENTRE = 5.5
_FARTHEST = 9.0
"""Φ(−9) = 1e-19: beyond it a tail weighs nothing against the 1e-16 that a value is rounded to."""
_SIGN = np.uint64(1 << 63)


@inline
def _power_of_two(s):
    """2^s, the exponent held within ±1,000 (rates would have to move by more than 2,000%)."""
    return _power_within(min(max(s, -1000.0), 1000.0))


@inline
def _power_within(s):
    """2^s for |s| ≤ 1,000."""
    shifted = s + _ROUND
    r = s - (shifted - _ROUND)
    # Estrin's scheme: a short chain of dependent operations instead of a long one
    r2 = r * r
    r4 = r2 * r2
    low = fma(r2, fma(r, 0.009618129107606888, 0.0555041086648216),
              fma(r, 0.24022650695910097, 0.6931471805599453))
    middle = fma(r2, fma(r, 1.321544258792169e-06, 1.525273382983612e-05),
                 fma(r, 0.0001540353044173605, 0.0013333558146416936))
    high = fma(r2, 4.4549605981865186e-10, fma(r, 7.072585949269223e-09, 1.0178062445845774e-07))
    q = fma(r4 * r4, high, fma(r4, middle, low))
    return float64_of_bits((bits_of_float64(shifted) << np.uint64(52)) + bits_of_float64(fma(r, q, 1.0)))


@inline
def _twice_scaled_tail(inverse):
    """2 exp(a²/2) Φ(−a) for inverse = 1/(a + 5.5), 0 ≤ a ≤ 9.

    Polynomial of degree 11 in t = (a − 5.5)/(a + 5.5), fitted to the least largest error of Φ(−a) itself,
    1.0e-15: far out relative accuracy is given up, which a price does not see and which halves the degree.
    Even and odd powers apart: two short chains of dependent operations.
    """
    t = fma(-2.0 * _CENTRE, inverse, 1.0)
    square = t * t
    even = fma(square, -0.002189836915050541, 0.0017689075433132287)
    even = fma(square, even, 0.08871195764891793)
    even = fma(square, even, 0.4355547982477749)
    even = fma(square, even, 1.07118748178412)
    even = fma(square, even, 1.5475392529038352)
    odd = fma(square, -0.0003515030906304255, -0.0021556521052051012)
    odd = fma(square, odd, -0.030380807230465896)
    odd = fma(square, odd, -0.22003413665121974)
    odd = fma(square, odd, -0.7341380559873254)
    odd = fma(square, odd, -1.3703672837222463)
    return fma(t, odd, even) * inverse


@inline
def _with_sign(value, sign):
    """value · sign(sign): −value where *sign* is negative."""
    return float64_of_bits(bits_of_float64(value) ^ (bits_of_float64(sign) & _SIGN))


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
    """y[g] += Σ_m weight_gm exp(c₁ x[r₁] + c₂ x[r₂] + c₃ x[r₃]), each exponential once for all groups"""
    for m in range(nodes.rows.shape[0]):
        one, two, three, value = x[nodes.rows[m, 0]], x[nodes.rows[m, 1]], x[nodes.rows[m, 2]], values[m]
        c1, c2, c3 = nodes.terms[m, 0] * _LOG2_E, nodes.terms[m, 1] * _LOG2_E, nodes.terms[m, 2] * _LOG2_E
        for t in range(TILE):
            value[t] = _power_of_two(fma(c1, one[t], fma(c2, two[t], c3 * three[t])))
    for p in range(nodes.panels.shape[0]):
        target, m = y[nodes.panels[p, 0]], nodes.panels[p, 1]
        v0, v1, v2, v3 = values[m], values[m + 1], values[m + 2], values[m + 3]
        w0, w1, w2, w3 = nodes.weights[p, 0], nodes.weights[p, 1], nodes.weights[p, 2], nodes.weights[p, 3]
        for t in range(TILE):
            target[t] = fma(w0, v0[t], fma(w1, v1[t], fma(w2, v2[t], fma(w3, v3[t], target[t]))))


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
        for t in range(TILE):
            curve = fma(c1, one[t], c2 * two[t])
            now, owed = asset * growth[t], cash * _power_of_two(curve)
            centre = fma(slope, curve, fma(inverse, move[t], moneyness)) * narrow[t]
            d1, d2 = fma(half, wide[t], centre), fma(-half, wide[t], centre)
            a1, a2 = min(abs(d1), _FARTHEST), min(abs(d2), _FARTHEST)
            density = now * _power_within(-0.5 * _LOG2_E * a1 * a1)
            far1, far2 = a1 + _CENTRE, a2 + _CENTRE
            both = 1.0 / (far1 * far2)
            first = fma(-density, _twice_scaled_tail(both * far2), now)
            second = fma(-density, _twice_scaled_tail(both * far1), owed)
            target[t] += fma(w, now - owed, _with_sign(first, d1) - _with_sign(second, d2))


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


@kernel
def reprice(legs, nodes, moves, fixing_moves, out):
    """Write the P&L by group into out.

    legs : LegArrays.  nodes : NodeArrays, of the cash flows that are not among the legs.
    moves : (K, n) and fixing_moves : (F, n) float64, C-contiguous.  out : (G, n), USD.
    """
    factors, n = moves.shape
    fixings = fixing_moves.shape[0]
    groups = out.shape[0]
    x = np.zeros((factors + fixings, TILE))
    y = np.empty((groups, TILE))
    values = np.empty((nodes.rows.shape[0], TILE))
    grown, wider, narrower = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    poison = np.empty(TILE)
    for start in range(0, n, TILE):
        count = min(TILE, n - start)
        for k in range(factors):
            for t in range(count):
                x[k, t] = moves[k, start + t]
        for k in range(fixings):
            for t in range(count):
                x[factors + k, t] = fixing_moves[k, start + t]
        # a move that is not a number, or infinite, makes the whole path's P&L not a number
        for t in range(TILE):
            poison[t] = 0.0
        for k in range(factors + fixings):
            for t in range(TILE):
                poison[t] += 0.0 * x[k, t]
        for g in range(groups):
            for t in range(TILE):
                y[g, t] = legs.constant[g] + poison[t]
        _add_nodes(nodes, x, values, y)
        _add_pairs(legs.pair_index, legs.pair_terms, x, y)
        _add_triples(legs.triple_index, legs.triple_terms, x, y)
        _raise_rows(legs.option_index, 1, 1.0, x, grown)
        _raise_rows(legs.option_index, 4, 1.0, x, wider)
        _raise_rows(legs.option_index, 4, -1.0, x, narrower)
        _add_options(legs.option_index, legs.option_terms, x, grown, wider, narrower, y)
        _add_payoffs(legs.payoff_index, legs.payoff_terms, x, y)
        _add_properties(legs.property_index, legs.property_terms, x, y)
        for g in range(groups):
            for t in range(count):
                out[g, start + t] = y[g, t]
