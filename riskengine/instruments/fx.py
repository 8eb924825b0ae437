"""Foreign exchange: spot, forwards and European options, in USD per unit of foreign currency.

    spot     N S e^x e^{r_f h}                               (foreign cash earns the foreign short rate)
    forward  N (S e^{−r_f T} − K e^{−zT})                    covered parity, r_f constant
    option   Garman and Kohlhagen (1983): dividend rate = r_f

Notional N in foreign currency, + = long the foreign currency (for a put: + = long the put).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from riskengine.instruments.legs import Legs
from riskengine.instruments.options import Strike, lower_european
from riskengine.instruments.valuation import Valuation


@dataclass(frozen=True, slots=True)
class FxSpot:
    """Foreign cash: notional in *currency*."""

    currency: str
    notional: float


@dataclass(frozen=True, slots=True)
class FxForward:
    """Buy *notional* of *currency* at *maturity* for *rate* USD per unit."""

    currency: str
    notional: float
    maturity: date
    rate: Strike


@dataclass(frozen=True, slots=True)
class FxOption:
    """European option on *notional* of *currency*; sign +1 call, −1 put on the foreign currency."""

    currency: str
    notional: float
    expiry: date
    strike: Strike
    sign: float


def lower_spot(deal: FxSpot, market: Valuation, legs: Legs) -> tuple[float, float]:
    """Add the legs; return (value, notional) in USD.  The same for every ``lower_*`` function."""
    value = deal.notional * market.spot(deal.currency)
    growth = math.exp(market.short_rate(deal.currency) * market.h)
    legs.add_exponential(value * growth, (legs.axis.index(f"FX_{deal.currency}"), 1.0))
    legs.add_constant(-value)
    return value, value


def lower_forward(deal: FxForward, market: Valuation, legs: Legs) -> tuple[float, float]:
    """Inside the horizon the forward settles in cash at its fixing: N (S_T − K)."""
    spot, foreign = market.spot(deal.currency), market.short_rate(deal.currency)
    row = legs.axis.index(f"FX_{deal.currency}")
    t = market.years_to(deal.maturity)
    rate = deal.rate.resolve(spot, spot * math.exp(-foreign * t) / market.discount(t))
    n = deal.notional
    value = n * (spot * math.exp(-foreign * t) - rate * market.discount(t))
    legs.add_constant(-value)
    if market.has_passed(t):
        legs.add_exponential(n * spot, (market.fixing_row(row, t), 1.0))
        legs.add_constant(-n * rate)
    else:
        left = t - market.h
        legs.add_exponential(n * spot * math.exp(-foreign * left), (row, 1.0))
        one, two, w1, w2 = market.curve_loading(left)
        legs.add_exponential(-n * rate * market.discount(left), (one, -left * w1), (two, -left * w2))
    return value, n * spot


def lower_option(deal: FxOption, market: Valuation, legs: Legs) -> tuple[float, float]:
    """Options on *notional* units of foreign currency, premium and payoff in USD."""
    spot, foreign = market.spot(deal.currency), market.short_rate(deal.currency)
    factor = f"FX_{deal.currency}"
    return lower_european(
        sign=deal.sign, quantity=deal.notional, spot=spot, income=foreign, expiry=deal.expiry,
        strike=deal.strike, factor=factor, name=deal.currency, kind="fx", volatility_factor="VOL_FX",
        market=market, legs=legs,
    )
