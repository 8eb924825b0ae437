"""Treasury bills, notes and bonds: cash flows off the zero curve.

    V = Σ CF_j exp(−(z(t_j) + dz(t_j)) t_j)

Coupons are level, c/m of face, on unadjusted dates counted back from maturity (month-ends stay month-ends).
The security is taken as already issued: the next coupon is a whole one, so V is the dirty price.
Quantity = face amount in USD, + = long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from riskengine.base.dates import accrued_fraction, coupon_dates
from riskengine.instruments.legs import Legs
from riskengine.instruments.valuation import Valuation

PAR = "par"


@dataclass(frozen=True, slots=True)
class TreasuryBill:
    """*face* USD at *maturity*."""

    face: float
    maturity: date


@dataclass(frozen=True, slots=True)
class TreasuryCouponBond:
    """Note or bond: *coupon* decimal a year (or 'par': priced at face today), *frequency* payments a year."""

    face: float
    maturity: date
    coupon: float | str
    frequency: int = 2


def par_coupon(maturity: date, frequency: int, market: Valuation) -> float:
    """Coupon at which the security's clean price is its face: c/m (Σ df − accrued share) + df_n = 1."""
    previous, *dates = coupon_dates(market.as_of, maturity, frequency)
    discounts = [market.discount(market.years_to(d)) for d in dates]
    accrued = accrued_fraction(previous, market.as_of, dates[0])
    return frequency * (1.0 - discounts[-1]) / (sum(discounts) - accrued)


def coupon_amount(deal: TreasuryCouponBond, market: Valuation) -> float:
    """USD of one coupon."""
    coupon = par_coupon(deal.maturity, deal.frequency, market) if deal.coupon == PAR else float(deal.coupon)
    return deal.face * coupon / deal.frequency


def cash_flows(deal: TreasuryBill | TreasuryCouponBond, market: Valuation) -> list[tuple[float, float]]:
    """(years, USD) of every payment after the as-of date."""
    if isinstance(deal, TreasuryBill):
        return [(market.years_to(deal.maturity), deal.face)]
    amount = coupon_amount(deal, market)
    flows = [(t, amount) for t in market.coupon_times(deal.maturity, deal.frequency)]
    flows[-1] = (flows[-1][0], flows[-1][1] + deal.face)
    return flows


def lower_treasury(deal: TreasuryBill | TreasuryCouponBond, market: Valuation,
                   legs: Legs) -> tuple[float, float]:
    """Payments inside the horizon are held as cash; the others are discounted at their remaining life."""
    if isinstance(deal, TreasuryBill):
        value = legs.add_payments(market.schedule(deal.maturity, 0), deal.face, deal.face)
    else:
        amount = coupon_amount(deal, market)
        value = legs.add_payments(market.schedule(deal.maturity, deal.frequency), amount, amount + deal.face)
    legs.add_constant(-value)
    return value, deal.face
