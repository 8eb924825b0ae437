"""Causal recursions of the chain over parameter draws: orders, the dollar against the current account,
yields; and the sums that turn their paths into moves of factors.

One step t of one draw, in this order:

    orders    f_g ← f_g + κ_g (phase (exp(−ε max(wedge + dlogP[t−1], 0)) − 1) − f_g)   desired orders (METHOD
    3)
    current   CA = η GDP Σ_u j(t−u) s(u), u < t;  C ← C + (CA + extra) dt             (METHOD 5)
    dollar    Q = X$ − C;  s = (Γ (Q − θ P) − ρ Δ)/(1 + ρ π),  P = η GDP Σ_{u<t} s dt − C_s
              s pinned: the official sale I that makes the same equation hold
    prices    z ← z 2^(−dt/half-life) + x;  dy = −(long_run X + (impact − long_run) z)/Cap   (METHOD 4)

The vector form of a propagator is the convolution Σ_u G(t−u) x(u), G(τ) = r + (i − r) 2^(−τ/h).
Arrays only, the draws along the last axis, D a multiple of LANES; shapes and units at the tuples.  Holders
never appear: orders come in groups whose holders move in proportion, so that holder × time stays factored.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from riskengine.kernels import kernel
from riskengine.kernels.primitives import exp

PIN_NONE, PIN_FLOW, PIN_SENTIMENT = 0, 1, 2
LANES = 64
"""Draws that run side by side."""
REGISTER_LANES = 32
"""Draws whose convolution stays in registers."""


class Dollar(NamedTuple):
    """Portfolio balance of the dollar.

    gamma : (D,) log points per USD bn.  eta_gdp : (D,) USD bn a year per log point of s.  theta : (D,).
    rho : (D,) log points per 1.00 of rate differential.  damping : (D,) 1 + ρ π, π the 2-year yield per log
    point of s.
    outside : (T, D) dollars leaving without securities, cumulative USD bn.  extra : (T, D) current account
    from outside the dollar, USD bn a year.  differential : (T, D) change of US less foreign 2-year yield,
    decimals.
    pin : (T, D) imposed s.  pin_kind : (D,) PIN_NONE, PIN_FLOW or PIN_SENTIMENT.
    lags : (L,) J-curve weights, first lag first.  dt : years per step.
    """

    gamma: np.ndarray
    eta_gdp: np.ndarray
    theta: np.ndarray
    rho: np.ndarray
    damping: np.ndarray
    outside: np.ndarray
    extra: np.ndarray
    differential: np.ndarray
    pin: np.ndarray
    pin_kind: np.ndarray
    lags: np.ndarray
    dt: float


class Orders(NamedTuple):
    """Orders as cumulative paths f times lines; f < 0 is a sale.

    A lines per unit of f: executed orders by class, USD bn; then Treasury orders weighted for their effect on
    yields; then dollars bought, so that a sale sells them.
    path : (P, T) given f.  path_lines : (P, A + 2, D) of all groups that follow it.
    G groups with desired orders:  asset_class : (G,) int64.  phase : (G, T) share of the response due.
    wedge : (G, D) share of price.  speed : (G, D) 1 − e^(−κ dt).  elasticity : (G, D).
    lines : (G, A + 2, D).
    """

    path: np.ndarray
    path_lines: np.ndarray
    asset_class: np.ndarray
    phase: np.ndarray
    wedge: np.ndarray
    speed: np.ndarray
    elasticity: np.ndarray
    lines: np.ndarray


class Targets(NamedTuple):
    """M sellers of the dollars a pinned path needs.

    share : (M, D) of the dollars.  capacity : (M, D) most dollars each can raise, USD bn.
    lines : (M, A + 1, D) executed orders by class per dollar sold, then Treasury orders weighted for yields.
    """

    share: np.ndarray
    capacity: np.ndarray
    lines: np.ndarray


class Prices(NamedTuple):
    """Propagators.

    long_run : (D,) yield per USD bn (decimal).  gap : (D,) impact − long_run.  decay : (D,) 2^(−dt/half-life).
    per_order : (A, D) log price per USD bn of classes without decay (0 for Treasuries).
    duration : (D,) of Treasuries, years; 0 switches their price feedback off.
    """

    long_run: np.ndarray
    gap: np.ndarray
    decay: np.ndarray
    per_order: np.ndarray
    duration: np.ndarray


class Paths(NamedTuple):
    """Results: fraction (G, T, D) f; sold (M, T, D) cumulative dollars by target seller; needed (T, D)
    dollars the pinned path asks for; s (T, D); current_account (T, D) from the dollar, USD bn a year;
    position (T, D) of the intermediaries, USD bn; yield_10y (T, D) flow channel, decimal; orders (A, T, D)
    cumulative USD bn."""

    fraction: np.ndarray
    sold: np.ndarray
    needed: np.ndarray
    s: np.ndarray
    current_account: np.ndarray
    position: np.ndarray
    yield_10y: np.ndarray
    orders: np.ndarray


@intrinsic
def _weighted_rows(typing_context, weights, x, start, first, last, column, out):
    """out[column + i] = Σ_u weights[start − u] x[u, column + i], first ≤ u < last in this order by fused
    multiply-add, i < REGISTER_LANES; float64, contiguous."""
    vector = ir.VectorType(ir.DoubleType(), REGISTER_LANES)
    index = ir.IntType(64)

    def generate(context, builder, signature, arguments):
        table, source, target = (context.make_array(signature.args[n])(context, builder, arguments[n])
                                 for n in (0, 1, 6))
        start, first, last, column = arguments[2:6]
        width = builder.extract_value(source.shape, 1)
        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{REGISTER_LANES}f64")
        undefined = ir.Constant(vector, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), REGISTER_LANES), [0] * REGISTER_LANES)
        total = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * REGISTER_LANES))
        with cgutils.for_range_slice(builder, first, last, ir.Constant(index, 1), index) as (u, _):
            weight = builder.load(builder.gep(table.data, [builder.sub(start, u)]))
            place = builder.gep(source.data, [builder.add(builder.mul(u, width), column)])
            row = builder.load(builder.bitcast(place, vector.as_pointer()), align=8)
            spread = builder.insert_element(undefined, weight, ir.Constant(ir.IntType(32), 0))
            spread = builder.shuffle_vector(spread, undefined, zeros)
            builder.store(builder.call(multiply_add, [spread, row, builder.load(total)]), total)
        place = builder.bitcast(builder.gep(target.data, [column]), vector.as_pointer())
        builder.store(builder.load(total), place, align=8)
        return context.get_dummy_value()

    return types.void(weights, x, start, first, last, column, out), generate


@kernel
def _convolve(lags, s, t, out):
    """out[i] = Σ_u lags[t − 1 − u] s[u, i], u < t, the earliest first."""
    for column in range(0, LANES, REGISTER_LANES):
        _weighted_rows(lags, s, t - 1, max(0, t - lags.shape[0]), t, column, out)


@kernel
def _add_scaled(weight, x, out):
    """out[i] += weight · x[i]."""
    for i in range(out.shape[0]):
        out[i] += weight * x[i]


@kernel
def _add_product(x, y, out):
    """out[i] += x[i] · y[i]."""
    for i in range(out.shape[0]):
        out[i] += x[i] * y[i]


@kernel
def _adjust(wedge, elasticity, speed, price, due, goal, f):
    """Desired orders of one group: f ← f + κ (goal − f)."""
    for i in range(f.shape[0]):
        cost = wedge[i] + price[i]
        goal[i] = max(cost, 0.0) if wedge[i] > 0.0 else 0.0
    for i in range(f.shape[0]):
        goal[i] = due * (exp(-elasticity[i] * goal[i]) - 1.0)
    for i in range(f.shape[0]):
        f[i] += speed[i] * (goal[i] - f[i])


@kernel
def _meet_targets(targets, kind, need, first, t, total, sold):
    """Sales of the official sellers that bring the dollars *need* of the draws pinned by flows; a work row
    holds them with the sign of orders."""
    rows, here = targets.lines.shape[1], slice(first, first + LANES)
    orders = np.empty(LANES)
    for m in range(targets.share.shape[0]):
        share, capacity, row = targets.share[m, here], targets.capacity[m, here], sold[m, t, here]
        for i in range(LANES):
            most = min(need[i] * share[i], capacity[i])
            row[i] = most if kind[i] == PIN_FLOW else 0.0
        for i in range(LANES):
            orders[i] = -row[i]
        for r in range(rows):
            _add_product(targets.lines[m, r, here], orders, total[r])


@kernel
def propagate(
    orders: Orders, targets: Targets, dollar: Dollar, prices: Prices, span: tuple[int, int], out: Paths
) -> None:
    """Run the draws span[0] … span[1] − 1, multiples of LANES, through all steps; *out* is filled there.

    Draws go in tiles of LANES and the inner loops run over the lanes: each draw sees the same operations in
    the same order wherever it stands.
    """
    classes, steps = out.orders.shape[0], out.orders.shape[1]
    groups, rows, given = orders.lines.shape[0], orders.lines.shape[1], orders.path.shape[0]
    dt = dollar.dt
    f, s = np.empty((groups, LANES)), np.empty((steps, LANES))
    dlog_price, total = np.empty((classes, LANES)), np.empty((rows, LANES))
    state = np.empty((8, LANES))
    z, before, absorbed, absorbed_s = state[0], state[1], state[2], state[3]
    s_integral, pipeline, rate, goal = state[4], state[5], state[6], state[7]
    treasury, dollars = total[classes], total[classes + 1]
    for first in range(span[0], span[1], LANES):
        here = slice(first, first + LANES)
        gamma, eta_gdp, theta, rho = (
            dollar.gamma[here], dollar.eta_gdp[here], dollar.theta[here], dollar.rho[here])
        damping, kind = dollar.damping[here], dollar.pin_kind[here]
        long_run, gap, decay = prices.long_run[here], prices.gap[here], prices.decay[here]
        duration = prices.duration[here]
        free = True
        for i in range(LANES):
            free &= kind[i] == PIN_NONE
        f[:] = 0.0
        dlog_price[:] = 0.0
        state[:] = 0.0
        for t in range(steps):
            total[: classes + 1] = 0.0
            dollars[:] = dollar.outside[t, here]
            for p in range(given):
                for r in range(rows):
                    _add_scaled(orders.path[p, t], orders.path_lines[p, r, here], total[r])
            for g in range(groups):
                price = dlog_price[orders.asset_class[g]]
                _adjust(orders.wedge[g, here], orders.elasticity[g, here], orders.speed[g, here], price,
                        orders.phase[g, t], goal, f[g])
                out.fraction[g, t, here] = f[g]
                for r in range(rows):
                    _add_product(orders.lines[g, r, here], f[g], total[r])

            account, extra = out.current_account[t, here], dollar.extra[t, here]
            _convolve(dollar.lags, s, t, account)
            for i in range(LANES):
                account[i] *= eta_gdp[i]
            for i in range(LANES):
                absorbed_s[i] += account[i] * dt
            for i in range(LANES):
                absorbed[i] += (account[i] + extra[i]) * dt
            differential = dollar.differential[t, here]
            for i in range(LANES):
                rate[i] = rho[i] * differential[i]
            for i in range(LANES):
                pipeline[i] = eta_gdp[i] * s_integral[i] - absorbed_s[i]
            for i in range(LANES):
                pipeline[i] *= theta[i]
            position, now = out.position[t, here], s[t]
            for i in range(LANES):
                position[i] = dollars[i] - absorbed[i]
            for i in range(LANES):
                now[i] = position[i] - pipeline[i]
            for i in range(LANES):
                now[i] = gamma[i] * now[i] - rate[i]
            for i in range(LANES):
                now[i] /= damping[i]
            need = out.needed[t, here]
            need[:] = 0.0
            if not free:
                pin = dollar.pin[t, here]
                for i in range(LANES):
                    now[i] = now[i] if kind[i] == PIN_NONE else pin[i]
                for i in range(LANES):
                    need[i] = now[i] * damping[i] + rate[i]
                for i in range(LANES):
                    need[i] = need[i] / gamma[i] + pipeline[i]
                for i in range(LANES):
                    need[i] = need[i] - position[i] if kind[i] == PIN_FLOW else 0.0
                for i in range(LANES):
                    position[i] += need[i]
                _meet_targets(targets, kind, need, first, t, total, out.sold)
            out.s[t, here] = now
            for i in range(LANES):
                s_integral[i] += now[i] * dt
            for i in range(LANES):
                z[i] = z[i] * decay[i] + (treasury[i] - before[i])
            before[:] = treasury
            dy = out.yield_10y[t, here]
            for i in range(LANES):
                dy[i] = long_run[i] * treasury[i]
            for i in range(LANES):
                dy[i] = -(dy[i] + gap[i] * z[i])
            for a in range(classes):
                out.orders[a, t, here] = total[a]
                price, per_order, order = dlog_price[a], prices.per_order[a, here], total[a]
                for i in range(LANES):
                    price[i] = per_order[i] * order[i]
            price = dlog_price[0]
            for i in range(LANES):
                price[i] -= duration[i] * dy[i]


@kernel
def combine(rows, drivers, weights, moves, out):
    """out[rows[n], t, d] += weights[n, d] · moves[drivers[n], t, d], n ascending.

    rows, drivers : (N,) int64.  weights : (N, D).  moves : (J, T, D).  out : (R, T, D), zeros at first.
    """
    for t in range(moves.shape[1]):
        for n in range(rows.shape[0]):
            _add_product(weights[n], moves[drivers[n], t], out[rows[n], t])


@kernel
def follow(loadings, moves, out):
    """out[i, t, d] = Σ_j loadings[i, j, d] · moves[j, t, d], j ascending.

    loadings : (I, J, D), or (I, J, 1) shared by all draws.  moves : (J, T, D).  out : (I, T, D).
    """
    shared = loadings.shape[2] == 1
    for i in range(out.shape[0]):
        for t in range(moves.shape[1]):
            row = out[i, t]
            row[:] = 0.0
            for j in range(moves.shape[0]):
                if shared:
                    _add_scaled(loadings[i, j, 0], moves[j, t], row)
                else:
                    _add_product(loadings[i, j], moves[j, t], row)
