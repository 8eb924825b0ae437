"""From orders to capital flows, the dollar and the flow channel of yields, for every parameter draw.

Packs coefficients into arrays, runs the recursion of ``kernels.propagate`` and unpacks it; holders come back
only where the ledger and the report ask for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.flows.balance_of_payments import jcurve_weights, look_through
from riskengine.flows.clearing import N_CURRENCIES, Clearing, Known
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import PRIVATE, ExternalAccounts
from riskengine.flows.orders import HolderOrders
from riskengine.flows.targets import TargetSellers
from riskengine.kernels.propagate import (
    LANES,
    PIN_FLOW,
    PIN_NONE,
    PIN_SENTIMENT,
    Dollar,
    Orders,
    Paths,
    Prices,
    Targets,
    propagate,
)

__all__ = ["PIN_FLOW", "PIN_NONE", "PIN_SENTIMENT", "CapitalFlows", "FlowPrices", "PinnedDollar",
           "Scratch", "collect_flows", "dollars_out", "run_recursion"]

Map = Callable[[Callable, list], list]
"""``Executor.map``: a function over items."""


@dataclass(slots=True)
class Scratch:
    """What one caller at a time keeps between chains of the same accounts and draws.

    paths : results of the last recursion by shape, to be written over: fresh memory costs as much as the
    recursion.
    clearings : of earlier orders (``clearing.clear``).
    """

    paths: dict[tuple[int, ...], Paths] = field(default_factory=dict)
    clearings: Known = field(default_factory=dict)


BLOCK_DRAWS = 16 * LANES
"""Draws of one task when the recursion runs side by side: a multiple of the kernel's lanes, about a
millisecond."""

USES = ("sold", "other_us", "deposits", "hedges", "retained", "defended", "dollars")
"""What becomes of a sale: sold = the sum of all that follow."""


@dataclass(frozen=True, slots=True)
class PinnedDollar:
    """A path of the broad dollar set from outside: s (D, T), kind (D,) PIN_NONE, PIN_FLOW or PIN_SENTIMENT,
    and who sells the dollars that a PIN_FLOW needs."""

    s: np.ndarray
    kind: np.ndarray
    sellers: TargetSellers


@dataclass(frozen=True, slots=True)
class FlowPrices:
    """Propagators of METHOD 4: impact, long_run (D,) yield per USD bn of Treasuries; decay (D,) per step;
    per_order (D, A) log price per USD bn; duration (D,) of Treasuries (0: no feedback of their price)."""

    impact: np.ndarray
    long_run: np.ndarray
    decay: np.ndarray
    per_order: np.ndarray
    duration: np.ndarray


@dataclass(frozen=True, slots=True)
class CapitalFlows:
    """All flows of a scenario, cumulative USD bn, arrays (D, T) unless said.

    own_orders, reallocated, target_sold, migration, foreign_absorbed, net : (D, T, A); orders with METHOD 0's
    sign (purchase +), target_sold and migration as positive sales; net = the part that crosses to US
    residents.
    proceeds : one entry per USES.  beyond : dollars of targets without securities.  position : of the
    intermediaries.
    current_account : USD bn a year, through the dollar.  revenue : USD bn per step.  orders : (D, T, A) all
    orders.
    fraction : (D, T, G) f of the groups.  target_dollars : (D, T, M).
    by_currency : (D, 21) dollars that left by home currency, at the horizon.  managed_share : (D,).
    """

    dt: float
    own_orders: np.ndarray
    reallocated: np.ndarray
    target_sold: np.ndarray
    migration: np.ndarray
    foreign_absorbed: np.ndarray
    net: np.ndarray
    proceeds: dict[str, np.ndarray]
    outside: tuple[tuple[str, np.ndarray], ...]
    extra_account: tuple[tuple[str, np.ndarray], ...]
    beyond: np.ndarray
    position: np.ndarray
    current_account: np.ndarray
    revenue: np.ndarray
    orders: np.ndarray
    fraction: np.ndarray
    target_dollars: np.ndarray
    by_currency: np.ndarray
    managed_share: np.ndarray


def run_recursion(
    orders: HolderOrders,
    clearing: Clearing,
    pinned: PinnedDollar,
    prices: FlowPrices,
    accounts: ExternalAccounts,
    draws: ParameterDraws,
    differential: np.ndarray,
    path_2y: np.ndarray,
    dt: float,
    scratch: Scratch | None = None,
    run: Map | None = None,
) -> Paths:
    """Run the kernel; with *run* in blocks of draws side by side, the same bits (draws are independent).

    differential : (D, T) change of the US less the foreign 2-year yield that the scenario itself brings,
    decimals.
    path_2y : (D,) 2-year yield per log point of s.  With rate differentials off, ρ = 0.
    """
    count, steps = differential.shape
    groups = len(orders.groups)
    given = np.array([g.given for g in orders.groups], dtype=np.bool_)
    path = np.zeros((1, groups, steps))
    wedge, elasticity = np.zeros((count, groups)), np.zeros((count, groups))
    phases = np.zeros((groups, steps))
    speed = np.zeros((count, groups))
    to_class = np.zeros((count, groups, len(ASSET_CLASSES)))
    to_treasury, to_dollars = np.zeros((count, groups)), np.zeros((count, groups))
    weight = draws["private_flow_weight_in_yields"]
    for i, (group, flows) in enumerate(zip(orders.groups, clearing.groups, strict=True)):
        if group.given:
            path[0, i] = group.path
        else:
            wedge[:, i], elasticity[:, i], phases[i] = group.wedge, group.elasticity, group.phase
            speed[:, i] = -np.expm1(-group.speed * dt)
        to_class[:, i] = flows.to_class
        to_treasury[:, i] = flows.to_class[:, 0] * (weight if group.sector == PRIVATE else 1.0)
        to_dollars[:, i] = flows.dollars
    gamma = draws["gamma_broad_per_gdp"] / accounts.gdp
    eta_gdp = draws["ca_per_10pct_depreciation"] / 10 * accounts.gdp
    outside = sum((x for _, x in orders.outside), np.zeros((count, steps)))
    extra = sum((x for _, x in orders.extra_account), np.zeros((count, steps)))
    # rho: % of the dollar per 100 bp = log points per 1.00 of yield
    rho = draws["rho_broad_per_100bp_2y"] if draws.settings.rate_differentials else np.zeros(count)
    sellers = pinned.sellers
    out = _empty_paths(count, steps, groups, len(sellers.names), scratch)
    classes = np.array([g.asset_class for g in orders.groups], dtype=np.int64)
    lags = jcurve_weights(dt, draws)
    theta = look_through(gamma, eta_gdp, draws["theta_threshold"])
    targets = Targets(_c(sellers.share), _c(sellers.capacity), _c(sellers.to_class), _c(sellers.treasury))
    dollar = [_c(x) for x in (gamma, eta_gdp, theta, rho, path_2y, outside, extra, differential, pinned.s)]
    dollar.append(np.ascontiguousarray(pinned.kind, dtype=np.int64))
    propagators = Prices(_c(prices.impact), _c(prices.long_run), _c(prices.decay), _c(prices.per_order),
                         _c(prices.duration))

    def some(block: slice) -> None:
        cut = [x[block] for x in (wedge, speed, elasticity, to_class, to_treasury, to_dollars)]
        propagate(
            Orders(given, classes, path, cut[0], phases, *cut[1:]), Targets(*(x[block] for x in targets)),
            Dollar(*(x[block] for x in dollar), lags, dt), Prices(*(x[block] for x in propagators)),
            Paths(*(x[block] for x in out)),
        )

    if run is None:
        some(slice(0, count))
    else:
        run(some, [slice(lo, min(lo + BLOCK_DRAWS, count)) for lo in range(0, count, BLOCK_DRAWS)])
    return out


def _empty_paths(count: int, steps: int, groups: int, sellers: int, scratch: Scratch | None) -> Paths:
    shape = (count, steps, groups, sellers)
    if scratch is not None and shape in scratch.paths:
        scratch.paths[shape].sold[:] = 0.0
        return scratch.paths[shape]
    flat = [np.empty((count, steps)) for _ in range(5)]
    needed, s, current_account, position, yield_10y = flat
    out = Paths(np.empty((count, steps, groups)), np.zeros((count, steps, sellers)), needed, s,
                current_account, position, yield_10y, np.empty((count, steps, len(ASSET_CLASSES))))
    if scratch is not None:
        scratch.paths.clear()
        scratch.paths[shape] = out
    return out


def dollars_out(paths: Paths, clearing: Clearing, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Dollars that have left by the sales of the groups after *steps* steps: in all (D,), by home currency
    (D, 21)."""
    total, by_currency = np.zeros(len(paths.s)), np.zeros((len(paths.s), N_CURRENCIES))
    for g, flows in enumerate(clearing.groups):
        fraction = paths.fraction[:, steps - 1, g]
        total -= flows.dollars * fraction
        by_currency -= flows.by_currency * fraction[:, None]
    return total, by_currency


