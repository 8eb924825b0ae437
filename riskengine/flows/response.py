"""Holders' orders: what each shock makes foreigners sell (METHOD 2 and 3).

    given orders    executed amounts; the sellers are not among the absorbers (this file)
    desired orders  error correction towards what holders want after a tax (desired_orders)

Nobody sells more than he holds: floors bind with a flag.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np

from riskengine.base.axes import ASSET_CLASSES, CURRENCIES
from riskengine.base.errors import InputError, Problem
from riskengine.flows.draws import ParameterDraws, over_time
from riskengine.flows.external_accounts import OFFICIAL, PRIVATE, ExternalAccounts
from riskengine.flows.desired_orders import charge_fee, tax_purchases, withhold
from riskengine.flows.orders import (
    HolderOrders,
    OrderGroup,
    class_indices,
    compress,
    sector_indices,
    select_cells,
    select_holders,
    use_proceeds,
)
from riskengine.flows.shock_numbers import Numbers, phase, phase_integral
from riskengine.policy.scenario import Scenario
from riskengine.policy.shocks import (
    ConditionalStress,
    CurrencyAccord,
    DollarDepreciation,
    FactorShock,
    ForeignSelling,
    HedgeRatio,
    HistoricalReplay,
    InflowSlowdown,
    OwnershipCap,
    PolicyRatePath,
    PurchaseTax,
    Tariff,
    UserFee,
    WithholdingTax,
)


def respond(
    scenario: Scenario,
    accounts: ExternalAccounts,
    draws: ParameterDraws,
    numbers: Numbers,
    regimes: dict[int, np.ndarray],
    t: np.ndarray,
) -> HolderOrders:
    """Orders of every shock on the grid *t* (T,) years, ends of steps.

    Targets (accord, dollar depreciation) and imposed prices are handled where prices are made; a shock this
    room forgets is a failing test.
    """
    orders = HolderOrders()
    left = accounts.by_sector[None]
    for i, shock in enumerate(scenario.shocks):
        match shock:
            case ForeignSelling():
                left = _sell(orders, i, shock, accounts, draws, numbers, t, left, len(scenario.shocks) == 1)
            case OwnershipCap():
                left = _cap_ownership(orders, i, shock, accounts, draws, numbers, t, left)
            case InflowSlowdown():
                _slow_inflow(orders, i, shock, accounts, draws, numbers, t)
            case HedgeRatio():
                _hedge(orders, i, shock, accounts, draws, numbers, t)
            case Tariff():
                _tariff(orders, i, shock, accounts, draws, numbers, regimes[i], t)
            case CurrencyAccord():
                bought = sum(amount for _, amount in shock.commitments_usd_bn)
                if bought:
                    held = over_time(regimes[i].astype(np.float64), phase(shock.schedule, t))
                    orders.extra_account.append(("demand commitments of the accord", bought * held))
            case WithholdingTax() | UserFee() | PurchaseTax():
                pass  # desired orders, below: their base is what given orders leave
            case DollarDepreciation() | PolicyRatePath():
                pass  # prices: riskengine.impact
            case FactorShock() | HistoricalReplay() | ConditionalStress():
                pass  # prices: riskengine.impact
            case _:
                assert_never(shock)
    for i, shock in enumerate(scenario.shocks):
        match shock:
            case WithholdingTax():
                withhold(orders, i, shock, accounts, draws, numbers, t, left)
            case UserFee():
                charge_fee(orders, i, shock, accounts, draws, numbers, t, left)
            case PurchaseTax():
                tax_purchases(orders, i, shock, accounts, draws, numbers, t, left)
            case _:
                pass
    return orders


# ---------------------------------------------------------------- given orders
def _sell(
    orders: HolderOrders, i: int, shock: ForeignSelling, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray, left: np.ndarray, alone: bool,
) -> np.ndarray:
    """Orders of executed sales; returns what the holders have left, *left* itself when the shock is
    *alone*."""
    mask = select_holders(orders, accounts, shock.holders)
    sectors = sector_indices(shock.sector)
    classes = class_indices(shock.classes)
    chosen = np.ix_(np.arange(len(left)), sectors, np.flatnonzero(mask), classes)
    cells = left[chosen]  # (P, sectors, holders, classes)
    held = cells.sum(axis=(1, 2, 3))
    if shock.share is not None:
        fraction = numbers[i, "share"]
        wanted = compress(fraction)[0][:, None, None, None] * accounts.by_sector[chosen[1:]]
    elif shock.amount is not None:
        if not held.min() > 0:
            raise InputError(Problem("the named holders have nothing left to sell", field="holders",
                                     got=", ".join(shock.holders)))
        fraction = numbers[i, "amount"] / held
        wanted = compress(fraction)[0][:, None, None, None] * cells
    else:
        raise InputError(Problem("foreign selling needs an amount or a share"))
    sold = np.minimum(wanted, cells)
    short = float((wanted - sold).sum(axis=(1, 2, 3)).max())
    if short > 1e-9:
        orders.flags.append("foreign selling: holdings are exhausted, up to "
                            f"{short:,.0f} USD bn of the order is not "
                            "executed (nobody sells more than he holds)")
    sold, _ = compress(sold)
    for m, k in enumerate(sectors):
        for n, a in enumerate(classes):
            if np.any(sold[:, m, :, n]):
                amounts = np.zeros((len(sold), mask.size))
                amounts[:, mask] = sold[:, m, :, n]
                orders.groups.append(OrderGroup(
                    i, a, k, amounts, use_proceeds(draws, k, shock.use_of_proceeds), True,
                    path=-phase(shock.schedule, t)))
    if set(classes) == set(range(len(ASSET_CLASSES))) and PRIVATE in sectors:
        scope = accounts.holdings[mask].sum() / accounts.holdings.sum()
        change = over_time(-(fraction * scope), phase(shock.schedule, t))
        orders.residential = _add(orders.residential, change)
        orders.commercial = _add(orders.commercial, change)
    if alone:
        return left
    left = np.repeat(left, len(sold), axis=0) if len(left) == 1 else left.copy()
    left[np.arange(len(left))[:, None, None, None], *chosen[1:]] -= sold
    return left


def _add(total: np.ndarray | None, change: np.ndarray) -> np.ndarray:
    return change if total is None else total + change


def _cap_ownership(
    orders: HolderOrders, i: int, shock: OwnershipCap, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray, left: np.ndarray,
) -> np.ndarray:
    mask = select_holders(orders, accounts, shock.holders)
    (a,) = class_indices((shock.asset_class,))
    cells = select_cells(left, mask, (PRIVATE, OFFICIAL), (a,))
    held = cells.sum(axis=(1, 2, 3))
    excess = np.maximum(held - numbers[i, "limit"] * accounts.capitalisation[a], 0.0)
    if not excess.any():
        share_now = 100 * held.max() / accounts.capitalisation[a]
        orders.flags.append(f"ownership cap: foreigners hold {share_now:.1f}% of "
                            f"{shock.asset_class}, below the limit: nothing is sold")
    share = np.divide(excess, held, out=np.zeros_like(excess), where=held > 0)
    sold, _ = compress(compress(share)[0][:, None, None, None] * cells)
    speed = np.clip(t / shock.deadline_years, 0, 1) if shock.deadline_years > 0 else np.ones_like(t)
    for k in (PRIVATE, OFFICIAL):
        if np.any(sold[:, k, :, a]):
            orders.groups.append(OrderGroup(i, a, k, sold[:, k, :, a], use_proceeds(draws, k, "default"),
                                            True,
                                            path=-speed))
    return left - sold


def _slow_inflow(
    orders: HolderOrders, i: int, shock: InflowSlowdown, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray,
) -> None:
    mask = select_holders(orders, accounts, shock.holders)
    classes = class_indices(shock.classes)
    elapsed = phase_integral(shock.schedule, t)
    nothing = use_proceeds(draws, PRIVATE, "abroad")
    total = accounts.holdings.sum(axis=0)
    scope = {a: accounts.purchases[a] * accounts.holdings[mask, a].sum() / total[a]
             for a in classes if total[a] > 0}
    share = (numbers[i, "share"] if shock.share is not None
             else numbers[i, "amount_per_year"] / sum(scope.values()))
    for a in scope:
        for k in (PRIVATE, OFFICIAL):
            usual = accounts.purchases[a] * accounts.by_sector[k][:, a] * mask / total[a]
            amounts = compress(share)[0][:, None] * usual[None]
            orders.groups.append(OrderGroup(i, a, k, amounts, nothing, True, path=-elapsed, absent=True))
    if len(classes) == len(ASSET_CLASSES):
        part = accounts.holdings[mask].sum() / total.sum()
        property_ = accounts.real_estate
        slower = over_time(-(share * part), elapsed)
        orders.residential = _add(
            orders.residential, slower * property_.residential_purchases / property_.residential)
        orders.commercial = _add(
            orders.commercial, slower * property_.commercial_purchases / property_.commercial)


def _hedge(
    orders: HolderOrders, i: int, shock: HedgeRatio, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray,
) -> None:
    mask = select_holders(orders, accounts, shock.holders)
    domiciled = np.array([h.usd_domiciled for h in accounts.areas])
    private = accounts.by_sector[PRIVATE][:, list(class_indices(shock.classes))].sum(axis=1) * mask
    base = private[~domiciled].sum() + draws["conversion_usd_domiciled"] * private[domiciled].sum()
    sold = over_time(numbers[i, "change"] * base, phase(shock.schedule, t))
    orders.outside.append(("forward sales of dollars (hedge ratio)", sold))


def _tariff(
    orders: HolderOrders, i: int, shock: Tariff, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, haven: np.ndarray, t: np.ndarray,
) -> None:
    if "all" in shock.partners:
        weight = 1.0
    else:
        home = {name: h.currency for h in accounts.areas for name in (h.name, *h.aliases)}
        currencies = {p if p in CURRENCIES else home.get(p, "") for p in shock.partners}
        weight = sum(draws.settings.index_weights.get(c, 0.0) for c in currencies)
        if weight == 0:
            orders.flags.append("tariff: the partners have no weight in the broad dollar, so nothing moves")
    size = weight * numbers[i, "rate"] / draws["tariff_reference_rate"]
    flow = np.where(haven, -draws["tariff_haven_inflow"], draws["tariff_flight_outflow"]) * size
    progress = phase(shock.schedule, t)
    orders.outside.append(("safe haven (−) or flight (+) after the tariff", over_time(flow, progress)))
    easing = np.where(haven, -draws["tariff_foreign_easing"] * 1e-4, 0.0) * size
    orders.foreign_2y = _add(orders.foreign_2y, over_time(easing, progress))
    if shock.retaliation:
        orders.flags.append("tariff: retaliation changes no number here, tariffs reach the current account "
                            "only through the dollar")
