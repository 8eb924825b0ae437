"""From orders to the dollar and the flow channel of yields, for every parameter draw.

Packs coefficients into arrays and runs the recursion of ``kernels.propagate``; ``capital_flows`` turns its
paths into flows of every kind.  Arrays (D, T) lie in memory with the draws of one step together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.flows.balance_of_payments import jcurve_weights, look_through
from riskengine.flows.clearing import N_CURRENCIES, Clearing, Known
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import ExternalAccounts
from riskengine.flows.orders import HolderOrders
from riskengine.flows.targets import TargetSellers
from riskengine.kernels.lanes import LANES
from riskengine.kernels.propagate import (
    PIN_FLOW,
    PIN_NONE,
    PIN_SENTIMENT,
    ROW_DRAWS,
    Dollar,
    Orders,
    Paths,
    Prices,
    Targets,
    propagate,
)

__all__ = ["PIN_FLOW", "PIN_NONE", "PIN_SENTIMENT", "FlowPaths", "FlowPrices", "PinnedDollar",
           "Scratch", "dollars_out", "run_recursion"]

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


BLOCK_DRAWS = 2 * ROW_DRAWS
"""Draws of one task when the recursion runs side by side."""


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


class FlowPaths(NamedTuple):
    """Results of the recursion by draw, (D, T) unless said.

    s : broad dollar.  yield_10y : flow channel, decimal.  equity : log price of equity through orders.
    at_horizon : (D,) f of every group of orders at the horizon.
    For the ledger, else None:  fraction : f of every group.  sold : (M, D, T) cumulative dollars by target
    seller.  needed : dollars the pinned path asks for.  current_account : from the dollar, USD bn a year.
    position : of the intermediaries, USD bn.  orders : (A, D, T) cumulative USD bn.
    """

    s: np.ndarray
    yield_10y: np.ndarray
    equity: np.ndarray
    at_horizon: tuple[np.ndarray, ...]
    fraction: tuple[np.ndarray, ...] | None
    sold: np.ndarray | None
    needed: np.ndarray | None
    current_account: np.ndarray | None
    position: np.ndarray | None
    orders: np.ndarray | None


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
    horizon: int | None = None,
    flows: bool = True,
) -> FlowPaths:
    """Run the kernel; with *run* in blocks of draws side by side, the same bits (draws are independent).

    differential : (D, T) change of the US less the foreign 2-year yield that the scenario itself brings,
    decimals.
    path_2y : (D,) 2-year yield per log point of s.  With rate differentials off, ρ = 0.
    horizon : steps up to the horizon, None for all.  flows : False leaves out what only the ledger needs.
    """
    count, steps = differential.shape
    last = (steps if horizon is None else horizon) - 1
    sellers = pinned.sellers
    desired = [g for g, group in enumerate(orders.groups) if not group.given]
    out = _run_kernel(
        count,
        _pack_orders(orders, clearing, desired, draws, steps, dt),
        Targets(*(_lanes(x) for x in (sellers.share, sellers.capacity, np.concatenate(
            [sellers.to_class, sellers.treasury[:, None]], axis=1)))),
        _pack_dollar(orders, pinned, accounts, draws, differential, path_2y, dt),
        draws.derive("propagators packed", lambda: _pack_prices(prices), prices),
        _empty_paths((_width(count), steps, len(desired), len(sellers.names)), 0 if flows else last, flows,
                     scratch),
        run,
    )
    place = {g: n for n, g in enumerate(desired)}

    def of_group(g: int) -> np.ndarray:
        if g in place:
            return out.fraction[place[g], :, :count].T
        return np.broadcast_to(orders.groups[g].path, (count, steps))

    at_horizon = tuple(
        of_group(g)[:, last] if flows or g not in place else out.fraction[place[g], 0, :count]
        for g in range(len(orders.groups)))
    prices_of = (out.s[:, :count].T, out.yield_10y[:, :count].T, out.equity[:, :count].T, at_horizon)
    if not flows:
        return FlowPaths(*prices_of, None, None, None, None, None, None)
    return FlowPaths(
        *prices_of, tuple(of_group(g) for g in range(len(orders.groups))),
        out.sold[:, :, :count].transpose(0, 2, 1), out.needed[:, :count].T, out.current_account[:, :count].T,
        out.position[:, :count].T, out.orders[:, :, :count].transpose(0, 2, 1))


def _run_kernel(
    count: int, orders: Orders, targets: Targets, dollar: Dollar, prices: Prices, out: Paths, run: Map | None
) -> Paths:
    def some(span: tuple[int, int]) -> None:
        propagate(orders, targets, dollar, prices, span, out)

    end = -(-count // ROW_DRAWS) * ROW_DRAWS
    if run is None:
        some((0, end))
    else:
        run(some, [(lo, min(lo + BLOCK_DRAWS, end)) for lo in range(0, end, BLOCK_DRAWS)])
    return out


def _pack_orders(
    orders: HolderOrders, clearing: Clearing, desired: list[int], draws: ParameterDraws, steps: int, dt: float
) -> Orders:
    """Groups that follow the same given path become one."""
    rows = len(ASSET_CLASSES) + 2
    given: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    for group, flows in zip(orders.groups, clearing.groups, strict=True):
        if group.given:
            key = group.path.tobytes()
            known = given.get(key)
            given[key] = group.path, flows.lines if known is None else known[1] + flows.lines
    groups = [orders.groups[g] for g in desired]

    def stack(values: list[np.ndarray], *shape: int) -> np.ndarray:
        return np.stack(values) if values else np.zeros((0, *shape))

    return Orders(
        path=stack([path for path, _ in given.values()], steps),
        path_lines=_lanes(stack([lines for _, lines in given.values()], rows, draws.count)),
        asset_class=np.array([g.asset_class for g in groups], dtype=np.int64),
        phase=stack([g.phase for g in groups], steps),
        wedge=_lanes(stack([g.wedge for g in groups], draws.count)),
        speed=_lanes(stack([-np.expm1(-g.speed * dt) for g in groups], draws.count)),
        elasticity=_lanes(stack([g.elasticity for g in groups], draws.count)),
        lines=_lanes(stack([clearing.groups[g].lines for g in desired], rows, draws.count)),
    )


def _pack_dollar(
    orders: HolderOrders, pinned: PinnedDollar, accounts: ExternalAccounts, draws: ParameterDraws,
    differential: np.ndarray, path_2y: np.ndarray, dt: float,
) -> Dollar:
    def through_time(flows: list[tuple[str, np.ndarray]]) -> np.ndarray:
        if not flows:
            return draws.derive("nothing packed", lambda: _lanes(np.zeros((1, draws.count))))
        first, *others = (x for _, x in flows)
        return _by_step(sum(others, first))

    def fixed() -> np.ndarray:
        gamma = draws["gamma_broad_per_gdp"] / accounts.gdp
        eta_gdp = draws["ca_per_10pct_depreciation"] / 10 * accounts.gdp
        theta = look_through(gamma, eta_gdp, draws["theta_threshold"])
        # rho: % of the dollar per 100 bp = log points per 1.00 of yield
        differentials = draws.settings.rate_differentials
        rho = draws["rho_broad_per_100bp_2y"] if differentials else np.zeros(draws.count)
        return _lanes(np.stack([gamma, eta_gdp, theta, rho, 1.0 + rho * path_2y]))

    return Dollar(
        draws.derive("dollar", fixed, accounts, path_2y),
        through_time(orders.outside), through_time(orders.extra_account),
        through_time([("", differential)] if differential.any() else []),
        through_time([("", pinned.s)] if (pinned.kind != PIN_NONE).any() else []),
        _lanes(pinned.kind, np.int64),
        draws.derive(("j-curve", dt), lambda: jcurve_weights(dt, draws)), dt,
    )


def _pack_prices(prices: FlowPrices) -> Prices:
    gap = prices.impact - prices.long_run
    return Prices(_lanes(np.stack([prices.long_run, gap, prices.decay, prices.duration])),
                  _lanes(prices.per_order.T))


def _empty_paths(
    size: tuple[int, int, int, int], first_fraction: int, flows: bool, scratch: Scratch | None
) -> Paths:
    """size : draws, steps, groups with desired orders, sellers."""
    width, steps, groups, sellers = size
    kept, classes = (steps, len(ASSET_CLASSES)) if flows else (1, 0)
    shape = (*size, kept)
    if scratch is not None and shape in scratch.paths:
        found = scratch.paths[shape]
        found.sold[:] = 0.0
        return found._replace(first_fraction=first_fraction)
    s, yield_10y, equity = (np.empty((steps, width)) for _ in range(3))
    needed, current_account, position = (np.empty((kept, width)) for _ in range(3))
    out = Paths(s, yield_10y, equity, needed, current_account, position, np.zeros((sellers, kept, width)),
                np.empty((classes, kept, width)), np.empty((groups, kept, width)), first_fraction)
    if scratch is not None:
        scratch.paths.clear()
        scratch.paths[shape] = out
    return out


def dollars_out(paths: FlowPaths, clearing: Clearing) -> tuple[np.ndarray, np.ndarray]:
    """Dollars that have left by the sales of the groups at the horizon: in all (D,), by home currency
    (D, 21)."""
    total, by_currency = np.zeros(len(paths.s)), np.zeros((N_CURRENCIES, len(paths.s)))
    for fraction, flows in zip(paths.at_horizon, clearing.groups, strict=True):
        total -= flows.dollars * fraction
        by_currency -= flows.by_currency * fraction
    return total, by_currency.T


def _by_step(values: np.ndarray) -> np.ndarray:
    """(D, T) as (T, D)."""
    return _lanes(values.T)


def _lanes(values: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """Contiguous, the last axis filled up with zeros to :func:`_width`."""
    count = values.shape[-1]
    wide = np.zeros((*values.shape[:-1], _width(count)), dtype=dtype)
    wide[..., :count] = values
    return wide


def _width(count: int) -> int:
    """Length of rows in the kernel: a little more than whole blocks, so that rows do not fall on the same
    lines of the cache."""
    return -(-count // ROW_DRAWS) * ROW_DRAWS + LANES
