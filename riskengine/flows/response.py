"""Holders' orders: what each shock makes foreigners sell, and where the proceeds go (METHOD 2 and 3).

    given orders    executed amounts; the sellers are not among the absorbers
    desired orders  order = κ (W* − W),  W* = W0 exp(−ε max(wedge + dlogP[t−1], 0)),  κ = ln 2 / half-life

Holders that move in proportion form one group (same class, sector, wedge and speed), so that holder × time stays
factored: cumulative order[h, t] = amount[h] · f[t], f < 0 a sale, f ≥ −1.  The discrete step uses 1 − e^(−κ dt), exact
at any step length.  A tax enacted with a schedule is foreseen: holders look ahead by their own adjustment time 1/κ, so
that a linear schedule gives a linear sale.  Grandfathered paper matures at rate 1/4 a year and a purchase tax bites at
the pace of purchases 1/H; both replace κ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

import numpy as np

from riskengine.base.axes import ASSET_CLASSES, CURRENCIES
from riskengine.base.errors import InputError, Problem
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import OFFICIAL, PRIVATE, ExternalAccounts
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

SECTORS = ("private", "official")
_LN2 = float(np.log(2.0))


@dataclass(frozen=True, slots=True)
class Proceeds:
    """Shares of what a seller receives: other_us (D,) bought in classes he keeps; abroad (D,) of the rest, the
    remainder staying in dollar deposits.  defend: the dollars of official sellers go to their own residents."""

    other_us: np.ndarray
    abroad: np.ndarray
    defend: bool = False


@dataclass(frozen=True, slots=True)
class OrderGroup:
    """Holders that move in proportion: cumulative order[h, t] = amounts[h]·f[t].

    shock : position in the scenario.  amounts : (P, H) USD bn, P = 1 or D.  given : path (T,) is f itself; otherwise f
    adjusts at *speed* (D,) (per year) to the target of wedge (D,), phase (T,) and elasticity (D,).
    migration : multiple of the response where untaxed substitutes exist (1 = none).
    revenue : (D,) USD bn a year of tax per USD bn held while the phase is 1; revenue_phase (T,).
    """

    shock: int
    asset_class: int
    sector: int
    amounts: np.ndarray
    proceeds: Proceeds
    given: bool
    path: np.ndarray | None = None
    wedge: np.ndarray | None = None
    phase: np.ndarray | None = None
    speed: np.ndarray | None = None
    elasticity: np.ndarray | None = None
    migration: np.ndarray | None = None
    revenue: np.ndarray | None = None
    revenue_phase: np.ndarray | None = None
    absent: bool = False
    """True: purchases that do not come; no holding is touched, so what a holder keeps is unaffected."""


@dataclass(slots=True)
class HolderOrders:
    """All orders of a scenario.

    groups : orders of securities.  outside : (name, (D, T) cumulative dollars that leave without a sale).
    extra_account : (name, (D, T) current account from outside the dollar, USD bn a year).
    foreign_2y : (D, T) change of foreign 2-year yields.  residential, commercial : (D, T) log change of foreign
    capital in US property.  flags : plain sentences.
    """

    groups: list[OrderGroup] = field(default_factory=list)
    outside: list[tuple[str, np.ndarray]] = field(default_factory=list)
    extra_account: list[tuple[str, np.ndarray]] = field(default_factory=list)
    foreign_2y: np.ndarray | None = None
    residential: np.ndarray | None = None
    commercial: np.ndarray | None = None
    flags: list[str] = field(default_factory=list)


def respond(
    scenario: Scenario,
    accounts: ExternalAccounts,
    draws: ParameterDraws,
    numbers: Numbers,
    regimes: dict[int, np.ndarray],
    t: np.ndarray,
) -> HolderOrders:
    """Orders of every shock on the grid *t* (T,) years, ends of steps.

    Targets (accord, dollar depreciation) and imposed prices are handled where prices are made; a shock this room
    forgets is a failing test.
    """
    shape = (draws.count, t.size)
    orders = HolderOrders(foreign_2y=np.zeros(shape), residential=np.zeros(shape), commercial=np.zeros(shape))
    left = accounts.by_sector[None].copy()
    for i, shock in enumerate(scenario.shocks):
        match shock:
            case ForeignSelling():
                left = _sell(orders, i, shock, accounts, draws, numbers, t, left)
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
                    held = regimes[i][:, None] * phase(shock.schedule, t)[None]
                    orders.extra_account.append(("demand commitments of the accord", bought * held))
            case WithholdingTax() | UserFee() | PurchaseTax():
                pass  # desired orders, below: their base is what given orders leave
            case DollarDepreciation() | PolicyRatePath() | FactorShock() | HistoricalReplay() | ConditionalStress():
                pass  # prices: riskengine.impact
            case _:
                assert_never(shock)
    for i, shock in enumerate(scenario.shocks):
        match shock:
            case WithholdingTax():
                _withhold(orders, i, shock, accounts, draws, numbers, t, left)
            case UserFee():
                _charge_fee(orders, i, shock, accounts, draws, numbers, t, left)
            case PurchaseTax():
                _tax_purchases(orders, i, shock, accounts, draws, numbers, t, left)
            case _:
                pass
    return orders


# ---------------------------------------------------------------- given orders
def _sell(
    orders: HolderOrders, i: int, shock: ForeignSelling, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray, left: np.ndarray,
) -> np.ndarray:
    mask = _mask(orders, accounts, shock.holders)
    sectors = _sectors(shock.sector)
    classes = _classes(shock.classes)
    cells = _cells(left, mask, sectors, classes)
    held = cells.sum(axis=(1, 2, 3))
    if shock.share is not None:
        wanted = numbers[i, "share"][:, None, None, None] * _cells(
            accounts.by_sector[None], mask, sectors, classes)
        fraction = numbers[i, "share"]
    elif shock.amount is not None:
        amount = numbers[i, "amount"]
        if not held.min() > 0:
            raise InputError(Problem("the named holders have nothing left to sell", field="holders",
                                     got=", ".join(shock.holders)))
        wanted = (amount / held)[:, None, None, None] * cells
        fraction = amount / held
    else:
        raise InputError(Problem("foreign selling needs an amount or a share"))
    sold = np.minimum(wanted, cells)
    short = float((wanted - sold).sum(axis=(1, 2, 3)).max())
    if short > 1e-9:
        orders.flags.append(f"foreign selling: holdings are exhausted, up to {short:,.0f} USD bn of the order is not "
                            "executed (nobody sells more than he holds)")
    sold, constant = _compress(sold)
    for k in sectors:
        for a in classes:
            if np.any(sold[:, k, :, a]):
                orders.groups.append(OrderGroup(
                    i, a, k, sold[:, k, :, a], _proceeds(draws, k, shock.use_of_proceeds), True,
                    path=-phase(shock.schedule, t)))
    if set(classes) == set(range(len(ASSET_CLASSES))) and PRIVATE in sectors:
        scope = accounts.holdings[mask].sum() / accounts.holdings.sum()
        change = -(fraction * scope)[:, None] * phase(shock.schedule, t)[None]
        orders.residential = orders.residential + change
        orders.commercial = orders.commercial + change
    return left - sold if not constant or left.shape[0] > 1 else left - sold[:1]


def _cap_ownership(
    orders: HolderOrders, i: int, shock: OwnershipCap, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray, left: np.ndarray,
) -> np.ndarray:
    mask = _mask(orders, accounts, shock.holders)
    (a,) = _classes((shock.asset_class,))
    cells = _cells(left, mask, (PRIVATE, OFFICIAL), (a,))
    held = cells.sum(axis=(1, 2, 3))
    excess = np.maximum(held - numbers[i, "limit"] * accounts.capitalisation[a], 0.0)
    if not excess.any():
        orders.flags.append(f"ownership cap: foreigners hold {100 * held.max() / accounts.capitalisation[a]:.1f}% of "
                            f"{shock.asset_class}, below the limit: nothing is sold")
    share = np.divide(excess, held, out=np.zeros_like(excess), where=held > 0)
    sold, _ = _compress(share[:, None, None, None] * cells)
    speed = np.clip(t / shock.deadline_years, 0, 1) if shock.deadline_years > 0 else np.ones_like(t)
    for k in (PRIVATE, OFFICIAL):
        if np.any(sold[:, k, :, a]):
            orders.groups.append(OrderGroup(i, a, k, sold[:, k, :, a], _proceeds(draws, k, "default"), True,
                                            path=-speed))
    return left - sold


def _slow_inflow(
    orders: HolderOrders, i: int, shock: InflowSlowdown, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray,
) -> None:
    mask = _mask(orders, accounts, shock.holders)
    classes = _classes(shock.classes)
    share = numbers[i, "share"]
    elapsed = phase_integral(shock.schedule, t)
    nothing = Proceeds(np.zeros(draws.count), np.ones(draws.count))
    total = accounts.holdings.sum(axis=0)
    for a in classes:
        if total[a] <= 0:
            continue
        for k in (PRIVATE, OFFICIAL):
            usual = accounts.purchases[a] * accounts.by_sector[k][:, a] * mask / total[a]
            amounts, _ = _compress(share[:, None] * usual[None])
            orders.groups.append(OrderGroup(i, a, k, amounts, nothing, True, path=-elapsed, absent=True))
    if len(classes) == len(ASSET_CLASSES):
        scope = accounts.holdings[mask].sum() / total.sum()
        property_ = accounts.real_estate
        slower = -(share * scope)[:, None] * elapsed[None]
        orders.residential = orders.residential + slower * property_.residential_purchases / property_.residential
        orders.commercial = orders.commercial + slower * property_.commercial_purchases / property_.commercial


def _hedge(
    orders: HolderOrders, i: int, shock: HedgeRatio, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray,
) -> None:
    mask = _mask(orders, accounts, shock.holders)
    domiciled = np.array([h.usd_domiciled for h in accounts.areas])
    private = accounts.by_sector[PRIVATE][:, list(_classes(shock.classes))].sum(axis=1) * mask
    base = private[~domiciled].sum() + draws["conversion_usd_domiciled"] * private[domiciled].sum()
    sold = (numbers[i, "change"] * base)[:, None] * phase(shock.schedule, t)[None]
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
    progress = phase(shock.schedule, t)[None]
    orders.outside.append(("safe haven (−) or flight (+) after the tariff", flow[:, None] * progress))
    easing = np.where(haven, -draws["tariff_foreign_easing"] * 1e-4, 0.0) * size
    orders.foreign_2y = orders.foreign_2y + easing[:, None] * progress
    if shock.retaliation:
        orders.flags.append("tariff: retaliation changes no number here, tariffs reach the current account only "
                            "through the dollar")


# ---------------------------------------------------------------- desired orders
def _withhold(
    orders: HolderOrders, i: int, shock: WithholdingTax, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray, left: np.ndarray,
) -> None:
    rate = numbers[i, "rate"]
    mask = _mask(orders, accounts, shock.holders)
    for a in _classes(shock.classes):
        yield_, duration = _income(draws, a)
        for k in (PRIVATE, OFFICIAL):
            for (now, most, mandated), members in _tax_brackets(accounts, mask, a, k, shock).items():
                new = now + rate if shock.income_addition and most > 0 else rate
                new = np.minimum(new, most)
                extra = np.maximum(new - now, 0.0)
                if not extra.any():
                    continue
                speed, lead = _speed(draws, k, mandated)
                if shock.grandfathered:
                    speed, lead = 1.0 / draws["grandfathering_years"], 0.0
                substitute = ASSET_CLASSES[a] in shock.substitute
                orders.groups.append(OrderGroup(
                    i, a, k, _base(left, k, a, members), _proceeds(draws, k, "default"), False,
                    wedge=extra * yield_ * duration, phase=phase(shock.schedule, t + lead), speed=speed,
                    elasticity=_elasticity(draws, a, k),
                    migration=draws["migration_multiple"] if substitute else None,
                    revenue=extra * yield_, revenue_phase=phase(shock.schedule, t),
                ))
                if substitute:
                    fall = 100 * np.median(draws["taxed_line_taxable_share"] * extra * yield_ * duration)
                    orders.flags.append(f"{ASSET_CLASSES[a]}: the taxed paper itself reprices by −{fall:.1f}% "
                                        "(untaxed substitutes exist); positions in it are not in the factor set")


def _charge_fee(
    orders: HolderOrders, i: int, shock: UserFee, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray, left: np.ndarray,
) -> None:
    mask = _mask(orders, accounts, shock.holders)
    speed, lead = _speed(draws, OFFICIAL, False)
    for a in _classes(shock.classes):
        yield_, duration = _income(draws, a)
        fee = numbers[i, "rate"] * yield_
        if not fee.any():
            continue
        orders.groups.append(OrderGroup(
            i, a, OFFICIAL, _base(left, OFFICIAL, a, mask), _proceeds(draws, OFFICIAL, "default"), False,
            wedge=fee * duration, phase=phase(shock.schedule, t + lead), speed=speed,
            elasticity=_elasticity(draws, a, OFFICIAL), revenue=fee, revenue_phase=phase(shock.schedule, t),
        ))


def _tax_purchases(
    orders: HolderOrders, i: int, shock: PurchaseTax, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray, left: np.ndarray,
) -> None:
    mask = _mask(orders, accounts, shock.holders)
    for a in _classes(shock.classes):
        _, duration = _income(draws, a)
        for k in (PRIVATE, OFFICIAL):
            kind = "official" if k == OFFICIAL else "equity" if ASSET_CLASSES[a] == "equity" else "debt"
            holding = draws[f"holding_period_{kind}"]
            wedge = numbers[i, "rate"] * np.minimum(duration, draws["purchase_tax_longest_duration"]) / holding
            if not wedge.any():
                continue
            orders.groups.append(OrderGroup(
                i, a, k, _base(left, k, a, mask), _proceeds(draws, k, "default"), False, wedge=wedge,
                phase=phase(shock.schedule, t), speed=1.0 / holding, elasticity=_elasticity(draws, a, k),
                revenue=numbers[i, "rate"] / holding, revenue_phase=phase(shock.schedule, t),
            ))


def _tax_brackets(
    accounts: ExternalAccounts, mask: np.ndarray, a: int, sector: int, shock: WithholdingTax
) -> dict[tuple[float, float, bool], np.ndarray]:
    """(rate today, highest new rate, mandated funds) → (H,) mask of holders in that bracket."""
    interest = ASSET_CLASSES[a] != "equity"
    brackets: dict[tuple[float, float, bool], np.ndarray] = {}
    for h, holder in enumerate(accounts.areas):
        if not mask[h]:
            continue
        treaty = holder.treaty_interest if interest else holder.treaty_dividends
        most = 1.0 if "treaties" in shock.overrides else treaty
        if sector == OFFICIAL:
            now = 0.0
            if "section_892" not in shock.overrides:
                most = 0.0
        else:
            now = 0.0 if interest else treaty
        if interest and "portfolio_interest" not in shock.overrides:
            most = 0.0
        mandated = holder.mandated_funds and sector == PRIVATE
        key = (now, most, mandated)
        brackets.setdefault(key, np.zeros(len(accounts.areas), dtype=bool))[h] = True
    return brackets


# ---------------------------------------------------------------- small parts
def _mask(orders: HolderOrders, accounts: ExternalAccounts, names: tuple[str, ...]) -> np.ndarray:
    mask, missing = accounts.select(names)
    if missing:
        text = (f"not listed apart in the holdings of {accounts.accounts_as_of}, so not selected (inside Rest): "
                + ", ".join(missing))
        if text not in orders.flags:
            orders.flags.append(text)
    return mask


def _classes(names: tuple[str, ...]) -> tuple[int, ...]:
    unknown = [n for n in names if n not in ASSET_CLASSES]
    if unknown:
        raise InputError([Problem("unknown asset class", got=n, accepted=", ".join(ASSET_CLASSES)) for n in unknown])
    return tuple(ASSET_CLASSES.index(n) for n in names)


def _sectors(name: str) -> tuple[int, ...]:
    if name == "all":
        return (PRIVATE, OFFICIAL)
    if name in SECTORS:
        return (SECTORS.index(name),)
    raise InputError(Problem("unknown sector", got=name, accepted="all, private, official"))


def _cells(
    holdings: np.ndarray, mask: np.ndarray, sectors: tuple[int, ...], classes: tuple[int, ...]
) -> np.ndarray:
    """(P, 2, H, A) holdings with everything outside the selection zero."""
    keep = np.zeros(holdings.shape[1:], dtype=bool)
    for k in sectors:
        for a in classes:
            keep[k, :, a] = mask
    return np.where(keep[None], holdings, 0.0)


def _compress(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """First axis to one row when all rows are equal."""
    constant = bool(np.all(values == values[:1]))
    return (values[:1] if constant else values), constant


def _base(left: np.ndarray, sector: int, a: int, members: np.ndarray) -> np.ndarray:
    return left[:, sector, :, a] * members[None]


def _proceeds(draws: ParameterDraws, sector: int, use: str) -> Proceeds:
    zero, one = np.zeros(draws.count), np.ones(draws.count)
    if use in ("default", "defend"):
        name = f"proceeds_{SECTORS[sector]}"
        other, abroad, deposits = (draws[f"{name}_{part}"] for part in ("other_us", "abroad", "deposits"))
        return Proceeds(other, abroad / (abroad + deposits), use == "defend")
    if use == "abroad":
        return Proceeds(zero, one)
    if use == "other_us":
        return Proceeds(one, zero)
    if use == "deposits":
        return Proceeds(zero, zero)
    raise InputError(Problem("use of proceeds", got=use, accepted="default, abroad, other_us, deposits, defend"))


def _income(draws: ParameterDraws, a: int) -> tuple[np.ndarray, np.ndarray]:
    """Running yield and duration of a class."""
    name = ASSET_CLASSES[a]
    return draws[f"yield_{name}"], draws["equity_duration" if name == "equity" else f"duration_{name}"]


def _elasticity(draws: ParameterDraws, a: int, sector: int) -> np.ndarray:
    own = draws["equity_demand_elasticity" if ASSET_CLASSES[a] == "equity" else "ltdebt_demand_elasticity"]
    return own * draws["official_elasticity_ratio"] if sector == OFFICIAL else own


def _speed(draws: ParameterDraws, sector: int, mandated: bool) -> tuple[np.ndarray, float]:
    """(κ (D,) per year, years holders look ahead)."""
    kind = "official" if sector == OFFICIAL else "mandated" if mandated else "private"
    speed = _LN2 / draws[f"half_life_{kind}"]
    return speed, float(np.median(1.0 / speed))
