"""Whole paths whose volatility and mean depend on what has happened on the path: one call, no lock held.

For factor k at step t of one path (X_t from the step before, x_0 = 0)::

    e_t = w_t (L z_t)[k]                          or the standardised residual of a drawn historical row
    ε_t = sqrt(h_t) e_t,    h_{t+1} = ω + α ε_t² + β h_t                       (Bollerslev 1986)
    r_t = Δμ_d,t + Σ_m I[k, m] x_{m,t−1} + ε_t,   S_t = S_{t−1} + r_t

and for holders' cell c (a group and an asset class) and market m::

    q_t = memory q_{t−1} + Σ_k loading[c, k] r_t[k],    f_t = share max(0, −threshold − q_t)
    X_m = Σ_c amount[m, c] f_t[c],  x_m = X_m − (1 − decay) τ_{t−1},  τ_t = decay τ_{t−1} + (1 − lasting) X_m

so that the level of the impact is lasting·ΣX + τ: the propagator of METHOD 4.  P&L by delta and gamma at
every step gives the largest fall from a peak (the peak starts at 0).

A chunk is walked in tiles that stay in the second-level cache.  Every operation belongs to one path alone:
neither chunk nor tile can change a bit.  State is held in the precision of the draws; the terminal P&L is
summed in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.draws import fill_mixing, fill_normals, fill_rows
from riskengine.kernels.primitives import fma, square_root
from riskengine.kernels.products import MICRO_ROWS, multiply, multiply_triangular

TILE = 240
"""Paths per tile: a multiple of 16, no power of two."""


class PathNoise(NamedTuple):
    """Draws and variances; ``real`` is float32 or float64.

    packed : pack_rows(L) real, empty for historical rows.  mixing : table of draws.fill_mixing or (0, 4).
    residuals : (K, R) real or (K, 0).  omega, alpha, beta, start : (K,) real, variance recursion and h_0.
    increments : (T, K, D) real, Δμ of every draw; D = 1 when all paths share them.
    """

    packed: np.ndarray
    mixing: np.ndarray
    residuals: np.ndarray
    omega: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray
    start: np.ndarray
    increments: np.ndarray


class Selling(NamedTuple):
    """Feedback of C cells on M markets; matrices by rows of their non-zero entries, all numbers real.

    loading_start (C + 1,), loading_factor, loading : return of cell c per unit move of a factor, entries
    loading_start[c] … loading_start[c + 1] − 1.
    memory, threshold, share : (C,).
    amount_start (M + 1,), amount_cell, amount : what a cell sells in market m per unit of f.
    lasting, decay : (M,).
    impact_start (K + 1,), impact_market, impact : move of factor k per unit of x in a market.
    """

    loading_start: np.ndarray
    loading_factor: np.ndarray
    loading: np.ndarray
    memory: np.ndarray
    threshold: np.ndarray
    share: np.ndarray
    amount_start: np.ndarray
    amount_cell: np.ndarray
    amount: np.ndarray
    lasting: np.ndarray
    decay: np.ndarray
    impact_start: np.ndarray
    impact_market: np.ndarray
    impact: np.ndarray


class Exposure(NamedTuple):
    """Delta-gamma P&L of G groups.

    total_delta, total_half_gamma : (K,) real, the sum of the groups.  total_cross : pack_rows of half the
    total's cross gamma (zero diagonal) real, empty without one.
    delta, half_gamma : (G, K) float64.  half_cross : (G, K, K) float64 with zero diagonal, or (0, K, K).
    """

    total_delta: np.ndarray
    total_half_gamma: np.ndarray
    total_cross: np.ndarray
    delta: np.ndarray
    half_gamma: np.ndarray
    half_cross: np.ndarray


class PathStream(NamedTuple):
    """seed, reserved blocks (base.sampling), the first path, and the parameter draw of each (n,) int32."""

    seed: int
    block_mixing: int
    block_bootstrap: int
    first: int
    draw: np.ndarray


class PathOut(NamedTuple):
    """terminal (G, n), drawdown (n,), sold (C, n): Σ f_t, moves (K, n) or (0, n): S_T; float64, written."""

    terminal: np.ndarray
    drawdown: np.ndarray
    sold: np.ndarray
    moves: np.ndarray


@kernel
def spread_drift(increments, row, draw, out):
    """out[i] = increments[row, draw[i]]; one shared column is spread as it is."""
    if increments.shape[1] == 1:
        level = increments[row, 0]
        for i in range(out.shape[0]):
            out[i] = level
    else:
        for i in range(out.shape[0]):
            out[i] = increments[row, draw[i]]


@kernel
def add_impact(selling, k, pressure, out):
    """out[i] += Σ_m impact[k, m] · pressure[m, i]."""
    for j in range(selling.impact_start[k], selling.impact_start[k + 1]):
        size = selling.impact[j]
        m = selling.impact_market[j]
        for i in range(out.shape[0]):
            out[i] = fma(size, pressure[m, i], out[i])


@kernel
def advance_factor(noise, k, drift, scale, shock, variance, state):
    """One step of factor k: *shock* holds e and takes r; variance h and state S move on."""
    omega, alpha, beta = noise.omega[k], noise.alpha[k], noise.beta[k]
    for i in range(drift.shape[0]):
        h = variance[k, i]
        epsilon = square_root(h) * (scale[i] * shock[k, i])
        variance[k, i] = fma(beta, h, fma(alpha, epsilon * epsilon, omega))
        r = drift[i] + epsilon
        shock[k, i] = r
        state[k, i] += r


@kernel
def add_exposure(delta, half_gamma, state, value):
    """value[i] = Σ_k S[k, i] (delta[k] + half_gamma[k] S[k, i])."""
    value[:] = 0
    for k in range(delta.shape[0]):
        d, g = delta[k], half_gamma[k]
        for i in range(value.shape[0]):
            s = state[k, i]
            value[i] = fma(s, fma(g, s, d), value[i])


@kernel
def add_cross(state, product, value):
    """value[i] += Σ_k S[k, i] product[k, i]."""
    for k in range(state.shape[0]):
        for i in range(value.shape[0]):
            value[i] = fma(state[k, i], product[k, i], value[i])


@kernel
def sell(selling, moves, loss, sold, flow):
    """Holders' losses of one step, and what they sell: loss q and the sum of sales, both (C, n), move on."""
    for c in range(loss.shape[0]):
        keep = selling.memory[c]
        for i in range(loss.shape[1]):
            loss[c, i] *= keep
        for j in range(selling.loading_start[c], selling.loading_start[c + 1]):
            weight = selling.loading[j]
            k = selling.loading_factor[j]
            for i in range(loss.shape[1]):
                loss[c, i] = fma(weight, moves[k, i], loss[c, i])
        share, threshold = selling.share[c], selling.threshold[c]
        nothing = threshold - threshold
        for i in range(loss.shape[1]):
            f = share * max(nothing, -threshold - loss[c, i])
            flow[c, i] = f
            sold[c, i] += f


