"""From orders to capital flows, the dollar and the flow channel of yields, for every parameter draw.

Packs coefficients into arrays, runs the recursion of ``kernels.propagate`` and unpacks it; holders come back only where
the ledger and the report ask for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.flows.balance_of_payments import jcurve_weights, look_through
from riskengine.flows.clearing import Clearing
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import PRIVATE, ExternalAccounts
from riskengine.flows.response import HolderOrders
from riskengine.flows.targets import TargetSellers
from riskengine.kernels.propagate import (
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

__all__ = ["PIN_FLOW", "PIN_NONE", "PIN_SENTIMENT", "CapitalFlows", "FlowPrices", "PinnedDollar", "collect_flows",
           "run_recursion", "truncate"]

_BY_CLASS = ("own_orders", "reallocated", "target_sold", "migration", "foreign_absorbed", "net")
_BY_STEP = ("beyond", "position", "current_account", "revenue", "s", "yield_10y", "orders", "fraction",
            "target_dollars")
_NAMED = ("outside", "extra_account")


@dataclass(frozen=True, slots=True)
class PinnedDollar:
    """A path of the broad dollar set from outside: s (D, T), kind (D,) PIN_NONE, PIN_FLOW or PIN_SENTIMENT, and who
    sells the dollars that a PIN_FLOW needs."""

    s: np.ndarray
    kind: np.ndarray
    sellers: TargetSellers


@dataclass(frozen=True, slots=True)
class FlowPrices:
    """Propagators of METHOD 4: impact, long_run (D,) yield per USD bn of Treasuries; decay (D,) per step; per_order
    (D, A) log price per USD bn; duration (D,) of Treasuries (0: no feedback of their price)."""

    impact: np.ndarray
    long_run: np.ndarray
    decay: np.ndarray
    per_order: np.ndarray
    duration: np.ndarray


@dataclass(frozen=True, slots=True)
class CapitalFlows:
    """All flows of a scenario, cumulative USD bn, arrays (D, T) unless said; T may reach past the horizon.

    own_orders, reallocated, target_sold, migration, foreign_absorbed, net : (A, D, T); orders with METHOD 0's sign
    (purchase +), target_sold and migration as positive sales; net = the part that crosses to US residents.
    proceeds : sold, other_us, deposits, hedges, retained, defended, dollars.  position : of the intermediaries.
    current_account : USD bn a year, through the dollar.  revenue : USD bn per step.  s : broad dollar.
    yield_10y : flow channel.  orders : (D, T, A).  fraction : (D, T, G).  target_dollars : (D, T, M).
    by_currency : (D, 21) dollars that left by home currency, at step *horizon*.  managed_share : (D,).
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
    s: np.ndarray
    yield_10y: np.ndarray
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
) -> Paths:
    """Run the kernel.

    differential : (D, T) change of the US less the foreign 2-year yield that the scenario itself brings, decimals.
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
    out = Paths(
        fraction=np.empty((count, steps, groups)),
        sold=np.zeros((count, steps, len(sellers.names))),
        needed=np.empty((count, steps)),
        s=np.empty((count, steps)),
        current_account=np.empty((count, steps)),
        position=np.empty((count, steps)),
        yield_10y=np.empty((count, steps)),
        orders=np.empty((count, steps, len(ASSET_CLASSES))),
    )
    propagate(
        Orders(given, np.array([g.asset_class for g in orders.groups], dtype=np.int64), path, wedge, phases, speed,
               elasticity, to_class, to_treasury, to_dollars),
        Targets(_c(sellers.share), _c(sellers.capacity), _c(sellers.to_class), _c(sellers.treasury)),
        Dollar(_c(gamma), _c(eta_gdp), _c(look_through(gamma, eta_gdp, draws["theta_threshold"])), _c(rho),
               _c(path_2y), _c(outside), _c(extra), _c(differential), _c(pinned.s),
               np.ascontiguousarray(pinned.kind, dtype=np.int64), jcurve_weights(dt, draws), dt),
        Prices(_c(prices.impact), _c(prices.long_run), _c(prices.decay), _c(prices.per_order), _c(prices.duration)),
        out,
    )
    return out


def collect_flows(
    paths: Paths, orders: HolderOrders, clearing: Clearing, pinned: PinnedDollar, horizon: int, dt: float
) -> CapitalFlows:
    """Cumulative flows of every kind from the paths of the groups; *horizon* is the step count of the scenario."""
    count, steps = paths.s.shape
    classes = len(ASSET_CLASSES)
    own, bought, net, migration = (np.zeros((classes, count, steps)) for _ in range(4))
    revenue = np.zeros((count, steps))
    uses = {name: np.zeros((count, steps))
            for name in ("sold", "other_us", "deposits", "hedges", "retained", "defended", "dollars")}
    by_currency = np.zeros_like(clearing.groups[0].by_currency) if clearing.groups else np.zeros((count, 21))
    for g, (group, flows) in enumerate(zip(orders.groups, clearing.groups, strict=True)):
        f = paths.fraction[:, :, g]
        for a in range(classes):
            part = flows.to_class[:, a, None] * f
            if a == group.asset_class:
                own[a] += part
            elif flows.to_class[:, a].any():
                bought[a] += part
            if flows.net[:, a].any():
                net[a] += flows.net[:, a, None] * f
        for name, total in uses.items():
            coefficient = getattr(flows, name)
            if coefficient.any():
                total -= coefficient[:, None] * f
        by_currency -= flows.by_currency * f[:, horizon - 1, None]
        amount = group.amounts.sum(axis=1)
        moved = np.zeros_like(f)
        if group.migration is not None:
            moved = -np.minimum((group.migration - 1)[:, None] * -f, 1 + f)
            migration[group.asset_class] -= amount[:, None] * moved
        if group.revenue is not None:
            taxed = np.maximum(amount[:, None] * (1 + f + moved), 0.0)
            revenue += group.revenue[:, None] * group.revenue_phase[None] * taxed * dt
    sellers = pinned.sellers
    target = np.einsum("dtm,dma->adt", paths.sold, sellers.to_class)
    target_net = np.einsum("dtm,dma->adt", paths.sold, sellers.net)
    net = net - target_net
    uses["sold"] = uses["sold"] + target_net.sum(axis=0)
    for name in ("deposits", "hedges", "retained"):
        uses[name] = uses[name] + np.einsum("dtm,dm->dt", paths.sold, getattr(sellers, name))
    uses["dollars"] = uses["dollars"] + paths.sold.sum(axis=2)
    total = own + bought - target
    return CapitalFlows(
        dt=dt, own_orders=own, reallocated=bought, target_sold=target, migration=migration,
        foreign_absorbed=total - net, net=net, proceeds=uses,
        outside=tuple(orders.outside), extra_account=tuple(orders.extra_account),
        beyond=paths.needed - paths.sold.sum(axis=2), position=paths.position, current_account=paths.current_account,
        revenue=revenue, s=paths.s, yield_10y=paths.yield_10y, orders=paths.orders, fraction=paths.fraction,
        target_dollars=paths.sold, by_currency=by_currency, managed_share=np.zeros(count),
    )


def truncate(flows: CapitalFlows, steps: int) -> CapitalFlows:
    """The same flows up to *steps*."""
    cut: dict[str, object] = {name: getattr(flows, name)[:, :, :steps] for name in _BY_CLASS}
    cut |= {name: getattr(flows, name)[:, :steps] for name in _BY_STEP}
    cut |= {name: tuple((label, x[:, :steps]) for label, x in getattr(flows, name)) for name in _NAMED}
    cut["proceeds"] = {label: x[:, :steps] for label, x in flows.proceeds.items()}
    return replace(flows, **cut)


def _c(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float64)
