"""Who absorbs, and where the money goes: coefficients of every order group (METHOD 4 and 5).

    US share of class a     RES ε / (RES ε + Σ_h ε_h H_h),  sellers of given orders left out, Federal Reserve
    0
    net outflow             F[a] = X[a] × US share; the rest changes hands between foreigners
    dollars out             net sale × abroad × (1 − hedge ratio) × conversion

All of it is linear in the paths f of the groups, so one pass makes matrices and the recursion touches no
holder. Elasticities within a class are equal up to the official ratio q, which therefore is the only one that
matters here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import ASSET_CLASSES, CURRENCIES
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import OFFICIAL, PRIVATE, ExternalAccounts
from riskengine.flows.orders import HolderOrders, OrderGroup

N_CURRENCIES = len(CURRENCIES)
OTHER_CURRENCY, USD_DOMICILED = N_CURRENCIES, N_CURRENCIES + 1
"""Columns behind the currencies: holders whose currency is no factor, and holders who account in dollars."""


@dataclass(frozen=True, slots=True)
class GroupFlows:
    """What a group does per unit of −f (all of its amounts sold); USD bn, arrays (D, …).

    to_class : (D, A) executed orders per unit of +f (negative where others are bought).  net : (D, A) the
    part that US residents take.  sold : (D,) net sale of its own class, other_us : (D,) purchases in other
    classes, deposits,
    hedges, retained, defended, dollars : (D,), with sold = other_us + deposits + hedges + retained + defended
    + dollars.
    by_currency : (D, 21) dollars of holders with a currency of the model.
    """

    to_class: np.ndarray
    net: np.ndarray
    sold: np.ndarray
    other_us: np.ndarray
    deposits: np.ndarray
    hedges: np.ndarray
    retained: np.ndarray
    defended: np.ndarray
    dollars: np.ndarray
    by_currency: np.ndarray


@dataclass(frozen=True, slots=True)
class Clearing:
    """Coefficients of all groups.

    us_share : shock → (D, A).  absorbers : shock → (H, A) holdings of foreigners who may buy, weighted
    (median draw).
    reallocation : (2, H, A) how a holder spreads what he puts into other US classes.
    """

    groups: tuple[GroupFlows, ...]
    us_share: dict[int, np.ndarray]
    absorbers: dict[int, np.ndarray]
    reallocation: np.ndarray


Known = dict[tuple, Clearing]
"""Clearings by what they depend on."""
KEPT_CLEARINGS = 4


def hedge_ratios(draws: ParameterDraws, sector: int) -> np.ndarray:
    """(D, A) share of holdings hedged against the dollar."""
    if sector == OFFICIAL:
        return np.repeat(draws["hedge_ratio_official"][:, None], len(ASSET_CLASSES), axis=1)
    debt, equity = draws["hedge_ratio_private_debt"], draws["hedge_ratio_private_equity"]
    return np.stack([equity if name == "equity" else debt for name in ASSET_CLASSES], axis=1)


def currency_columns(accounts: ExternalAccounts) -> np.ndarray:
    """(H, 23) one in the column of each holder's home currency, OTHER_CURRENCY or USD_DOMICILED."""
    columns = np.zeros((len(accounts.areas), N_CURRENCIES + 2))
    for h, holder in enumerate(accounts.areas):
        if holder.usd_domiciled:
            columns[h, USD_DOMICILED] = 1.0
        elif holder.currency in CURRENCIES:
            columns[h, CURRENCIES.index(holder.currency)] = 1.0
        else:
            columns[h, OTHER_CURRENCY] = 1.0
    return columns


