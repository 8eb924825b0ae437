"""Causal recursions of the chain over parameter draws: orders, the dollar against the current account,
yields.

One step t of one draw, in this order:

    orders    f_g ← f_g + κ_g (phase (exp(−ε max(wedge + dlogP[t−1], 0)) − 1) − f_g)   desired orders (METHOD
    3)
    current   CA = η GDP Σ_u j(t−u) s(u), u < t;  C ← C + (CA + extra) dt             (METHOD 5)
    dollar    Q = X$ − C;  s = (Γ (Q − θ P) − ρ Δ)/(1 + ρ π),  P = η GDP Σ_{u<t} s dt − C_s
              s pinned: the official sale I that makes the same equation hold
    prices    z ← z 2^(−dt/half-life) + x;  dy = −(long_run X + (impact − long_run) z)/Cap   (METHOD 4)

The vector form of a propagator is the convolution Σ_u G(t−u) x(u), G(τ) = r + (i − r) 2^(−τ/h).
Arrays only; shapes and units at the tuples.  Holders never appear: orders come in groups whose holders move
in proportion, so that holder × time stays factored.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from riskengine.kernels import kernel
from riskengine.kernels.primitives import exp

PIN_NONE, PIN_FLOW, PIN_SENTIMENT = 0, 1, 2


class Dollar(NamedTuple):
    """Portfolio balance of the dollar.

    gamma : (D,) log points per USD bn.  eta_gdp : (D,) USD bn a year per log point of s.  theta : (D,).
    rho : (D,) log points per 1.00 of rate differential.  path_2y : (D,) 2-year yield per log point of s.
    outside : (D, T) dollars leaving without securities, cumulative USD bn.  extra : (D, T) current account
    from outside the dollar, USD bn a year.  differential : (D, T) change of US less foreign 2-year yield,
    decimals.
    pin : (D, T) imposed s.  pin_kind : (D,) PIN_NONE, PIN_FLOW or PIN_SENTIMENT.
    lags : (L,) J-curve weights, first lag first.  dt : years per step.
    """

    gamma: np.ndarray
    eta_gdp: np.ndarray
    theta: np.ndarray
    rho: np.ndarray
    path_2y: np.ndarray
    outside: np.ndarray
    extra: np.ndarray
    differential: np.ndarray
    pin: np.ndarray
    pin_kind: np.ndarray
    lags: np.ndarray
    dt: float


class Orders(NamedTuple):
    """G groups of orders; cumulative order of a group = f × its amount, f < 0 is a sale.

    given : (G,) bool.  asset_class : (G,) int64.  path : (P, G, T) f of given orders, P = 1 or D.
    wedge : (D, G) share of price.  phase : (G, T) share of the response due.  speed : (D, G) 1 − e^(−κ dt).
    elasticity : (D, G).  to_class : (D, G, A) executed orders by class, USD bn per f.  to_treasury : (D, G)
    Treasury orders weighted for their effect on yields.  to_dollars : (D, G) dollars sold per −f.
    """

    given: np.ndarray
    asset_class: np.ndarray
    path: np.ndarray
    wedge: np.ndarray
    phase: np.ndarray
    speed: np.ndarray
    elasticity: np.ndarray
    to_class: np.ndarray
    to_treasury: np.ndarray
    to_dollars: np.ndarray


class Targets(NamedTuple):
    """M sellers of the dollars a pinned path needs.

    share : (D, M) of the dollars.  capacity : (D, M) most dollars each can raise, USD bn.
    to_class : (D, M, A) executed orders per dollar sold.  to_treasury : (D, M) the same, weighted for yields.
    """

    share: np.ndarray
    capacity: np.ndarray
    to_class: np.ndarray
    to_treasury: np.ndarray


class Prices(NamedTuple):
    """Propagators.

    impact, long_run : (D,) yield per USD bn (decimal).  decay : (D,) 2^(−dt/half-life).
    per_order : (D, A) log price per USD bn of classes without decay (0 for Treasuries).
    duration : (D,) of Treasuries, years; 0 switches their price feedback off.
    """

    impact: np.ndarray
    long_run: np.ndarray
    decay: np.ndarray
    per_order: np.ndarray
    duration: np.ndarray


class Paths(NamedTuple):
    """Results: fraction (D, T, G) f; sold (D, T, M) cumulative dollars by target seller; needed (D, T)
    dollars the pinned path asks for; s (D, T); current_account (D, T) from the dollar, USD bn a year;
    position (D, T) of the intermediaries, USD bn; yield_10y (D, T) flow channel, decimal; orders (D, T, A)
    cumulative USD bn."""

    fraction: np.ndarray
    sold: np.ndarray
    needed: np.ndarray
    s: np.ndarray
    current_account: np.ndarray
    position: np.ndarray
    yield_10y: np.ndarray
    orders: np.ndarray


LANES = 16
"""Draws that run side by side; the last tile is filled up with copies of the last draw."""


class _Tile(NamedTuple):
    """Coefficients and inputs of LANES draws, the lanes along the last axis; names as in the tuples above."""

    wedge: np.ndarray
    elasticity: np.ndarray
    speed: np.ndarray
    to_treasury: np.ndarray
    to_dollars: np.ndarray
    to_class: np.ndarray
    given: np.ndarray
    per_order: np.ndarray
    scalars: np.ndarray
    outside: np.ndarray
    extra: np.ndarray
    differential: np.ndarray
    pin: np.ndarray


@kernel
def _fill_tile(first, orders, dollar, prices, tile):
    draws, steps = dollar.outside.shape
    groups, classes = orders.to_class.shape[1], orders.to_class.shape[2]
    rows = orders.path.shape[0]
    for i in range(LANES):
        d = min(first + i, draws - 1)
        for g in range(groups):
            tile.wedge[g, i] = orders.wedge[d, g]
            tile.elasticity[g, i] = orders.elasticity[d, g]
            tile.speed[g, i] = orders.speed[d, g]
            tile.to_treasury[g, i] = orders.to_treasury[d, g]
            tile.to_dollars[g, i] = orders.to_dollars[d, g]
            for a in range(classes):
                tile.to_class[g, a, i] = orders.to_class[d, g, a]
            if orders.given[g]:
                for t in range(steps):
                    tile.given[g, t, i] = orders.path[d if rows > 1 else 0, g, t]
        for a in range(classes):
            tile.per_order[a, i] = prices.per_order[d, a]
        tile.scalars[0, i] = dollar.gamma[d]
        tile.scalars[1, i] = dollar.eta_gdp[d]
        tile.scalars[2, i] = dollar.theta[d]
        tile.scalars[3, i] = dollar.rho[d]
        tile.scalars[4, i] = 1.0 + dollar.rho[d] * dollar.path_2y[d]
        tile.scalars[5, i] = prices.decay[d]
        tile.scalars[6, i] = prices.long_run[d]
        tile.scalars[7, i] = prices.impact[d] - prices.long_run[d]
        tile.scalars[8, i] = prices.duration[d]
        for t in range(steps):
            tile.outside[t, i] = dollar.outside[d, t]
            tile.extra[t, i] = dollar.extra[d, t]
            tile.differential[t, i] = dollar.differential[d, t]
            tile.pin[t, i] = dollar.pin[d, t]


@kernel
def _add_product(x, y, out):
    """out[i] += x[i] · y[i] over the lanes."""
    for i in range(LANES):
        out[i] += x[i] * y[i]


@intrinsic
def _add_scaled(typing_context, weight, x, row, out):
    """out[i] += weight · x[row, i] over the lanes, product and sum rounded apart; x (…, LANES), out
    (LANES,)."""
    vector = ir.VectorType(ir.DoubleType(), LANES)

    def generate(context, builder, signature, arguments):
        source = context.make_array(signature.args[1])(context, builder, arguments[1])
        target = context.make_array(signature.args[3])(context, builder, arguments[3])
        start = builder.mul(arguments[2], ir.Constant(ir.IntType(64), LANES))
        place = builder.bitcast(builder.gep(source.data, [start]), vector.as_pointer())
        sums = builder.bitcast(target.data, vector.as_pointer())
        undefined = ir.Constant(vector, ir.Undefined)
        spread = builder.insert_element(undefined, arguments[0], ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        spread = builder.shuffle_vector(spread, undefined, zeros)
        product = builder.fmul(spread, builder.load(place, align=8))
        builder.store(builder.fadd(builder.load(sums, align=8), product), sums, align=8)
        return context.get_dummy_value()

    return types.void(types.float64, x, types.int64, out), generate


@kernel
def _convolve(lags, s, t, out):
    """out[i] = Σ_u lags[t − 1 − u] s[u, i], u < t, the earliest first."""
    out[:] = 0.0
    for u in range(max(0, t - lags.shape[0]), t):
        _add_scaled(lags[t - 1 - u], s, u, out)


@kernel
def _adjust(wedge, elasticity, speed, price, due, f):
    """Desired orders of one group: f ← f + κ (goal − f)."""
    goal = np.empty(LANES)
    for i in range(LANES):
        goal[i] = wedge[i] + price[i]
    for i in range(LANES):
        cost = goal[i]
        response = due * (exp(-elasticity[i] * max(cost, 0.0)) - 1.0)
        goal[i] = response if cost > 0.0 else 0.0
    for i in range(LANES):
        goal[i] = goal[i] if wedge[i] > 0.0 else 0.0
    for i in range(LANES):
        f[i] += speed[i] * (goal[i] - f[i])


@kernel
def _meet_targets(lane, d, need, targets, total, treasury, sold):
    """Sales of the official sellers of draw d that bring *need* dollars."""
    for m in range(sold.shape[0]):
        sold[m] = min(need * targets.share[d, m], targets.capacity[d, m])
        for a in range(total.shape[0]):
            total[a, lane] -= targets.to_class[d, m, a] * sold[m]
        treasury[lane] -= targets.to_treasury[d, m] * sold[m]


@kernel
def propagate(orders: Orders, targets: Targets, dollar: Dollar, prices: Prices, out: Paths) -> None:
    """Run every draw through all steps; *out* is filled.

    Draws go in tiles of LANES and the inner loops run over the lanes: each draw sees the same operations in
    the same order wherever it stands.
    """
    draws, steps, groups = out.fraction.shape
    classes = out.orders.shape[2]
    dt = dollar.dt
    tile = _Tile(
        np.empty((groups, LANES)), np.empty((groups, LANES)), np.empty((groups, LANES)),
        np.empty((groups, LANES)), np.empty((groups, LANES)), np.empty((groups, classes, LANES)),
        np.empty((groups, steps, LANES)),
        np.empty((classes, LANES)), np.empty((9, LANES)), np.empty((steps, LANES)), np.empty((steps, LANES)),
        np.empty((steps, LANES)), np.empty((steps, LANES)),
    )
    gamma, eta_gdp, theta, rho, damping = (
        tile.scalars[0], tile.scalars[1], tile.scalars[2], tile.scalars[3], tile.scalars[4])
    decay, long_run, gap, duration = tile.scalars[5], tile.scalars[6], tile.scalars[7], tile.scalars[8]
    f, s = np.empty((groups, LANES)), np.empty((steps, LANES))
    dlog_price, total = np.empty((classes, LANES)), np.empty((classes, LANES))
    state = np.empty((11, LANES))
    z, before, absorbed, absorbed_s, s_integral = state[0], state[1], state[2], state[3], state[4]
    treasury, out_dollars, account = state[5], state[6], state[7]
    need, rate, dy = state[8], state[9], state[10]
    for first in range(0, draws, LANES):
        width = min(LANES, draws - first)
        _fill_tile(first, orders, dollar, prices, tile)
        free = True
        for i in range(width):
            free &= dollar.pin_kind[first + i] == PIN_NONE
        f[:] = 0.0
        dlog_price[:] = 0.0
        state[:] = 0.0
        for t in range(steps):
            total[:] = 0.0
            treasury[:] = 0.0
            out_dollars[:] = tile.outside[t]
            for g in range(groups):
                if orders.given[g]:
                    f[g] = tile.given[g, t]
                else:
                    price = dlog_price[orders.asset_class[g]]
                    _adjust(tile.wedge[g], tile.elasticity[g], tile.speed[g], price, orders.phase[g, t], f[g])
                for a in range(classes):
                    _add_product(tile.to_class[g, a], f[g], total[a])
                _add_product(tile.to_treasury[g], f[g], treasury)
                for i in range(LANES):
                    out_dollars[i] -= tile.to_dollars[g, i] * f[g, i]
                for i in range(width):
                    out.fraction[first + i, t, g] = f[g, i]

            _convolve(dollar.lags, s, t, account)
            for i in range(LANES):
                account[i] *= eta_gdp[i]
            for i in range(LANES):
                absorbed_s[i] += account[i] * dt
            for i in range(LANES):
                absorbed[i] += (account[i] + tile.extra[t, i]) * dt
            need[:] = 0.0
            for i in range(LANES):
                rate[i] = rho[i] * tile.differential[t, i]
            for i in range(LANES):
                pipeline = eta_gdp[i] * s_integral[i] - absorbed_s[i]
                gap_now = out_dollars[i] - absorbed[i] - theta[i] * pipeline
                s[t, i] = (gamma[i] * gap_now - rate[i]) / damping[i]
            if not free:
                for i in range(width):
                    d = first + i
                    if dollar.pin_kind[d] != PIN_NONE:
                        s[t, i] = tile.pin[t, i]
                    if dollar.pin_kind[d] == PIN_FLOW:
                        pipeline = eta_gdp[i] * s_integral[i] - absorbed_s[i]
                        need[i] = (s[t, i] * damping[i] + rate[i]) / gamma[i] + theta[i] * pipeline
                        need[i] += absorbed[i]
                        need[i] -= out_dollars[i]
                        _meet_targets(i, d, need[i], targets, total, treasury, out.sold[d, t])
            for i in range(LANES):
                s_integral[i] += s[t, i] * dt
            for i in range(LANES):
                z[i] = z[i] * decay[i] + (treasury[i] - before[i])
            before[:] = treasury
            for i in range(LANES):
                dy[i] = -(long_run[i] * treasury[i] + gap[i] * z[i])
            for a in range(classes):
                for i in range(LANES):
                    dlog_price[a, i] = tile.per_order[a, i] * total[a, i]
            for i in range(LANES):
                dlog_price[0, i] -= duration[i] * dy[i]
            for i in range(width):
                d = first + i
                out.needed[d, t] = need[i]
                out.s[d, t] = s[t, i]
                out.current_account[d, t] = account[i]
                out.position[d, t] = out_dollars[i] + need[i] - absorbed[i]
                out.yield_10y[d, t] = dy[i]
                for a in range(classes):
                    out.orders[d, t, a] = total[a, i]


@kernel
def follow(loadings, moves, out):
    """out[d, t, i] = Σ_j loadings[d, j, i] · moves[d, t, j], j ascending.

    loadings : (D, J, I), or (1, J, I) shared by all draws.  moves : (D, T, J).  out : (D, T, I).
    """
    shared = loadings.shape[0] == 1
    for d in range(moves.shape[0]):
        table = loadings[0] if shared else loadings[d]
        for t in range(moves.shape[1]):
            row = out[d, t]
            row[:] = 0.0
            for j in range(moves.shape[2]):
                move, weights = moves[d, t, j], table[j]
                for i in range(row.shape[0]):
                    row[i] += weights[i] * move
