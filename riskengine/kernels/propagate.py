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
Arrays only, the draws along the last axis, D a multiple of ROW_DRAWS; shapes and units at the tuples.
Holders never appear: orders come in groups whose holders move in proportion, so that holder × time stays
factored.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from riskengine.kernels import kernel
from riskengine.kernels.lanes import INDEX, LANES, VECTOR, Lanes, Rows, each_lane, spread
from riskengine.kernels.primitives import exp

PIN_NONE, PIN_FLOW, PIN_SENTIMENT = 0, 1, 2
ROW_DRAWS = 128
"""Draws whose convolution stays in registers; the kernel takes D in multiples of it."""
MOST_DRAWS = 256
"""Draws that go through the steps together: their state stays in the second cache."""
CLASSES = 4
"""Asset classes A, Treasuries first."""
LINES = CLASSES + 2
TREASURY, DOLLARS = CLASSES, CLASSES + 1
"""Lines behind the classes: Treasury orders weighted for yields, and dollars that leave."""
GAMMA, ETA_GDP, THETA, RHO, DAMPING = range(5)
STATES = 7
Z, BEFORE, ABSORBED, ABSORBED_S, S_INTEGRAL, PIPELINE, RATE = range(STATES)
"""State of a draw: decaying part of the propagator, Treasury orders so far, C, C_s, Σ s dt, θ P, ρ Δ."""


