"""Equity: index holdings, futures, European options, baskets by exposure to the dollar, listed real estate.

    holding  V e^{x + qh}                          dividends reinvested at the yield q
    future   n m (F(x) − F₀),  F = S e^x e^{(z + dz − q) T},   value 0 when marked
    option   Black–Scholes–Merton with dividend yield q, per index unit

Quantity : index units (holding), contracts (future, option); notional : USD market value.  + = long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from riskengine.instruments.legs import Legs
from riskengine.instruments.options import Strike, lower_european
from riskengine.instruments.valuation import Valuation

INDICES = ("SP500", "NASDAQ")
BASKETS = ("EXPORTERS", "IMPORTERS", "DOMESTIC")


@dataclass(frozen=True, slots=True)
class EquityHolding:
    """Shares in an index, a basket or listed real estate: *units* of the index, or *value* in USD."""

    underlying: str
    units: float | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class EquityFuture:
    """*contracts* of *multiplier* USD per index point."""

    underlying: str
    contracts: float
    multiplier: float
    expiry: date


@dataclass(frozen=True, slots=True)
class EquityOption:
    """*contracts* of *multiplier* options on one index unit; sign +1 call, −1 put."""

    underlying: str
    contracts: float
    multiplier: float
    expiry: date
    strike: Strike
    sign: float


def _dividend_yield(underlying: str, market: Valuation) -> float:
    for identifier in (f"loading.{underlying}.SP500", f"loading.{underlying}.UST_10Y",
                       f"residual_vol.EQ_{underlying}"):
        market.note_assumed(identifier)
    return market.input(f"dividend_yield.{underlying}")


def lower_holding(deal: EquityHolding, market: Valuation, legs: Legs) -> tuple[float, float]:
    """Add the legs; return (value, notional) in USD."""
    value = deal.value if deal.value is not None else (deal.units or 0.0) * market.level(deal.underlying)
    growth = math.exp(_dividend_yield(deal.underlying, market) * market.h)
    legs.add_exponential(value * growth, (legs.axis.index(f"EQ_{deal.underlying}"), 1.0))
    legs.add_constant(-value)
    return value, value


def lower_future(deal: EquityFuture, market: Valuation, legs: Legs) -> tuple[float, float]:
    """Value 0 (marked to market daily); notional at the index level.  Expired inside: settles at its fixing."""
    spot, dividend = market.level(deal.underlying), _dividend_yield(deal.underlying, market)
    row = legs.axis.index(f"EQ_{deal.underlying}")
    size = deal.contracts * deal.multiplier
    t = market.years_to(deal.expiry)
    legs.add_constant(-size * spot * math.exp(-dividend * t) / market.discount(t))
    if market.has_passed(t):
        legs.add_exponential(size * spot, (market.fixing_row(row, t), 1.0))
    else:
        left = t - market.h
        one, two, w1, w2 = market.curve_loading(left)
        legs.add_exponential(size * spot * math.exp(-dividend * left) / market.discount(left),
                             (row, 1.0), (one, left * w1), (two, left * w2))
    return 0.0, size * spot


def lower_option(deal: EquityOption, market: Valuation, legs: Legs) -> tuple[float, float]:
    """Options on contracts × multiplier index units."""
    return lower_european(
        sign=deal.sign, quantity=deal.contracts * deal.multiplier, spot=market.level(deal.underlying),
        income=_dividend_yield(deal.underlying, market), expiry=deal.expiry, strike=deal.strike,
        factor=f"EQ_{deal.underlying}", name=deal.underlying, kind="equity", volatility_factor="VOL_EQUITY",
        market=market, legs=legs,
    )
