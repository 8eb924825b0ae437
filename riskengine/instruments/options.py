"""European options: strikes, the closed form, and the legs of an option on any asset with income.

Black and Scholes (1973), Merton (1973), Garman and Kohlhagen (1983), in the forward form::

    V = w (A N(w d₁) − B N(w d₂)),   d₁ = ln(A/B)/s + s/2,   d₂ = d₁ − s,   s = σ √T

A = S e^{−qT} the asset's and B = K e^{−zT} the strike's present value; q the dividend yield or the foreign
short rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from riskengine.base.errors import InputError, Problem
from riskengine.instruments.legs import Legs
from riskengine.instruments.valuation import Valuation

STRIKE_RANGE = (0.2, 5.0)
"""Accepted strike over spot: outside, the strike is most likely quoted in foreign currency per USD."""


@dataclass(frozen=True, slots=True)
class Strike:
    """An absolute level, or a multiple of the spot or of the forward at the as-of date."""

    value: float
    relative_to: str = "level"
    """'level', 'spot' or 'forward'."""

    def resolve(self, spot: float, forward: float) -> float:
        match self.relative_to:
            case "spot":
                return self.value * spot
            case "forward":
                return self.value * forward
        if not STRIKE_RANGE[0] < self.value / spot < STRIKE_RANGE[1]:
            raise InputError(
                Problem("strike too far from spot (FX: USD per unit of foreign currency)", field="strike",
                        got=f"{self.value:g}", accepted=f"near {spot:.6g}, or ATM, ATMF, 98%, 102%F")
            )
        return self.value

    def __str__(self) -> str:
        if self.relative_to == "level":
            return f"{self.value:g}"
        return f"{100 * self.value:g}% of the {self.relative_to}"


def normal_cdf(x: float) -> float:
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def black_scholes(sign: float, asset: float, cash: float, sigma_root_t: float) -> float:
    """Value per unit; sign +1 call, −1 put; asset and cash as in the module docstring, > 0."""
    d1 = math.log(asset / cash) / sigma_root_t + 0.5 * sigma_root_t
    d2 = d1 - sigma_root_t
    return sign * (asset * normal_cdf(sign * d1) - cash * normal_cdf(sign * d2))


def lower_european(*, sign: float, quantity: float, spot: float, income: float, expiry: date, strike: Strike,
                   factor: str, name: str, kind: str, volatility_factor: str, market: Valuation,
                   legs: Legs) -> tuple[float, float]:
    """A European option on an asset that pays *income* continuously: currencies and indices alike."""
    row = legs.axis.index(factor)
    t = market.years_to(expiry)
    level = strike.resolve(spot, spot * math.exp(-income * t) / market.discount(t))
    sigma = market.implied_volatility(factor, name, kind, t)
    value = quantity * black_scholes(sign, spot * math.exp(-income * t), level * market.discount(t),
                                     sigma * math.sqrt(t))
    legs.add_constant(-value)
    if market.has_passed(t):
        legs.add_payoff(sign, quantity, spot, level, market.fixing_row(row, t))
    else:
        left = t - market.h
        sigma = market.implied_volatility(factor, name, kind, left)
        one, two, w1, w2 = market.curve_loading(left)
        legs.add_option(sign, quantity, spot * math.exp(-income * left), level * market.discount(left),
                        sigma * math.sqrt(left), row, (one, two, -left * w1, -left * w2),
                        legs.axis.index(volatility_factor))
    return value, quantity * spot