def us_share(
    accounts: ExternalAccounts, draws: ParameterDraws, excluded: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """US share (D, A) of what is sold, and the foreign absorbers' holdings (H, A) weighted with the median
    ratio.

    excluded : (H, A) bool, sellers of given orders.
    """
    private, official = (np.where(excluded, 0.0, sector) for sector in accounts.by_sector)
    ratio = draws["official_elasticity_ratio"]
    foreign = private.sum(axis=0)[None] + ratio[:, None] * official.sum(axis=0)[None]
    residents = accounts.residents[None]
    return residents / (residents + foreign), private + np.median(ratio) * official


def clear(
    orders: HolderOrders, accounts: ExternalAccounts, draws: ParameterDraws, known: Known | None = None
) -> Clearing:
    """Coefficients of all order groups; see :class:`GroupFlows`.

    known : results of earlier calls with the same accounts and draws, used and added to: orders that differ
    in their paths only (a tax rate, a schedule) have the same coefficients.
    """
    if known is None:
        return _clear(orders, accounts, draws)
    key = tuple(_amounts_key(group) for group in orders.groups)
    if key not in known:
        while len(known) >= KEPT_CLEARINGS:
            del known[next(iter(known))]
        known[key] = _clear(orders, accounts, draws)
    return known[key]


def _amounts_key(group: OrderGroup) -> tuple:
    """All of a group that its coefficients depend on."""
    use = group.proceeds
    return (group.shock, group.asset_class, group.sector, group.given, group.absent, use.defend,
            group.amounts.shape, group.amounts.tobytes(), use.other_us.tobytes(), use.abroad.tobytes())


def _clear(orders: HolderOrders, accounts: ExternalAccounts, draws: ParameterDraws) -> Clearing:
    holders, classes = accounts.holdings.shape
    sold_cells = np.zeros((2, holders, classes), dtype=bool)
    excluded: dict[int, np.ndarray] = {}
    for group in orders.groups:
        sells = np.any(group.amounts != 0, axis=0)  # or buys, in a surge of inflows
        if not group.absent:
            sold_cells[group.sector, :, group.asset_class] |= sells
        mask = excluded.setdefault(group.shock, np.zeros((holders, classes), dtype=bool))
        if group.given:
            mask[:, group.asset_class] |= sells
    shares: dict[int, np.ndarray] = {}
    absorbers: dict[int, np.ndarray] = {}
    for shock, mask in excluded.items():
        shares[shock], absorbers[shock] = us_share(accounts, draws, mask)
    keep = np.where(sold_cells, 0.0, np.maximum(accounts.by_sector, 0.0))
    kept = keep.sum(axis=2, keepdims=True)
    reallocation = np.divide(keep, kept, out=np.zeros_like(keep), where=kept > 0)
    columns = currency_columns(accounts)
    groups = tuple(
        _group_flows(group, shares[group.shock], reallocation[group.sector], columns,
                     draws) for group in orders.groups
    )
    return Clearing(groups, shares, absorbers, reallocation)


def _group_flows(
    group: OrderGroup, share: np.ndarray, reallocation: np.ndarray, columns: np.ndarray, draws: ParameterDraws
) -> GroupFlows:
    a, k = group.asset_class, group.sector
    classes = reallocation.shape[1]
    own = group.amounts @ columns  # (P, 23)
    spread = (reallocation[:, :, None] * columns[:, None, :]).reshape(columns.shape[0], -1)
    bought = (group.amounts @ spread).reshape(-1, classes,
                                              columns.shape[1])  # (P, A, 23) per unit of other_us
    other_us = group.proceeds.other_us[:, None]
    own_net = share[:, a, None] * own
    bought_net = _over_classes(share * other_us, bought)  # (D, 23)
    hedge = hedge_ratios(draws, k)
    unhedged = (1 - hedge[:, a, None]) * own_net - _over_classes((1 - hedge) * share * other_us, bought)
    proceeds = own_net - bought_net
    abroad = group.proceeds.abroad[:, None] * unhedged
    hedges = group.proceeds.abroad * (proceeds - unhedged).sum(axis=1)
    retained = np.zeros(len(abroad))
    if k == PRIVATE:
        converted = draws["conversion_usd_domiciled"]
        retained = (1 - converted) * abroad[:, USD_DOMICILED]
        abroad[:, USD_DOMICILED] *= converted
    dollars = abroad.sum(axis=1)
    defended = np.zeros_like(dollars)
    if group.proceeds.defend and k == OFFICIAL:
        defended, dollars, abroad = dollars, np.zeros_like(dollars), np.zeros_like(abroad)
    to_class = -other_us * bought.sum(axis=2)
    to_class[:, a] += own.sum(axis=1)
    return GroupFlows(
        to_class=to_class,
        net=to_class * share,
        sold=own_net.sum(axis=1),
        other_us=bought_net.sum(axis=1),
        deposits=(1 - group.proceeds.abroad) * proceeds.sum(axis=1),
        hedges=hedges,
        retained=retained,
        defended=defended,
        dollars=dollars,
        by_currency=abroad[:, :N_CURRENCIES],
    )


def _over_classes(weight: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Σ_a weight[d, a]·amounts[p, a, c], (D, 23), class after class; weight (D, A), amounts (P, A, 23), P = 1
    or D."""
    total = np.zeros((weight.shape[0], amounts.shape[2]))
    for a in range(weight.shape[1]):
        total += weight[:, a, None] * amounts[:, a]
    return total
