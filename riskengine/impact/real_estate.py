"""Property: cap rates follow the 10-year, foreign buyers move prices where they matter (METHOD 7).

    commercial   dcap = β_type × mean of d10y over the last 12–18 months (both channels), value c/(c + dc) −
    1,
                 and the foreign-buyer channel as the cap rate that gives its price
    residential  dlogP = −min(0.27 |dlog foreign capital| × exposure, 9%),  nation-wide near zero

Gorback and Keys (NBER 27370) for foreign capital, CBRE Econometric Advisors for the betas.
"""

from __future__ import annotations

import numpy as np

from riskengine.base.axes import METROS, PROPERTY_TYPES
from riskengine.flows.draws import ParameterDraws
from riskengine.impact.equity import market_input
from riskengine.market import MarketSnapshot


def phased(
    level: np.ndarray, years: np.ndarray, dt: float, keep: np.ndarray | slice = slice(None)
) -> np.ndarray:
    """Linear phase-in over *years* (D,): the mean of the level path (D, T) over the last years, zero before
    the start.

    A change at u has its full effect at u + years and (t − u)/years of it before.
    """
    draws, steps = level.shape
    sums = np.zeros((draws, steps + 1))
    np.cumsum(level, axis=1, out=sums[:, 1:])
    end = np.arange(1, steps + 1, dtype=np.float64)[keep][None]
    start = np.maximum(end - years[:, None] / dt, 0.0)
    whole = np.minimum(start.astype(np.int64), steps - 1)
    rest = start - whole
    before = np.take_along_axis(sums, whole, axis=1)
    before = before + rest * (np.take_along_axis(sums, whole + 1, axis=1) - before)
    return (sums[:, 1:][:, keep] - before) * dt / years[:, None]


def foreign_buyer_effect(change: np.ndarray, exposure: float, draws: ParameterDraws) -> np.ndarray:
    """Log price from a log change of foreign capital (D, T), capped at 9% either way."""
    effect = draws["house_price_per_1pct_foreign_capital"][:, None] * np.abs(change) * exposure
    return np.sign(change) * np.minimum(effect, draws["foreign_buyer_cap"][:, None])


def homes_move(residential: np.ndarray, exposure: float, draws: ParameterDraws) -> bool:
    """Does foreign capital (D, T) move house prices of this exposure in any draw at any step?"""
    reacts = (draws["house_price_per_1pct_foreign_capital"] * exposure != 0) & (draws["foreign_buyer_cap"] != 0)
    return bool(np.any(residential[reacts]))


def property_responses(
    yield_10y: np.ndarray, residential: np.ndarray, commercial: np.ndarray, exposure: dict[str, float],
    draws: ParameterDraws, snapshot: MarketSnapshot, dt: float, keep: np.ndarray | slice = slice(None),
) -> dict[str, dict[str, np.ndarray]]:
    """factor label → channel → (D, S) at the steps *keep*: cap rates (decimal) and house prices (log).

    yield_10y : (D, T) change of the 10-year in both channels.  residential, commercial : (D, T) log change of
    foreign capital.  exposure : of commercial types.
    """
    slow = phased(yield_10y, draws["cap_rate_phase_years"], dt, keep)
    any_commercial, any_residential = commercial.any(), residential.any()
    commercial, residential = commercial[:, keep], residential[:, keep]
    responses: dict[str, dict[str, np.ndarray]] = {}
    for name in PROPERTY_TYPES:
        channels = {"cap_rate": draws[f"caprate_beta_{name.lower()}"][:, None] * slow}
        if any_commercial:
            level = market_input(snapshot, f"cap_rate.{name}")
            price = foreign_buyer_effect(commercial, exposure[name], draws)
            channels["foreign_buyers"] = level * np.expm1(-price)
        responses[f"CAP_{name}"] = channels
    for name in METROS:
        channels = {}
        if any_residential:
            metro = market_input(snapshot, f"metro_exposure.{name}")
            channels["foreign_buyers"] = foreign_buyer_effect(residential, metro, draws)
        responses[f"HOME_{name}"] = channels
    return responses
