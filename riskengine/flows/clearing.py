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
    """What a group does per unit of −f (all of its amounts sold); USD bn, the draws along the last axis.

    lines : (A + 2, D) what the recursion adds up per unit of +f: to_class, the Treasury orders weighted for
    their effect on yields, −dollars.
    to_class : (A, D) executed orders per unit of +f (negative where others are bought).  net : (A, D) the
    part that US residents take.  sold : (D,) net sale of its own class, other_us : (D,) purchases in other
    classes, deposits,
    hedges, retained, defended, dollars : (D,), with sold = other_us + deposits + hedges + retained + defended
    + dollars.
    by_currency : (21, D) dollars of holders with a currency of the model.
    """

    lines: np.ndarray
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
        return np.stack([draws["hedge_ratio_official"]] * len(ASSET_CLASSES)).T
    debt, equity = draws["hedge_ratio_private_debt"], draws["hedge_ratio_private_equity"]
    return np.stack([equity if name == "equity" else debt for name in ASSET_CLASSES]).T


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
    return residents / (residents + foreign), private + draws.median("official_elasticity_ratio") * official


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
    columns = draws.derive("currency columns", lambda: currency_columns(accounts), accounts)
    by_class = {shock: np.ascontiguousarray(share.T) for shock, share in shares.items()}
    groups = tuple(
        _group_flows(group, by_class[group.shock], reallocation[group.sector], columns,
                     draws) for group in orders.groups
    )
    return Clearing(groups, shares, absorbers, reallocation)


def _group_flows(
    group: OrderGroup, share: np.ndarray, reallocation: np.ndarray, columns: np.ndarray, draws: ParameterDraws
) -> GroupFlows:
    """share : (A, D) of US residents.  reallocation : (H, A).  columns : (H, 23); bought per other_us."""
    a, k = group.asset_class, group.sector
    classes = reallocation.shape[1]
    own = columns.T @ group.amounts.T  # (23, P)
    bought = [(columns * reallocation[:, b, None]).T @ group.amounts.T for b in range(classes)]
    own_total, bought_total = own.sum(axis=0), [x.sum(axis=0) for x in bought]  # (P,)
    other_us, out = group.proceeds.other_us, group.proceeds.abroad
    hedge = draws.derive(("hedge", k), lambda: np.ascontiguousarray(hedge_ratios(draws, k).T))  # (A, D)
    lines = np.empty((classes + 2, draws.count))
    to_class = lines[:classes]
    sold = share[a] * own_total
    unhedged = (1 - hedge[a]) * share[a] * own  # (23, D)
    hedged, bought_net = hedge[a] * sold, np.zeros(draws.count)
    for b in range(classes):
        to_class[b] = -other_us * bought_total[b]
        taken = share[b] * other_us
        bought_net += taken * bought_total[b]
        if bought_total[b].any():
            unhedged -= (1 - hedge[b]) * taken * bought[b]
            hedged -= hedge[b] * taken * bought_total[b]
    to_class[a] += own_total
    proceeds = sold - bought_net
    abroad = out * unhedged
    retained = np.zeros(draws.count)
    if k == PRIVATE:
        converted = draws["conversion_usd_domiciled"]
        retained = (1 - converted) * abroad[USD_DOMICILED]
        abroad[USD_DOMICILED] *= converted
    dollars = abroad.sum(axis=0)
    defended = np.zeros_like(dollars)
    if group.proceeds.defend and k == OFFICIAL:
        defended, dollars, abroad = dollars, np.zeros_like(dollars), np.zeros_like(abroad)
    lines[classes] = to_class[0] * (draws["private_flow_weight_in_yields"] if k == PRIVATE else 1.0)
    lines[classes + 1] = -dollars
    return GroupFlows(
        lines=lines,
        to_class=to_class,
        net=to_class * share,
        sold=sold,
        other_us=bought_net,
        deposits=(1 - out) * proceeds,
        hedges=out * hedged,
        retained=retained,
        defended=defended,
        dollars=dollars,
        by_currency=abroad[:N_CURRENCIES],
    )
