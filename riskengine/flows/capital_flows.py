"""Capital flows of every kind, from the paths of the recursion: what the ledger and the report ask for.

All of it is linear in the paths f of the groups; groups that follow the same given path are added up first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.flows.clearing import Clearing, GroupFlows
from riskengine.flows.orders import HolderOrders, OrderGroup
from riskengine.flows.propagation import FlowPaths, PinnedDollar, dollars_out
from riskengine.kernels.moves import combine

USES = ("sold", "other_us", "deposits", "hedges", "retained", "defended", "dollars")
"""What becomes of a sale: sold = the sum of all that follow."""


@dataclass(frozen=True, slots=True)
class CapitalFlows:
    """All flows of a scenario, cumulative USD bn, arrays (D, T) unless said.

    own_orders, reallocated, target_sold, migration, foreign_absorbed, net, orders : (A, D, T); orders with
    METHOD 0's sign (purchase +), target_sold and migration as positive sales; net = the part that crosses to
    US residents; orders = all orders.
    proceeds : one entry per USES.  beyond : dollars of targets without securities.  position : of the
    intermediaries.
    current_account : USD bn a year, through the dollar.  revenue : USD bn per step.
    fraction : f of the groups.  target_dollars : (M, D, T).
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
    fraction: tuple[np.ndarray, ...]
    target_dollars: np.ndarray
    by_currency: np.ndarray
    managed_share: np.ndarray


def collect_flows(
    paths: FlowPaths, orders: HolderOrders, clearing: Clearing, pinned: PinnedDollar, steps: int, dt: float
) -> CapitalFlows:
    """Cumulative flows of every kind over the first *steps* steps, from the paths of the groups."""
    count, classes = len(paths.s), len(ASSET_CLASSES)
    fraction = tuple(f[:, :steps] for f in paths.fraction)
    lines = _add_lines(orders, clearing, fraction, count, steps)
    own, bought, net = (lines[n * classes : (n + 1) * classes] for n in range(3))
    uses = {name: lines[3 * classes + n] for n, name in enumerate(USES)}
    _, by_currency = dollars_out(paths, clearing)
    sellers, sold = pinned.sellers, paths.sold[:, :, :steps]
    target, target_net = np.zeros_like(own), np.zeros_like(own)
    for m in range(len(sellers.names)):
        target += sellers.to_class[m, :, :, None] * sold[m]
        target_net += sellers.net[m, :, :, None] * sold[m]
        for name in ("deposits", "hedges", "retained"):
            uses[name] += getattr(sellers, name)[m, :, None] * sold[m]
    if sellers.names:
        uses["sold"] += target_net.sum(axis=0)
        uses["dollars"] += sold.sum(axis=0)
    net = net - target_net if sellers.names else net
    migration, revenue = _migration_and_revenue(orders, fraction, count, steps, dt)
    return CapitalFlows(
        dt=dt, own_orders=own, reallocated=bought, target_sold=target,
        migration=migration,
        foreign_absorbed=own + bought - target - net, net=net,
        proceeds=uses,
        outside=tuple((name, x[:, :steps]) for name, x in orders.outside),
        extra_account=tuple((name, x[:, :steps]) for name, x in orders.extra_account),
        beyond=paths.needed[:, :steps] - sold.sum(axis=0), position=paths.position[:, :steps],
        current_account=paths.current_account[:, :steps], revenue=revenue, orders=paths.orders[:, :, :steps],
        fraction=fraction, target_dollars=sold, by_currency=by_currency, managed_share=np.zeros(count),
    )


def _add_lines(
    orders: HolderOrders, clearing: Clearing, fraction: tuple[np.ndarray, ...], count: int, steps: int
) -> np.ndarray:
    """(3 A + uses, D, T): own orders, other classes bought, the net part, by class; then the uses of
    proceeds."""
    given: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    drivers: list[np.ndarray] = []
    places, weights = [], []
    for group, flows, f in zip(orders.groups, clearing.groups, fraction, strict=True):
        coefficients = _coefficients(group, flows)
        if group.given:
            path = group.path[:steps]
            key = path.tobytes()
            known = given.get(key)
            given[key] = path, coefficients if known is None else known[1] + coefficients
            continue
        for row in np.flatnonzero(coefficients.any(axis=1)):
            places.append((row, len(drivers)))
            weights.append(coefficients[row])
        drivers.append(f.T)
    lines = np.zeros((3 * len(ASSET_CLASSES) + len(USES), steps, count))
    for path, coefficients in given.values():
        for row in np.flatnonzero(coefficients.any(axis=1)):
            lines[row] += np.multiply.outer(path, coefficients[row])
    if places:
        rows, of = np.array(places, dtype=np.int64).T.copy()
        combine(rows, of, np.stack(weights), np.stack(drivers), lines)
    return lines.transpose(0, 2, 1)


def _coefficients(group: OrderGroup, flows: GroupFlows) -> np.ndarray:
    """(3 A + uses, D) of one group."""
    a, classes = group.asset_class, len(ASSET_CLASSES)
    table = np.zeros((3 * classes + len(USES), flows.dollars.size))
    table[a] = flows.to_class[a]
    table[classes : 2 * classes] = flows.to_class
    table[classes + a] = 0.0
    table[2 * classes : 3 * classes] = flows.net
    for n, name in enumerate(USES):
        table[3 * classes + n] = -getattr(flows, name)
    return table


def _migration_and_revenue(
    orders: HolderOrders, fraction: tuple[np.ndarray, ...], count: int, steps: int, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Migration (A, D, T), cumulative sale into untaxed paper ≥ 0, and tax revenue (D, T) USD bn per step.

    Migration is the excess of the multiplied response over the simple one; nobody migrates more than he has
    left.
    """
    migration = np.zeros((len(ASSET_CLASSES), steps, count)).transpose(0, 2, 1)
    revenue = np.zeros((steps, count)).T
    for group, f in zip(orders.groups, fraction, strict=True):
        if group.migration is None and group.revenue is None:
            continue
        left = 1.0 + f
        amount = group.amounts.sum(axis=1)[:, None]
        if group.migration is not None:
            moved = np.minimum((group.migration[:, None] - 1.0) * -f, left)
            migration[group.asset_class] += amount * moved
            left = left - moved
        if group.revenue is not None:
            revenue += (group.revenue[:, None] * amount * dt) * (group.revenue_phase[None, :steps] * left)
    return migration, revenue