class Dollar(NamedTuple):
    """Portfolio balance of the dollar.

    coefficients : (5, D), rows GAMMA log points per USD bn; ETA_GDP USD bn a year per log point of s; THETA;
    RHO log points per 1.00 of rate differential; DAMPING 1 + ρ π, π the 2-year yield per log point of s.
    outside : (T, D) dollars leaving without securities, cumulative USD bn.  extra : (T, D) current account
    from outside the dollar, USD bn a year.  differential : (T, D) change of US less foreign 2-year yield,
    decimals.
    These three may have one row, the same at all steps.
    pin : (T, D) imposed s.  pin_kind : (D,) PIN_NONE, PIN_FLOW or PIN_SENTIMENT.
    lags : (L,) J-curve weights, first lag first.  dt : years per step.
    """

    coefficients: np.ndarray
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

    coefficients : (4, D), rows long_run, yield per USD bn (decimal); gap = impact − long_run; decay
    2^(−dt/half-life); duration of Treasuries, years (0 switches their price feedback off).
    per_order : (A, D) log price per USD bn of classes without decay (0 for Treasuries, the first class).
    """

    coefficients: np.ndarray
    per_order: np.ndarray


class Paths(NamedTuple):
    """Results.

    For prices, all steps: s (T, D); yield_10y (T, D) flow channel, decimal; equity (T, D) log price of equity
    through orders.
    For flows, N = T steps, or N = 1 row that is written over: needed (N, D) dollars the pinned path asks
    for; current_account (N, D) from the dollar, USD bn a year; position (N, D) of the intermediaries, USD bn;
    sold (M, N, D) cumulative dollars by target seller; orders (A or 0, N, D) cumulative USD bn.
    fraction : (G, F, D) f at the steps from first_fraction on.
    """

    s: np.ndarray
    yield_10y: np.ndarray
    equity: np.ndarray
    needed: np.ndarray
    current_account: np.ndarray
    position: np.ndarray
    sold: np.ndarray
    orders: np.ndarray
    fraction: np.ndarray
    first_fraction: int


@intrinsic
def _convolve(typing_context, lags, s, t, out, at, count):
    """out[at + i] = Σ_u lags[t − 1 − u] s[u, i], u < t, i < count, the earliest u first, by fused
    multiply-add."""

    def generate(context, builder, signature, arguments):
        kinds, zero, one = signature.args, ir.Constant(INDEX, 0), ir.Constant(INDEX, 1)
        table = context.make_array(kinds[0])(context, builder, arguments[0])
        source = Rows(context, builder, kinds[1], arguments[1], zero)
        target = Rows(context, builder, kinds[3], arguments[3], arguments[4])
        last = arguments[2]
        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(VECTOR, [VECTOR] * 3), f"llvm.fma.v{LANES}f64")
        early = builder.sub(last, builder.extract_value(table.shape, 0))
        first = builder.select(builder.icmp_signed(">", early, zero), early, zero)
        totals = [cgutils.alloca_once(builder, VECTOR) for _ in range(0, ROW_DRAWS, LANES)]
        step = ir.Constant(INDEX, ROW_DRAWS)
        with cgutils.for_range_slice(builder, zero, arguments[5], step, INDEX) as (draw, _):
            lanes = [builder.add(draw, ir.Constant(INDEX, k)) for k in range(0, ROW_DRAWS, LANES)]
            for total in totals:
                builder.store(ir.Constant(VECTOR, [0.0] * LANES), total)
            with cgutils.for_range_slice(builder, first, last, one, INDEX) as (u, _):
                lag = builder.sub(builder.sub(last, one), u)
                weight = spread(builder, builder.load(builder.gep(table.data, [lag])))
                for total, lane in zip(totals, lanes, strict=True):
                    terms = [weight.value, source.load(u, lane).value, builder.load(total)]
                    builder.store(builder.call(multiply_add, terms), total)
            for total, lane in zip(totals, lanes, strict=True):
                target.store(Lanes(builder, builder.load(total)), 0, lane)
        return context.get_dummy_value()

    return types.void(lags, s, t, out, at, count), generate


@intrinsic
def _add_scaled_lines(typing_context, weight, lines, at, total, count):
    """total[r] += weight · lines[r] for every line; they start at element *at*."""

    def body(context, builder, kinds, arguments, lane):
        lines = Rows(context, builder, kinds[1], arguments[1], arguments[2])
        total = Rows(context, builder, kinds[3], arguments[3], ir.Constant(INDEX, 0))
        weight = spread(builder, arguments[0])
        for r in range(LINES):
            total.store(total.load(r, lane) + weight * lines.load(r, lane), r, lane)

    return types.void(weight, lines, at, total, count), each_lane(body)


@intrinsic
def _add_lines(typing_context, x, start, lines, at, total, count):
    """total[r] += x · lines[r] for every line; x starts at element *start*, the lines at *at*."""

    def body(context, builder, kinds, arguments, lane):
        factor = Rows(context, builder, kinds[0], arguments[0], arguments[1]).load(0, lane)
        lines = Rows(context, builder, kinds[2], arguments[2], arguments[3])
        total = Rows(context, builder, kinds[4], arguments[4], ir.Constant(INDEX, 0))
        for r in range(LINES):
            total.store(total.load(r, lane) + lines.load(r, lane) * factor, r, lane)

    return types.void(x, start, lines, at, total, count), each_lane(body)


@intrinsic
def _aim(typing_context, wedge, elasticity, at, price, start, goal, count):
    """goal = −ε max(wedge + price, 0) where wedge > 0, else 0; wedge and ε at element *at*, price at
    *start*."""

    def body(context, builder, kinds, arguments, lane):
        wedge, elasticity, price, goal = (
            Rows(context, builder, kinds[n], arguments[n], start)
            for n, start in ((0, arguments[2]), (1, arguments[2]), (3, arguments[4]),
                             (5, ir.Constant(INDEX, 0))))
        w = wedge.load(0, lane)
        cost = (w + price.load(0, lane)).positive_or_zero().where_positive(w)
        goal.store(-elasticity.load(0, lane) * cost, 0, lane)

    return types.void(wedge, elasticity, at, price, start, goal, count), each_lane(body)


@intrinsic
def _approach(typing_context, goal, speed, at, f, start, count):
    """f ← f + κ (goal − f); f at element *start*, κ at *at*."""

    def body(context, builder, kinds, arguments, lane):
        goal, speed, f = (Rows(context, builder, kinds[n], arguments[n], start) for n, start in (
            (0, ir.Constant(INDEX, 0)), (1, arguments[2]), (3, arguments[4])))
        old = f.load(0, lane)
        f.store(old + speed.load(0, lane) * (goal.load(0, lane) - old), 0, lane)

    return types.void(goal, speed, at, f, start, count), each_lane(body)


@intrinsic
def _settle(typing_context, coefficients, first, extra, of_extra, differential, of_differential, dt, total,
            state, account, position, at, s, now, count):
    """The dollar of one step.  of_extra, of_differential, at, now : elements of the step's first draw in
    extra, differential, account and position, s.

    CA = η GDP × convolution (in *account*);  C_s ← C_s + CA dt;  C ← C + (CA + extra) dt
    s = (Γ (X$ − C − θ (η GDP Σ s dt − C_s)) − ρ Δ)/(1 + ρ π)
    """

    def body(context, builder, kinds, arguments, lane):
        def rows(n, start):
            return Rows(context, builder, kinds[n], arguments[n], start)

        first, at, zero = arguments[1], arguments[11], ir.Constant(INDEX, 0)
        gamma, eta_gdp, theta, rho, damping = (rows(0, first).load(k, lane) for k in range(5))
        extra, differential = rows(2, arguments[3]).load(0, lane), rows(4, arguments[5]).load(0, lane)
        dt, state, dollars = spread(builder, arguments[6]), rows(8, zero), rows(7, zero).load(DOLLARS, lane)
        account = rows(9, at).load(0, lane) * eta_gdp
        absorbed_s = state.load(ABSORBED_S, lane) + account * dt
        absorbed = state.load(ABSORBED, lane) + (account + extra) * dt
        pipeline = theta * (eta_gdp * state.load(S_INTEGRAL, lane) - absorbed_s)
        position, rate = dollars - absorbed, rho * differential
        rows(9, at).store(account, 0, lane)
        rows(10, at).store(position, 0, lane)
        for row, x in ((ABSORBED_S, absorbed_s), (ABSORBED, absorbed), (PIPELINE, pipeline), (RATE, rate)):
            state.store(x, row, lane)
        rows(12, arguments[13]).store((gamma * (position - pipeline) - rate) / damping, 0, lane)

    return types.void(coefficients, first, extra, of_extra, differential, of_differential, dt, total, state,
                      account, position, at, s, now, count), each_lane(body)


@intrinsic
def _move_prices(typing_context, coefficients, per_order, first, s, now, dt, total, state, dlog_price, at,
                 yield_10y, equity, count):
    """z ← z 2^(−dt/half-life) + x;  dy = −(long_run X + gap z);  log prices of all classes; Σ s dt."""

    def body(context, builder, kinds, arguments, lane):
        def rows(n, start):
            return Rows(context, builder, kinds[n], arguments[n], start)

        first, at, zero = arguments[2], arguments[9], ir.Constant(INDEX, 0)
        long_run, gap, decay, duration = (rows(0, first).load(k, lane) for k in range(4))
        now, state, total = rows(3, arguments[4]).load(0, lane), rows(7, zero), rows(6, zero)
        treasury, prices, per_order = total.load(TREASURY, lane), rows(8, zero), rows(1, first)
        z = state.load(Z, lane) * decay + (treasury - state.load(BEFORE, lane))
        dy = -(long_run * treasury + gap * z)
        state.store(state.load(S_INTEGRAL, lane) + now * spread(builder, arguments[5]), S_INTEGRAL, lane)
        state.store(z, Z, lane)
        state.store(treasury, BEFORE, lane)
        rows(10, at).store(dy, 0, lane)
        prices.store(per_order.load(0, lane) * total.load(0, lane) - duration * dy, 0, lane)
        for a in range(1, CLASSES):
            price = per_order.load(a, lane) * total.load(a, lane)
            prices.store(price, a, lane)
        rows(11, at).store(price, 0, lane)

    return types.void(coefficients, per_order, first, s, now, dt, total, state, dlog_price, at, yield_10y,
                      equity, count), each_lane(body)


@intrinsic
def _keep_row(typing_context, x, start, out, at, count):
    """out[at + i] = x[start + i]."""

    def body(context, builder, kinds, arguments, lane):
        source = Rows(context, builder, kinds[0], arguments[0], arguments[1])
        Rows(context, builder, kinds[2], arguments[2], arguments[3]).store(source.load(0, lane), 0, lane)

    return types.void(x, start, out, at, count), each_lane(body)


@kernel
def _meet_pins(dollar, targets, here, t, kept, now, state, total, out):
    """Imposed paths of s, and the sales of the official sellers that bring the dollars they need, of the
    draws *here*."""
    kind, pin = dollar.pin_kind[here], dollar.pin[t, here]
    gamma, damping = dollar.coefficients[GAMMA, here], dollar.coefficients[DAMPING, here]
    need, position = out.needed[kept, here], out.position[kept, here]
    pipeline, rate = state[PIPELINE], state[RATE]
    for i in range(kind.size):
        now[i] = now[i] if kind[i] == PIN_NONE else pin[i]
    for i in range(kind.size):
        need[i] = now[i] * damping[i] + rate[i]
    for i in range(kind.size):
        need[i] = need[i] / gamma[i] + pipeline[i]
    for i in range(kind.size):
        need[i] = need[i] - position[i] if kind[i] == PIN_FLOW else 0.0
    for i in range(kind.size):
        position[i] += need[i]
    for m in range(targets.share.shape[0]):
        share, capacity, sold = targets.share[m, here], targets.capacity[m, here], out.sold[m, kept, here]
        for i in range(kind.size):
            most = min(need[i] * share[i], capacity[i])
            sold[i] = most if kind[i] == PIN_FLOW else 0.0
        for r in range(targets.lines.shape[1]):
            lines, row = targets.lines[m, r, here], total[r]
            for i in range(kind.size):
                row[i] -= lines[i] * sold[i]


@kernel
def propagate(
    orders: Orders, targets: Targets, dollar: Dollar, prices: Prices, span: tuple[int, int], out: Paths
) -> None:
    """Run the draws span[0] … span[1] − 1, multiples of ROW_DRAWS, through all steps; *out* is filled there.

    Each draw sees the same operations in the same order wherever it stands.
    """
    for first in range(span[0], span[1], MOST_DRAWS):
        _run_draws(orders, targets, dollar, prices, (first, min(first + MOST_DRAWS, span[1])), out)


@kernel
def _run_draws(orders, targets, dollar, prices, span, out):
    first, count = span[0], span[1] - span[0]
    here, wide = slice(span[0], span[1]), count + LANES  # rows apart from the same lines of the cache
    (steps, draws), groups, given = out.s.shape, orders.lines.shape[0], orders.path.shape[0]
    f, s, goal = np.zeros((groups, wide)), np.empty((steps, wide)), np.empty(wide)
    dlog_price, total, state = np.zeros((CLASSES, wide)), np.empty((LINES, wide)), np.zeros((STATES, wide))
    free = True
    for i in range(span[0], span[1]):
        free &= dollar.pin_kind[i] == PIN_NONE
    for t in range(steps):
        kept = t if out.position.shape[0] > 1 else 0
        at, kept_at = t * draws + first, kept * draws + first
        total[:] = 0.0
        _keep_row(dollar.outside, at if dollar.outside.shape[0] > 1 else first, total, DOLLARS * wide, count)
        for p in range(given):
            _add_scaled_lines(orders.path[p, t], orders.path_lines, p * LINES * draws + first, total, count)
        for g in range(groups):
            mine, due = g * draws + first, orders.phase[g, t]
            _aim(orders.wedge, orders.elasticity, mine, dlog_price, orders.asset_class[g] * wide, goal, count)
            for i in range(count):
                goal[i] = due * (exp(goal[i]) - 1.0)
            _approach(goal, orders.speed, mine, f, g * wide, count)
            _add_lines(f, g * wide, orders.lines, g * LINES * draws + first, total, count)
        if 0 <= t - out.first_fraction < out.fraction.shape[1]:
            for g in range(groups):
                place = (g * out.fraction.shape[1] + t - out.first_fraction) * draws + first
                _keep_row(f, g * wide, out.fraction, place, count)
        _convolve(dollar.lags, s, t, out.current_account, kept_at, count)
        of_extra = at if dollar.extra.shape[0] > 1 else first
        of_differential = at if dollar.differential.shape[0] > 1 else first
        _settle(dollar.coefficients, first, dollar.extra, of_extra, dollar.differential, of_differential,
                dollar.dt, total, state, out.current_account, out.position, kept_at, s, t * wide, count)
        if free:
            out.needed[kept, here] = 0.0
        else:
            _meet_pins(dollar, targets, here, t, kept, s[t], state, total, out)
        _keep_row(s, t * wide, out.s, at, count)
        _move_prices(prices.coefficients, prices.per_order, first, s, t * wide, dollar.dt, total, state,
                     dlog_price, at, out.yield_10y, out.equity, count)
        for a in range(out.orders.shape[0]):
            _keep_row(total, a * wide, out.orders, a * out.orders.shape[1] * draws + kept_at, count)
