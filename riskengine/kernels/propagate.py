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


@kernel
def propagate(orders: Orders, targets: Targets, dollar: Dollar, prices: Prices, out: Paths) -> None:
    """Run every draw through all steps; *out* is filled."""
    draws, steps, groups = out.fraction.shape
    classes = out.orders.shape[2]
    sellers = out.sold.shape[2]
    lags = dollar.lags.shape[0]
    given_rows = orders.path.shape[0]
    dt = dollar.dt
    f = np.zeros(groups)
    dlog_price = np.zeros(classes)
    total = np.zeros(classes)
    for d in range(draws):
        f[:] = 0.0
        dlog_price[:] = 0.0
        row = d if given_rows > 1 else 0
        z = 0.0
        treasury_before = 0.0
        absorbed = 0.0
        absorbed_s = 0.0
        s_integral = 0.0
        damping = 1.0 + dollar.rho[d] * dollar.path_2y[d]
        for t in range(steps):
            total[:] = 0.0
            treasury = 0.0
            out_dollars = dollar.outside[d, t]
            for g in range(groups):
                if orders.given[g]:
                    f[g] = orders.path[row, g, t]
                else:
                    goal = 0.0
                    wedge = orders.wedge[d, g]
                    if wedge > 0.0 and orders.phase[g, t] > 0.0:
                        cost = wedge + dlog_price[orders.asset_class[g]]
                        if cost > 0.0:
                            goal = orders.phase[g, t] * (exp(-orders.elasticity[d, g] * cost) - 1.0)
                    f[g] += orders.speed[d, g] * (goal - f[g])
                out.fraction[d, t, g] = f[g]
                for a in range(classes):
                    total[a] += orders.to_class[d, g, a] * f[g]
                treasury += orders.to_treasury[d, g] * f[g]
                out_dollars -= orders.to_dollars[d, g] * f[g]

            account = 0.0
            for u in range(max(0, t - lags), t):
                account += dollar.lags[t - 1 - u] * out.s[d, u]
            account *= dollar.eta_gdp[d]
            absorbed_s += account * dt
            absorbed += (account + dollar.extra[d, t]) * dt
            pipeline = dollar.eta_gdp[d] * s_integral - absorbed_s

            need = 0.0
            rate = dollar.rho[d] * dollar.differential[d, t]
            if dollar.pin_kind[d] == PIN_NONE:
                s = (dollar.gamma[d] * (out_dollars - absorbed - dollar.theta[d] * pipeline) - rate) / damping
            else:
                s = dollar.pin[d, t]
                if dollar.pin_kind[d] == PIN_FLOW:
                    need = (s * damping + rate) / dollar.gamma[d] + dollar.theta[d] * pipeline + absorbed
                    need -= out_dollars
                    for m in range(sellers):
                        sold = min(need * targets.share[d, m], targets.capacity[d, m])
                        out.sold[d, t, m] = sold
                        for a in range(classes):
                            total[a] -= targets.to_class[d, m, a] * sold
                        treasury -= targets.to_treasury[d, m] * sold
            s_integral += s * dt
            out.needed[d, t] = need
            out.s[d, t] = s
            out.current_account[d, t] = account
            out.position[d, t] = out_dollars + need - absorbed

            z = z * prices.decay[d] + (treasury - treasury_before)
            treasury_before = treasury
            dy = -(prices.long_run[d] * treasury + (prices.impact[d] - prices.long_run[d]) * z)
            out.yield_10y[d, t] = dy
            for a in range(classes):
                out.orders[d, t, a] = total[a]
                dlog_price[a] = prices.per_order[d, a] * total[a]
            dlog_price[0] -= prices.duration[d] * dy
