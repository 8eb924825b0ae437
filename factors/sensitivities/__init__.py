"""How much does each price move with the dollar, with yields, with the market, with foreign flows?

    estimate_sensitivities(as_of, priors, parameters) -> Sensitivities

observations   the series as known at the as-of date, on one monthly, weekly and quarterly calendar
regression     least squares with Newey–West errors; broken, short, constant, collinear series are refused by
name stability      rolling windows, sup-F and CUSUM tests, the most influential observation
projections    local projections;   quantiles   quantile regressions;   prior   the normal–normal rule
currencies, rates, equities, property_prices, flows   what is regressed on what
"""

from __future__ import annotations

__all__ = ["estimate_sensitivities"]


def __getattr__(name: str):
    if name == "estimate_sensitivities":
        from factors.sensitivities.estimation import estimate_sensitivities

        return estimate_sensitivities
    raise AttributeError(f"module 'factors.sensitivities' has no attribute {name!r}")
