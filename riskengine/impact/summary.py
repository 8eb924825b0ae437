"""The chain at a glance, and the plain sentences that go with it: floors that bind, results outside the
linear range."""

from __future__ import annotations

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.flows.balance_of_payments import split_current_account
from riskengine.flows.clearing import Clearing
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import ExternalAccounts
from riskengine.flows.capital_flows import CapitalFlows
from riskengine.flows.propagation import PinnedDollar
from riskengine.flows.orders import SECTORS, HolderOrders
from riskengine.flows.targets import TargetSellers
from riskengine.impact.asset_prices import LINEAR_ORDERS
from riskengine.impact.response import Chain
from riskengine.policy.scenario import Scenario
from riskengine.policy.shocks import InflowSlowdown, OwnershipCap

LINEAR_DOLLAR = 0.25
REPORTED_SHARE = 0.05
"""A remark is made when it concerns at least this share of the draws."""


def summarise_chain(
    accounts: ExternalAccounts, orders: HolderOrders, clearing: Clearing, flows: CapitalFlows,
    sellers: TargetSellers,
    draws: ParameterDraws, s: np.ndarray, treasury_flow: np.ndarray, treasury_path: np.ndarray,
    equity_index: np.ndarray, t: np.ndarray,
) -> Chain:
    """Arrays of the chain; see :class:`riskengine.impact.response.Chain`.

    s, treasury_*, equity_index are prices (announcement included); flows are what has been executed.
    """
    change = sum((x for _, x in flows.extra_account), flows.current_account)
    saving, investment, sectors = split_current_account(change, t, draws)
    outside = sum((x for _, x in flows.outside), np.zeros_like(s))
    return Chain(
        gross_orders=flows.orders.sum(axis=0),
        net_outflow=flows.net.sum(axis=0),
        dollars_out=flows.proceeds["dollars"] + outside + flows.beyond,
        broad_dollar=s,
        treasury_flow=treasury_flow,
        treasury_path=treasury_path,
        current_account_change=change,
        saving_change=saving,
        investment_change=investment,
        saving_by_sector=sectors,
        equity_index=equity_index,
        holders=accounts.holders,
        holder_orders=holder_orders(accounts, orders, clearing, flows, sellers),
        absorbers=absorbers(accounts, clearing, flows),
    )


def holder_orders(
    accounts: ExternalAccounts, orders: HolderOrders, clearing: Clearing, flows: CapitalFlows,
    sellers: TargetSellers
) -> np.ndarray:
    """(H, A, 3) median, p16, p84 of cumulative orders at the horizon, purchases in other US classes
    included."""
    holders, classes = accounts.holdings.shape
    count = flows.orders.shape[1]
    total = np.zeros((holders, classes, count))
    for g, group in enumerate(orders.groups):
        f = flows.fraction[g][:, -1]
        moved = group.amounts.T * f[None]  # (H, D)
        total[:, group.asset_class] += moved
        other = group.proceeds.other_us
        if other.any():
            spread = clearing.reallocation[group.sector]
            for a in np.flatnonzero(spread.any(axis=0)):
                total[:, a] -= spread[:, a, None] * moved * other[None]
    if sellers.names:
        by_seller = flows.target_dollars[:, :, -1][:, None] * sellers.to_class  # (M, A, D)
        total -= np.einsum("mad,mh->had", by_seller, sellers.holder)
    moved = total.any(axis=2)
    bands = np.zeros((3, holders, classes))
    bands[:, moved] = np.percentile(total[moved], (50, 16, 84), axis=1)
    return bands.transpose(1, 2, 0)


def absorbers(accounts: ExternalAccounts, clearing: Clearing, flows: CapitalFlows) -> tuple[tuple[str, float],
                                                                                            ...]:
    """Who bought at the horizon, USD bn (median), largest first; 'US residents' and the foreign buyers."""
    bought = -np.median(flows.foreign_absorbed[:, :, -1], axis=1)  # (A,), sign of the sellers' orders
    weights = np.zeros_like(accounts.holdings)
    for stock in clearing.absorbers.values():
        weights += stock
    total = weights.sum(axis=0)
    share = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    rows = [(name, float(x)) for name, x in zip(accounts.holders, share @ bought,
                                                strict=True) if abs(x) > 1e-9]
    residents = -float(np.median(flows.net[:, :, -1].sum(axis=0)))
    if abs(residents) > 1e-9:
        rows.append(("US residents", residents))
    return tuple(sorted(rows, key=lambda row: -row[1]))


def find_flags(
    scenario: Scenario, accounts: ExternalAccounts, orders: HolderOrders, flows: CapitalFlows, s: np.ndarray,
    pinned: PinnedDollar, draws: ParameterDraws,
) -> tuple[str, ...]:
    """Remarks a reader of the result must see."""
    flags = list(orders.flags)
    for a, name in enumerate(ASSET_CLASSES):
        far = np.abs(flows.orders[a]).max(axis=1) > LINEAR_ORDERS * accounts.capitalisation[a]
        if far.mean() >= REPORTED_SHARE:
            flags.append(f"outside the linear range: {name} orders exceed 10% of the market in "
                         f"{_percent(far)} of the draws")
    flags += _overlapping_taxes(orders, flows)
    far = np.abs(s).max(axis=1) > LINEAR_DOLLAR
    if far.mean() >= REPORTED_SHARE:
        flags.append("outside the linear range: the broad dollar moves more than 25% in "
                     f"{_percent(far)} of the draws")
    if pinned.sellers.names:
        short = flows.beyond[:, -1] > 1e-6
        if short.mean() >= REPORTED_SHARE:
            gap = np.median(flows.beyond[short, -1])
            flags.append(f"holdings of the sellers are exhausted in {_percent(short)} of the draws; median "
                         f"shortfall there {gap:,.0f} USD bn, met without securities (swap lines)")
    if not scenario.flow_channel:
        flags.append("flow channel off: orders do not move yields (the claim that only expected policy does)")
    theta = np.median(np.maximum(0, 1 - draws["theta_threshold"] / np.maximum(
        draws["gamma_broad_per_gdp"] * draws["ca_per_10pct_depreciation"] / 10, 1e-300)))
    if theta > 0:
        flags.append("intermediaries look through the improvement in the pipeline at the median parameters")
    short_survey = accounts.published_official is None and any(
        isinstance(x, OwnershipCap | InflowSlowdown) for x in scenario.shocks)
    if short_survey:
        flags.append(f"holdings of {accounts.accounts_as_of} against market sizes and purchases of the "
                     "as-of date")
    return tuple(dict.fromkeys(flags))


def _overlapping_taxes(orders: HolderOrders, flows: CapitalFlows) -> list[str]:
    """Desired sales of several shocks in one class add up; a remark when they could exceed what is held."""
    flags = []
    for k, sector in enumerate(SECTORS):
        for a, name in enumerate(ASSET_CLASSES):
            by_shock: dict[int, np.ndarray] = {}
            for g, group in enumerate(orders.groups):
                if not group.given and (group.sector, group.asset_class) == (k, a):
                    most = flows.fraction[g].min(axis=1)
                    by_shock[group.shock] = np.minimum(by_shock.get(group.shock, 0.0), most)
            over = sum(by_shock.values(), np.zeros(flows.orders.shape[1])) < -1.0
            if len(by_shock) > 1 and over.any():
                flags.append(f"{name}: the taxes together would make {sector} holders sell more than they "
                             f"hold in {_percent(over)} of the draws")
    return flags


def _percent(which: np.ndarray) -> str:
    return f"{100 * which.mean():.0f}%"