@kernel
def press(selling, flow, lingering, pressure):
    """Orders of the cells by market, less what earlier temporary impact gives back; τ (M, n) moves on."""
    for m in range(pressure.shape[0]):
        for i in range(pressure.shape[1]):
            pressure[m, i] = 0
        for j in range(selling.amount_start[m], selling.amount_start[m + 1]):
            amount = selling.amount[j]
            c = selling.amount_cell[j]
            for i in range(pressure.shape[1]):
                pressure[m, i] = fma(amount, flow[c, i], pressure[m, i])
        decay, lasting = selling.decay[m], selling.lasting[m]
        if lasting != 1:
            for i in range(pressure.shape[1]):
                order, before = pressure[m, i], lingering[m, i]
                lingering[m, i] = decay * before + (order - lasting * order)
                pressure[m, i] = order - (before - decay * before)


@kernel
def track_drawdown(value, peak, drawdown):
    """Largest fall from the running peak."""
    for i in range(value.shape[0]):
        peak[i] = max(peak[i], value[i])
        drawdown[i] = max(drawdown[i], peak[i] - value[i])


@kernel
def value_groups(exposure, state, offset, width, terminal):
    """Terminal P&L of every group, float64, columns offset … offset + width − 1."""
    factors = exposure.delta.shape[1]
    for g in range(terminal.shape[0]):
        for i in range(width):
            terminal[g, offset + i] = 0.0
        for k in range(factors):
            d, half = exposure.delta[g, k], exposure.half_gamma[g, k]
            if d != 0.0 or half != 0.0:
                for i in range(width):
                    s = np.float64(state[k, i])
                    terminal[g, offset + i] += s * (d + half * s)
        if exposure.half_cross.shape[0] > 0:
            for k in range(factors):
                for l in range(factors):
                    size = exposure.half_cross[g, k, l]
                    if size != 0.0:
                        for i in range(width):
                            s = np.float64(state[k, i])
                            terminal[g, offset + i] += size * s * np.float64(state[l, i])


