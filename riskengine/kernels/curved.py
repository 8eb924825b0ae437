"""Values of curved instruments (options, leveraged property) per unit, in float32 or float64, many paths at once.

    option    w (A e^x N(w d₁) − B e^y N(w d₂)),   s = s₀ e^v,  d₁ = (ln(A/B) + x − y)/s + s/2,  d₂ = d₁ − s
    property  max(n / max(c + x, c_min) − d, 0)

The formulas of ``reprice``, one row of paths per distinct instrument instead of one sum per group: an instrument
held by several books is valued once.  float32 (twice the lanes, shorter polynomials) is within 2e-6 of the
spot; Black and Scholes (1973), Garman and Kohlhagen (1983).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import overload

from riskengine.kernels import inline, kernel
from riskengine.kernels.primitives import (
    add32, bits_of_float32, exp, float32_of_bits, fma, normal_cdf, shift_left32,
)

WIDTH = 256
"""Paths per tile of the collapsed book: a quarter of the reduction quantum."""
STRIDE = WIDTH + 16
"""Columns allocated: no power of two."""
PANEL = 96
"""Rows of values held at once."""

f32 = np.float32
u32 = np.uint32


class Instruments(NamedTuple):
    """Distinct curved instruments, options first; ``real`` is float32 or float64.

    option_rows (O, 4) int64: asset, curve, curve, volatility factor.
    option_terms (O, 8) real: w, A, B, s₀, curve weight, curve weight, ln(A/B), unused.
    property_rows (Q,) int64 factor.  property_terms (Q, 4) real: n, c, d, c_min.
    """

    option_rows: np.ndarray
    option_terms: np.ndarray
    property_rows: np.ndarray
    property_terms: np.ndarray


# ---------------------------------------------------------------- float32 functions, and the choice by type
@inline
def exp_less_one32(x):
    """exp(x) − 1 in float32, for |x| ≤ 87 (clipped beyond); absolute error ≤ 2e-7 · max(1, exp(x))."""
    bounded = min(max(x, f32(-87.0)), f32(87.0))
    shifted = fma(bounded, f32(1.44269504088896341), f32(12582912.0))
    n = shifted - f32(12582912.0)
    r = fma(n, f32(2.12194440e-4), fma(n, f32(-0.693359375), bounded))
    p = fma(r, f32(1.9875691500e-4), f32(1.3981999507e-3))
    p = fma(r, p, f32(8.3334519073e-3))
    p = fma(r, p, f32(4.1665795894e-2))
    p = fma(r, p, f32(1.6666665459e-1))
    p = fma(r, p, f32(0.5))
    p = fma(r * r, p, r)
    power = float32_of_bits(shift_left32(add32(bits_of_float32(shifted), u32(127)), u32(23)))
    return fma(power, p, power - f32(1.0))


@inline
def normal_cdf32(x):
    """Φ(x) in float32; absolute error ≤ 2e-7.  The polynomial of ``primitives.normal_cdf``, degree 9."""
    a = min(abs(x), f32(13.0))
    t = (a - f32(5.0)) / (a + f32(5.0))
    p = fma(t, f32(0.000361139624), f32(-0.00107832521))
    p = fma(t, p, f32(-0.00302686752))
    p = fma(t, p, f32(0.0208978802))
    p = fma(t, p, f32(-0.0690884516))
    p = fma(t, p, f32(0.165007561))
    p = fma(t, p, f32(-0.313537061))
    p = fma(t, p, f32(0.495306194))
    p = fma(t, p, f32(-0.665382385))
    p = fma(t, p, f32(0.769193053))
    tail = (exp_less_one32(f32(-0.5) * a * a) + f32(1.0)) * p / (a + f32(5.0))
    return tail if x < f32(0.0) else f32(1.0) - tail


def exp_less_one(x):
    """exp(x) − 1 in the precision of *x*."""
    raise NotImplementedError("called from kernels only")


@overload(exp_less_one, inline="always")
def _exp_less_one(x):
    if x.bitwidth == 32:
        return lambda x: exp_less_one32(x)
    return lambda x: exp(x) - 1.0


def cumulative(x):
    """Normal distribution function in the precision of *x*."""
    raise NotImplementedError("called from kernels only")


@overload(cumulative, inline="always")
def _cumulative(x):
    if x.bitwidth == 32:
        return lambda x: normal_cdf32(x)
    return lambda x: normal_cdf(x)


# ---------------------------------------------------------------- values, tile by tile
@kernel
def fill_instruments(instruments, begin, count, lanes, x, panel):
    """panel[m] = value of instrument begin + m per unit, m < count, on the first *lanes* paths; x (K, STRIDE) moves."""
    options = instruments.option_rows.shape[0]
    one, half = x.dtype.type(1.0), x.dtype.type(0.5)
    zero = x.dtype.type(0.0)
    for m in range(count):
        i = begin + m
        out = panel[m]
        if i < options:
            rows, terms = instruments.option_rows[i], instruments.option_terms[i]
            move, first, second, volatility = x[rows[0]], x[rows[1]], x[rows[2]], x[rows[3]]
            w, asset, cash, s0, c1, c2, moneyness = (
                terms[0], terms[1], terms[2], terms[3], terms[4], terms[5], terms[6])
            for t in range(lanes):
                curve = fma(c1, first[t], c2 * second[t])
                s = s0 * (exp_less_one(volatility[t]) + one)
                d1 = fma(half, s, (moneyness + move[t] - curve) / s)
                up = asset * (exp_less_one(move[t]) + one)
                down = cash * (exp_less_one(curve) + one)
                out[t] = w * (up * cumulative(w * d1) - down * cumulative(w * (d1 - s)))
        else:
            terms = instruments.property_terms[i - options]
            move = x[instruments.property_rows[i - options]]
            noi, cap, debt, floor = terms[0], terms[1], terms[2], terms[3]
            for t in range(lanes):
                out[t] = max(noi / max(cap + move[t], floor) - debt, zero)


@kernel
def value_instruments(instruments, moves, out):
    """out (I, n) value per unit of every instrument; moves (K, n)."""
    factors, n = moves.shape
    total = out.shape[0]
    x = np.zeros((factors, STRIDE), dtype=moves.dtype)
    panel = np.empty((PANEL, STRIDE), dtype=moves.dtype)
    for start in range(0, n, WIDTH):
        width = min(WIDTH, n - start)
        lanes = (width + 15) // 16 * 16
        for k in range(factors):
            for t in range(width):
                x[k, t] = moves[k, start + t]
        for begin in range(0, total, PANEL):
            count = min(PANEL, total - begin)
            fill_instruments(instruments, begin, count, lanes, x, panel)
            for m in range(count):
                for t in range(width):
                    out[begin + m, start + t] = panel[m, t]


class Holdings(NamedTuple):
    """Who holds what: link l is quantity[l] of instrument row[l] in group[l]; links ascend in row."""

    row: np.ndarray
    group: np.ndarray
    quantity: np.ndarray


@kernel
def value_selected(instruments, holdings, moves, out):
    """P&L of chosen paths by group: out (G, n) ← Σ quantity · value; moves (K, n) already gathered.

    Links are added in their order, so a path has the same bits wherever it stands.
    """
    factors, n = moves.shape
    total = instruments.option_rows.shape[0] + instruments.property_rows.shape[0]
    links = holdings.row.shape[0]
    x = np.zeros((factors, STRIDE), dtype=moves.dtype)
    panel = np.empty((PANEL, STRIDE), dtype=moves.dtype)
    y = np.empty((out.shape[0], STRIDE), dtype=moves.dtype)
    for start in range(0, n, WIDTH):
        width = min(WIDTH, n - start)
        lanes = (width + 15) // 16 * 16
        for k in range(factors):
            for t in range(width):
                x[k, t] = moves[k, start + t]
        y[:] = 0.0
        link = 0
        for begin in range(0, total, PANEL):
            count = min(PANEL, total - begin)
            fill_instruments(instruments, begin, count, lanes, x, panel)
            while link < links and holdings.row[link] < begin + count:
                source, target = panel[holdings.row[link] - begin], y[holdings.group[link]]
                quantity = holdings.quantity[link]
                for t in range(lanes):
                    target[t] = fma(quantity, source[t], target[t])
                link += 1
        for g in range(out.shape[0]):
            for t in range(width):
                out[g, start + t] = y[g, t]
