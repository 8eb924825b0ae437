"""Full revaluation of a book on many paths: P&L by group, never paths × positions.

The legs are those of ``instruments/legs.py``::

    exponential  a · exp(c₁ x₁ + c₂ x₂ (+ c₃ x₃))
    option       w q (A e^x N(w d₁) − B e^y N(w d₂)),
                 s = s₀ e^v,  d₁ = (ln(A/B) + x − y)/s + s/2,  d₂ = d₁ − s
    payoff       q max(w (S e^x − K), 0)
    property     q max(n / max(c + x, c_min) − d, 0)

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
from riskengine.kernels.primitives import bits_of_float64, exp, float64_of_bits, fma, log, normal_cdf

TILE = 240
"""Paths per tile: a multiple of 16, not a power of two."""


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


_LOG2_E = 1.4426950408889634
_ROUND = 6755399441055744.0
"""1.5·2**52: adding and subtracting it rounds to an integer."""


@inline
def _power_of_two(s):
    """2^s, the exponent held within ±1,000 (rates would have to move by more than 2,000%)."""
    bounded = min(max(s, -1000.0), 1000.0)
    shifted = bounded + _ROUND
    r = bounded - (shifted - _ROUND)
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
def _add_options(index, terms, x, y):
    """y[g] += w q (A e^x N(w d₁) − B e^y N(w d₂))"""
    for i in range(index.shape[0]):
        asset_move, one, two = x[index[i, 1]], x[index[i, 2]], x[index[i, 3]]
        volatility, target = x[index[i, 4]], y[index[i, 0]]
        w, q, asset, cash, s0 = terms[i, 0], terms[i, 1], terms[i, 2], terms[i, 3], terms[i, 4]
        c1, c2 = terms[i, 5], terms[i, 6]
        moneyness = log(asset / cash)
        for t in range(TILE):
            move = asset_move[t]
            curve = fma(c1, one[t], c2 * two[t])
            s = s0 * exp(volatility[t])
            d1 = fma(0.5, s, (moneyness + move - curve) / s)
            d2 = d1 - s
            value = asset * exp(move) * normal_cdf(w * d1) - cash * exp(curve) * normal_cdf(w * d2)
            target[t] = fma(w * q, value, target[t])


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
def reprice(legs, moves, fixing_moves, out):
    """Write the P&L by group into out.

    legs : LegArrays.  moves : (K, n) and fixing_moves : (F, n) float64, C-contiguous.  out : (G, n), USD.
    """
    factors, n = moves.shape
    fixings = fixing_moves.shape[0]
    groups = out.shape[0]
    x = np.zeros((factors + fixings, TILE))
    y = np.empty((groups, TILE))
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
        _add_pairs(legs.pair_index, legs.pair_terms, x, y)
        _add_triples(legs.triple_index, legs.triple_terms, x, y)
        _add_options(legs.option_index, legs.option_terms, x, y)
        _add_payoffs(legs.payoff_index, legs.payoff_terms, x, y)
        _add_properties(legs.property_index, legs.property_terms, x, y)
        for g in range(groups):
            for t in range(count):
                out[g, start + t] = y[g, t]
