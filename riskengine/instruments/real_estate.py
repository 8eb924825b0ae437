"""Real estate held directly: commercial property by cap rate, residential portfolios by metro.

    property     E = max(NOI / (c + dc) − D, 0) + (NOI − r_D D) h       (NOI does not grow)
    residential  V e^x + n h

Debt D is non-recourse and stays at face: the owner's equity cannot fall below zero.  The cap rate never
falls below ``legs.CAP_RATE_FLOOR``.  Values are appraisals: they move with the factor, not with a sale.
"""

from __future__ import annotations

from dataclasses import dataclass

from riskengine.base.errors import InputError, Problem
from riskengine.instruments.legs import CAP_RATE_FLOOR, Legs
from riskengine.instruments.valuation import Valuation


@dataclass(frozen=True, slots=True)
class Property:
    """*share* of a property: NOI USD a year; cap rate decimal (None: market input); debt USD, or ltv."""

    property_type: str
    noi: float
    cap_rate: float | None = None
    debt: float = 0.0
    ltv: float | None = None
    loan_rate: float = 0.0
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Residential:
    """Homes worth *value* USD in *metro*, with *noi* USD net rent a year."""

    metro: str
    value: float
    noi: float = 0.0


def lower_property(deal: Property, market: Valuation, legs: Legs) -> tuple[float, float]:
    """Value = the owner's equity; notional = gross property value (times the share)."""
    cap = market.input(f"cap_rate.{deal.property_type}") if deal.cap_rate is None else deal.cap_rate
    market.note_assumed(f"residual_vol.CAP_{deal.property_type}")
    gross = deal.noi / max(cap, CAP_RATE_FLOOR)
    debt = deal.debt if deal.ltv is None else deal.ltv * gross
    if debt > gross:
        raise InputError(
            Problem("debt exceeds the property's value NOI / cap rate", field="debt", got=f"{debt:,.0f}",
                    accepted=f"at most {gross:,.0f}")
        )
    value = deal.share * (gross - debt)
    legs.add_property(deal.share, deal.noi, cap, debt, legs.axis.index(f"CAP_{deal.property_type}"))
    legs.add_constant(deal.share * (deal.noi - deal.loan_rate * debt) * market.h - value)
    return value, deal.share * gross


def lower_residential(deal: Residential, market: Valuation, legs: Legs) -> tuple[float, float]:
    """Value moves with the metro's index; net rent accrues."""
    market.note_assumed(f"residual_vol.HOME_{deal.metro}")
    legs.add_exponential(deal.value, (legs.axis.index(f"HOME_{deal.metro}"), 1.0))
    legs.add_constant(deal.noi * market.h - deal.value)
    return deal.value, deal.value
