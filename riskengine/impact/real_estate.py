"""Property: cap rates follow the 10-year, foreign buyers move prices where they matter (METHOD 7).

    commercial   dcap = β_type × mean of d10y over the last 12–18 months (both channels), value c/(c + dc) −
    1,
                 and the foreign-buyer channel as the cap rate that gives its price
    residential  dlogP = −min(0.27 |dlog foreign capital| × exposure, 9%),  nation-wide near zero

Gorback and Keys (NBER 27370) for foreign capital, CBRE Econometric Advisors for the betas.
"""

from __future__ import annotations

import numpy as np

from riskengine.base.axes import FACTORS, METROS, PROPERTY_TYPES
from riskengine.flows.draws import ParameterDraws
from riskengine.impact.equity import market_input
from riskengine.impact.moves import Term
from riskengine.market import MarketSnapshot


def phased(
    level: np.ndarray, years: np.ndarray, dt: float, keep: np.ndarray | slice = slice(None)
) -> np.ndarray:
    """Linear phase-in over *years* (D,): the mean of the level path (D, T) over the last years, zero before
    the start.

    A change at u has its full effect at u + years and (t − u)/years of it before.
    """
    draws, steps = level.shape
    sums = np.zeros((steps + 1, draws))
    for row, after, step in zip(sums[:-1], sums[1:], level.T, strict=True):
        np.add(row, step, out=after)
    end = np.arange(1, steps + 1, dtype=np.float64)[keep][:, None]
    start = np.maximum(end - years / dt, 0.0)
    whole = np.minimum(start.astype(np.int64), steps - 1)
    rest = start - whole
    place = whole * draws + np.arange(draws)  # of (step, draw) in the flat array
    before = sums.ravel()[place]
    before += rest * (sums.ravel()[place + draws] - before)
    return ((sums[1:][keep] - before) * (dt / years)).T


def foreign_buyer_effect(change: np.ndarray, exposure: float, draws: ParameterDraws) -> np.ndarray:
    """Log price from a log change of foreign capital (D, T), capped at 9% either way."""
    effect = draws["house_price_per_1pct_foreign_capital"][:, None] * np.abs(change) * exposure
    return np.sign(change) * np.minimum(effect, draws["foreign_buyer_cap"][:, None])


def homes_move(residential: np.ndarray, exposure: float, draws: ParameterDraws) -> bool:
    """Does foreign capital (D, T) move house prices of this exposure in any draw at any step?"""
    effect = draws["house_price_per_1pct_foreign_capital"] * exposure
    reacts = (effect != 0) & (draws["foreign_buyer_cap"] != 0)
    return bool(np.any(residential[reacts]))


def property_terms(
    residential: np.ndarray | None, commercial: np.ndarray | None, exposure: dict[str, float],
    draws: ParameterDraws, snapshot: MarketSnapshot,
) -> tuple[tuple[Term, ...], dict[str, np.ndarray]]:
    """Terms of cap rates (decimal) and house prices (log), and drivers made here, (S, D) each.

    Driver 'slow_10y' is :func:`phased` of the 10-year in both channels.  residential, commercial : (D, S) log
    change of foreign capital, None for no change.  exposure : of commercial types.
    """
    terms = [Term(FACTORS.index(f"CAP_{name}"), "cap_rate", "slow_10y", draws[f"caprate_beta_{name.lower()}"])
             for name in PROPERTY_TYPES]
    drivers: dict[str, np.ndarray] = {}
    one = draws.derive("one", lambda: np.ones(draws.count))
    if commercial is not None:
        for name in PROPERTY_TYPES:
            level = market_input(snapshot, f"cap_rate.{name}")
            price = foreign_buyer_effect(commercial, exposure[name], draws)
            drivers[f"buyers of CAP_{name}"] = level * np.expm1(-price).T
    if residential is not None:
        for name in METROS:
            metro = market_input(snapshot, f"metro_exposure.{name}")
            drivers[f"buyers of HOME_{name}"] = foreign_buyer_effect(residential, metro, draws).T
    for name in drivers:
        terms.append(Term(FACTORS.index(name.removeprefix("buyers of ")), "foreign_buyers", name, one))
    return tuple(terms), drivers