def collect_flows(
    paths: Paths, orders: HolderOrders, clearing: Clearing, pinned: PinnedDollar, steps: int, dt: float
) -> CapitalFlows:
    """Cumulative flows of every kind over the first *steps* steps, from the paths of the groups."""
    count, classes, groups = len(paths.s), len(ASSET_CLASSES), len(orders.groups)
    fraction = np.ascontiguousarray(paths.fraction[:, :steps])
    sold = paths.sold[:, :steps]
    sellers = pinned.sellers
    # One product per draw: (T, G) @ (G, lines), lines = own, bought, net by class and the uses of proceeds.
    coefficients = np.zeros((count, groups, 3 * classes + len(USES)))
    own, bought, net = (slice(n * classes, (n + 1) * classes) for n in range(3))
    _, by_currency = dollars_out(paths, clearing, steps)
    for g, (group, flows) in enumerate(zip(orders.groups, clearing.groups, strict=True)):
        a = group.asset_class
        coefficients[:, g, bought] = flows.to_class
        coefficients[:, g, bought.start + a] = 0.0
        coefficients[:, g, a] = flows.to_class[:, a]
        coefficients[:, g, net] = flows.net
        for n, name in enumerate(USES):
            coefficients[:, g, 3 * classes + n] = -getattr(flows, name)
    lines = np.matmul(fraction, coefficients)  # (D, T, lines)
    uses = {name: lines[:, :, 3 * classes + n] for n, name in enumerate(USES)}
    target = np.matmul(sold, sellers.to_class)
    target_net = np.matmul(sold, sellers.net)
    uses["sold"] = uses["sold"] + target_net.sum(axis=2)
    for name in ("deposits", "hedges", "retained"):
        uses[name] = uses[name] + np.matmul(sold, getattr(sellers, name)[:, :, None])[:, :, 0]
    uses["dollars"] = uses["dollars"] + sold.sum(axis=2)
    crossed = lines[:, :, net] - target_net
    migration, revenue = _migration_and_revenue(orders, fraction, dt)
    return CapitalFlows(
        dt=dt, own_orders=lines[:, :, own], reallocated=lines[:, :, bought], target_sold=target,
        migration=migration,
        foreign_absorbed=lines[:, :, own] + lines[:, :, bought] - target - crossed, net=crossed,
        proceeds=uses,
        outside=tuple((name, x[:, :steps]) for name, x in orders.outside),
        extra_account=tuple((name, x[:, :steps]) for name, x in orders.extra_account),
        beyond=paths.needed[:, :steps] - sold.sum(axis=2), position=paths.position[:, :steps],
        current_account=paths.current_account[:, :steps], revenue=revenue, orders=paths.orders[:, :steps],
        fraction=fraction, target_dollars=sold, by_currency=by_currency, managed_share=np.zeros(count),
    )


def _migration_and_revenue(
    orders: HolderOrders, fraction: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Migration (D, T, A), cumulative sale into untaxed paper ≥ 0, and tax revenue (D, T) USD bn per step.

    Migration is the excess of the multiplied response over the simple one; nobody migrates more than he has
    left.
    """
    count, steps, _ = fraction.shape
    migration = np.zeros((count, steps, len(ASSET_CLASSES)))
    revenue = np.zeros((count, steps))
    for g, group in enumerate(orders.groups):
        if group.migration is None and group.revenue is None:
            continue
        f = fraction[:, :, g]
        left = 1.0 + f
        amount = group.amounts.sum(axis=1)[:, None]
        if group.migration is not None:
            moved = np.minimum((group.migration[:, None] - 1.0) * -f, left)
            migration[:, :, group.asset_class] += amount * moved
            left = left - moved
        if group.revenue is not None:
            revenue += (group.revenue[:, None] * amount * dt) * (group.revenue_phase[None, :steps] * left)
    return migration, revenue


def _c(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float64)
