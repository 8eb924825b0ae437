"""Desired orders: how taxes and fees change what holders want to hold (METHOD 2 and 3).

    order = κ (W* − W),   W* = W0 exp(−ε max(wedge + dlogP[t−1], 0)),   κ = ln 2 / half-life
    withholding tax   wedge = max(0, τ_new − τ_now) y D        user fee   wedge = rate y D
    purchase tax      wedge = rate min(D, 10)/H, speed 1/H

The step uses 1 − e^(−κ dt), exact at any step length.  The wedge is a price over D years, so it is that of
the whole enacted tax; its schedule says which part of the response is due, and holders look ahead by their
own adjustment time 1/κ: a linear schedule gives a linear sale.  Grandfathered paper matures at rate 1/4 a
year and a purchase tax bites at the pace of purchases 1/H; both replace κ.  Taxed today: dividends at the
treaty rate; portfolio interest and official holders at 0.
"""

from __future__ import annotations

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import OFFICIAL, PRIVATE, ExternalAccounts
from riskengine.flows.orders import HolderOrders, OrderGroup, class_indices, select_holders, use_proceeds
from riskengine.flows.shock_numbers import Numbers, phase
from riskengine.policy.shocks import PurchaseTax, UserFee, WithholdingTax

_LN2 = float(np.log(2.0))


def withhold(
    orders: HolderOrders, i: int, shock: WithholdingTax, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray, left: np.ndarray,
) -> None:
    """Orders of a withholding tax, one group per class, sector and tax bracket."""
    rate = numbers[i, "rate"]
    mask = select_holders(orders, accounts, shock.holders)
    for a in class_indices(shock.classes):
        yield_, duration = _income(draws, a)
        for k in (PRIVATE, OFFICIAL):
            brackets = draws.derive(("tax brackets", a, k, shock.overrides, mask.tobytes()),
                                    lambda a=a, k=k: _tax_brackets(accounts, mask, a, k, shock), accounts)
            for (now, most, mandated), members in brackets.items():
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
                    i, a, k, _base(left, k, a, members), use_proceeds(draws, k, "default"), False,
                    wedge=extra * yield_ * duration, phase=phase(shock.schedule, t + lead), speed=speed,
                    elasticity=_elasticity(draws, a, k),
                    migration=draws["migration_multiple"] if substitute else None,
                    revenue=extra * yield_, revenue_phase=phase(shock.schedule, t),
                ))
                if substitute:
                    fall = 100 * np.median(draws["taxed_line_taxable_share"] * extra * yield_ * duration)
                    orders.flags.append(
                        f"{ASSET_CLASSES[a]}: the taxed paper itself reprices by −{fall:.1f}% (untaxed "
                        "substitutes exist); positions in it are not in the factor set")


def charge_fee(
    orders: HolderOrders, i: int, shock: UserFee, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray, left: np.ndarray,
) -> None:
    """Orders of a fee on official holders."""
    mask = select_holders(orders, accounts, shock.holders)
    speed, lead = _speed(draws, OFFICIAL, False)
    for a in class_indices(shock.classes):
        yield_, duration = _income(draws, a)
        fee = numbers[i, "rate"] * yield_
        if not fee.any():
            continue
        orders.groups.append(OrderGroup(
            i, a, OFFICIAL, _base(left, OFFICIAL, a, mask), use_proceeds(draws, OFFICIAL, "default"), False,
            wedge=fee * duration, phase=phase(shock.schedule, t + lead), speed=speed,
            elasticity=_elasticity(draws, a, OFFICIAL), revenue=fee, revenue_phase=phase(shock.schedule, t),
        ))


def tax_purchases(
    orders: HolderOrders, i: int, shock: PurchaseTax, accounts: ExternalAccounts, draws: ParameterDraws,
    numbers: Numbers, t: np.ndarray, left: np.ndarray,
) -> None:
    """Orders of a tax on purchases: nobody is forced to sell, but less is bought."""
    mask = select_holders(orders, accounts, shock.holders)
    for a in class_indices(shock.classes):
        _, duration = _income(draws, a)
        for k in (PRIVATE, OFFICIAL):
            kind = "official" if k == OFFICIAL else "equity" if ASSET_CLASSES[a] == "equity" else "debt"
            holding = draws[f"holding_period_{kind}"]
            wedge = numbers[i, "rate"] * np.minimum(duration,
                                                    draws["purchase_tax_longest_duration"]) / holding
            if not wedge.any():
                continue
            orders.groups.append(OrderGroup(
                i, a, k, _base(left, k, a, mask), use_proceeds(draws, k, "default"), False, wedge=wedge,
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


def _base(left: np.ndarray, sector: int, a: int, members: np.ndarray) -> np.ndarray:
    return left[:, sector, :, a] * members[None]


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

    def make() -> tuple[np.ndarray, float]:
        speed = _LN2 / draws[f"half_life_{kind}"]
        return speed, float(np.median(1.0 / speed))

    return draws.derive(("speed", kind), make)