@kernel
def walk_paths(noise, selling, exposure, stream, out):
    """All steps of paths first … first + n − 1: see the module docstring.

    Parameters
    ----------
    noise : PathNoise.  selling : Selling (C = 0 cells: no feedback).  exposure : Exposure.
    stream : PathStream.
    out : PathOut.
    """
    steps, factors = noise.increments.shape[0], noise.increments.shape[1]
    paths = out.drawdown.shape[0]
    cells, markets = selling.share.shape[0], selling.lasting.shape[0]
    real = noise.omega.dtype
    historical = noise.residuals.shape[1] > 0
    padded = (factors + MICRO_ROWS - 1) // MICRO_ROWS * MICRO_ROWS
    z = np.empty(((factors + 3) // 4 * 4, TILE), dtype=real)
    shock = np.empty((padded, TILE), dtype=real)
    product = np.empty((padded if exposure.total_cross.shape[0] > 0 else 0, TILE), dtype=real)
    variance = np.empty((factors, TILE), dtype=real)
    state = np.empty((factors, TILE), dtype=real)
    scale = np.ones(TILE, dtype=real)
    drift = np.empty(TILE, dtype=real)
    value = np.empty(TILE, dtype=real)
    peak = np.empty(TILE, dtype=real)
    drawdown = np.empty(TILE, dtype=real)
    loss = np.empty((cells, TILE), dtype=real)
    sold = np.empty((cells, TILE), dtype=real)
    flow = np.empty((cells, TILE), dtype=real)
    pressure = np.empty((markets, TILE), dtype=real)
    lingering = np.empty((markets, TILE), dtype=real)
    rows = np.empty(TILE, dtype=np.int64)
    draw = np.zeros(TILE, dtype=np.int64)
    for offset in range(0, paths, TILE):
        begin = stream.first + offset
        width = min(TILE, paths - offset)
        for i in range(width):
            draw[i] = stream.draw[offset + i]
        for k in range(factors):
            for i in range(TILE):
                variance[k, i] = noise.start[k]
        state[:] = 0
        loss[:] = 0
        sold[:] = 0
        pressure[:] = 0
        lingering[:] = 0
        peak[:] = 0
        drawdown[:] = 0
        for step in range(steps):
            if historical:
                fill_rows(begin, stream.block_bootstrap, step, stream.seed, noise.residuals.shape[1], rows)
                for k in range(factors):
                    for i in range(TILE):
                        shock[k, i] = noise.residuals[k, rows[i]]
            else:
                fill_normals(begin, 0, step, stream.seed, z)
                multiply_triangular(noise.packed, factors, z, shock)
                if noise.mixing.shape[0] > 0:
                    fill_mixing(begin, stream.block_mixing, step, stream.seed, noise.mixing, scale)
            for k in range(factors):
                spread_drift(noise.increments[step], k, draw, drift)
                add_impact(selling, k, pressure, drift)
                advance_factor(noise, k, drift, scale, shock, variance, state)
            if cells > 0:
                sell(selling, shock, loss, sold, flow)
                press(selling, flow, lingering, pressure)
            add_exposure(exposure.total_delta, exposure.total_half_gamma, state, value)
            if exposure.total_cross.shape[0] > 0:
                multiply(exposure.total_cross, factors, state, product)
                add_cross(state, product, value)
            track_drawdown(value, peak, drawdown)
        value_groups(exposure, state, offset, width, out.terminal)
        for i in range(width):
            out.drawdown[offset + i] = drawdown[i]
        for c in range(cells):
            for i in range(width):
                out.sold[c, offset + i] = sold[c, i]
        for k in range(out.moves.shape[0]):
            for i in range(width):
                out.moves[k, offset + i] = state[k, i]
